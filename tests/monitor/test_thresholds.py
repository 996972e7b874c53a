"""Thresholds from the reference hold the declared rate, with noise, with memory, with heavy tails."""

from __future__ import annotations

import numpy as np
import pytest

from hvac.arrays import Floats
from hvac.monitor.chart_kinds import Chart
from hvac.monitor.chart_thresholds import residual_correlation, upper_quantile
from hvac.monitor.charts import run_chart

SERIES, FLEETS, DECLARED = 60, 40, 1.0


def fleet(rng: np.random.Generator, world: str) -> Floats:
    """Blocks of 4 weeks of two years in which nothing changes; spreads differ between units."""
    shape = (26, SERIES)
    spread_S = rng.lognormal(0, 0.25, SERIES)
    if world == "heavy":
        return np.asarray(rng.standard_t(5, shape) * spread_S)
    value_PS = rng.standard_normal(shape)
    if world == "memory":
        slow_PS = rng.standard_normal(shape)
        for p in range(1, 26):
            slow_PS[p] = 0.6 * slow_PS[p - 1] + 0.8 * slow_PS[p]
        value_PS += slow_PS
    return np.asarray(value_PS * spread_S)


@pytest.mark.parametrize("world", ["noise", "memory", "heavy"])
def test_alerts_where_nothing_changes_are_about_as_often_as_declared(
    world: str,
) -> None:
    chart = Chart("drift", "cusum", 4, DECLARED)
    counts = []
    for seed in range(FLEETS):
        value_PS = fleet(np.random.default_rng(seed), world)
        found = run_chart(chart, value_PS, np.ones((26, SERIES, 1)), 13)
        counts.append(len(found.alerts))
    error = np.sqrt(DECLARED / FLEETS)
    assert np.mean(counts) <= DECLARED + 3 * error
    assert np.mean(counts) >= 0.2 * DECLARED


def test_a_higher_declared_rate_lowers_the_threshold() -> None:
    value_PS = fleet(np.random.default_rng(0), "noise")
    thresholds = [
        run_chart(
            Chart("drift", "cusum", 4, rate), value_PS, np.ones((26, SERIES, 1)), 13
        ).threshold
        for rate in (0.2, 1.0, 5.0)
    ]
    assert thresholds == sorted(thresholds, reverse=True)
    assert thresholds[0] > thresholds[2]


def test_what_comes_after_the_reference_does_not_move_the_threshold() -> None:
    value_PS = fleet(np.random.default_rng(0), "noise")
    chart = Chart("drift", "cusum", 4, DECLARED)
    before = run_chart(chart, value_PS, np.ones((26, SERIES, 1)), 13)
    value_PS[13:] += 9
    after = run_chart(chart, value_PS, np.ones((26, SERIES, 1)), 13)
    assert before.threshold == after.threshold
    assert len(after.alerts) == SERIES


def test_a_series_alerts_once_while_it_stays_out_and_again_after_it_was_back() -> None:
    value_PS = fleet(np.random.default_rng(0), "noise")
    value_PS[14:16, 5] += 60
    value_PS[20:22, 5] += 60
    chart = Chart("jump", "each", 4, DECLARED, most=np.inf)
    found = run_chart(chart, value_PS, np.ones((26, SERIES, 1)), 13)
    assert [a.period for a in found.alerts if a.series == 5] == [1, 7]


@pytest.mark.parametrize("series", [0, 1])
def test_an_empty_fleet_and_one_series_give_no_alert_and_no_error(series: int) -> None:
    value_PS = np.zeros((26, series))
    chart = Chart("drift", "cusum", 4, DECLARED)
    assert run_chart(chart, value_PS, np.ones((26, series, 1)), 13).alerts == []


def test_a_record_that_ends_with_the_reference_has_no_threshold() -> None:
    value_PS = fleet(np.random.default_rng(0), "noise")[:13]
    chart = Chart("drift", "cusum", 4, DECLARED)
    found = run_chart(chart, value_PS, np.ones((13, SERIES, 1)), 13)
    assert np.isnan(found.threshold)
    assert found.alerts == []


def test_upper_quantile_is_the_sample_s_where_it_has_enough_values() -> None:
    value_N = np.random.default_rng(0).standard_normal(5000)
    assert upper_quantile(value_N, 0.05) == np.quantile(value_N, 0.95)
    assert upper_quantile(value_N, 1e-4) > np.quantile(value_N, 0.99)


def test_correlation_is_that_of_neighbours_only() -> None:
    z_RS = np.random.default_rng(0).standard_normal((40, 3))
    z_RS[7, 1] = np.nan
    pairs = [
        (z_RS[r, s], z_RS[r + 1, s])
        for r in range(39)
        for s in range(3)
        if np.isfinite(z_RS[r : r + 2, s]).all()
    ]
    first, second = np.array(pairs).T
    expected = (first * second).sum() / np.sqrt((first**2).sum() * (second**2).sum())
    assert residual_correlation(z_RS) == pytest.approx(expected)
