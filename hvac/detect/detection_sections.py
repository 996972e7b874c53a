"""The sections of the detector's report, from the metrics of a run: functions `View -> blocks`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hvac.detect.detection_blocks import cells, row, table
from hvac.detect.detection_results import Bounds, DetectionView
from hvac.detect.detector_differences import difference_notes
from hvac.detect.series import DETECTOR, REPORTED
from hvac.json_values import Json
from hvac.report.provenance import facts
from hvac.report.view import Block, Cell, Note, Row, Table, image, plain, show

FEW = 30
SERIES_COUNTS = (
    "series",
    "steps",
    "anomalies",
    "windows",
    "anomalous_windows",
    "unknown",
)
EXAMPLE_COUNTS = ("normal", "anomalous", "made")
RANKING = {"pr_auc": "ratio", "base_rate": "ratio", "roc_auc": "ratio"}
AT_THRESHOLD = {"accuracy": "share", "precision": "share", "recall": "share"}
CLASS_REPORT = {
    "precision": "ratio",
    "recall": "ratio",
    "f1-score": "ratio",
    "support": "count",
}
SPLITS = {"sine": "split_seed", "rich": "split_series", "records": "split_time"}
RUN_FACTS = ("name", "created", "version", "config_hash", "seed", "workers")
DETECTOR_FACTS = ("parameters", "kept_epoch", "epochs", "window", "detector", "sha256")


def reported_parts(view: DetectionView) -> list[str]:
    """Return the parts that figures are reported for."""
    return [part for part in REPORTED if part in view.results["models"][DETECTOR]]


def detection_summary(view: DetectionView) -> list[Block]:
    """Return what was evaluated, the detector's results, and how it compares with the baselines."""
    words = view.words
    reported = reported_parts(view)
    by_part = view.results["parts"]
    held = sum(by_part[part]["anomalies"] for part in reported)
    text = words(
        "summary.series",
        series=show(sum(part["series"] for part in by_part.values()), "count"),
        anomalies=show(sum(part["anomalies"] for part in by_part.values()), "count"),
        test=show(held, "count"),
        parts=words.join([words.name("part", part) for part in reported]),
    )
    blocks: list[Block] = [Note(text)]
    blocks += [Note(_headline(view, part)) for part in reported]
    blocks += difference_notes(view)
    if view.results["settings"]["kind"] == "sine":
        blocks.append(Note(words("summary.easy"), kind="warning"))
    elif held < FEW:
        blocks.append(Note(words("summary.few", events=held), kind="warning"))
    return blocks


def _headline(view: DetectionView, part: str) -> str:
    words = view.words
    measured = view.results["models"][DETECTOR][part]
    names = {"part": words.name("part", part), "model": words.name("model", DETECTOR)}
    if "events" not in measured:
        accuracy = measured["windows"]["accuracy"]
        count = measured["windows"]["windows"]
        right = round(accuracy["value"] * count)
        return words(
            "summary.accuracy", **names, right=right, all=count, **_shares(accuracy)
        )
    events = measured["events"]
    return words(
        "summary.events",
        **names,
        found=events["found"],
        events=events["events"],
        false=events["false_alarms"],
        rate=show(events["false_rate"], "rate"),
        unit=words(f"unit.{events['exposure_unit']}"),
        **_shares(events["recall"]),
    )


def _shares(measured: Bounds) -> dict[str, str]:
    return {key: show(measured, "share", key) for key in ("value", "low", "high")}


def series(view: DetectionView) -> list[Block]:
    """Return sample series, what each part holds, and what was read of each record."""
    counts = _counts_table(view, "parts", view.results["parts"], SERIES_COUNTS)
    blocks = [*image(view, "series"), counts]
    if records := view.results["records"]:
        rows = []
        for key in next(iter(records.values())):
            values = [plain(read[key]) for read in records.values()]
            rows.append(row(view, "read", key, values))
        names = [view.words.name("record", name) for name in records]
        blocks.append(table(view, "records", ["record"], rows, more=names))
    return blocks


def _counts_table(
    view: DetectionView,
    caption: str,
    by_part: Mapping[str, Mapping[str, int]],
    keys: Sequence[str],
) -> Table:
    """Return a table with a row per part and a column per count."""
    forms = dict.fromkeys(keys, "count")
    rows = [row(view, "part", part, cells(by_part[part], forms)) for part in by_part]
    return table(view, caption, ["part", *keys], rows)


def window_scores(view: DetectionView) -> list[Block]:
    """Return all models' ranking, the detector's classification report, confusion matrices."""
    parts = reported_parts(view)
    blocks: list[Block] = [_ranking(view, part) for part in parts]
    blocks += [_classification(view, part) for part in parts]
    blocks += image(view, "confusion") + image(view, "probability")
    return [*blocks, Note(view.words("note.windows"))]


def _ranking(view: DetectionView, part: str) -> Table:
    rows: list[Row] = []
    for model, by_part in view.results["models"].items():
        windows = by_part[part]["windows"]
        threshold = view.results["thresholds"][model]["value"]
        at_threshold = {
            **windows["report"]["anomalous"],
            "accuracy": windows["accuracy"],
        }
        values = cells(windows, RANKING)
        values.append(Cell(f"{threshold:.3g}"))
        values += cells(at_threshold, AT_THRESHOLD)
        rows.append(row(view, "model", model, values))
    return table(
        view,
        "windows",
        ["model", *RANKING, "threshold", *AT_THRESHOLD],
        rows,
        part=part,
    )


def _classification(view: DetectionView, part: str) -> Table:
    report = view.results["models"][DETECTOR][part]["windows"]["report"]
    rows = [
        row(view, "class", name, cells(report[name], CLASS_REPORT)) for name in report
    ]
    return table(view, "report", ["class", *CLASS_REPORT], rows, part=part)


def scores(view: DetectionView) -> list[Block]:
    """Return the figure of scores over time."""
    return image(view, "scores")


def training(view: DetectionView) -> list[Block]:
    """Return the windows the network learned from, and its learning curve."""
    counts = _counts_table(view, "examples", view.results["examples"], EXAMPLE_COUNTS)
    return [counts, *image(view, "training")]


def honesty(view: DetectionView) -> list[Block]:
    """Return a list of what was chosen on which part."""
    words = view.words
    settings = view.results["settings"]
    by_budget = settings["rule"] == "budget"
    rule = settings["rule"]
    if by_budget and settings["most_in_alarm"]:
        rule = "limited"
    chosen = words(
        f"honesty.{rule}",
        budget=settings["budget"],
        unit=words(f"unit.{settings['exposure_unit']}"),
        share=show(settings["most_in_alarm"], "share"),
    )
    lines = [words(f"honesty.{SPLITS[settings['kind']]}")]
    if settings["inject"]:
        lines.append(words("honesty.inject"))
    lines += [words("honesty.epoch"), chosen]
    if by_budget:
        lines.append(words("honesty.shared"))
    lines.append(words("honesty.once"))
    for model, threshold in view.results["thresholds"].items():
        if note := threshold["note"]:
            lines.append(
                words("note.threshold", model=words.name("model", model), note=note)
            )
    return [Note(line, kind="item") for line in lines]


def detection_provenance(view: DetectionView) -> list[Block]:
    """Return the run, its network, and how to do it again."""
    words = view.words
    channels = [
        words(f"channel.{channel}") for channel in view.results["detector"]["channels"]
    ]
    named: dict[str, Json] = {}
    for group, keys in (("run", RUN_FACTS), ("detector", DETECTOR_FACTS)):
        named |= {words(f"fact.{key}"): view.at(group, key) for key in keys}
    named[words("fact.channels")] = words.join(channels)
    return [
        *facts(view, "run", named),
        Note(words("caption.command")),
        Note(str(view.at("run", "command")), kind="code"),
    ]
