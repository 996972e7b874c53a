"""Where the value is heading: the damped quadratic, its conformal band, limits, scaled errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm

from hvac.scoring.forecast import (
    crossing_probability,
    damped_quadratic,
    damped_trend,
    fit_band,
    last_value,
    scaled_error,
    window_spread,
)
from tests.reference import forecast_oracle as oracle

EVERY = pytest.mark.parametrize(
    "forecast", [damped_quadratic, damped_trend, last_value]
)
Forecast = Callable[[Any, int], Any]


def walks(rows: int, days: int, seed: int = 0) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).normal(size=(rows, days)), axis=1)


def assorted() -> np.ndarray:
    """Walks, noise, ramps, waves, steps and counts, on scales from 1e-3 to 1e5."""
    rng, t = np.random.default_rng(1), np.arange(90.0)
    shapes = [
        *walks(5, 90),
        *rng.normal(size=(5, 90)),
        t,
        -(t**2),
        np.sin(t / 9),
        t > 70,
        rng.poisson(0.2, 90),
    ]
    return np.array([shape * scale for shape in shapes for scale in (1e-3, 1.0, 1e5)])


# Damped quadratic


@pytest.mark.parametrize("horizon", [1, 7, 30, 60, 90])
def test_damped_quadratic_equals_the_polyfit_oracle(horizon: int) -> None:
    x_BL = assorted()
    found_BD = damped_quadratic(x_BL, horizon)
    assert found_BD.shape == (len(x_BL), horizon)
    for window, found_D in zip(x_BL, found_BD, strict=True):
        scale = max(np.abs(window).max(), 1e-12)
        np.testing.assert_allclose(
            found_D / scale,
            np.array(oracle.damped_quadratic(window, horizon)) / scale,
            atol=1e-8,
        )


@settings(max_examples=40)
@given(
    x_L=arrays(np.float64, 90, elements=st.floats(-1e3, 1e3)),
    horizon=st.sampled_from([30, 60, 90]),
)
def test_damped_quadratic_stays_finite_and_within_three_standard_deviations(
    x_L: np.ndarray, horizon: int
) -> None:
    (found_D,) = damped_quadratic(x_L[None], horizon)
    slack = 1e-9 * max(1.0, np.abs(x_L).max())
    assert np.isfinite(found_D).all()
    assert found_D.min() >= x_L.mean() - 3 * x_L.std() - slack
    assert found_D.max() <= x_L.mean() + 3 * x_L.std() + slack
    np.testing.assert_allclose(
        found_D, oracle.damped_quadratic(x_L, horizon), atol=1e-6
    )


def test_damped_quadratic_reaches_its_bounds_on_a_late_surge() -> None:
    x_L = np.r_[np.zeros(80), np.arange(1.0, 11.0) ** 2]
    (found_D,) = damped_quadratic(x_L[None], 90)
    assert found_D.max() == pytest.approx(x_L.mean() + 3 * x_L.std())


def test_damped_quadratic_depends_on_its_horizon() -> None:
    """The longer the horizon, the weaker the damping on any one day: 90 keeps more of a ramp than 30 does."""
    x_BL = np.arange(90.0)[None]
    short_D, long_D = damped_quadratic(x_BL, 30)[0], damped_quadratic(x_BL, 90)[0, :30]
    assert (long_D > short_D).all()
    mean = x_BL[0, -30:].mean()
    np.testing.assert_allclose(short_D[9], mean + (99 - mean) * np.exp(-10 / 60))
    np.testing.assert_allclose(long_D[9], mean + (99 - mean) * np.exp(-10 / 180))


def test_damped_quadratic_looks_at_the_last_30_days_and_the_spread_of_the_window() -> (
    None
):
    x_BL = np.random.default_rng(0).normal(size=(1, 90))
    mirrored_BL = np.concatenate([x_BL[:, 59::-1], x_BL[:, 60:]], axis=1)
    np.testing.assert_allclose(
        damped_quadratic(mirrored_BL, 30), damped_quadratic(x_BL, 30), atol=1e-12
    )


# Every forecast


@EVERY
def test_forecast_of_a_constant_is_the_constant(forecast: Forecast) -> None:
    np.testing.assert_allclose(forecast(np.full((2, 90), -7.25), 60), -7.25, atol=1e-9)


@EVERY
def test_forecast_follows_a_change_of_units(forecast: Forecast) -> None:
    x_BL = walks(20, 90)
    for scale, offset in ((1.8, 32.0), (-3.0, 5.0), (1e-3, 0.0)):
        np.testing.assert_allclose(
            forecast(scale * x_BL + offset, 30),
            scale * forecast(x_BL, 30) + offset,
            atol=1e-8,
        )


@EVERY
def test_forecast_of_a_window_does_not_depend_on_the_others_and_leaves_it_alone(
    forecast: Forecast,
) -> None:
    x_BL = walks(20, 90).astype(np.float32)
    before_BL, order = x_BL.copy(), np.random.default_rng(0).permutation(20)
    together_BD = forecast(x_BL, 30)
    assert together_BD.dtype == np.float64
    np.testing.assert_allclose(forecast(x_BL[order], 30), together_BD[order], atol=1e-6)
    np.testing.assert_allclose(
        np.concatenate([forecast(row[None], 30) for row in x_BL]),
        together_BD,
        atol=1e-6,
    )
    np.testing.assert_array_equal(x_BL, before_BL)


def test_last_value_repeats_it() -> None:
    x_BL = walks(5, 90)
    np.testing.assert_array_equal(
        last_value(x_BL, 7), np.repeat(x_BL[:, -1:], 7, axis=1)
    )


def test_damped_trend_goes_on_from_the_line_with_a_slope_that_fades_by_2_percent_a_day() -> (
    None
):
    (found_D,) = damped_trend(2.0 * np.arange(90)[None] + 5, 60)
    step_D = np.diff(np.r_[2.0 * 89 + 5, found_D])
    assert 1.96 - 1e-9 <= step_D[0] <= 2 + 1e-9
    np.testing.assert_allclose(step_D[1:] / step_D[:-1], 0.98)


# Band


def test_spread_is_the_windows_standard_deviation_and_1_where_it_does_not_vary() -> (
    None
):
    x_BL = np.concatenate([walks(3, 90), np.full((1, 90), 0.1)])
    np.testing.assert_allclose(window_spread(x_BL)[:, 0], [*x_BL[:3].std(axis=1), 1.0])


def test_band_is_the_conformal_quantile_of_each_day() -> None:
    rng = np.random.default_rng(0)
    actual_BD, forecast_BD, spread_B1 = (
        rng.normal(size=(57, 4)),
        rng.normal(size=(57, 4)),
        rng.uniform(1, 3, (57, 1)),
    )
    actual_BD[:11, 2] = np.nan
    found_D = fit_band(actual_BD, forecast_BD, spread_B1)
    for d in range(4):
        errors = [
            e
            for e in np.abs(actual_BD - forecast_BD)[:, d] / spread_B1[:, 0]
            if np.isfinite(e)
        ]
        assert found_D[d] == pytest.approx(oracle.conformal_width(errors, 0.9))


def test_band_is_nan_on_days_with_fewer_than_20_observed_errors() -> None:
    actual_BD = np.random.default_rng(0).normal(size=(40, 2))
    actual_BD[:21, 1] = np.nan
    found_D = fit_band(actual_BD, np.zeros((40, 2)), np.ones((40, 1)))
    assert np.isfinite(found_D[0])
    assert np.isnan(found_D[1])
    assert np.isfinite(fit_band(actual_BD[20:], np.zeros((20, 2)), np.ones((20, 1)))[0])


def test_band_covers_nine_of_ten_fresh_values_of_the_same_kind() -> None:
    """39 exchangeable errors: the guarantee ceil(40 · 0.9) / 40 is 0.9 exactly; 4,000 days, standard error 0.005."""
    rng, days = np.random.default_rng(0), 4000
    error_BD = rng.standard_t(3, (40, days)) * rng.uniform(0.1, 10, days)
    spread_B1 = rng.uniform(0.5, 2, (40, 1))
    width_D = fit_band(
        error_BD[:39] * spread_B1[:39], np.zeros((39, days)), spread_B1[:39]
    )
    covered = np.abs(error_BD[39] * spread_B1[39]) <= width_D * spread_B1[39]
    assert covered.mean() == pytest.approx(0.9, abs=0.02)


def test_band_of_the_damped_quadratic_covers_fresh_walks_and_widens_with_the_days() -> (
    None
):
    made = walks(3000, 120)
    x_BL, actual_BD = made[:, :90], made[:, 90:]
    forecast_BD, spread_B1 = damped_quadratic(x_BL, 30), window_spread(x_BL)
    width_D = fit_band(actual_BD[:2000], forecast_BD[:2000], spread_B1[:2000])
    inside_BD = np.abs(actual_BD - forecast_BD)[2000:] <= width_D * spread_B1[2000:]
    assert inside_BD.mean() == pytest.approx(0.9, abs=0.02)
    assert width_D[-1] > 1.5 * width_D[0]


def test_wider_band_for_a_higher_level() -> None:
    actual_BD = np.random.default_rng(0).normal(size=(200, 3))
    widths = [
        fit_band(actual_BD, np.zeros((200, 3)), np.ones((200, 1)), level=level)
        for level in (0.5, 0.8, 0.9)
    ]
    assert (np.diff(widths, axis=0) > 0).all()


# Limits


def crossing(forecast: Any, half: Any, lower: float, upper: float) -> float:
    forecast_BD, half_BD = (
        np.atleast_2d(np.asarray(forecast, float)),
        np.atleast_2d(np.asarray(half, float)),
    )
    (found,) = crossing_probability(
        forecast_BD, half_BD, lower_B=np.array([lower]), upper_B=np.array([upper])
    )
    return float(found)


def test_crossing_probability_is_the_normal_tail_outside_both_limits() -> None:
    """A 90 % band of half-width 1.645 is one standard deviation of 1."""
    half = norm.ppf(0.95)
    assert crossing([0.3], [half], -1.0, 2.0) == pytest.approx(
        norm.sf(2.0 - 0.3) + norm.cdf(-1.0 - 0.3)
    )
    assert crossing([0.3], [half], np.nan, 2.0) == pytest.approx(norm.sf(1.7))
    assert crossing([0.3], [half], -1.0, np.nan) == pytest.approx(norm.cdf(-1.3))


def test_crossing_probability_is_that_of_the_worst_day() -> None:
    half = np.full(3, norm.ppf(0.95))
    assert crossing([0, 1.5, 0.5], half, np.nan, 2.0) == pytest.approx(norm.sf(0.5))


def test_crossing_probability_passes_over_days_without_a_band() -> None:
    half = [norm.ppf(0.95), np.nan]
    assert crossing([0, 9], half, np.nan, 2.0) == pytest.approx(norm.sf(2.0))


def test_crossing_probability_is_nan_without_a_limit_or_a_band() -> None:
    assert np.isnan(crossing([0, 1], [1, 1], np.nan, np.nan))
    assert np.isnan(crossing([0, 1], [np.nan, np.nan], -1.0, 1.0))


def test_crossing_probability_is_never_above_1_and_certain_without_spread() -> None:
    assert crossing([5], [0.0], -1.0, 1.0) == 1.0
    assert crossing([0], [0.0], -1.0, 1.0) == 0.0
    assert crossing([0], [1e9], 0.0, 0.0) <= 1.0


def test_crossing_probability_rises_as_the_forecast_nears_the_limit() -> None:
    found = [crossing([level], [1.0], np.nan, 3.0) for level in np.linspace(-3, 6, 30)]
    assert (np.diff(found) >= 0).all()
    assert found[0] < 0.01 < 0.99 < found[-1]


# Scaled errors


def test_scaled_error_equals_the_oracle() -> None:
    made = walks(30, 120)
    made[3, 95:] = np.nan
    x_BL, actual_BD = made[:, :90], made[:, 90:].copy()
    actual_BD[4], x_BL[5] = np.nan, 2.0
    found_B = scaled_error(actual_BD, last_value(x_BL, 30), x_BL)
    expected = [
        oracle.scaled_error(a, f, x)
        for a, f, x in zip(actual_BD, last_value(x_BL, 30), x_BL, strict=True)
    ]
    np.testing.assert_allclose(found_B, expected)
    assert np.isnan(found_B[[4, 5]]).all()


def test_mase_of_the_last_value_on_a_random_walk_is_1_on_the_first_day_and_grows_like_a_root() -> (
    None
):
    """E|S_k| over E|S_1| is √k; the window's own scale is an estimate, which adds about half a percent."""
    made = walks(20_000, 120)
    x_BL, actual_BD = made[:, :90], made[:, 90:]
    for days in (1, 30):
        found = np.nanmean(
            scaled_error(actual_BD[:, :days], last_value(x_BL, days), x_BL)
        )
        assert found == pytest.approx(np.sqrt(np.arange(1, days + 1)).mean(), rel=0.02)


def test_damped_quadratic_beats_the_last_value_where_the_value_drifts() -> None:
    made = 0.1 * np.arange(120.0) + np.random.default_rng(0).normal(0, 0.1, (500, 120))
    x_BL, actual_BD = made[:, :90], made[:, 90:]
    drawn, last = (
        np.nanmean(scaled_error(actual_BD, f(x_BL, 30), x_BL))
        for f in (damped_quadratic, last_value)
    )
    assert drawn < 0.9 * last
