"""The report's section on readiness: which classes' risks can be relied on, and the worst part."""

from __future__ import annotations

from typing import NamedTuple

from hvac.evaluation.readiness import LEAST_EVENTS, readiness
from hvac.report.view import Block, Cell, Note, Row, Table, View, cell, dig, number

CONTEXT_MODEL = "gbdt_context"
NAMED = ("season", "age", "observation")  # parts whose names are words of ours
TONES = {"ready": "better", "poor": "worse", "cannot_tell": "unclear"}


class Part(NamedTuple):
    """A part of the test windows, and how its PR-AUC stands to its base rate."""

    corner: str
    name: str
    horizon: str
    lift: float


def readiness_table(view: View) -> list[Block]:
    """Return a table of every class's state by horizon, and the rules."""
    words = view.words
    rows = []
    for name in view.group("slices", "class"):
        cells = []
        for horizon in view.horizons:
            figures = view.group("slices", "class", name, horizon)
            ready = readiness(
                figures,
                ece=number(view.measured(horizon).get("ece")),
                against_context=str(
                    view.at("differences", CONTEXT_MODEL, horizon, "pr_auc", "verdict")
                ),
            )
            text = words(f"readiness.{ready.state}")
            detail = words(f"readiness.{ready.reason}")
            cells.append(Cell(text, detail=detail, tone=TONES[ready.state]))
        rows.append(Row(head=view.named("class", name), cells=cells))
    if not rows:
        return []
    head = [words("table.class"), *view.heads(view.horizons)]
    caption = words("caption.readiness", model=view.model)
    return [Table(caption=caption, head=head, rows=rows), Note(words("note.readiness"))]


def worst_part(view: View) -> list[Block]:
    """Return a sentence on the part whose ranking gains least over its base rate.

    Parts with fewer than 30 events are left out; nothing is said where fewer than two are left.
    """
    parts = []
    for horizon in view.horizons[:1]:
        for corner in view.group("slices"):
            for name in view.group("slices", corner):
                part = _lift(corner, name, horizon, view)
                if part is not None:
                    parts.append(part)
    if len(parts) < 2:
        return []
    worst = min(parts, key=lambda part: part.lift)
    figures = view.group("slices", worst.corner, worst.name, worst.horizon)
    in_words = worst.corner in NAMED
    name = (
        view.words.name(worst.corner, worst.name)
        if in_words
        else view.called(worst.corner, worst.name)
    )
    return [
        Note(
            view.words(
                "summary.worst_part",
                part=view.words(f"table.{worst.corner}"),
                name=name,
                days=worst.horizon,
                pr_auc=cell(dig(figures, "pr_auc")).text,
                rate=cell(dig(figures, "base_rate"), "share").text,
            )
        )
    ]


def _lift(corner: str, name: str, horizon: str, view: View) -> Part | None:
    figures = view.group("slices", corner, name, horizon)
    events = number(figures.get("events"))
    rate = number(figures.get("base_rate"))
    precision = number(figures.get("pr_auc"))
    if events is None or events < LEAST_EVENTS or not rate or precision is None:
        return None
    return Part(corner, name, horizon, precision / rate)
