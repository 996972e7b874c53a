"""The report's section on facilities.

It shows how models do at facilities they have not seen, and where a facility has its own
calibration and thresholds.
"""

from __future__ import annotations

from hvac.json_values import JsonObject, branch, listed
from hvac.report.texts import Words, in_order
from hvac.report.view import (
    DASH,
    Block,
    Cell,
    Note,
    Row,
    Table,
    View,
    cell,
    dig,
    number,
    show,
)

FIGURES = ("pr_auc", "brier_skill")
PARTS = ("calibration", "thresholds")


def facilities(view: View) -> list[Block]:
    """Return a table of the facilities and, per horizon, one of the models at unseen facilities."""
    unseen = view.group("unseen")
    blocks: list[Block] = []
    if unseen:
        blocks.append(Note(view.words("unseen.intro")))
    if unseen or _any_own_decision(view):
        blocks.append(_decisions(view))
        blocks.append(Note(view.words("unseen.decisions_note")))
    if unseen:
        horizons = in_order([str(horizon) for horizon in listed(unseen["horizons"])])
        blocks += [_unseen_table(view, horizon) for horizon in horizons]
        blocks += _left_out(view)
        blocks.append(Note(view.words("unseen.note", least=unseen["least_events"])))
    return blocks


def _any_own_decision(view: View) -> bool:
    by_facility = view.group("own_decisions").values()
    return any(
        dig(decisions, part, "own") for decisions in by_facility for part in PARTS
    )


def _decisions(view: View) -> Table:
    """Tell for every facility its units and events, and whose calibration and thresholds hold."""
    words = view.words
    decisions = view.group("own_decisions")
    rows = []
    for facility in sorted({*decisions, *view.group("unseen", "facilities")}):
        cells = [
            _largest_count(view, facility, "units"),
            _largest_count(view, facility, "events"),
        ]
        cells += [_whose(words, branch(decisions, facility, part)) for part in PARTS]
        rows.append(Row(head=view.named("facility", facility), cells=cells))
    head = [
        words("table.facility"),
        words("metric.units"),
        words("metric.events"),
        words("unseen.calibration"),
        words("unseen.thresholds"),
    ]
    return Table(
        caption=words("caption.own_decisions", model=view.model), head=head, rows=rows
    )


def _largest_count(view: View, facility: str, count: str) -> Cell:
    """Return the largest count over the horizons; from the slices where nothing was left out."""
    by_horizon = view.group("slices", "facility", facility)
    for model in view.group("unseen", "facilities", facility):
        by_horizon = view.group("unseen", "facilities", facility, model)
        break
    counts = [number(dig(measured, count)) for measured in by_horizon.values()]
    known = [value for value in counts if value is not None]
    return Cell(show(max(known, default=None), "count"))


def _whose(words: Words, decision: JsonObject) -> Cell:
    if not decision:
        return Cell(DASH)
    if not decision["own"]:
        return Cell(words("unseen.fleet"))
    key = "unseen.own" if decision["own"] == decision["of"] else "unseen.partly"
    return Cell(words(key, own=decision["own"], of=decision["of"]))


def _unseen_table(view: View, horizon: str) -> Table:
    words = view.words
    unseen = view.group("unseen")
    groups = [("", 2)]
    head = [words("table.facility"), words("metric.events"), words("metric.base_rate")]
    for model in listed(unseen["models"]):
        groups.append((words.name("model", str(model)), len(FIGURES)))
        head += [words(f"metric.{name}") for name in FIGURES]
    if view.at("slices", "facility"):
        groups.append((words("unseen.seen"), 1))
        head.append(words("metric.pr_auc"))
    by_facility = branch(unseen, "facilities")
    rows = []
    for facility in by_facility:
        rows.append(_row(view, facility, branch(by_facility, facility), horizon))
    rows.append(_row(view, "", branch(unseen, "all"), horizon))
    return Table(
        caption=words("caption.unseen", days=horizon),
        groups=groups,
        head=head,
        rows=rows,
    )


def _row(view: View, facility: str, by_model: JsonObject, horizon: str) -> Row:
    """Return counts and figures of one facility, or of all where its name is empty.

    Where events are few, the figures are dashes.
    """
    words = view.words
    first = branch(by_model, next(iter(by_model)), horizon)
    figures = [cell(first["base_rate"], "share")]
    for model in by_model:
        figures += [cell(dig(by_model, model, horizon, name)) for name in FIGURES]
    seen = view.at("slices", "facility")
    if seen and facility:
        figures.append(cell(dig(seen, facility, horizon, "pr_auc")))
    elif seen:
        figures.append(cell(view.measured(horizon).get("pr_auc")))
    detail = ""
    if not first["headline"]:
        detail = words("unseen.few")
        figures = [Cell(DASH)] * len(figures)
    count = Cell(show(first["events"], "count"), detail=detail)
    head = view.named("facility", facility) if facility else Cell(words("unseen.all"))
    return Row(head=head, cells=[count, *figures], strong=not facility)


def _left_out(view: View) -> list[Note]:
    notes = []
    left_out = view.group("unseen", "left_out")
    for facility in left_out:
        classes = [view.called("class", name) for name in branch(left_out, facility)]
        text = view.words(
            "unseen.left_out",
            facility=view.called("facility", facility),
            classes=view.words.join(classes),
        )
        notes.append(Note(text))
    return notes
