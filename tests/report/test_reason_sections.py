"""The report on reasons, sureness and readiness, and the model cards."""

from __future__ import annotations

from typing import Any

import pytest

from hvac.report.importance_section import SHOWN, importance_table
from hvac.report.model_card import CardFacts, model_card
from hvac.report.readiness_section import readiness_table, worst_part
from hvac.report.sureness_section import sureness
from hvac.report.texts import Words
from hvac.report.view import Note, Table, View
from hvac.words import LANGUAGES
from tests.report.report_example import example_metrics

FACTS = CardFacts(
    "pump-0", "pump", "fusion", ("flow", "vibration"), (True, False, False), 1.0
)


@pytest.fixture
def metrics() -> dict[str, Any]:
    return dict(example_metrics())


def view(metrics: dict[str, Any], language: str = "en") -> View:
    return View(metrics=metrics, images={}, words=Words(language))


def table(blocks: Any) -> Table:
    (found,) = [block for block in blocks if isinstance(block, Table)]
    return found


def test_importance_shows_the_first_players_of_every_class(
    metrics: dict[str, Any],
) -> None:
    shown = table(importance_table(view(metrics)))
    assert [row.head.text for row in shown.rows] == ["pump"] * SHOWN + ["ahu"] * SHOWN
    assert [row.cells[0].text for row in shown.rows[:3]] == [
        "vibration",
        "history (events, maintenance)",
        "distance to limits",
    ]


@pytest.mark.parametrize("name", ["importance", "sureness", "slices"])
def test_sections_are_left_out_where_there_are_no_figures(
    metrics: dict[str, Any], name: str
) -> None:
    metrics.pop(name)
    build = {
        "importance": importance_table,
        "sureness": sureness,
        "slices": readiness_table,
    }[name]
    assert build(view(metrics)) == []


def test_sureness_shows_false_alarms_before_and_after(metrics: dict[str, Any]) -> None:
    row = table(sureness(view(metrics))).rows[0]
    assert row.cells[4].text == "0.82 → 0.70"
    assert row.cells[4].detail == "promised"


def test_readiness_names_a_state_for_every_class_and_horizon(
    metrics: dict[str, Any],
) -> None:
    shown = table(readiness_table(view(metrics)))
    assert {row.head.text for row in shown.rows} == set(metrics["slices"]["class"])
    states = {cell.text for row in shown.rows for cell in row.cells}
    assert states <= {"ready", "poor", "cannot tell"}


def test_weakest_part_is_the_one_with_the_least_lift(metrics: dict[str, Any]) -> None:
    good = {
        "pr_auc": {"value": 0.5},
        "base_rate": {"value": 0.1},
        "events": {"value": 40},
    }
    weak = {
        "pr_auc": {"value": 0.2},
        "base_rate": {"value": 0.1},
        "events": {"value": 40},
    }
    rare = {
        "pr_auc": {"value": 0.1},
        "base_rate": {"value": 0.1},
        "events": {"value": 3},
    }
    metrics["slices"] = {
        "season": {
            "winter": {"30": good},
            "summer": {"30": weak},
            "spring": {"30": rare},
        }
    }
    (note,) = worst_part(view(metrics))
    assert isinstance(note, Note)
    assert "June to August" in note.text
    metrics["slices"]["season"].pop("summer")
    assert worst_part(view(metrics)) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_card_tells_what_a_bundle_is_and_is_not_for(
    metrics: dict[str, Any], language: str
) -> None:
    words = Words(language)
    name = next(iter(metrics["slices"]["class"]))
    text = model_card(metrics, FACTS._replace(class_name=name), language)
    assert words("card.use_text") in text
    assert "flow" in text
    assert words("note.readiness") in text
    assert (
        text.count(words("card.promised")) + text.count(words("card.not_promised")) >= 3
    )
    assert "{" not in text
