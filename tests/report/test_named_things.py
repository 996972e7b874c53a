"""Every section calls things by their names, with the ids beside them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from hvac.panel.grid import Unit
from hvac.panel.names import Name, Names
from hvac.report.forecast_figure import named_panel
from hvac.report.model_card import CardFacts, model_card
from hvac.report.page import SECTIONS
from hvac.report.texts import Words
from hvac.report.view import Note, Table, View
from tests.report.report_example import example_metrics, example_panels

# ids that stand in no sentence of ours: what is found of them is of the data
IDS = {
    "facility": ("tokyo-01", "大阪-02", "<b>fukuoka</b>"),
    "class": ("class_1", "class_2", "class_3"),
    "point": ("point_1", "point_2"),
    "event": ("event_1",),
    "equipment": ("machine_1",),
}
NAMES = Names(
    {
        (of, given, ""): Name(f"{of} name {i}", f"{of} の名称 {i}", "kPa")
        for of, ids in IDS.items()
        for i, given in enumerate(ids, 1)
    }
)
SHOWS = {
    "now": ("equipment",),
    "summary": ("class",),
    "readiness": ("class",),
    "alarms": ("class",),
    "sureness": ("class",),
    "importance": ("class", "point"),
    "forecast": ("class",),
    "slices": ("facility", "class"),
    "facilities": ("facility", "class"),
    "provenance": ("class", "point", "event"),
}


@pytest.fixture(scope="module")
def metrics() -> dict[str, Any]:
    """The example, with the ids above in every place that holds one."""
    found = example_metrics()
    one, two, _ = IDS["class"]
    figures = next(iter(found["slices"]["class"].values()))
    found["slices"]["class"] = {one: figures, two: figures}
    found["importance"] = {
        one: {"30": {"point_1": {"added": {"value": 0.3}, "shuffled": {"value": 0.02}}}}
    }
    found["sureness"] = {one: next(iter(found["sureness"].values()))}
    found["forecast_methods"] = {one: "damped", two: "last_value"}
    found["unseen"]["left_out"] = {"大阪-02": {two: "no training window elsewhere"}}
    found["run"]["labels"]["events"] = ["event_1", "failure"]
    found["panel"]["events"] = {"event_1": 7, "failure": 3}
    found["panel"]["classes"] = {one: 140, two: 72}
    found["panel"]["dropped_points"] = {one: list(IDS["point"])}
    family = found["run"]["family"]
    for horizon in found["thresholds"][family].values():
        horizon["by_class"] = {one: 0.2, two: 0.3}
        horizon["units_with_event"] = {one: 5, two: 90}
    found["now"] = {
        "end_date": "2026-11-29", "equipment": 3, "alarms": 1, "soon": 1,
        "rows": [{
            "facility_id": "tokyo-01", "equipment_id": "machine_1", "risks": {"30": 0.8},
            "alarms": ["30"], "about": {}, "why": {},
        }],
    }  # fmt: skip
    return dict(found)


def texts_of(view: View, section: str) -> str:
    """Everything a section shows, a cell or a note a line, the text before its detail."""
    lines: list[str] = []
    for block in SECTIONS[section](view):
        if isinstance(block, Table):
            lines += block.head
            for row in block.rows:
                lines += [
                    f"{cell.text} {cell.detail}" for cell in (row.head, *row.cells)
                ]
        elif isinstance(block, Note):
            lines.append(block.text)
    return "\n".join(lines)


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("section", SHOWS)
def test_section_shows_names_with_ids_beside_them(
    metrics: dict[str, Any], section: str, language: str
) -> None:
    view = View(metrics=metrics, images={}, words=Words(language), names=NAMES)
    text = texts_of(view, section)
    for of in SHOWS[section]:
        shown = [given for given in IDS[of] if given in text]
        assert shown, f"the example has no {of} in this section"
        for given in shown:
            name = NAMES.shown(of, given, language)
            everywhere = len(re.findall(re.escape(given), text))
            beside = len(
                re.findall(rf"{re.escape(name)}[ （(]+{re.escape(given)}", text)
            )
            assert beside == everywhere


def test_without_names_ids_stand_once(metrics: dict[str, Any]) -> None:
    view = View(metrics=metrics, images={}, words=Words("en"))
    assert "tokyo-01 (tokyo-01)" not in texts_of(view, "facilities")
    assert view.named("class", "class_1").detail == ""


@pytest.mark.parametrize("language", ["en", "ja"])
def test_card_names_class_and_points(metrics: dict[str, Any], language: str) -> None:
    facts = CardFacts("b-0", "class_1", "fusion", IDS["point"], (True,), 1.0)
    text = model_card(metrics, facts, language, NAMES)
    title, *_ = text.splitlines()
    assert NAMES.shown("class", "class_1", language) in title
    assert all(NAMES.shown("point", point, language) in text for point in IDS["point"])
    states = Words(language)
    assert any(
        states(f"readiness.{s}") in text for s in ("ready", "poor", "cannot_tell")
    )


def test_figure_has_the_names_and_the_points_unit_of_measure() -> None:
    names = Names(
        {
            ("facility", "tokyo-01", ""): Name("Tokyo office", "東京オフィス"),
            ("equipment", "AHU-03", "tokyo-01"): Name("roof unit", "屋上の空調機"),
            ("point", "給気温度", ""): Name("supply air", "給気温度", "degC"),
        }
    )
    panel = named_panel(example_panels()[0], names, "en")
    assert panel.unit == Unit("Tokyo office", "roof unit")
    assert (panel.point, panel.uom) == ("supply air", "degC")
    assert named_panel(example_panels()[1], names, "en").uom == "°C"
