"""Alarms against anomalies, event by event: threshold, episodes, which events were found and when,
false alarms.

An alarm belongs to an anomaly if it lies within it, or within `slack` steps of it (after its end;
before its start too where window scores are averaged): a window that still touches the anomaly.
Every other alarm is false.

Legend: T steps of a series, N judged steps of all series one after another, A alarm episodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from hvac.config import Config
from hvac.decision.alarm_episodes import alarm_episodes, false_episodes
from hvac.detect.series import Anomaly, Series
from hvac.detect.sliding import SlidingConfig, known_at
from hvac.errors import SplitError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
SECONDS_PER_WEEK = 7 * 86_400
STEPS = 1000  # false alarms are counted per so many steps where series have no clock


class AlarmConfig(Config):
    """When an alarm is raised, and how alarms are counted.

    `rule`: `half`, a probability of 0.5 (the seed's; the baselines, which have none, by F1 on
    validation); or `budget`, the lowest threshold whose false alarms on validation stay within
    `budget` a week (without a clock: in 1,000 steps) and, where `most_in_alarm` is given, that
    leaves at most this share of the time away from anomalies in alarm. `gap`: alarms at most so
    many steps apart are one. `slack`: see above; None is half a window."""

    rule: Literal["half", "budget"] = "budget"
    budget: float = Field(default=1.0, ge=0)
    most_in_alarm: float | None = Field(default=None, gt=0, le=1)
    gap: int = Field(default=100, ge=1)
    slack: int | None = Field(default=None, ge=0)


class ScoredSeries(NamedTuple):
    """A series with a score per step (nan: not judged)."""

    series: Series
    score_T: Floats


class EventOutcome(NamedTuple):
    """One anomaly: series, time in which an alarm counts for it, and the step at which its first
    alarm was known.
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
    """What a threshold leads to; times are weeks, or thousands of steps where there is no clock.

    `exposure` is the judged time away from anomalies, `in_alarm` the share of it in alarm,
    `false_time` how long false alarms lasted in all."""

    events: list[EventOutcome]
    episodes: list[Episode]
    exposure: float
    in_alarm: float
    false_time: float

    @property
    def found(self) -> int:
        """Anomalies with an alarm."""
        return sum(event.first_alarm is not None for event in self.events)

    @property
    def false(self) -> int:
        """Alarms that belong to no anomaly."""
        return sum(not episode.true for episode in self.episodes)


class _Steps(NamedTuple):
    """Judged steps of all series."""

    number_N: Ints
    step_N: Ints
    score_N: Floats
    near_N: Bools


def choose_budget(
    scored: Sequence[ScoredSeries], alarms: AlarmConfig, windows: SlidingConfig
) -> tuple[float, str]:
    """Going down from the highest score, the last threshold before alarms pass the budget; and a
    note.

    Raises:
        SplitError: no step of the validation part could be judged.
    """
    steps = _judged_steps(scored, alarms, windows)
    if not len(steps.score_N):
        raise SplitError(
            "the validation part has no judged step to choose a threshold on: give it a longer"
            " stretch"
        )
    false = false_episodes(
        steps.score_N,
        steps.near_N,
        units_B=steps.number_N,
        end_day_B=steps.step_N,
        gap_days=alarms.gap,
    )
    exposure = exposure_of(scored, alarms, windows)
    within_K = false.false_K <= alarms.budget * exposure
    if alarms.most_in_alarm is not None:
        within_K &= (
            _time_in_alarm(steps, scored, false.threshold_K) <= alarms.most_in_alarm * exposure
        )
    run = len(within_K) if within_K.all() else int(np.argmin(within_K))
    if not run:
        return (
            float(np.nextafter(false.threshold_K[0], np.inf)),
            "even the highest score breaks the budget: no alarms",
        )
    return float(false.threshold_K[run - 1]), ""


def _time_in_alarm(steps: _Steps, scored: Sequence[ScoredSeries], threshold_K: Floats) -> Floats:
    """Time away from anomalies that is in alarm at each threshold."""
    unit = np.array([unit_of(each.series) for each in scored])
    rising = np.argsort(steps.score_N, kind="stable")
    time_N = (unit[steps.number_N] * ~steps.near_N)[rising]
    from_here_N = np.append(np.cumsum(time_N[::-1])[::-1], 0.0)
    return from_here_N[np.searchsorted(steps.score_N[rising], threshold_K)]


def outcome_of(
    scored: Sequence[ScoredSeries], threshold: float, alarms: AlarmConfig, windows: SlidingConfig
) -> DetectionOutcome:
    """Events found, alarm episodes and exposure at a threshold."""
    steps = _judged_steps(scored, alarms, windows)
    alarm_N, unit = steps.score_N >= threshold, [unit_of(each.series) for each in scored]
    merged = alarm_episodes(
        alarm_N, units_B=steps.number_N, end_day_B=steps.step_N, gap_days=alarms.gap
    )
    hit = set(
        zip(
            steps.number_N[alarm_N & steps.near_N],
            steps.step_N[alarm_N & steps.near_N],
            strict=True,
        )
    )
    episodes = [
        Episode(
            int(number),
            int(first),
            int(last),
            any((number, step) in hit for step in range(first, last + 1)),
        )
        for number, first, last in zip(*merged, strict=True)
    ]
    events = [
        _event(number, each, anomaly, threshold, alarms, windows)
        for number, each in enumerate(scored)
        for anomaly in each.series.anomalies
    ]
    exposure = exposure_of(scored, alarms, windows)
    alarmed = np.bincount(
        steps.number_N[alarm_N & ~steps.near_N], minlength=len(scored)
    ) @ np.array(unit)
    false_time = sum(
        (each.last - each.first + 1) * unit[each.number] for each in episodes if not each.true
    )
    return DetectionOutcome(
        events, episodes, exposure, float(alarmed / exposure) if exposure else np.nan, false_time
    )


def exposure_of(
    scored: Sequence[ScoredSeries], alarms: AlarmConfig, windows: SlidingConfig
) -> float:
    """Judged time away from anomalies: weeks, or thousands of steps where the series have no clock."""
    normal = [
        (np.isfinite(each.score_T) & ~near(each.series, alarms, windows)).sum() for each in scored
    ]
    return float(sum(n * unit_of(each.series) for n, each in zip(normal, scored, strict=True)))


def unit_of(series: Series) -> float:
    """How much time a step is: weeks, or thousands of steps where the series has no clock."""
    return 1 / STEPS if series.step_seconds is None else series.step_seconds / SECONDS_PER_WEEK


def near(series: Series, alarms: AlarmConfig, windows: SlidingConfig) -> Bools:
    """Steps at which an alarm belongs to an anomaly."""
    found_T = np.zeros(len(series), dtype=np.bool_)
    for anomaly in series.anomalies:
        found_T[slice(*_reach(anomaly, alarms, windows))] = True
    return found_T


def slack_of(alarms: AlarmConfig, windows: SlidingConfig) -> int:
    """Steps around an anomaly at which an alarm still belongs to it."""
    return windows.length // 2 if alarms.slack is None else alarms.slack


def _reach(anomaly: Anomaly, alarms: AlarmConfig, windows: SlidingConfig) -> tuple[int, int]:
    slack = slack_of(alarms, windows)
    return max(anomaly.start - (slack if windows.join == "mean" else 0), 0), anomaly.end + slack


def _event(
    number: int,
    scored: ScoredSeries,
    anomaly: Anomaly,
    threshold: float,
    alarms: AlarmConfig,
    windows: SlidingConfig,
) -> EventOutcome:
    start, stop = _reach(anomaly, alarms, windows)
    alarmed_A = start + np.flatnonzero(scored.score_T[start:stop] >= threshold)
    known = int(known_at(alarmed_A[:1], len(scored.series), windows)[0]) if len(alarmed_A) else None
    return EventOutcome(number, anomaly, (stop - start) * unit_of(scored.series), known)


def _judged_steps(
    scored: Sequence[ScoredSeries], alarms: AlarmConfig, windows: SlidingConfig
) -> _Steps:
    parts = []
    for number, each in enumerate(scored):
        step_N = np.flatnonzero(np.isfinite(each.score_T))
        near_T = near(each.series, alarms, windows)
        parts.append((np.full(len(step_N), number), step_N, each.score_T[step_N], near_T[step_N]))
    return (
        _Steps(*(np.concatenate(column) for column in zip(*parts, strict=True)))
        if parts
        else _nothing()
    )


def _nothing() -> _Steps:
    empty = np.zeros(0, dtype=np.int64)
    return _Steps(empty, empty, empty.astype(np.float64), empty.astype(np.bool_))
