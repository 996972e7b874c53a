"""Alarm episodes joined to events and outcomes, against every order of what can happen."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hvac.casework.episode_results import AlarmEpisode, unit_episodes
from hvac.casework.outcome_codes import CODES, Outcome, OutcomeCode
from hvac.panel.events import Events
from hvac.panel.grid import Unit

UNIT = Unit("F1", "E1")
H = 30


def events(*rows: tuple[str, int]) -> Events:
    days = np.array([day for _, day in rows], np.int32)
    kinds = np.array([kind for kind, _ in rows], np.str_)
    return Events(kinds, days, days, days, np.array([""] * len(rows)))


def the_episode(
    *rows: tuple[str, int],
    outcomes: tuple[tuple[int, OutcomeCode], ...] = (),
    today: int,
) -> AlarmEpisode:
    (episode,) = unit_episodes(
        [100, 107],
        horizon=H,
        events=events(*rows),
        outcomes=[Outcome(UNIT, day, code) for day, code in outcomes],
        predicted=("failure",),
        today=today,
    )
    assert (episode.first_day, episode.last_day) == (100, 107)
    return episode


def test_failure_within_the_horizon_is_a_hit() -> None:
    assert the_episode(("failure", 137), today=200).result == "hit"
    assert the_episode(("failure", 138), today=200).result == "false"
    assert the_episode(("failure", 100), today=200).result == "false"


def test_episode_stays_open_until_its_horizon_is_over() -> None:
    assert the_episode(today=136).result == "open"
    assert the_episode(today=137).result == "false"


def test_visit_before_any_failure_makes_it_neither_hit_nor_false() -> None:
    episode = the_episode(("maintenance", 110), today=200)
    assert (episode.result, episode.visited) == ("pre_empted", True)
    assert the_episode(("maintenance", 99), today=200).result == "false"


def test_failure_after_a_visit_is_still_a_hit() -> None:
    episode = the_episode(("maintenance", 110), ("failure", 120), today=200)
    assert (episode.result, episode.visited) == ("hit", True)


def test_nothing_found_is_false_at_once_and_a_hit_if_a_failure_follows() -> None:
    assert the_episode(outcomes=((110, "nothing_found"),), today=110).result == "false"
    later = the_episode(("failure", 120), outcomes=((110, "nothing_found"),), today=120)
    assert later.result == "hit"


def test_false_alarm_that_nobody_visited_is_told_apart() -> None:
    assert not the_episode(today=200).visited
    assert the_episode(outcomes=((110, "nothing_found"),), today=200).visited
    assert not the_episode(outcomes=((110, "unknown"),), today=200).visited


@pytest.mark.parametrize("codes", list(itertools.permutations(CODES, 2)))
def test_order_of_outcomes_does_not_matter(
    codes: tuple[OutcomeCode, OutcomeCode],
) -> None:
    forth = the_episode(outcomes=((110, codes[0]), (111, codes[1])), today=200)
    back = the_episode(outcomes=((110, codes[1]), (111, codes[0])), today=200)
    assert forth == back


def test_outcomes_and_events_of_other_episodes_do_not_count() -> None:
    episode = the_episode(
        ("failure", 90), outcomes=((99, "hit"), (138, "hit")), today=200
    )
    assert episode.result == "false"
