"""Inspections every week or month: a baseline by calendar, and windows with their share of readings."""

from __future__ import annotations

import numpy as np
import pytest

from hvac.panel.cutting import cut
from hvac.panel.rhythm import rhythm
from hvac.panel.windows import (
    INSUFFICIENT,
    LEARNING,
    OK,
    WindowConfig,
    fit_scale,
    learning_days_left,
)
from tests.panel.panel_example import FIRST, panel_of, reading, series


def inspected(every: int, days: int = 720, **more: object):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    return panel_of(
        [reading(day, rng.normal(20, 2), **more) for day in range(0, days, every)]
    )


@pytest.mark.parametrize("every", [7, 14, 30, 45])
def test_inspections_are_ready_after_180_days_and_windows_hold_their_share(
    every: int,
) -> None:
    panel = inspected(every)
    ready = int(fit_scale(panel, "baseline").ready_C[0]) - FIRST
    assert ready == max(179, 5 * every)
    windows = cut(
        panel, FIRST + np.array([ready - 1, ready, 600], np.int32), WindowConfig()
    )
    assert windows.status_B.tolist() == [LEARNING, OK, OK]
    np.testing.assert_allclose(windows.share_B[1:], 1.0, atol=0.15)
    assert learning_days_left(panel, FIRST + 100) == ready - 100


def test_baseline_is_that_of_the_first_readings() -> None:
    panel = inspected(30)
    scale, first = (
        fit_scale(panel, "baseline"),
        panel.value_TC[[0, 30, 60, 90, 120, 150], 0],
    )
    low, middle, high = np.quantile(first, [0.25, 0.5, 0.75])
    assert scale.centre_TC[0, 0] == pytest.approx(middle)
    assert scale.spread_TC[0, 0] == pytest.approx(high - low)


def test_two_missed_inspections_of_three_are_too_few() -> None:
    days = [day for day in range(0, 720, 30) if day not in (510, 540)]
    panel = panel_of([reading(day, 20 + day % 7) for day in days])
    windows = cut(panel, FIRST + np.array([500, 570], np.int32), WindowConfig())
    assert windows.status_B.tolist() == [OK, INSUFFICIENT]


def test_daily_readings_are_no_inspections_even_with_gaps() -> None:
    values = np.random.default_rng(0).normal(size=400)
    values[50:80] = np.nan
    panel = panel_of(series(values))
    assert rhythm(panel).gap_C.tolist() == [1.0]
    assert cut(
        panel, np.array([FIRST + 300], np.int32), WindowConfig()
    ).share_B.tolist() == [1.0]


def test_inspection_that_becomes_known_late_delays_the_baseline() -> None:
    rows = [
        reading(day, 20 + day % 7, known=400 if day == 60 else None)
        for day in range(0, 720, 30)
    ]
    assert fit_scale(panel_of(rows), "baseline").ready_C.tolist() == [FIRST + 400]


def test_rhythm_is_told_from_nothing_later_than_its_day() -> None:
    whole = inspected(30)
    for days in (200, 300, 500):
        part = inspected(30, days)
        one, other = rhythm(whole), rhythm(part)
        assert (one.gap_C == other.gap_C).all()
        assert (one.known_C == other.known_C).all()


@pytest.mark.parametrize("running", [2, 3])
def test_visits_that_take_days_running_are_inspections_too(running: int) -> None:
    rng = np.random.default_rng(0)
    days = [start + extra for start in range(0, 720, 30) for extra in range(running)]
    panel = panel_of([reading(day, rng.normal(20, 2)) for day in days])
    windows = cut(panel, FIRST + np.array([100, 185, 600], np.int32), WindowConfig())
    assert windows.status_B.tolist() == [LEARNING, OK, OK]


def test_daily_readings_after_an_early_pause_are_daily() -> None:
    days = [0, 1, *range(170, 600)]
    assert rhythm(
        panel_of([reading(day, 20 + day % 7) for day in days])
    ).gap_C.tolist() == [1.0]
