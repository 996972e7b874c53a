"""Model cards: what a bundle was made of, how good it is and for what it is meant, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hvac.json_values import JsonObject
from hvac.panel.names import NO_NAMES, Names
from hvac.report.readiness_section import readiness_table, worst_part
from hvac.report.texts import Words, in_order
from hvac.report.view import Note, Table, View, cell, show

FIGURES = {"events": "count", "windows": "count", "base_rate": "share", "pr_auc": "ratio",
           "roc_auc": "ratio"}  # fmt: skip
OF_MODEL = {
    "brier_skill": "ratio",
    "ece": "ratio",
    "false_alarms_per_unit_year": "rate",
}


class CardFacts(NamedTuple):
    """What a card says of a bundle beside the figures of the run."""

    bundle: str
    class_name: str
    family: str
    points: tuple[str, ...]
    promised: tuple[bool, ...]
    budget: float


def model_card(
    metrics: JsonObject, facts: CardFacts, language: str, names: Names = NO_NAMES
) -> str:
    """Write the card of one bundle.

    Args:
        metrics: of the run (`metrics.json`).
        facts: of the bundle.
        language: `en` or `ja`.
        names: what classes and points are called.
    """
    view = View(metrics=metrics, images={}, words=Words(language), names=names)
    return "\n".join(_lines(view, facts)) + "\n"


def _lines(view: View, facts: CardFacts) -> Iterator[str]:
    words = view.words
    name = words.name("model", facts.family)
    yield f"# {words('card.title', class_name=view.called('class', facts.class_name))}"
    yield ""
    yield f"- {words('card.bundle', bundle=facts.bundle, model=name)}"
    points = [view.called("point", point) for point in facts.points]
    yield f"- {words('card.points', points=words.join(points))}"
    for split in ("train", "test"):
        windows = view.group("windows", split)
        if windows:
            counts = {
                key: show(windows.get(key), "count") for key in ("windows", "units")
            }
            yield f"- {words(f'card.{split}', **counts)}"
    yield ""
    yield f"## {words('card.use')}"
    yield ""
    yield words("card.use_text")
    yield ""
    yield f"## {words('section.readiness')}"
    yield ""
    yield from _states(view, facts.class_name)
    yield ""
    yield f"## {words('card.figures')}"
    yield ""
    yield from _figures(view, facts)
    yield ""
    for note in worst_part(view):
        yield note.text if isinstance(note, Note) else ""


def _states(view: View, class_name: str) -> Iterator[str]:
    for block in readiness_table(view):
        if isinstance(block, Table):
            head = view.named("class", class_name)
            class_rows = [row for row in block.rows if row.head == head]
            for row in class_rows:
                for horizon, state in zip(view.horizons, row.cells, strict=True):
                    days = view.words("horizon", days=horizon)
                    yield f"- {days}: **{state.text}** ({state.detail})"
        elif isinstance(block, Note):
            yield ""
            yield block.text


def _figures(view: View, facts: CardFacts) -> Iterator[str]:
    words = view.words
    by_horizon = view.group("slices", "class", facts.class_name)
    horizons = in_order(list(by_horizon))
    heads = [words("horizon", days=horizon) for horizon in horizons]
    yield f"| {words('table.metric')} | {' | '.join(heads)} |"
    yield "|" + "---|" * (len(horizons) + 1)
    for key, form in FIGURES.items():
        of_class = [
            view.at("slices", "class", facts.class_name, h, key) for h in horizons
        ]
        shown = [cell(value, form) for value in of_class]
        texts = [f"{one.text} {one.detail}".strip() for one in shown]
        yield f"| {words.name('metric', key)} | {' | '.join(texts)} |"
    for key, form in OF_MODEL.items():
        shown = [cell(view.measured(h).get(key), form) for h in horizons]
        texts = [f"{one.text} {one.detail}".strip() for one in shown]
        yield f"| {words.name('metric', key)} ({words('card.all_classes')}) | {' | '.join(texts)} |"
    promises = [
        words("card.promised" if yes else "card.not_promised") for yes in facts.promised
    ]
    if promises:
        budget = show(facts.budget, "rate")
        yield f"| {words('card.promise', budget=budget)} | {' | '.join(promises)} |"
