"""The report's section on facilities.

It shows how models do at facilities they have not seen, and where a facility has its own
calibration and thresholds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hvac.report.texts import Words, in_order
from hvac.report.view import DASH, Block, Cell, Note, Row, Table, View, cell, dig, number, show

FIGURES = ("pr_auc", "brier_skill")
PARTS = ("calibration", "thresholds")


def facilities(view: View) -> list[Block]:
    """Return a table of the facilities and, per horizon, one of the models at unseen facilities."""
    unseen = view.at("unseen")
    blocks: list[Block] = []
    if unseen:
        blocks.append(Note(view.words("unseen.intro")))
    if unseen or _any_own_decision(view):
        blocks.append(_decisions(view))
        blocks.append(Note(view.words("unseen.decisions_note")))
    if unseen:
        horizons = in_order([str(horizon) for horizon in unseen["horizons"]])
        blocks += [_unseen_table(view, horizon) for horizon in horizons]
        blocks += _left_out(view)
        blocks.append(Note(view.words("unseen.note", least=unseen["least_events"])))
    return blocks


def _any_own_decision(view: View) -> bool:
    by_facility = view.at("own_decisions").values()
    return any(dig(decisions, part, "own") for decisions in by_facility for part in PARTS)


def _decisions(view: View) -> Table:
    """Tell for every facility its units and events, and whose calibration and thresholds hold."""
    words = view.words
    decisions = view.at("own_decisions")
    rows = []
    for facility in sorted({*decisions, *view.at("unseen", "facilities")}):
        cells = [_largest_count(view, facility, "units"), _largest_count(view, facility, "events")]
        cells += [_whose(words, dig(decisions, facility, part)) for part in PARTS]
        rows.append(Row(head=Cell(facility), cells=cells))
    head = [
        words("table.facility"),
        words("metric.units"),
        words("metric.events"),
        words("unseen.calibration"),
        words("unseen.thresholds"),
    ]
    return Table(caption=words("caption.own_decisions", model=view.model), head=head, rows=rows)


def _largest_count(view: View, facility: str, count: str) -> Cell:
    """Return the largest count over the horizons; from the slices where nothing was left out."""
    by_model = list(view.at("unseen", "facilities", facility).values())
    by_horizon = by_model[0] if by_model else view.at("slices", "facility", facility)
    counts = [number(measured.get(count)) for measured in by_horizon.values()]
    known = [value for value in counts if value is not None]
    return Cell(show(max(known, default=None), "count"))


def _whose(words: Words, decision: Mapping[str, Any]) -> Cell:
    if not decision:
        return Cell(DASH)
    if not decision["own"]:
        return Cell(words("unseen.fleet"))
    key = "unseen.own" if decision["own"] == decision["of"] else "unseen.partly"
    return Cell(words(key, own=decision["own"], of=decision["of"]))


def _unseen_table(view: View, horizon: str) -> Table:
    words = view.words
    unseen = view.at("unseen")
    groups = [("", 2)]
    head = [words("table.facility"), words("metric.events"), words("metric.base_rate")]
    for model in unseen["models"]:
        groups.append((words.name("model", model), len(FIGURES)))
        head += [words(f"metric.{name}") for name in FIGURES]
    if view.at("slices", "facility"):
        groups.append((words("unseen.seen"), 1))
        head.append(words("metric.pr_auc"))
    rows = [
        _row(view, facility, by_model, horizon)
        for facility, by_model in unseen["facilities"].items()
    ]
    rows.append(_row(view, "", unseen["all"], horizon))
    return Table(caption=words("caption.unseen", days=horizon), groups=groups, head=head, rows=rows)


def _row(view: View, facility: str, by_model: Mapping[str, Any], horizon: str) -> Row:
    """Return counts and figures of one facility, or of all where its name is empty.

    Where events are few, the figures are dashes.
    """
    words = view.words
    first = next(iter(by_model.values()))[horizon]
    figures = [cell(first["base_rate"], "share")]
    for by_horizon in by_model.values():
        figures += [cell(by_horizon[horizon][name]) for name in FIGURES]
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
    name = facility or words("unseen.all")
    return Row(head=Cell(name), cells=[count, *figures], strong=not facility)


def _left_out(view: View) -> list[Note]:
    notes = []
    for facility, classes in view.at("unseen", "left_out").items():
        named = view.words.join(list(classes))
        text = view.words("unseen.left_out", facility=facility, classes=named)
        notes.append(Note(text))
    return notes
