"""The report's section on anomalies and alarms: found, false alarms, delay, by kind and group."""

from __future__ import annotations

from hvac.detect.detection_blocks import cells, row, table
from hvac.detect.detection_results import DetectionView, EventResult
from hvac.detect.series import DETECTOR, REPORTED
from hvac.report.view import Block, Cell, Note, Table, cell, plain, show

MEASURES = {
    "recall": "share",
    "false_alarms": "count",
    "false_rate": "rate",
    "in_alarm": "share",
    "chance": "share",
}
HEADS = ("model", "found", "share", "false_alarms", "rate", "in_alarm", "chance")
GROUP_COUNTS = {"series": "count", "events": "count"}


def events(view: DetectionView) -> list[Block]:
    """Return the anomalies found and the false alarms, by kind and group.

    It is nothing for series of one window.
    """
    words = view.words
    settings = view.results["settings"]
    blocks: list[Block] = []
    for part in REPORTED:
        if view.events_of(DETECTOR, part):
            blocks += [_events_table(view, part), *_event_list(view)]
            blocks += [*_kinds_table(view, part), _groups_table(view, part)]
    if not blocks:
        return []
    slack = "slack" if settings["slack"] else "no_slack"
    notes = [
        words(f"note.join_{settings['join']}"),
        words(f"note.{slack}", gap=settings["gap"], slack=settings["slack"]),
        words("note.chance"),
    ]
    if view.results["records"]:
        notes.append(words("note.delay"))
    return [*blocks, *map(Note, notes)]


def _by_model(view: DetectionView, part: str) -> dict[str, EventResult]:
    models = view.results["models"]
    return {model: models[model][part]["events"] for model in models}


def _model_names(view: DetectionView, group: str) -> list[str]:
    return [view.words.name(group, model) for model in view.results["models"]]


def _events_table(view: DetectionView, part: str) -> Table:
    by_model = _by_model(view, part)
    unit = by_model[DETECTOR]["exposure_unit"]
    form, delay = (
        ("rate", "delay_hours") if unit == "week" else ("count", "delay_steps")
    )
    rows = []
    for model, measured in by_model.items():
        share = Cell(f"{measured['found']} / {measured['events']}")
        values = [share, *cells(measured, MEASURES), cell(measured["delay"], form)]
        rows.append(row(view, "model", model, values))
    unit_name = view.words(f"unit.{unit}")
    return table(view, "events", [*HEADS, delay], rows, part=part, unit=unit_name)


def _event_list(view: DetectionView) -> list[Block]:
    words = view.words
    rows = []
    for event in view.results["events"]:
        moments = [event["start"], event["end"]]
        moments += [first or words("table.missed") for first in event["first"].values()]
        rows.append(
            row(view, "record", event["record"], [Cell(str(m)) for m in moments])
        )
    if not rows:
        return []
    more = [
        words("table.alarm", model=name) for name in _model_names(view, "model_short")
    ]
    return [table(view, "event_list", ["record", "start", "end"], rows, more=more)]


def _kinds_table(view: DetectionView, part: str) -> list[Block]:
    by_model = _by_model(view, part)
    kinds = by_model[DETECTOR]["by_kind"]
    if len(kinds) < 2:
        return []
    rows = []
    for kind, counts in kinds.items():
        values = [plain(counts["events"])]
        for measured in by_model.values():
            values.append(cell(measured["by_kind"][kind]["recall"], "share"))
        rows.append(row(view, "kind", kind, values))
    names = _model_names(view, "model")
    return [table(view, "kinds", ["kind", "anomalies"], rows, part=part, more=names)]


def _groups_table(view: DetectionView, part: str) -> Table:
    by_model = _by_model(view, part)
    of_records = bool(view.results["records"])
    rows = []
    for group, counts in by_model[DETECTOR]["by_group"].items():
        values = cells(counts, GROUP_COUNTS)
        for measured in by_model.values():
            of_group = measured["by_group"][group]
            values.append(Cell(show(of_group["recall"], "share")))
            values.append(plain(of_group["false_alarms"]))
        name = group if of_records else group.replace("-", "–")
        rows.append(row(view, "record", name, values))
    groups = [(name, 2) for name in ("", *_model_names(view, "model_short"))]
    head = ["record" if of_records else "length", "series", "anomalies"]
    head += ["share", "false_alarms"] * len(by_model)
    caption = "groups" if of_records else "lengths"
    return table(view, caption, head, rows, part=part, groups=groups)
