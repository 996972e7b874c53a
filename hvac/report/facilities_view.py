"""The report's section on facilities: each as unseen by the models, and whose calibration and
thresholds hold there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hvac.report.texts import Words, in_order
from hvac.report.view import DASH, Block, Cell, Note, Row, Table, View, cell, dig, number, show

FIGURES = ("pr_auc", "brier_skill")


def facilities(view: View) -> list[Block]:
    """A table of the facilities, then a table per horizon of every model at facilities it had not
    seen.
    """
    own, board = view.at("own_decisions"), view.at("unseen")
    blocks: list[Block] = [Note(text=view.words("unseen.intro"))] if board else []
    if board or any(
        dig(each, part, "own") for each in own.values() for part in ("calibration", "thresholds")
    ):
        blocks += [_decisions(view), Note(text=view.words("unseen.decisions_note"))]
    if board:
        blocks += [_table(view, h) for h in in_order([str(h) for h in board["horizons"]])]
        blocks += [
            *_left_out(view),
            Note(text=view.words("unseen.note", least=board["least_events"])),
        ]
    return blocks


def _decisions(view: View) -> Table:
    """Units and events of every facility, and whether its own calibration and thresholds hold
    there.
    """
    words, own = view.words, view.at("own_decisions")
    names = sorted({*own, *view.at("unseen", "facilities")})
    head = [words("table.facility"), words("metric.units"), words("metric.events")]
    head += [words("unseen.calibration"), words("unseen.thresholds")]
    rows = [
        Row(
            head=Cell(text=name),
            cells=[
                _largest(view, name, "units"),
                _largest(view, name, "events"),
                *(_whose(words, dig(own, name, part)) for part in ("calibration", "thresholds")),
            ],
        )
        for name in names
    ]
    return Table(caption=words("caption.own_decisions", model=view.model), head=head, rows=rows)


def _largest(view: View, facility: str, count: str) -> Cell:
    """A count at the horizon that has most of it; from the slices where no facility was left out."""
    unseen = list(view.at("unseen", "facilities", facility).values())
    found = unseen[0] if unseen else view.at("slices", "facility", facility)
    counted = [n for each in found.values() if (n := number(each.get(count))) is not None]
    return Cell(text=show(max(counted, default=None), "count"))


def _whose(words: Words, found: Mapping[str, Any]) -> Cell:
    if not found:
        return Cell(text=DASH)
    if not found["own"]:
        return Cell(text=words("unseen.fleet"))
    whole = found["own"] == found["of"]
    return Cell(
        text=words("unseen.own" if whole else "unseen.partly", own=found["own"], of=found["of"])
    )


def _table(view: View, horizon: str) -> Table:
    words, board = view.words, view.at("unseen")
    models, seen = list(board["models"]), view.at("slices", "facility")
    groups = [("", 2), *((words.name("model", model), len(FIGURES)) for model in models)]
    head = [words("table.facility"), words("metric.events"), words("metric.base_rate")]
    head += [words(f"metric.{name}") for _ in models for name in FIGURES]
    if seen:
        groups, head = [*groups, (words("unseen.seen"), 1)], [*head, words("metric.pr_auc")]
    rows = [_row(view, name, found, horizon) for name, found in board["facilities"].items()]
    rows.append(_row(view, "", board["all"], horizon))
    return Table(caption=words("caption.unseen", days=horizon), groups=groups, head=head, rows=rows)


def _row(view: View, facility: str, found: Mapping[str, Any], horizon: str) -> Row:
    """Counts and figures of one facility (of all of them, where no name is given); counts only
    where events are few.
    """
    words, seen = view.words, view.at("slices", "facility")
    first = next(iter(found.values()))[horizon]
    count = Cell(
        text=show(first["events"], "count"), detail="" if first["headline"] else words("unseen.few")
    )
    figures = [cell(first["base_rate"], "share")]
    figures += [
        cell(by_horizon[horizon][name]) for by_horizon in found.values() for name in FIGURES
    ]
    if seen:
        figures.append(
            cell(
                dig(seen, facility, horizon, "pr_auc")
                if facility
                else view.measured(horizon).get("pr_auc")
            )
        )
    shown = figures if first["headline"] else [Cell(text=DASH)] * len(figures)
    return Row(
        head=Cell(text=facility or words("unseen.all")), cells=[count, *shown], strong=not facility
    )


def _left_out(view: View) -> list[Note]:
    words = view.words
    return [
        Note(text=words("unseen.left_out", facility=facility, classes=words.join(list(classes))))
        for facility, classes in view.at("unseen", "left_out").items()
    ]
