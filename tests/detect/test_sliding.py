"""Sliding windows and the joining of their scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hvac.detect.baseline import RecordZScore, WindowZScore
from hvac.detect.series import Anomaly, Reference, Series, plain_series
from hvac.detect.sliding import (
    SlidingConfig,
    cut_series,
    join_scores,
    known_at,
    raw_windows,
    shown,
)
from hvac.errors import ConfigError, InputError
from tests.detect.detect_example import SMALL, fitted, noise


@pytest.mark.parametrize("steps", [20, 21, 24, 25, 99])
def test_windows_cover_every_step_and_reach_the_end(steps: int) -> None:
    found = cut_series(noise(steps), SMALL)
    covered = {step for start in found.start_B for step in range(start, start + 20)}
    assert covered == set(range(steps))
    assert np.diff(found.start_B).max(initial=0) <= 5


def test_series_shorter_than_a_window_is_refused_with_its_name_and_both_lengths() -> (
    None
):
    with pytest.raises(
        InputError, match=r"series 'test-0' \(test\) has 19 steps, a window needs 20"
    ) as caught:
        cut_series(noise(19), SMALL)
    assert "\n" not in str(caught.value)


def test_window_is_anomalous_from_half_an_anomaly_on_and_unknown_below() -> None:
    series = plain_series(np.zeros(60), anomalies=(Anomaly("spike", 28, 32),))
    found = cut_series(series, SMALL.replace(stride=1))
    holds_B = np.array(
        [min(start + 20, 32) - max(start, 28) for start in found.start_B]
    )
    np.testing.assert_array_equal(found.y_B, holds_B >= 2)
    np.testing.assert_array_equal(found.known_B, (holds_B >= 2) | (holds_B <= 0))


def test_anomaly_longer_than_a_window_needs_half_a_window() -> None:
    series = plain_series(np.zeros(100), anomalies=(Anomaly("labelled", 40, 100),))
    found = cut_series(series, SMALL.replace(stride=1))
    assert found.start_B[found.y_B].min() == 30


def test_window_with_too_few_observed_steps_is_not_judged() -> None:
    value_T = np.r_[np.ones(30), np.full(30, np.nan), np.ones(30)]
    series, judge = plain_series(value_T), WindowZScore(windows=SMALL)
    found = cut_series(series, SMALL)
    held_B = np.array(
        [np.isfinite(value_T[s : s + 20]).mean() >= 0.5 for s in found.start_B]
    )
    assert found.known_B.tolist() == found.scored_B.tolist() == held_B.tolist()
    assert np.isnan(judge.window_scores(series, found)).tolist() == (~held_B).tolist()
    assert np.isnan(judge.step_scores(series, found)[42:48]).all()
    assert np.isfinite(fitted().step_scores(series, found)[:30]).all()


@pytest.mark.parametrize("join", ["mean", "last"])
def test_joined_scores_equal_the_slow_way(join: Any) -> None:
    config, rng = SMALL.replace(join=join, stride=7), np.random.default_rng(2)
    start_B = cut_series(noise(90), config).start_B
    score_B = np.where(rng.random(len(start_B)) < 0.2, np.nan, rng.random(len(start_B)))
    expected_T = np.full(90, np.nan)
    for step in range(90):
        if join == "mean":
            covering = [
                s
                for start, s in zip(start_B, score_B, strict=True)
                if start <= step < start + 20
            ]
            known = [s for s in covering if np.isfinite(s)]
            expected_T[step] = np.mean(known) if known else np.nan
        else:
            ended = [
                s
                for start, s in zip(start_B, score_B, strict=True)
                if start + 19 <= step and np.isfinite(s)
            ]
            expected_T[step] = ended[-1] if ended else np.nan
    np.testing.assert_allclose(
        join_scores(score_B, start_B, 90, config), expected_T, atol=1e-12
    )


def test_last_joined_scores_are_blind_to_the_future() -> None:
    windows = SMALL.replace(join="last")
    series = noise(120, spikes=((50, 55),))
    later = Series(
        **{
            **vars(series),
            "value_T": np.r_[series.value_T[:80], series.value_T[80:] * -7],
        }
    )
    record = RecordZScore(windows=windows, fitted={"test-0": (0.0, 1.0)})
    for judge in (fitted(windows), WindowZScore(windows=windows), record):
        before_T, after_T = (
            judge.step_scores(each, cut_series(each, windows))
            for each in (series, later)
        )
        np.testing.assert_array_equal(before_T[:80], after_T[:80])
        assert not np.array_equal(before_T[80:], after_T[80:])


def test_score_is_known_when_the_last_window_that_counts_has_ended() -> None:
    step_N = np.array([0, 50, 99])
    assert known_at(step_N, 100, SMALL.replace(join="last")).tolist() == [0, 50, 99]
    assert known_at(step_N, 100, SMALL.replace(join="mean")).tolist() == [19, 69, 99]


def test_channels_show_values_raw_and_against_window_and_record() -> None:
    series = Series(**{**vars(noise(60)), "reference": Reference(2.0, 4.0)})
    config = SMALL.replace(channels=("raw", "window", "record"))
    x_BL = raw_windows(series.value_T, np.array([0, 10]), 20)
    x_BCL = shown(x_BL, series, config)
    assert x_BCL.shape == (2, 3, 20)
    np.testing.assert_allclose(x_BCL[:, 0], x_BL, rtol=1e-6)
    np.testing.assert_allclose(np.median(x_BCL[:, 1], axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(x_BCL[:, 2], (x_BL - 2) / 4, rtol=1e-5, atol=1e-6)
    moved = Series(**{**vars(series), "value_T": 3 * series.value_T + 50})
    np.testing.assert_allclose(
        shown(raw_windows(moved.value_T, np.array([0, 10]), 20), moved, config)[:, 1],
        x_BCL[:, 1],
        atol=1e-4,
    )


def test_constant_window_shows_zeros() -> None:
    series = plain_series(np.full(30, 7.0))
    assert not shown(
        raw_windows(series.value_T, np.array([0]), 20),
        series,
        SMALL.replace(channels=("window",)),
    ).any()


def test_record_channel_without_a_training_part_is_refused() -> None:
    series = noise(30)
    with pytest.raises(
        ConfigError, match="'record' needs a training part of record 'test-0'"
    ):
        shown(
            raw_windows(series.value_T, np.array([0]), 20),
            series,
            SMALL.replace(channels=("record",)),
        )


def test_window_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="length"):
        SlidingConfig(length=3)
