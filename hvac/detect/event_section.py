"""The report's section on anomalies and alarms: found, false alarms, delay, by kind and group."""

from __future__ import annotations

from hvac.detect.detection_results import DetectionView
from hvac.detect.series import DETECTOR, REPORTED
from hvac.report.view import Block, Cell, Note, Row, Table, cell, plain, show


def events(view: DetectionView) -> list[Block]:
    """Return the anomalies found and the false alarms, by kind and group.

    It is nothing for series of one window.
    """
    blocks: list[Block] = []
    for part in REPORTED:
        if view.events_of(DETECTOR, part):
            blocks.append(_events_table(view, part))
            blocks += _event_list(view)
            blocks += _kinds_table(view, part)
            blocks.append(_groups_table(view, part))
    if not blocks:
        return []
    words = view.words
    settings = view.results["settings"]
    blocks.append(Note(words(f"note.join_{settings['join']}")))
    slack = "slack" if settings["slack"] else "no_slack"
    blocks.append(Note(words(f"note.{slack}", gap=settings["gap"], slack=settings["slack"])))
    blocks.append(Note(words("note.chance")))
    if view.results["records"]:
        blocks.append(Note(words("note.delay")))
    return blocks


def _events_table(view: DetectionView, part: str) -> Table:
    words = view.words
    unit = view.results["models"][DETECTOR][part]["events"]["exposure_unit"]
    rows = []
    for model, by_part in view.results["models"].items():
        measured = by_part[part]["events"]
        cells = [
            Cell(f"{measured['found']} / {measured['events']}"),
            cell(measured["recall"], "share"),
            plain(measured["false_alarms"]),
            cell(measured["false_rate"], "rate"),
            Cell(show(measured["in_alarm"], "share")),
            Cell(show(measured["chance"], "share")),
            cell(measured["delay"], "rate" if unit == "week" else "count"),
        ]
        name = Cell(words.name("model", model))
        rows.append(Row(head=name, cells=cells, strong=model == DETECTOR))
    head = [
        words("table.model"),
        words("table.found"),
        words("table.share"),
        words("table.false_alarms"),
        words("table.rate", unit=words(f"unit.{unit}")),
        words("table.in_alarm"),
        words("table.chance"),
        words("table.delay_hours" if unit == "week" else "table.delay_steps"),
    ]
    caption = words("caption.events", part=words.name("part", part))
    return Table(caption=caption, head=head, rows=rows)


def _event_list(view: DetectionView) -> list[Block]:
    words = view.words
    models = list(view.results["models"])
    rows = []
    for event in view.results["events"]:
        cells = [Cell(str(event[name])) for name in ("start", "end")]
        cells += [Cell(str(event["first"][model] or words("table.missed"))) for model in models]
        record = words.name("record", event["record"])
        rows.append(Row(head=Cell(record), cells=cells))
    if not rows:
        return []
    head = [words("table.record"), words("table.start"), words("table.end")]
    head += [words("table.alarm", model=words.name("model_short", model)) for model in models]
    return [Table(caption=words("caption.event_list"), head=head, rows=rows)]


def _kinds_table(view: DetectionView, part: str) -> list[Block]:
    words = view.words
    models = view.results["models"]
    kinds = models[DETECTOR][part]["events"]["by_kind"]
    if len(kinds) < 2:
        return []
    rows = []
    for kind, counts in kinds.items():
        cells = [plain(counts["events"])]
        for by_part in models.values():
            of_kind = by_part[part]["events"]["by_kind"][kind]
            cells.append(cell(of_kind["recall"], "share"))
        kind_text = words.name("kind", kind)
        rows.append(Row(head=Cell(kind_text), cells=cells))
    head = [words("table.kind"), words("table.anomalies")]
    head += [words.name("model", model) for model in models]
    caption = words("caption.kinds", part=words.name("part", part))
    return [Table(caption=caption, head=head, rows=rows)]


def _groups_table(view: DetectionView, part: str) -> Table:
    words = view.words
    models = view.results["models"]
    of_records = bool(view.results["records"])
    rows = []
    for group, counts in models[DETECTOR][part]["events"]["by_group"].items():
        cells = [plain(counts["series"]), plain(counts["events"])]
        for by_part in models.values():
            measured = by_part[part]["events"]["by_group"][group]
            cells.append(Cell(show(measured["recall"], "share")))
            cells.append(plain(measured["false_alarms"]))
        name = words.name("record", group) if of_records else group.replace("-", "–")
        rows.append(Row(head=Cell(name), cells=cells))
    head = [words("table.record" if of_records else "table.length")]
    head += [words("table.series"), words("table.anomalies")]
    head += [words("table.share"), words("table.false_alarms")] * len(models)
    groups = [("", 2)]
    for model in models:
        groups.append((words.name("model_short", model), 2))
    key = "caption.groups" if of_records else "caption.lengths"
    caption = words(key, part=words.name("part", part))
    return Table(caption=caption, head=head, groups=groups, rows=rows)
