"""Alarms against anomalies: found, false, delay, and the threshold of a budget."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hvac.detect.detections import (
    AlarmConfig,
    DetectionOutcome,
    SeriesScores,
    choose_budget,
    outcome_of,
)
from hvac.detect.series import Anomaly, plain_series
from hvac.detect.sliding import SlidingConfig, cut_series
from hvac.errors import SplitError
from tests.detect.detect_example import clocked

WINDOWS = SlidingConfig(length=10, join="last")
ALARMS = AlarmConfig(gap=3, slack=2)


def scored(
    score: dict[int, float],
    *,
    steps: int = 100,
    anomalies: tuple[tuple[int, int], ...] = ((40, 50),),
) -> SeriesScores:
    """A series whose score is 0 but at the named steps."""
    score_T = np.zeros(steps)
    for step, value in score.items():
        score_T[step] = value
    found = tuple(Anomaly("spike", *each) for each in anomalies)
    series = plain_series(np.zeros(steps), anomalies=found)
    return SeriesScores(series, cut_series(series, WINDOWS), np.zeros(0), score_T)


def found_in(outcome: DetectionOutcome) -> int:
    return sum(event.first_alarm is not None for event in outcome.events)


def exposure_of(scores: list[SeriesScores], alarms: AlarmConfig) -> float:
    return outcome_of(scores, np.inf, alarms, WINDOWS).exposure


@pytest.mark.parametrize(
    ("step", "found", "false"),
    [(39, 0, 1), (40, 1, 0), (49, 1, 0), (51, 1, 0), (52, 0, 1)],
)
def test_alarm_belongs_to_an_anomaly_within_it_or_up_to_slack_after_it(
    step: int, found: int, false: int
) -> None:
    outcome = outcome_of([scored({step: 1.0})], 0.5, ALARMS, WINDOWS)
    assert (found_in(outcome), outcome.false) == (found, false)


def test_averaged_scores_may_also_alarm_just_before_an_anomaly() -> None:
    windows = WINDOWS.replace(join="mean")
    outcome = outcome_of([scored({38: 1.0})], 0.5, ALARMS, windows)
    assert (found_in(outcome), outcome.false) == (1, 0)
    assert outcome.events[0].first_alarm == 38 + 9


def test_alarms_at_most_gap_steps_apart_are_one() -> None:
    outcome = outcome_of([scored({10: 1, 13: 1, 17: 1, 80: 1})], 0.5, ALARMS, WINDOWS)
    assert [(e.first, e.last, e.true) for e in outcome.episodes] == [
        (10, 13, False),
        (17, 17, False),
        (80, 80, False),
    ]


def test_alarm_that_reaches_from_normal_time_into_an_anomaly_is_true() -> None:
    outcome = outcome_of(
        [scored(dict.fromkeys(range(30, 42), 1.0))], 0.5, ALARMS, WINDOWS
    )
    assert (found_in(outcome), outcome.false) == (1, 0)
    assert outcome.events[0].first_alarm == 40
    assert outcome.in_alarm == pytest.approx(10 / (100 - 12))


def test_steps_that_were_not_judged_count_nowhere() -> None:
    one = scored({45: 1.0, 70: 1.0})
    one.score_T[60:] = np.nan
    outcome = outcome_of([one], 0.5, ALARMS, WINDOWS)
    assert (outcome.false, outcome.exposure) == (0, (60 - 12) / 1000)


def test_exposure_of_a_clocked_series_is_in_weeks() -> None:
    one = scored({}, steps=24 * 14, anomalies=())
    hourly = one._replace(series=clocked(one.series))
    assert exposure_of([hourly], ALARMS) == pytest.approx(2.0)


@pytest.mark.parametrize("most", [None, 0.05])
@pytest.mark.parametrize("budget", [0.0, 5.0, 20.0])
def test_budget_is_the_last_threshold_from_above_within_it(
    budget: float, most: Any
) -> None:
    rng, config = (
        np.random.default_rng(4),
        ALARMS.replace(budget=budget, most_in_alarm=most),
    )
    several = [scored(dict(enumerate(rng.random(100) ** 3))) for _ in range(3)]
    found, note = choose_budget(several, config, WINDOWS)
    exposure, best = exposure_of(several, config), np.inf
    for threshold in sorted(
        {float(s) for each in several for s in each.score_T}, reverse=True
    ):
        outcome = outcome_of(several, threshold, config, WINDOWS)
        if outcome.false > budget * exposure or (most and outcome.in_alarm > most):
            break
        best = threshold
    if np.isinf(best):
        assert "no alarms" in note
        assert outcome_of(several, found, config, WINDOWS).episodes == []
    else:
        assert found == best


def test_budget_without_a_judged_step_is_refused() -> None:
    one = scored({})
    one.score_T[:] = np.nan
    with pytest.raises(SplitError, match="validation part has no scored step"):
        choose_budget([one], ALARMS, WINDOWS)


def test_no_series_give_an_empty_outcome() -> None:
    outcome = outcome_of([], 0.5, ALARMS, WINDOWS)
    assert (outcome.events, outcome.episodes, outcome.exposure) == ([], [], 0.0)
