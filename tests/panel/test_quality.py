"""Doubts about readings: what a sensor does alone is told, what a machine does with several points is not."""

from __future__ import annotations

import numpy as np
import pytest

from hvac.panel.quality import Doubt, doubts
from hvac.panel.windows import fit_scale
from tests.panel.panel_example import panel_of, series


def found(**points: np.ndarray) -> list[tuple[str, str]]:
    rows = [
        row for name, values in points.items() for row in series(values, point=name)
    ]
    panel = panel_of(rows)
    return [
        tuple(each)
        for each in doubts(panel, panel.last_day, fit_scale(panel, "baseline"))
    ]


def temperature(days: int = 400, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 12 + 4 * np.sin(np.arange(days) / 58) + rng.normal(0, 0.4, days)


def test_ordinary_season_and_noise_give_no_doubt() -> None:
    for seed in range(20):
        assert found(a=temperature(seed=seed), b=temperature(seed=seed + 100)) == []


@pytest.mark.parametrize("days", [5, 10, 25])
def test_readings_in_fahrenheit_are_a_jump_of_one_point(days: int) -> None:
    values = temperature()
    values[-days:] = values[-days:] * 1.8 + 32
    assert found(a=values, b=temperature(seed=1)) == [("a", "jump")]


@pytest.mark.parametrize("factor", [10.0, 0.1, 0.001, 1000.0])
@pytest.mark.parametrize("variation", [0.03, 0.12])
def test_readings_in_another_scale_are_a_jump(factor: float, variation: float) -> None:
    values = 40 * (1 + variation * np.random.default_rng(3).normal(size=400))
    values[-12:] *= factor
    assert found(a=values, b=temperature(seed=1)) == [("a", "jump")]


def test_points_that_jump_together_tell_of_the_machine() -> None:
    one, other = temperature(), temperature(seed=1)
    one[-10:] += 30
    other[-11:] -= 30
    assert found(a=one, b=other, c=temperature(seed=2)) == []


def test_single_wild_reading_is_no_jump() -> None:
    values = temperature()
    values[-9] = 500
    assert found(a=values, b=temperature(seed=1)) == []


@pytest.mark.parametrize(("days", "flat"), [(13, False), (14, True), (60, True)])
def test_value_that_stands_still_is_flat(days: int, flat: bool) -> None:
    values = temperature()
    values[-days:] = values[-days]
    assert found(a=values, b=temperature(seed=1)) == ([("a", "flat")] if flat else [])


@pytest.mark.parametrize(("ago", "flat"), [(3, True), (89, True), (90, False)])
def test_spell_without_change_is_flat_while_it_is_among_the_last_90(
    ago: int, flat: bool
) -> None:
    values = temperature()
    last = len(values) - 1 - ago
    values[last - 20 : last + 1] = values[last]
    assert found(a=values, b=temperature(seed=1)) == ([("a", "flat")] if flat else [])


def test_switch_that_always_stood_still_for_weeks_is_not_flat() -> None:
    values = (np.arange(400) // 40 % 2).astype(float)
    assert found(a=values, b=temperature(seed=1)) == []


def test_constant_point_is_not_flat() -> None:
    assert found(a=np.full(400, 21.3), b=temperature(seed=1)) == []


@pytest.mark.parametrize("mark", [-9999.0, 65535.0, 999.0])
def test_mark_for_no_value_is_told(mark: float) -> None:
    values = temperature()
    values[[-40, -7]] = mark
    assert found(a=values, b=temperature(seed=1)) == [("a", "sentinel")]


def test_single_value_that_may_be_one_is_no_mark() -> None:
    values = temperature()
    values[-20] = 255.0
    assert found(a=values, b=temperature(seed=1)) == []


def test_value_that_is_usual_is_no_mark() -> None:
    values = np.where(np.arange(400) % 3, 255.0, 250.0)
    assert found(a=values, b=temperature(seed=1)) == []


def test_what_becomes_known_later_gives_no_doubt() -> None:
    values = temperature()
    rows = [
        *series(values[:390], point="a"),
        *series(values[390:] * 1.8 + 32, point="a", start=390, known=500),
    ]
    panel = panel_of([*rows, *series(temperature(seed=1), point="b")])
    assert doubts(panel, panel.last_day, fit_scale(panel, "baseline")) == []
    assert (
        doubts(
            panel_of(rows), panel.first_day + 389, fit_scale(panel_of(rows), "baseline")
        )
        == []
    )


def test_doubt_is_a_point_and_a_kind() -> None:
    assert Doubt("a", "flat")._asdict() == {"point_id": "a", "kind": "flat"}
