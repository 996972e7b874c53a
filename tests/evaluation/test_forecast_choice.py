"""The forecast that is shown: the simplest that is not beaten, and figures that say how good it is.

Legend: N series, H horizons.
"""

from __future__ import annotations

import numpy as np
import pytest

from hvac.evaluation.forecast_choice import (
    ClassForecasts,
    choose_method,
    forecast_figures,
    mean_difference,
)

UNITS = np.repeat([f"E{n:02}" for n in range(30)], 4)


def errors(mean: float, seed: int, horizons: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return mean + 0.1 * rng.normal(size=(len(UNITS), horizons))


def test_a_method_that_is_clearly_better_is_chosen() -> None:
    error_NH = {
        "last_value": errors(1.5, 0),
        "level": errors(1.3, 1),
        "quadratic": errors(2.5, 2),
    }
    assert choose_method(error_NH, UNITS) == "level"


def test_a_method_that_is_better_by_chance_only_is_not() -> None:
    noise = errors(0.0, 3) * 5
    error_NH = {"last_value": 1.5 + noise, "level": 1.499 + errors(0.0, 4) * 5}
    assert choose_method(error_NH, UNITS) == "last_value"


def test_a_method_that_does_not_reach_every_horizon_is_left_out() -> None:
    short = errors(1.0, 1)
    short[:, 1] = np.nan
    error_NH = {"last_value": errors(1.5, 0), "encoder": short}
    assert choose_method(error_NH, UNITS) == "last_value"


@pytest.mark.parametrize("known", [0, 1])
def test_where_nothing_can_be_compared_the_last_value_is_shown(known: int) -> None:
    empty = np.full((known, 2), np.nan)
    assert (
        choose_method({"last_value": empty, "level": empty}, UNITS[:known])
        == "last_value"
    )


def test_units_and_not_windows_are_the_samples() -> None:
    value_N = np.r_[np.zeros(900), np.ones(100)]
    one_unit_moves = np.r_[np.repeat(np.arange(9), 100), np.full(100, 9)].astype(str)
    interval = mean_difference(value_N, one_unit_moves)
    assert interval.value == pytest.approx(0.1)
    assert interval.low == 0
    assert interval.high >= 0.3


def test_figures_say_what_is_shown_and_how_it_stands_to_the_last_value() -> None:
    last, level = errors(1.5, 0), errors(1.2, 1)
    one = ClassForecasts(
        {"last_value": last, "level": level}, UNITS, "level", np.full_like(last, 0.9)
    )
    other = ClassForecasts(
        {"last_value": last, "level": level},
        UNITS,
        "last_value",
        np.full_like(last, 0.8),
    )
    figures = forecast_figures({"ahu": one, "pump": other}, (30, 90))
    shown = figures["90"]
    assert shown["methods"]["level"]["mase"] == pytest.approx(level[:, 1].mean())
    assert shown["shown"]["mase"] == pytest.approx(
        (level[:, 1].mean() + last[:, 1].mean()) / 2
    )
    assert shown["shown"]["coverage"] == pytest.approx(0.85)
    over = shown["over_last_value"]
    assert over["high"] is not None
    assert over["high"] < 0
    assert shown["series"] == 2 * len(UNITS)
    assert forecast_figures({}, (30,)) == {}
