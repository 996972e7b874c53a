"""Odd weeks of a point, counted by facility: a slow version says the same, planted trouble is found."""

from __future__ import annotations

import numpy as np
import pytest

from hvac.arrays import Bools, Floats
from hvac.monitor.data import (
    GONE_WEEKS,
    KINDS,
    LATE_DAYS,
    by_week,
    count_odd,
    odd_weeks,
    watch_data,
    without_marks,
)
from hvac.monitor.monitor_settings import MonitorConfig
from hvac.monitor.periods import first_day_of
from hvac.panel.daily_readings import ALWAYS_KNOWN

WEEKS, REFERENCE = range(2000, 2060), 40
FIRST = first_day_of(WEEKS.start)


def record(seed: int) -> tuple[Floats, np.ndarray]:
    rng = np.random.default_rng(seed)
    value_TC = 20 + rng.normal(0, 1, (len(WEEKS) * 7, 4)).round(2)
    value_TC[rng.random(value_TC.shape) < 0.05] = np.nan
    return value_TC, np.full(value_TC.shape, ALWAYS_KNOWN)


def odd(value_TC: Floats, known_TC: np.ndarray) -> Bools:
    readings = by_week(value_TC, known_TC, first_day=FIRST, weeks=WEEKS)
    return odd_weeks(readings, REFERENCE)


def odd_of(found: Bools, kind: str, point: int) -> list[int]:
    return np.flatnonzero(found[:, point, KINDS.index(kind)]).tolist()


def test_each_kind_of_trouble_is_told_in_its_weeks_and_at_its_point() -> None:
    value_TC, known_TC = record(0)
    value_TC[45 * 7 : 47 * 7, 0] = np.nan
    value_TC[43 * 7 - 1 : 45 * 7, 1] = 21.5
    value_TC[50 * 7 + 2, 2] = -9999.0
    value_TC[55 * 7 :, 3] += 30
    known_TC[52 * 7 + 1, 0] = FIRST + 52 * 7 + 1 + LATE_DAYS + 1
    value_TC[52 * 7 + 1, 0] = 20.0
    found = odd(value_TC, known_TC)
    assert odd_of(found, "missing", 0) == [45, 46]
    assert odd_of(found, "stuck", 1) == [43, 44]
    assert odd_of(found, "sentinel", 2) == [50]
    assert odd_of(found, "jump", 3)[0] == 55
    assert odd_of(found, "late", 0) == [52]


def test_marks_leave_the_readings_but_where_a_watched_week_holds_nothing_else() -> None:
    value_TC, known_TC = record(3)
    value_TC[10 * 7 : 11 * 7, 0] = -9999.0  # the reference: never
    value_TC[50 * 7 + 2, 1] = -9999.0
    value_TC[50 * 7 : 52 * 7, 2] = 65535.0  # the sensor broke down
    value_TC[53 * 7, 3] = 255.0  # far, but not surely a mark
    readings = by_week(value_TC, known_TC, first_day=FIRST, weeks=WEEKS)
    plain = without_marks(readings, REFERENCE).value_PDC
    changed = np.argwhere(~np.isclose(plain, readings.value_PDC, equal_nan=True))
    expected = [(10, day, 0) for day in range(7)] + [(50, 2, 1)]
    assert [tuple(place) for place in changed.tolist()] == expected


def test_missing_and_stuck_weeks_are_those_of_a_plain_loop() -> None:
    value_TC, known_TC = record(1)
    rng = np.random.default_rng(2)
    value_TC[rng.random(len(value_TC)) < 0.3] = np.nan
    value_TC[100:130, 2] = 5.0
    found = odd(value_TC, known_TC)
    for c in range(4):
        days = [
            np.isfinite(value_TC[7 * p : 7 * p + 7, c]).sum() for p in range(len(WEEKS))
        ]
        usual, last = np.median(days[:REFERENCE]), max(np.flatnonzero(days))
        missing, stuck = [], []
        for p in range(len(WEEKS)):
            week = value_TC[7 * p : 7 * p + 7, c]
            before = value_TC[: 7 * p, c]
            before = before[np.isfinite(before)]
            shown = week[np.isfinite(week)]
            if days[p] < usual / 2 and p <= last + GONE_WEEKS:
                missing.append(p)
            if len(shown) >= 3 and len(before) and (shown == before[-1]).all():
                stuck.append(p)
        assert odd_of(found, "missing", c) == missing
        assert odd_of(found, "stuck", c) == stuck


def test_jumps_are_those_of_a_plain_loop() -> None:
    value_TC, known_TC = record(3)
    value_TC[300:, 0] += 15
    value_TC[200:203, 1] -= 40
    found = odd(value_TC, known_TC)
    for c in range(4):
        jumps = []
        for p in range(4, len(WEEKS)):
            before = value_TC[7 * (p - 4) : 7 * p, c]
            week = value_TC[7 * p : 7 * p + 7, c]
            centre = np.nanmedian(before)
            spread = 1.4826 * np.nanmedian(np.abs(before - centre))
            moved = abs(np.nanmedian(week) - centre)
            if np.isfinite(week).sum() >= 3 and moved > 6 * spread > 0:
                jumps.append(p)
        assert odd_of(found, "jump", c) == jumps
    assert odd_of(found, "jump", 0)


def test_a_point_that_is_gone_for_good_is_not_missing_for_ever() -> None:
    value_TC, known_TC = record(0)
    value_TC[45 * 7 :, 0] = np.nan
    missing = odd_of(odd(value_TC, known_TC), "missing", 0)
    assert missing == list(range(45, 45 + GONE_WEEKS))


def test_a_point_that_began_after_the_reference_is_never_odd() -> None:
    value_TC, known_TC = record(0)
    value_TC[: 45 * 7, 0] = np.nan
    value_TC[50 * 7 :, 0] = -9999.0
    assert not odd(value_TC, known_TC)[:, 0].any()


@pytest.mark.parametrize("kind", KINDS)
def test_an_outage_of_a_facility_is_found_in_its_week_and_at_the_facility(
    kind: str,
) -> None:
    rng = np.random.default_rng(0)
    odd_PFK = rng.poisson(0.5, (104, 3, len(KINDS)))
    odd_PFK[80, 1, KINDS.index(kind)] = 40
    found = {
        chart.chart.name: [(a.series, a.period) for a in chart.alerts]
        for chart in watch_data(odd_PFK, 52, MonitorConfig())
    }
    assert found[kind] == [(1, 28)]
    assert all(not found[other] for other in KINDS if other != kind)


def test_slow_decay_of_a_facility_is_found_though_no_week_is_bad() -> None:
    rng = np.random.default_rng(0)
    rate_PF = np.full((104, 2), 4.0)
    rate_PF[60:, 0] = 10.0
    odd_PFK = np.zeros((104, 2, len(KINDS)), int)
    odd_PFK[..., 0] = rng.poisson(rate_PF)
    charts = watch_data(odd_PFK, 52, MonitorConfig())
    slowly = next(c for c in charts if c.chart.name == "missing_slowly")
    assert [alert.series for alert in slowly.alerts] == [0]


def test_counts_are_those_of_each_facility() -> None:
    odd_UPK = np.arange(12).reshape(3, 2, 2)
    names, odd_PFK = count_odd(np.array(["f", "g", "f"]), odd_UPK)
    assert names == ["f", "g"]
    np.testing.assert_array_equal(odd_PFK[:, 0], odd_UPK[0] + odd_UPK[2])
