"""The report's section on alarms: thresholds, what alarms are worth, confusion matrix."""

from __future__ import annotations

from hvac.report.section_tables import by_metric
from hvac.report.view import (
    DASH,
    Block,
    Cell,
    Row,
    Table,
    View,
    cell,
    dig,
    labelled,
    show,
)

ALARMS = {
    "alarm_precision": "share",
    "event_recall": "share",
    "false_alarms_per_unit_year": "rate",
    "lead": "days",
    "precision": "share",
    "recall": "share",
    "f1": "ratio",
    "accuracy": "share",
}


def alarm_table(view: View) -> list[Block]:
    """Return a table of thresholds and of what alarms are worth, then the confusion matrix."""
    rows = [*threshold_rows(view), *by_metric(view, ALARMS)]
    if not rows or not view.horizons:
        return []
    caption = view.words("caption.alarms", model=view.model)
    head = [view.words("table.metric"), *view.heads(view.horizons)]
    return [Table(caption=caption, head=head, rows=rows), *confusion_table(view)]


def threshold_rows(view: View) -> list[Row]:
    """Return rows of the thresholds, of how they were set, and of how scores were calibrated."""
    words = view.words
    rows = []
    if thresholds := view.group("thresholds", view.default):
        values = []
        policies = []
        for horizon in view.horizons:
            values.append(cell(dig(thresholds, horizon), "share"))
            policy = words.name(
                "policy", str(dig(thresholds, horizon, "policy") or DASH)
            )
            note = str(dig(thresholds, horizon, "note") or "")
            policies.append(Cell(policy, detail=note))
        rows.append(Row(head=labelled(words, "threshold"), cells=values))
        rows.append(Row(head=labelled(words, "policy"), cells=policies))
        rows += _class_thresholds(view)
    if calibration := view.group("calibration", view.default):
        methods = []
        for horizon in view.horizons:
            method = str(dig(calibration, horizon, "method") or DASH)
            methods.append(Cell(words.name("calibration", method)))
        rows.append(Row(head=labelled(words, "calibration"), cells=methods))
    return rows


def _class_thresholds(view: View) -> list[Row]:
    """Return a row per class with its own thresholds; none where there is one class."""
    by_class: dict[str, list[Cell]] = {}
    for horizon in view.horizons:
        for name, stored in view.group(
            "thresholds", view.default, horizon, "by_class"
        ).items():
            by_class.setdefault(name, []).append(cell(stored, "share"))
    if len(by_class) < 2:
        return []
    rows = []
    for name, cells in by_class.items():
        called = view.named("class", name)
        head = Cell(
            view.words("table.threshold_of", name=called.text), detail=called.detail
        )
        rows.append(Row(head=head, cells=cells))
    return rows


def confusion_table(view: View) -> list[Block]:
    """Return what happened (rows) against what was forecast (columns), per horizon."""
    if not any("tp" in view.measured(horizon) for horizon in view.horizons):
        return []
    words = view.words
    rows = []
    for actual, pair in (("event", ("tp", "fn")), ("none", ("fp", "tn"))):
        cells = []
        for horizon in view.horizons:
            measured = view.measured(horizon)
            for key in pair:
                count = show(measured.get(key), "count")
                cells.append(Cell(count, detail=words(f"outcome.{key}")))
        rows.append(Row(head=Cell(words(f"actual.{actual}")), cells=cells))
    pair_heads = [words("table.alarm"), words("table.silence")]
    head = [words("table.actual"), *pair_heads * len(view.horizons)]
    groups = [(text, 2) for text in view.heads(view.horizons)]
    return [
        Table(caption=words("caption.confusion"), groups=groups, head=head, rows=rows)
    ]
