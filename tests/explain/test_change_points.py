"""Since when a series lies elsewhere."""

from __future__ import annotations

import numpy as np

from hvac.explain.change_points import UNCHANGED, level_change


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 90))


def test_a_step_is_dated_to_its_day() -> None:
    x_NL = noise(200)
    x_NL[:, 71:] += 3
    assert (np.abs(level_change(x_NL) - 71) <= 1).mean() > 0.95


def test_noise_has_a_change_in_under_one_of_a_hundred() -> None:
    assert (level_change(noise(5000)) != UNCHANGED).mean() < 0.01


def test_a_flat_or_short_series_has_no_change() -> None:
    assert level_change(np.ones((2, 90))).tolist() == [UNCHANGED] * 2
    assert level_change(noise(2)[:, :9]).tolist() == [UNCHANGED] * 2


def test_a_change_of_the_last_days_alone_is_not_dated() -> None:
    x_NL = 0.1 * noise(1)
    x_NL[:, -2:] += 100
    assert level_change(x_NL)[0] in (UNCHANGED, 85)
