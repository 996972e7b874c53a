"""Weeks of a point that count: only those that were moved, and nothing of what lies around them.

Legend: S spans, B windows, H horizons.
"""

from __future__ import annotations

import numpy as np

from hvac.features.scene import Scene, UnitRecord, scenes
from hvac.features.table import Windows
from hvac.panel.grid import Unit, panels
from hvac.scoring.occlusion import SPAN_DAYS, at_usual_level, occlusion
from tests.models.models_example import recipe
from tests.panel.panel_example import readings, series

POINTS = ("flow", "vibration")
DAYS = 220


def scene_of(vibration_T: np.ndarray, skipped: tuple[int, ...] = ()) -> Scene:
    rows = []
    for point, value_T in (("flow", np.full(DAYS, 3.0)), ("vibration", vibration_T)):
        kept = series(value_T, point=point)
        rows += [row for day, row in enumerate(kept) if day not in skipped]
    rule = recipe(POINTS)
    (panel,) = panels(readings(rows), {Unit("F1", "E1"): POINTS})
    (scene,) = scenes(panel, rule, UnitRecord(class_name="ahu"))
    return scene


def highest(windows: Windows) -> np.ndarray:
    assert windows.x_BCL is not None
    return np.asarray(windows.x_BCL)[:, 1].max(axis=1)[:, None]


def test_only_the_week_of_a_spike_counts() -> None:
    noise_T = 20 + np.sin(np.arange(DAYS) * 2.1)
    noise_T[DAYS - 40] += 30
    scene = scene_of(noise_T)
    first_S, added_SH = occlusion(
        scene, "vibration", scene.panel.last_day, recipe(POINTS), highest
    )
    spike = scene.panel.first_day + DAYS - 40
    holding = [first <= spike < first + SPAN_DAYS for first in first_S]
    assert sum(holding) == 1
    assert added_SH[holding][0, 0] > 5
    np.testing.assert_allclose(added_SH[~np.array(holding)], 0, atol=1e-9)


def test_weeks_cover_the_window_and_end_with_it() -> None:
    scene = scene_of(20 + np.sin(np.arange(DAYS)))
    first_S, _ = occlusion(scene, "flow", scene.panel.last_day, recipe(POINTS), highest)
    assert len(first_S) == 90 // SPAN_DAYS
    assert first_S[-1] + SPAN_DAYS - 1 == scene.panel.last_day
    assert set(np.diff(first_S)) == {SPAN_DAYS}


def test_only_the_days_that_were_read_are_replaced() -> None:
    ramp_T = np.arange(DAYS, dtype=float)
    gap = DAYS - 12
    panel = scene_of(ramp_T, skipped=(gap,)).panel
    first = DAYS - 14
    usual_TC = np.full_like(panel.value_TC, 7.0)
    changed = at_usual_level(panel, 1, first, usual_TC)
    week_T = changed.value_TC[first : first + SPAN_DAYS, 1]
    assert np.isnan(week_T[gap - first])
    assert set(week_T[~np.isnan(week_T)]) == {7.0}
    np.testing.assert_array_equal(changed.value_TC[:first], panel.value_TC[:first])
    np.testing.assert_array_equal(
        changed.value_TC[first + SPAN_DAYS :], panel.value_TC[first + SPAN_DAYS :]
    )
    np.testing.assert_array_equal(changed.value_TC[:, 0], panel.value_TC[:, 0])
