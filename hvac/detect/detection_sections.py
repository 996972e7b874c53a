"""The sections of the detector's report, from the metrics of a run: functions `View -> blocks`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hvac.detect.detection_results import Bounds, DetectionView
from hvac.detect.detector_differences import difference_notes
from hvac.detect.series import DETECTOR, REPORTED
from hvac.json_values import Json, as_json
from hvac.report.view import (
    Block,
    Cell,
    Note,
    Row,
    Table,
    cell,
    image,
    number,
    plain,
    show,
)

FEW = 30
RANKING_COLUMNS = (
    "model",
    "pr_auc",
    "base_rate",
    "roc_auc",
    "threshold",
    "accuracy",
    "precision",
    "recall",
)
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
    all_parts = by_part.values()
    held = sum(by_part[part]["anomalies"] for part in reported)
    text = words(
        "summary.series",
        series=show(sum(part["series"] for part in all_parts), "count"),
        anomalies=show(sum(part["anomalies"] for part in all_parts), "count"),
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
        return words("summary.accuracy", **names, right=right, all=count, **_shares(accuracy))
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
    words = view.words
    columns = ("series", "steps", "anomalies", "windows", "anomalous_windows", "unknown")
    blocks = image(view, "series")
    blocks.append(_counts_table(view, "parts", view.results["parts"], columns))
    if records := view.results["records"]:
        rows = []
        for key in next(iter(records.values())):
            cells = [plain(counts[key]) for counts in records.values()]
            rows.append(Row(head=Cell(words(f"read.{key}")), cells=cells))
        head = [words("table.record"), *(words.name("record", name) for name in records)]
        blocks.append(Table(caption=words("caption.records"), head=head, rows=rows))
    return blocks


def _counts_table(
    view: DetectionView,
    caption: str,
    by_part: Mapping[str, Mapping[str, int]],
    columns: Sequence[str],
) -> Table:
    """Return a table with a row per part and a column per count."""
    words = view.words
    rows = []
    for part, counts in by_part.items():
        cells = [plain(counts[key]) for key in columns]
        part_name = words.name("part", part)
        rows.append(Row(head=Cell(part_name), cells=cells))
    head = [words("table.part"), *(words(f"table.{key}") for key in columns)]
    return Table(caption=words(f"caption.{caption}"), head=head, rows=rows)


def window_scores(view: DetectionView) -> list[Block]:
    """Return all models' ranking, the detector's classification report, confusion matrices."""
    blocks: list[Block] = [_ranking(view, part) for part in reported_parts(view)]
    blocks += [_classification(view, part) for part in reported_parts(view)]
    blocks += image(view, "confusion") + image(view, "probability")
    return [*blocks, Note(view.words("note.windows"))]


def _ranking(view: DetectionView, part: str) -> Table:
    words = view.words
    rows = []
    for model, by_part in view.results["models"].items():
        windows = by_part[part]["windows"]
        anomalous = windows["report"]["anomalous"]
        threshold = view.results["thresholds"][model]["value"]
        cells = [
            Cell(show(windows["pr_auc"])),
            Cell(show(windows["base_rate"])),
            Cell(show(windows["roc_auc"])),
            Cell(f"{threshold:.3g}"),
            cell(windows["accuracy"], "share"),
            Cell(show(anomalous["precision"], "share")),
            Cell(show(anomalous["recall"], "share")),
        ]
        name = Cell(words.name("model", model))
        rows.append(Row(head=name, cells=cells, strong=model == DETECTOR))
    head = [words(f"table.{key}") for key in RANKING_COLUMNS]
    caption = words("caption.windows", part=words.name("part", part))
    return Table(caption=caption, head=head, rows=rows)


def _classification(view: DetectionView, part: str) -> Table:
    words = view.words
    rows = []
    report = view.results["models"][DETECTOR][part]["windows"]["report"]
    for name, row in report.items():
        cells = [Cell(show(row[key])) for key in ("precision", "recall", "f1-score")]
        cells.append(plain(row["support"]))
        class_name = words.name("class", name)
        rows.append(Row(head=Cell(class_name), cells=cells))
    model = words.name("model", DETECTOR)
    caption = words("caption.report", model=model, part=words.name("part", part))
    head = [words(f"table.{key}") for key in ("class", "precision", "recall", "f1", "support")]
    return Table(caption=caption, head=head, rows=rows)


def scores(view: DetectionView) -> list[Block]:
    """Return the figure of scores over time."""
    return image(view, "scores")


def training(view: DetectionView) -> list[Block]:
    """Return the windows the network learned from, and its learning curve."""
    columns = ("normal", "anomalous", "made")
    table = _counts_table(view, "examples", view.results["examples"], columns)
    return [table, *image(view, "training")]


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
            model_name = words.name("model", model)
            lines.append(words("note.threshold", model=model_name, note=note))
    return [Note(line, kind="item") for line in lines]


def detection_provenance(view: DetectionView) -> list[Block]:
    """Return the run, its network, and how to do it again."""
    words = view.words
    run = view.results["run"]
    detector = view.results["detector"]
    channels = words.join([words(f"channel.{channel}") for channel in detector["channels"]])
    facts: dict[str, Json] = {key: run[key] for key in RUN_FACTS}
    facts |= {key: as_json(detector)[key] for key in DETECTOR_FACTS}
    facts["channels"] = channels
    rows = []
    for key, value in facts.items():
        title = Cell(words(f"fact.{key}"))
        rows.append(Row(head=title, cells=[_fact(value)]))
    return [
        Table(caption=words("caption.run"), rows=rows),
        Note(words("caption.command")),
        Note(str(run["command"]), kind="code"),
    ]


def _fact(value: Json) -> Cell:
    whole = number(value)
    return plain(value) if whole is None or whole >= 1 else Cell(str(value))
