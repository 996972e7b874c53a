"""What became of each alarm episode: a hit, a false alarm, a visit that came first, or still open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import numpy as np

from hvac.casework.outcome_codes import VISITED, Outcome
from hvac.decision.alarm_episodes import alarm_episodes, merge_gap
from hvac.panel.events import Events

EpisodeResult = Literal["hit", "false", "pre_empted", "left_out", "open"]
VISIT_KINDS: Final = ("maintenance", "replacement", "repair", "inspection")


class AlarmEpisode(NamedTuple):
    """Alarms of one unit that count as one; days since 1970-01-01.

    `visited` tells whether anybody was at the machine from its first day until its horizon was
    over. A false alarm that nobody visited is one that no repair can have prevented.
    """

    first_day: int
    last_day: int
    result: EpisodeResult
    visited: bool


def unit_episodes(
    alarm_days: Sequence[int],
    *,
    horizon: int,
    events: Events,
    outcomes: Sequence[Outcome],
    predicted: tuple[str, ...],
    today: int,
) -> list[AlarmEpisode]:
    """Join the alarms of one unit to what happened.

    Args:
        alarm_days: last days of the windows with an alarm at this horizon.
        horizon: days ahead that the alarms speak of.
        events: of the unit.
        outcomes: of the unit.
        predicted: kinds of events that the alarms are about.
        today: last day until which the log of events is known.

    >>> from hvac.panel.events import no_events
    >>> nothing = dict(events=no_events(), outcomes=[], predicted=("failure",))
    >>> unit_episodes([10, 17, 90], horizon=30, today=100, **nothing)
    [AlarmEpisode(first_day=10, last_day=17, result='false', visited=False), \
AlarmEpisode(first_day=90, last_day=90, result='open', visited=False)]
    """
    days = np.asarray(alarm_days, np.int64)
    merged = alarm_episodes(
        np.ones(len(days), bool),
        units_B=np.zeros(len(days), np.int8),
        end_day_B=days,
        gap_days=merge_gap(horizon),
    )
    onset_N = events.of_kinds(predicted).start_N
    visit_N = events.of_kinds(VISIT_KINDS).start_N
    episodes = []
    for first, last in zip(
        merged.first_A.tolist(), merged.last_A.tolist(), strict=True
    ):
        until = last + horizon
        codes = [o.code for o in outcomes if first <= o.day <= until]
        has_onset = bool(((onset_N > first) & (onset_N <= until)).any())
        has_visit = bool(((visit_N >= first) & (visit_N <= until)).any())
        visited = has_visit or any(code in VISITED for code in codes)
        result = _result(codes, has_onset, visited, is_over=today >= until)
        episodes.append(AlarmEpisode(first, last, result, visited))
    return episodes


def _result(
    codes: Sequence[str], has_onset: bool, visited: bool, *, is_over: bool
) -> EpisodeResult:
    """Decide by what weighs most: an anomaly, then what people found, then the calendar."""
    if has_onset or "hit" in codes:
        return "hit"
    if "not_applicable" in codes:
        return "left_out"
    if "nothing_found" in codes:
        return "false"
    if visited:
        return "pre_empted"
    return "false" if is_over else "open"
