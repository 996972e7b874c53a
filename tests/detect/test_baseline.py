"""The robust z-score against slow, obvious versions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import median_abs_deviation

from hvac.detect.baseline import RecordZScore, WindowZScore
from hvac.detect.series import Series, plain_series
from hvac.detect.sliding import cut_series
from tests.detect.detect_example import SMALL, noise


def slow_score(value: float, reference: np.ndarray) -> float:
    return float(
        abs(value - np.median(reference))
        / median_abs_deviation(reference, scale="normal")
    )


def test_window_score_is_the_highest_robust_z_score_in_it() -> None:
    series = noise(80, spikes=((33, 36),))
    found = cut_series(series, SMALL)
    expected_B = [
        max(
            slow_score(v, series.value_T[s : s + 20])
            for v in series.value_T[s : s + 20]
        )
        for s in found.start_B
    ]
    np.testing.assert_allclose(
        WindowZScore(windows=SMALL).window_scores(series, found), expected_B, rtol=1e-4
    )


def test_mean_step_score_is_the_mean_over_the_windows_that_cover_it() -> None:
    series = noise(50)
    found = cut_series(series, SMALL)
    step_T = WindowZScore(windows=SMALL).step_scores(series, found)
    for step in (0, 7, 26, 49):
        covering = [s for s in found.start_B if s <= step < s + 20]
        expected = np.mean(
            [
                slow_score(series.value_T[step], series.value_T[s : s + 20])
                for s in covering
            ]
        )
        assert step_T[step] == pytest.approx(expected, rel=1e-4)


def test_last_step_score_is_against_the_window_that_ended_last() -> None:
    windows, series = SMALL.replace(join="last"), noise(50)
    step_T = WindowZScore(windows=windows).step_scores(
        series, cut_series(series, windows)
    )
    assert np.isnan(step_T[:19]).all()
    assert step_T[32] == pytest.approx(
        slow_score(series.value_T[32], series.value_T[10:30]), rel=1e-4
    )


def test_record_score_uses_normal_observed_training_values_of_the_record_only() -> None:
    train = noise(300, spikes=((100, 150),), part="train")
    holed = Series(
        **{
            **vars(train),
            "observed_T": np.arange(300) >= 20,
            "value_T": np.r_[np.full(20, 99.0), train.value_T[20:]],
        }
    )
    test = Series(**{**vars(noise(60, seed=9)), "record": train.record})
    judge = RecordZScore.fit([holed, test], SMALL)
    normal = np.r_[train.value_T[20:100], train.value_T[150:]]
    found_T = judge.step_scores(test, cut_series(test, SMALL))
    assert found_T[5] == pytest.approx(slow_score(test.value_T[5], normal), rel=1e-4)
    assert judge.window_scores(test, cut_series(test, SMALL))[0] == pytest.approx(
        found_T[:20].max()
    )


def test_constant_values_score_zero() -> None:
    series = plain_series(np.full(40, 3.0))
    assert (
        not WindowZScore(windows=SMALL)
        .step_scores(series, cut_series(series, SMALL))
        .any()
    )
