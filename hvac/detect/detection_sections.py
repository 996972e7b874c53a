"""The sections of the detector's report, from the metrics of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hvac.detect.detector_differences import difference_notes
from hvac.detect.series import DETECTOR, REPORTED
from hvac.report.view import (
    Block,
    Cell,
    Note,
    Row,
    Table,
    View,
    cell,
    dig,
    image,
    number,
    plain,
    show,
)

FEW = 30


def judged_parts(view: View) -> list[str]:
    """The parts that figures are reported for."""
    return [part for part in REPORTED if view.at("models", DETECTOR, part)]


def detection_summary(view: View) -> list[Block]:
    """What was judged, what the detector reached, and how it stands to the baseline."""
    words, parts = view.words, judged_parts(view)
    total = sum(dig(each, "anomalies") for each in view.at("parts").values())
    held = sum(view.at("parts", part, "anomalies") for part in parts)
    blocks: list[Block] = [
        Note(
            words(
                "summary.series",
                series=show(
                    sum(dig(each, "series") for each in view.at("parts").values()), "count"
                ),
                anomalies=show(total, "count"),
                test=show(held, "count"),
                parts=words.join([words.name("part", part) for part in parts]),
            )
        )
    ]
    blocks += [Note(_headline(view, part)) for part in parts]
    blocks += difference_notes(view)
    if view.at("settings", "kind") == "sine":
        blocks.append(Note(kind="warning", text=words("summary.easy")))
    elif held < FEW:
        blocks.append(Note(kind="warning", text=words("summary.few", events=held)))
    return blocks


def _headline(view: View, part: str) -> str:
    words, found = view.words, view.at("models", DETECTOR, part)
    names = {"part": words.name("part", part), "model": words.name("model", DETECTOR)}
    if "events" not in found:
        measured, all_windows = found["windows"]["accuracy"], found["windows"]["windows"]
        right = round(measured["value"] * all_windows)
        return words("summary.accuracy", **names, right=right, all=all_windows, **_shown(measured))
    events = found["events"]
    return words(
        "summary.events",
        **names,
        found=events["found"],
        events=events["events"],
        false=events["false_alarms"],
        rate=show(events["false_rate"], "rate"),
        unit=words(f"unit.{events['exposure_unit']}"),
        **_shown(events["recall"]),
    )


def _shown(measured: Mapping[str, Any]) -> dict[str, str]:
    return {key: show(measured, "share", key) for key in ("value", "low", "high")}


def series(view: View) -> list[Block]:
    """Sample series, what was read, what each part holds."""
    words = view.words
    columns = ("series", "steps", "anomalies", "windows", "anomalous_windows", "unknown")
    rows = [
        Row(head=Cell(words.name("part", part)), cells=[plain(found[key]) for key in columns])
        for part, found in view.at("parts").items()
    ]
    head = [words("table.part"), *(words(f"table.{key}") for key in columns)]
    blocks = image(view, "series")
    blocks.append(Table(caption=words("caption.parts"), head=head, rows=rows))
    if records := view.at("records"):
        names = list(records)
        rows = [
            Row(
                head=Cell(words(f"read.{key}")),
                cells=[plain(records[name][key]) for name in names],
            )
            for key in next(iter(records.values()))
        ]
        head = [words("table.record"), *(words.name("record", name) for name in names)]
        blocks.append(Table(caption=words("caption.records"), head=head, rows=rows))
    return blocks


def window_scores(view: View) -> list[Block]:
    """Ranking of all models, the detector's classification report, confusion matrices."""
    blocks: list[Block] = [_ranking(view, part) for part in judged_parts(view)]
    blocks += [_classification(view, part) for part in judged_parts(view)]
    blocks += image(view, "confusion") + image(view, "probability")
    return [*blocks, Note(view.words("note.windows"))]


def _ranking(view: View, part: str) -> Table:
    words, rows = view.words, []
    for model, by_part in view.at("models").items():
        found = by_part[part]["windows"]
        threshold = f"{view.at('thresholds', model, 'value'):.3g}"
        cells = [Cell(show(found[key])) for key in ("pr_auc", "base_rate", "roc_auc")]
        cells += [Cell(threshold), cell(found["accuracy"], "share")]
        cells += [
            Cell(show(dig(found, "report", "anomalous", key), "share"))
            for key in ("precision", "recall")
        ]
        rows.append(
            Row(head=Cell(words.name("model", model)), cells=cells, strong=model == DETECTOR)
        )
    keys = (
        "model",
        "pr_auc",
        "base_rate",
        "roc_auc",
        "threshold",
        "accuracy",
        "precision",
        "recall",
    )
    return Table(
        caption=words("caption.windows", part=words.name("part", part)),
        head=[words(f"table.{k}") for k in keys],
        rows=rows,
    )


def _classification(view: View, part: str) -> Table:
    words, found = view.words, view.at("models", DETECTOR, part, "windows", "report")
    rows = [
        Row(
            head=Cell(words.name("class", name)),
            cells=[
                *(Cell(show(each[key])) for key in ("precision", "recall", "f1-score")),
                plain(each["support"]),
            ],
        )
        for name, each in found.items()
    ]
    caption = words(
        "caption.report", model=words.name("model", DETECTOR), part=words.name("part", part)
    )
    return Table(
        caption=caption,
        head=[words(f"table.{k}") for k in ("class", "precision", "recall", "f1", "support")],
        rows=rows,
    )


def events(view: View) -> list[Block]:
    """Anomalies found and the false alarms that cost, by kind and group; nothing for series of one
    window.
    """
    parts = [part for part in judged_parts(view) if view.at("models", DETECTOR, part, "events")]
    blocks: list[Block] = []
    for part in parts:
        blocks += [
            _events_table(view, part),
            *_event_list(view),
            *_kinds_table(view, part),
            _groups_table(view, part),
        ]
    if not blocks:
        return []
    settings = view.at("settings")
    blocks.append(Note(view.words(f"note.join_{settings['join']}")))
    slack = "slack" if settings["slack"] else "no_slack"
    blocks.append(Note(view.words(f"note.{slack}", gap=settings["gap"], slack=settings["slack"])))
    blocks.append(Note(view.words("note.chance")))
    return blocks + ([Note(view.words("note.delay"))] if view.at("records") else [])


def _events_table(view: View, part: str) -> Table:
    words, rows = view.words, []
    unit = view.at("models", DETECTOR, part, "events", "exposure_unit")
    for model, by_part in view.at("models").items():
        found = by_part[part]["events"]
        cells = [_count_of(found), cell(found["recall"], "share"), plain(found["false_alarms"])]
        cells += [
            cell(found["false_rate"], "rate"),
            *(Cell(show(found[k], "share")) for k in ("in_alarm", "chance")),
        ]
        cells += [cell(found["delay"], "rate" if unit == "week" else "count")]
        rows.append(
            Row(head=Cell(words.name("model", model)), cells=cells, strong=model == DETECTOR)
        )
    head = [words(f"table.{key}") for key in ("model", "found", "share", "false_alarms")]
    head += [
        words("table.rate", unit=words(f"unit.{unit}")),
        words("table.in_alarm"),
        words("table.chance"),
    ]
    head += [words("table.delay_hours" if unit == "week" else "table.delay_steps")]
    return Table(
        caption=words("caption.events", part=words.name("part", part)), head=head, rows=rows
    )


def _count_of(found: Mapping[str, Any]) -> Cell:
    return Cell(f"{found['found']} / {found['events']}")


def _event_list(view: View) -> list[Block]:
    words, listed, models = view.words, view.at("events"), list(view.at("models"))
    if not listed:
        return []
    rows = []
    for event in listed:
        cells = [Cell(str(event[key])) for key in ("start", "end")]
        cells += [Cell(str(event["first"][model] or words("table.missed"))) for model in models]
        rows.append(Row(head=Cell(words.name("record", event["record"])), cells=cells))
    head = [words("table.record"), words("table.start"), words("table.end")]
    head += [words("table.alarm", model=words.name("model_short", model)) for model in models]
    return [Table(caption=words("caption.event_list"), head=head, rows=rows)]


def _kinds_table(view: View, part: str) -> list[Block]:
    words, by_model = view.words, view.at("models")
    kinds = view.at("models", DETECTOR, part, "events", "by_kind")
    if len(kinds) < 2:
        return []
    rows = [
        Row(
            head=Cell(words.name("kind", kind)),
            cells=[
                plain(found["events"]),
                *(
                    cell(by_model[m][part]["events"]["by_kind"][kind]["recall"], "share")
                    for m in by_model
                ),
            ],
        )
        for kind, found in kinds.items()
    ]
    head = [
        words("table.kind"),
        words("table.anomalies"),
        *(words.name("model", model) for model in by_model),
    ]
    return [
        Table(caption=words("caption.kinds", part=words.name("part", part)), head=head, rows=rows)
    ]


def _groups_table(view: View, part: str) -> Table:
    words, by_model = view.words, view.at("models")
    groups = view.at("models", DETECTOR, part, "events", "by_group")
    of_records = bool(view.at("records"))
    rows = []
    for group, found in groups.items():
        cells = [plain(found["series"]), plain(found["events"])]
        for model in by_model:
            each = by_model[model][part]["events"]["by_group"][group]
            cells += [Cell(show(each["recall"], "share")), plain(each["false_alarms"])]
        name = words.name("record", group) if of_records else group.replace("-", "–")
        rows.append(Row(head=Cell(name), cells=cells))
    head = [
        words("table.record" if of_records else "table.length"),
        words("table.series"),
        words("table.anomalies"),
    ]
    head += [words("table.share"), words("table.false_alarms")] * len(by_model)
    grouped = [("", 2), *[(words.name("model_short", model), 2) for model in by_model]]
    caption = words(
        "caption.groups" if of_records else "caption.lengths", part=words.name("part", part)
    )
    return Table(caption=caption, head=head, groups=grouped, rows=rows)


def scores(view: View) -> list[Block]:
    """Scores over time."""
    return image(view, "scores")


def training(view: View) -> list[Block]:
    """The windows the network learned from, and its curve."""
    words, columns = view.words, ("normal", "anomalous", "made")
    rows = [
        Row(head=Cell(words.name("part", part)), cells=[plain(found[key]) for key in columns])
        for part, found in view.at("examples").items()
    ]
    head = [words("table.part"), *(words(f"table.{key}") for key in columns)]
    return [
        Table(caption=words("caption.examples"), head=head, rows=rows),
        *image(view, "training"),
    ]


def honesty(view: View) -> list[Block]:
    """What was chosen on which part."""
    words, settings = view.words, view.at("settings")
    split = {"sine": "split_seed", "rich": "split_series", "records": "split_time"}[
        settings["kind"]
    ]
    unit = words(f"unit.{settings['exposure_unit']}")
    lines = [words(f"honesty.{split}")]
    lines += [words("honesty.inject")] if settings["inject"] else []
    rule, most = settings["rule"], settings["most_in_alarm"]
    rule = "limited" if rule == "budget" and most else rule
    lines += [words("honesty.epoch")]
    lines += [
        words(f"honesty.{rule}", budget=settings["budget"], unit=unit, share=show(most, "share"))
    ]
    lines += [words("honesty.shared")] if settings["rule"] == "budget" else []
    lines += [words("honesty.once")]
    noted = {model: each["note"] for model, each in view.at("thresholds").items() if each["note"]}
    lines += [
        words("note.threshold", model=words.name("model", model), note=note)
        for model, note in noted.items()
    ]
    return [Note(kind="item", text=line) for line in lines]


def detection_provenance(view: View) -> list[Block]:
    """The run, its network, and how to do it again."""
    words, run, detector = view.words, view.at("run"), view.at("detector")
    channels = words.join([words(f"channel.{channel}") for channel in detector["channels"]])
    found: dict[str, Any] = {
        key: run[key] for key in ("name", "created", "version", "config_hash", "seed", "workers")
    }
    found |= {
        key: detector[key]
        for key in ("parameters", "kept_epoch", "epochs", "window", "detector", "sha256")
    }
    found |= {"channels": channels}
    rows = [
        Row(head=Cell(words(f"fact.{key}")), cells=[_fact(value)]) for key, value in found.items()
    ]
    return [
        Table(caption=words("caption.run"), rows=rows),
        Note(words("caption.command")),
        Note(kind="code", text=str(run["command"])),
    ]


def _fact(value: Any) -> Cell:
    whole = number(value)
    return plain(value) if whole is None or whole >= 1 else Cell(str(value))
