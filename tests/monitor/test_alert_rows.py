"""Alerts as rows and sentences: every kind says what, since when and how far, in both languages."""

from __future__ import annotations

import re

import numpy as np
import pytest

from hvac.monitor.alert_rows import Watch, data_rows
from hvac.monitor.alerts import ALERTS, AlertRow, alert_sentence, alert_table
from hvac.monitor.data import KINDS, watch_data
from hvac.monitor.known_causes import Cause, MachineDays, with_cause
from hvac.monitor.monitor_settings import MonitorConfig
from hvac.words import read_texts

SUBJECT = {"facility_id": "F1", "equipment_id": "A-1", "class": "ahu", "point_id": "t"}
PARTS = {
    "data": {"count": 3, "points": 40, "usual": 0.25},
    "inputs": {"size": 1.234, "way": "down"},
    "scores": {"now": 12.5, "usual": 4.0},
    "calibration": {"observed": 20.0, "expected": 30.1},
}
ROWS = [
    AlertRow(monitor, kind, SUBJECT, 20_006, 20_000, 9.0, 5.0, True, PARTS[monitor], 30)
    for monitor, kinds in {
        "data": KINDS,
        "inputs": ("drift", "jump", "common"),
        "scores": ("share", "log_odds"),
        "calibration": ("too_many", "too_few"),
    }.items()
    for kind in kinds
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.monitor}.{row.kind}")
def test_every_kind_has_a_sentence_in_both_languages(row: AlertRow) -> None:
    (stored,) = alert_table([row]).to_pylist()
    english, japanese = alert_sentence(stored, "en"), alert_sentence(stored, "ja")
    assert "2024-10-04" in english
    assert "2024-10-04" in japanese
    assert re.search("[ぁ-ん]", japanese)
    assert not re.search("[ぁ-ん]|[{}]", english)
    assert not re.search("[{}]", japanese)


@pytest.mark.parametrize(
    ("cause", "english", "japanese"),
    [
        ("event", "an event of this machine began on 2024-10-11", "2024-10-11 に事象"),
        ("alarm", "this machine was in alarm on 2024-10-11", "2024-10-11 に警報中"),
        ("visit", "a visit found a fault on 2024-10-11", "2024-10-11 の点検で異常"),
    ],
)
def test_what_is_known_of_a_machine_stands_behind_its_alert(
    cause: Cause, english: str, japanese: str
) -> None:
    row = ROWS[len(KINDS)]
    (stored,) = alert_table([row._replace(cause=cause, cause_day=20_007)]).to_pylist()
    assert english in alert_sentence(stored, "en")
    assert japanese in alert_sentence(stored, "ja")


ALERT = AlertRow("inputs", "jump", SUBJECT, 106, 100, 9.0, 5.0, True, {})


@pytest.mark.parametrize(
    ("onset", "alarm", "cause"),
    [
        ([92], [], None),
        ([93], [], ("event", 93)),
        ([196, 120], [], ("event", 120)),
        ([197], [], None),
        ([], [99], None),
        ([], [113, 100], ("alarm", 100)),
        ([], [114], None),
        ([150], [104], ("event", 150)),
    ],
)
def test_cause_lies_near_the_alert(
    onset: list[int], alarm: list[int], cause: tuple[str, int] | None
) -> None:
    days = MachineDays(np.array(onset, int), np.array(alarm, int), np.zeros(0, int))
    told = with_cause(ALERT, {("F1", "A-1"): days}, 90)
    assert (told.cause, told.cause_day) == (cause or (None, None))
    other = ALERT._replace(subject={"facility_id": "F1", "class": "ahu"})
    for row in (other, ALERT._replace(alert=False)):
        assert with_cause(row, {("F1", "A-1"): days}, 90) == row


@pytest.mark.parametrize(
    ("onset", "hit", "cause"),
    [
        ([], [92], None),
        ([], [110, 93], ("visit", 93)),
        ([150], [110], ("event", 150)),
        ([], [197], None),
    ],
)
def test_a_fault_that_a_visit_found_is_a_cause(
    onset: list[int], hit: list[int], cause: tuple[str, int] | None
) -> None:
    days = MachineDays(np.array(onset, int), np.array([104]), np.array(hit, int))
    told = with_cause(ALERT, {("F1", "A-1"): days}, 90)
    assert (told.cause, told.cause_day) == (cause or ("alarm", 104))


def test_trouble_of_a_facility_is_told_once_by_its_two_charts() -> None:
    odd_PFK = np.zeros((104, 2, len(KINDS)), int)
    odd_PFK[::9, 0] = 1
    odd_PFK[70:73, 1, KINDS.index("jump")] = 30
    charts = watch_data(odd_PFK, 52, MonitorConfig())
    assert [chart.chart.name for chart in charts if chart.alerts] == [
        "jump",
        "jump_slowly",
    ]
    watch = Watch(range(2000, 2104), 52)
    rows = data_rows(charts, watch, ["F1", "F2"], odd_PFK, [40, 40])
    told = [row for row in rows if row.alert]
    assert [(row.kind, row.subject["facility_id"]) for row in told] == [("jump", "F2")]
    assert told[0].threshold == charts[2 * KINDS.index("jump")].threshold


def test_slow_trouble_before_sudden_trouble_is_told_apart() -> None:
    odd_PFK = np.zeros((104, 1, len(KINDS)), int)
    k = KINDS.index("missing")
    odd_PFK[::9, 0, k] = 1
    odd_PFK[60:80, 0, k] = 3
    odd_PFK[90, 0, k] = 60
    charts = watch_data(odd_PFK, 52, MonitorConfig())
    rows = data_rows(charts, Watch(range(2000, 2104), 52), ["F1"], odd_PFK, [80])
    told = [(row.since, row.day) for row in rows if row.alert and row.kind == "missing"]
    assert len(told) == 2
    assert told[0][0] > told[1][1]


def test_every_waiting_monitor_says_so_in_both_languages() -> None:
    waiting = read_texts("hvac.monitor", "texts.yaml")["sentence"]["waiting"]
    assert set(waiting) == set(PARTS)
    for leaf in waiting.values():
        braces = [set(re.findall(r"{(\w+)}", leaf[language])) for language in leaf]
        assert braces[0] == braces[1]


def test_rows_stand_newest_first_and_no_row_is_an_empty_table() -> None:
    older = ROWS[0]._replace(day=19_000)
    days = alert_table([older, ROWS[0]])["day"].to_pylist()
    assert days == sorted(days, reverse=True)
    assert alert_table([]).schema == ALERTS
