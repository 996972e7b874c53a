"""Periods against a reference: a line fitted series by series, a prediction's error, a robust spread."""

from __future__ import annotations

import numpy as np
import pytest

from hvac.arrays import Floats
from hvac.monitor.chart_statistics import SLACK, highest, statistic_of
from hvac.monitor.periods import PeriodMeans, blocks, closed_weeks, week_means, week_of
from hvac.monitor.reference import NORMAL, PRIOR, against_reference

REFERENCE = 20


def slow_z(value_P: Floats, design_PK: Floats, common: float) -> Floats:
    """One series by itself, as the textbook has it."""
    known_P = np.isfinite(value_P)
    fit_P = known_P & (np.arange(len(value_P)) < REFERENCE)
    line_K = np.linalg.lstsq(design_PK[fit_P], value_P[fit_P], rcond=None)[0]
    error_P = value_P - design_PK @ line_K
    free = fit_P.sum() - design_PK.shape[1]
    own = (NORMAL * np.median(np.abs(error_P[fit_P]))) ** 2 * fit_P.sum() / free
    spread = np.sqrt((free * own + PRIOR * common) / (free + PRIOR))
    inverse = np.linalg.inv(design_PK[fit_P].T @ design_PK[fit_P])
    z_P = np.full(len(value_P), np.nan)
    for p in np.flatnonzero(known_P):
        hat = design_PK[p] @ inverse @ design_PK[p]
        width = 1 - hat if p < REFERENCE else 1 + hat
        z_P[p] = error_P[p] / (spread * np.sqrt(width))
    return z_P


def test_standardised_periods_are_those_of_one_series_at_a_time() -> None:
    rng = np.random.default_rng(0)
    value_PS = rng.standard_normal((30, 5)) * [1, 2, 3, 4, 5] + 7
    value_PS[rng.random(value_PS.shape) < 0.1] = np.nan
    design_PSK = np.stack([np.ones((30, 5)), rng.standard_normal((30, 5))], axis=2)
    fit = against_reference(value_PS, design_PSK, REFERENCE)
    own_S = []
    for s in range(5):
        seen = np.isfinite(value_PS[:REFERENCE, s])
        error = fit.error_PS[:REFERENCE, s][seen]
        own_S.append(
            (NORMAL * np.median(np.abs(error))) ** 2 * seen.sum() / (seen.sum() - 2)
        )
    common = float(np.median(own_S))
    for s in range(5):
        expected_P = slow_z(value_PS[:, s], design_PSK[:, s], common)
        np.testing.assert_allclose(fit.z_PS[:, s], expected_P, rtol=1e-9)


def test_series_with_too_short_a_reference_has_no_place_on_the_chart() -> None:
    value_PS = np.random.default_rng(0).standard_normal((30, 2))
    value_PS[4:REFERENCE, 1] = np.nan
    fit = against_reference(value_PS, np.ones((30, 2, 1)), REFERENCE)
    assert fit.known_S.tolist() == [True, False]
    assert np.isnan(fit.z_PS[:, 1]).all()


def test_a_fault_in_the_reference_hardly_moves_the_spread() -> None:
    value_PS = np.random.default_rng(1).standard_normal((60, 1))
    clean = against_reference(value_PS, np.ones((60, 1, 1)), 52)
    value_PS[10:13] += 10
    faulty = against_reference(value_PS, np.ones((60, 1, 1)), 52)
    ratio = np.nanstd(clean.z_PS[52:]) / np.nanstd(faulty.z_PS[52:])
    assert ratio < 1.6
    assert value_PS[:52].std() > 2  # what a plain standard deviation would be


def slow_cusum(z_P: Floats) -> list[float]:
    up = down = 0.0
    values = []
    for z in z_P:
        if np.isfinite(z):
            up, down = max(up + z - SLACK, 0), max(down - z - SLACK, 0)
        values.append(max(up, down))
    return values


def test_cusum_is_that_of_a_plain_loop_and_its_highest_value_too() -> None:
    z_PS = np.random.default_rng(2).standard_normal((50, 4))
    z_PS[5, 1] = np.nan
    found = statistic_of(z_PS, "cusum")
    for s in range(4):
        np.testing.assert_allclose(found.value_PS[:, s], slow_cusum(z_PS[:, s]))
    most_S = highest(np.nan_to_num(z_PS[:, [0]]), "cusum", two_sided=True, most=np.inf)
    assert most_S[0] == pytest.approx(max(slow_cusum(z_PS[:, 0])))


def test_weeks_and_blocks_are_means_over_the_days_that_have_both() -> None:
    rng = np.random.default_rng(3)
    value_TN, level_TN = rng.standard_normal((2, 80, 3))
    value_TN[rng.random(value_TN.shape) < 0.3] = np.nan
    level_TN[5] = np.nan
    first = 19_001
    weeks = closed_weeks(first, first + 79)
    means = week_means(value_TN, level_TN, first_day=first, weeks=weeks)
    both_TN = np.isfinite(value_TN) & np.isfinite(level_TN)
    day_T = np.array([week_of(first + t) for t in range(80)])
    for p, week in enumerate(weeks):
        for n in range(3):
            use = (day_T == week) & both_TN[:, n]
            assert means.days_PN[p, n] == use.sum()
            assert means.value_PN[p, n] == pytest.approx(value_TN[use, n].mean())
    joined = blocks(means, reference=6)
    use = np.isin(day_T, list(weeks)[2:6]) & both_TN[:, 0]
    assert joined.level_PN[0, 0] == pytest.approx(level_TN[use, 0].mean())


def test_blocks_of_an_empty_fleet_are_empty() -> None:
    none = np.zeros((9, 0))
    assert blocks(PeriodMeans(none, none, none.astype(int)), 4).value_PN.shape == (2, 0)
