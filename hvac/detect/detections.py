"""Alarms against anomalies: threshold, episodes, anomalies found and when, false alarms.

An alarm belongs to an anomaly if it lies within it, or within `slack` steps of it (after its end;
before its start too where window scores are averaged): a window that still touches the anomaly.
Every other alarm is false.
Legend: T steps of a series, N scored steps of all series one after another, U series, A alarms, K
thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from hvac.arrays import Bools, Floats, Ints
from hvac.config import Config
from hvac.decision.alarm_episodes import alarm_episodes, false_episodes
from hvac.detect.series import Anomaly, Series
from hvac.detect.sliding import SlidingConfig, SlidingWindows, known_at
from hvac.errors import SplitError

SECONDS_PER_WEEK = 7 * 86_400
STEPS = 1000  # false alarms are counted per so many steps where series have no clock


class AlarmConfig(Config):
    """When an alarm is raised, and how alarms are counted."""

    rule: Literal["half", "budget"] = "budget"
    """`half`: a probability of 0.5 (baselines: best F1); `budget`: the lowest within `budget`."""
    budget: float = Field(default=1.0, ge=0)
    """False alarms on validation that are allowed a week (without a clock: in 1,000 steps)."""
    most_in_alarm: float | None = Field(default=None, gt=0, le=1)
    """Largest share of the time away from anomalies in alarm, for `budget`; None: no limit."""
    gap: int = Field(default=100, ge=1)
    """Alarms at most so many steps apart are one."""
    slack: int | None = Field(default=None, ge=0)
    """Steps around an anomaly in which an alarm belongs to it; None: half a window."""


class SeriesScores(NamedTuple):
    """The scores of one model on one series: of its windows, and joined, of every step.

    A score is nan where the model gave none.
    """

    series: Series
    cuts: SlidingWindows
    score_B: Floats
    score_T: Floats


class EventOutcome(NamedTuple):
    """One anomaly and the step at which its first alarm was known (None: no alarm).

    `number` is its series' place, `reach` the time in which an alarm counts for it.
    """

    number: int
    anomaly: Anomaly
    reach: float
    first_alarm: int | None


class Episode(NamedTuple):
    """One alarm: series, first and last step, and whether it belongs to an anomaly."""

    number: int
    first: int
    last: int
    true: bool


class DetectionOutcome(NamedTuple):
    """What a threshold leads to.

    Times are weeks, or thousands of steps where there is no clock: `exposure` is the scored time
    away from anomalies, `in_alarm` the share of it in alarm, `false_time` how long false alarms
    lasted in all.
    """

    events: list[EventOutcome]
    episodes: list[Episode]
    exposure: float
    in_alarm: float
    false_time: float

    @property
    def false(self) -> int:
        """Return how many alarms belong to no anomaly."""
        return sum(not episode.true for episode in self.episodes)


class _Steps(NamedTuple):
    """Scored steps of all series; `unit_U` is how much time a step of each series is."""

    number_N: Ints
    step_N: Ints
    score_N: Floats
    near_N: Bools
    unit_U: Floats

    def time(self, chosen_N: Bools) -> float:
        """Return how much time the chosen steps are away from anomalies."""
        number_N = self.number_N[chosen_N & ~self.near_N]
        steps_U = np.bincount(number_N, minlength=len(self.unit_U))
        return float(sum((steps_U * self.unit_U).tolist()))

    @property
    def exposure(self) -> float:
        """Return the scored time away from anomalies."""
        return self.time(np.ones(len(self.near_N), dtype=np.bool_))


def choose_budget(
    scores: Sequence[SeriesScores], alarms: AlarmConfig, windows: SlidingConfig
) -> tuple[float, str]:
    """Choose the threshold by the budget of false alarms.

    Going down from the highest score, it is the last one before alarms pass the budget.

    Returns:
        The threshold, and a note where even the highest score passes the budget.

    Raises:
        SplitError: if no step of the validation part could be scored.
    """
    steps = _scored_steps(scores, alarms, windows)
    if not len(steps.score_N):
        raise SplitError(
            "the validation part has no scored step to choose a threshold on: give it a longer"
            " stretch"
        )
    false = false_episodes(
        steps.score_N,
        steps.near_N,
        units_B=steps.number_N,
        end_day_B=steps.step_N,
        gap_days=alarms.gap,
    )
    within_K = false.false_K <= alarms.budget * steps.exposure
    if alarms.most_in_alarm is not None:
        time_K = _time_in_alarm(steps, false.threshold_K)
        within_K &= time_K <= alarms.most_in_alarm * steps.exposure
    allowed = len(within_K) if within_K.all() else int(np.argmin(within_K))
    if not allowed:
        above = float(np.nextafter(false.threshold_K[0], np.inf))
        return above, "even the highest score breaks the budget: no alarms"
    return float(false.threshold_K[allowed - 1]), ""


def _time_in_alarm(steps: _Steps, threshold_K: Floats) -> Floats:
    """Return the time away from anomalies that is in alarm at each threshold."""
    rising = np.argsort(steps.score_N, kind="stable")
    time_N = (steps.unit_U[steps.number_N] * ~steps.near_N)[rising]
    backwards_N = np.cumsum(time_N[::-1])
    from_here_N = np.append(backwards_N[::-1], 0.0)
    return from_here_N[np.searchsorted(steps.score_N[rising], threshold_K)]


def outcome_of(
    scores: Sequence[SeriesScores],
    threshold: float,
    alarms: AlarmConfig,
    windows: SlidingConfig,
) -> DetectionOutcome:
    """Return the anomalies found, the alarms and the exposure at a threshold."""
    steps = _scored_steps(scores, alarms, windows)
    alarm_N = steps.score_N >= threshold
    events = []
    for number, one in enumerate(scores):
        for anomaly in one.series.anomalies:
            reach = _reach(anomaly, alarms, windows)
            first_alarm = _first_alarm(one, reach, threshold, windows)
            time = (reach.stop - reach.start) * steps.unit_U[number]
            events.append(EventOutcome(number, anomaly, float(time), first_alarm))
    episodes = _episodes(steps, alarm_N, alarms.gap)
    false_time = sum(
        (e.last - e.first + 1) * steps.unit_U[e.number].item()
        for e in episodes
        if not e.true
    )
    exposure = steps.exposure
    in_alarm = steps.time(alarm_N) / exposure if exposure else np.nan
    return DetectionOutcome(events, episodes, exposure, in_alarm, false_time)


def _first_alarm(
    scores: SeriesScores, reach: slice, threshold: float, windows: SlidingConfig
) -> int | None:
    """Return the step at which the first alarm within reach is known, None without one."""
    alarm_A = reach.start + np.flatnonzero(scores.score_T[reach] >= threshold)
    known_A = known_at(alarm_A[:1], len(scores.series), windows)
    return int(known_A[0]) if len(known_A) else None


def _episodes(steps: _Steps, alarm_N: Bools, gap: int) -> list[Episode]:
    merged = alarm_episodes(
        alarm_N, units_B=steps.number_N, end_day_B=steps.step_N, gap_days=gap
    )
    hit_N = alarm_N & steps.near_N
    episodes = []
    for number, first, last in np.stack(merged, axis=1).tolist():
        step_A = steps.step_N[hit_N & (steps.number_N == number)]
        true = bool(((step_A >= first) & (step_A <= last)).any())
        episodes.append(Episode(number, first, last, true))
    return episodes


def _unit_of(series: Series) -> float:
    """Return how much time a step is: weeks, or thousands of steps without a clock."""
    return (
        1 / STEPS
        if series.step_seconds is None
        else series.step_seconds / SECONDS_PER_WEEK
    )


def slack_of(alarms: AlarmConfig, windows: SlidingConfig) -> int:
    """Return the steps around an anomaly at which an alarm still belongs to it."""
    return windows.length // 2 if alarms.slack is None else alarms.slack


def _reach(anomaly: Anomaly, alarms: AlarmConfig, windows: SlidingConfig) -> slice:
    """Return the steps at which an alarm belongs to an anomaly."""
    slack = slack_of(alarms, windows)
    before = slack if windows.join == "mean" else 0
    return slice(max(anomaly.start - before, 0), anomaly.end + slack)


def _scored_steps(
    scores: Sequence[SeriesScores], alarms: AlarmConfig, windows: SlidingConfig
) -> _Steps:
    empty = np.zeros(0, dtype=np.int64)
    parts = [(empty, empty, np.zeros(0), np.zeros(0, dtype=np.bool_))]
    for number, one in enumerate(scores):
        near_T = np.zeros(len(one.series), dtype=np.bool_)
        for anomaly in one.series.anomalies:
            near_T[_reach(anomaly, alarms, windows)] = True
        step_N = np.flatnonzero(np.isfinite(one.score_T))
        number_N = np.full(len(step_N), number)
        parts.append((number_N, step_N, one.score_T[step_N], near_T[step_N]))
    unit_U = np.array([_unit_of(one.series) for one in scores])
    number_N, step_N, score_N, near_N = map(np.concatenate, zip(*parts, strict=True))
    return _Steps(number_N, step_N, score_N, near_N, unit_U)
