"""The report's first section and its byline: what to visit now, and that readings are simulated."""

from __future__ import annotations

import datetime as dt

from hvac.explain.reason import Reason
from hvac.report.now_section import local_time, now_of, now_section
from hvac.report.page import report_page
from hvac.report.texts import Words
from hvac.report.view import Note, Table, View
from tests.report.report_example import example_metrics


def test_times_are_local_and_tell_their_zone() -> None:
    shown = local_time("2026-11-30T11:54:07+00:00")
    assert shown.startswith(("2026-11-29 ", "2026-11-30 ", "2026-12-01 "))
    assert len(shown.split()) == 3


def test_report_opens_with_what_to_visit_once_the_fleet_was_scored() -> None:
    metrics = example_metrics()
    del metrics["now"]
    assert now_section(View(metrics=metrics, images={}, words=Words("en"))) == []
    entry = {
        "facility_id": "tokyo-01", "equipment_id": "E7", "class": "AHU", "point": "flow",
        "end_date": dt.date(2026, 11, 29), "risks": {30: 0.8, 60: 0.9}, "alarms": {30: True, 60: True},
        "unsure": [], "reasons": [Reason("flow", "point", 1.2, now=9.0, usual=5.0, moved=4.0)],
    }  # fmt: skip
    calm = {
        **entry,
        "equipment_id": "E8",
        "alarms": {30: False, 60: False},
        "reasons": [],
    }
    metrics["now"] = now_of([entry, calm])  # type: ignore[list-item]
    lead, table, _ = now_section(View(metrics=metrics, images={}, words=Words("ja")))
    assert isinstance(lead, Note)
    assert isinstance(table, Table)
    assert "設備 2 台のうち 1 台" in lead.text
    (row,) = table.rows
    assert row.head.text == "E7"
    assert row.cells[0].text == "80.0%"
    assert "flow が普段より高い" in row.cells[-1].text
    metrics["now"] = now_of([calm])  # type: ignore[list-item]
    assert len(now_section(View(metrics=metrics, images={}, words=Words("en")))) == 2


def test_report_of_simulated_readings_says_so() -> None:
    metrics = example_metrics()
    metrics["run"]["config"] = {"simulate": {"days": 3}}
    assert "simulated readings" in report_page(metrics, {}, Words("en"))["byline"]
    metrics["run"]["config"] = {"simulate": None}
    assert "simulated" not in report_page(metrics, {}, Words("en"))["byline"]
