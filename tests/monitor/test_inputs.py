"""Inputs against peers: what moves alone is found and named, what moves together is no drift."""

from __future__ import annotations

import numpy as np

from hvac.arrays import Floats
from hvac.monitor.inputs import InputWeeks, watch_inputs
from hvac.monitor.monitor_settings import MonitorConfig
from hvac.monitor.periods import PeriodMeans

WEEKS, REFERENCE, UNITS = 104, 52, 40


def weeks_of(value_PS: Floats, level_P: Floats) -> InputWeeks:
    level_PS = np.repeat(level_P[:, None], value_PS.shape[1], axis=1)
    means = PeriodMeans(value_PS, level_PS, np.full(value_PS.shape, 7))
    kind_S = np.zeros(value_PS.shape[1])
    return InputWeeks(range(2000, 2000 + WEEKS), means, kind_S, level_P[:, None])


def fleet(seed: int) -> tuple[Floats, Floats]:
    """Units that answer to a common season with gains of their own."""
    rng = np.random.default_rng(seed)
    season_P = 5 * np.cos(2 * np.pi * np.arange(WEEKS) / 52.18)
    level_P = season_P + rng.normal(0, 0.3, WEEKS)
    gain_S = rng.lognormal(0, 0.2, UNITS)
    noise_PS = rng.normal(0, 0.4, (WEEKS, UNITS))
    return 20 + level_P[:, None] * gain_S + noise_PS, level_P


def test_a_drift_is_found_and_says_which_since_when_and_how_far() -> None:
    value_PS, level_P = fleet(0)
    value_PS[64:, 7] -= 1.5
    drift, _, _ = watch_inputs(weeks_of(value_PS, level_P), REFERENCE, MonitorConfig())
    alert = next(alert for alert in drift.alerts if alert.series == 7)
    assert not alert.up
    assert len(drift.alerts) <= 2
    assert 2 <= alert.since <= 4
    assert 1.0 < -alert.size < 2.0


def test_a_jump_is_found_in_its_first_whole_week() -> None:
    value_PS, level_P = fleet(1)
    value_PS[70:, 11] += 8
    _, jump, _ = watch_inputs(weeks_of(value_PS, level_P), REFERENCE, MonitorConfig())
    assert [(alert.series, alert.period) for alert in jump.alerts] == [
        (11, 70 - REFERENCE)
    ]


def test_what_moves_in_common_is_told_as_common_and_nobody_drifts() -> None:
    value_PS, level_P = fleet(2)
    moved_P = level_P + np.where(np.arange(WEEKS) >= 60, 4.0, 0.0)
    gain_S = (value_PS[:52] - 20).std(axis=0) / level_P[:52].std()
    value_PS += (moved_P - level_P)[:, None] * gain_S
    found = watch_inputs(weeks_of(value_PS, moved_P), REFERENCE, MonitorConfig())
    drift, jump, common = found
    assert drift.alerts == []
    assert jump.alerts == []
    assert len(common.alerts) == 1
    assert common.alerts[0].up


def test_a_season_that_repeats_is_hardly_ever_an_alert() -> None:
    alerts = 0
    for seed in range(3, 15):
        value_PS, level_P = fleet(seed)
        charts = watch_inputs(weeks_of(value_PS, level_P), REFERENCE, MonitorConfig())
        alerts += len(charts[2].alerts)
    assert alerts <= 7  # 12 years at 0.25 a year; more has a chance of 2 %


def test_units_without_peers_are_not_watched() -> None:
    value_PS, _ = fleet(0)
    charts = watch_inputs(
        weeks_of(value_PS[:, :1], np.full(WEEKS, np.nan)), REFERENCE, MonitorConfig()
    )
    assert [chart.series for chart in charts] == [0, 0, 0]
    assert [chart.alerts for chart in charts] == [[], [], []]
