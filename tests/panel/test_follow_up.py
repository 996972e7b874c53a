"""How long units are followed, and how their departures weigh labels."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hvac.panel.events import inside_episode
from hvac.panel.follow_up import (
    AFTER_DAYS,
    HIGHEST_WEIGHT,
    Departures,
    FollowUp,
    administrative_ends,
    days_since_event,
    follow_ups,
)
from hvac.panel.grid import Unit
from tests.panel.panel_example import FIRST, UNIT, date, event, events_of
from tests.reference.labels_oracle import still_followed

NEIGHBOUR, STRANGER = Unit(UNIT.facility_id, "E2"), Unit("F2", "E1")


@pytest.mark.parametrize(
    ("start", "end", "until"),
    [
        (3, 3, 49),
        (3, 60, 49),
        (42, 42, 49),
        (50, 50, 50),
        (56, 90, 56),
        (57, 57, 100),
        (80, 80, 100),
        (130, 130, 100),
    ],
)
def test_unit_departs_on_its_last_day_or_that_of_the_failure_it_ends_with(
    start: int, end: int, until: int
) -> None:
    """Read until day 49, its facility until day 100. An event from day 57 on tells that the log goes on."""
    days = {
        UNIT: (FIRST, FIRST + 49),
        NEIGHBOUR: (FIRST, FIRST + 100),
        STRANGER: (FIRST, FIRST + 200),
    }
    found = follow_ups(days, {UNIT: events_of(event("failure", start, end))})
    assert {unit: (each.until - FIRST, each.end - FIRST) for unit, each in found.items()} == {
        UNIT: (until, 100), NEIGHBOUR: (100, 100), STRANGER: (200, 200),
    }  # fmt: skip


@pytest.mark.parametrize(("last", "departed"), [(92, True), (93, False), (100, False)])
def test_unit_read_until_a_week_before_its_end_has_not_departed(
    last: int, departed: bool
) -> None:
    days = {UNIT: (FIRST, FIRST + last), NEIGHBOUR: (FIRST, FIRST + 100)}
    found = follow_ups(days, {})[UNIT]
    assert (found.departed, found.until) == (
        departed,
        FIRST + (last if departed else 100),
    )


@pytest.mark.parametrize(
    ("neighbour", "fails", "until"),
    [
        (None, None, 200),
        (49, None, 49),
        (41, None, 48),
        (40, None, 200),
        (49, 49, 200),
        (30, 31, 200),
        (49, 20, 49),
    ],
)
def test_facility_that_ends_with_its_events_ends_with_the_fleet(
    neighbour: int | None, fails: int | None, until: int
) -> None:
    """A unit fails on the day after its last; whether its facility would have gone on its neighbour alone tells."""
    last, targets = (
        {UNIT: FIRST + 48, STRANGER: FIRST + 200},
        {UNIT: events_of(event("failure", 49))},
    )
    if neighbour is not None:
        last[NEIGHBOUR] = FIRST + neighbour
    if fails is not None:
        targets[NEIGHBOUR] = events_of(event("failure", fails))
    assert administrative_ends(last, targets)[UNIT] - FIRST == until


def test_register_tells_the_administrative_end() -> None:
    days = {UNIT: (FIRST, FIRST + 49), NEIGHBOUR: (FIRST, FIRST + 100)}
    found = follow_ups(days, {}, {UNIT: FIRST + 50, NEIGHBOUR: None, STRANGER: FIRST})
    assert {unit: (each.end - FIRST, each.departed) for unit, each in found.items()} == {
        UNIT: (50, False), NEIGHBOUR: (100, False),
    }  # fmt: skip


def test_days_since_an_event_count_from_the_end_of_the_last_one_that_began() -> None:
    targets = events_of(
        event("failure", 10, 40), event("failure", 20, 25), event("failure", 60)
    )
    days = np.arange(FIRST, FIRST + 200, dtype=np.int32)
    since = days_since_event(days, targets)
    assert since[[0, 9, 10, 30, 40, 41, 59, 60, 61, 150]].tolist() == [
        91,
        91,
        0,
        0,
        0,
        1,
        19,
        0,
        1,
        90,
    ]
    assert since[151:].tolist() == [91] * 49


HAZARD = st.sampled_from([0.0, 0.0, 0.01, 0.2])


@settings(max_examples=60)
@given(
    calendar=st.lists(HAZARD, min_size=150, max_size=150), after=st.lists(HAZARD, min_size=91, max_size=91),
    log=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), max_size=3), end=st.integers(60, 100),
    length=st.integers(0, 60),
)  # fmt: skip
def test_chance_of_being_followed_equals_the_oracle(
    calendar: list[float],
    after: list[float],
    log: list[tuple[int, int]],
    end: int,
    length: int,
) -> None:
    curves = Departures(
        first_day=FIRST, calendar_D=np.array(calendar), after_event_A=np.array(after)
    )
    targets = events_of(*(event("failure", start, start + days) for start, days in log))
    assume(
        not inside_episode(np.array([FIRST + end], np.int32), targets).any()
    )  # such windows are left out
    since = days_since_event(np.array([FIRST + end], np.int32), targets)
    start, stop = np.array([FIRST + end]), np.array([[FIRST + end + length]])
    by_date = {date(day): chance for day, chance in enumerate(calendar)}
    episodes = [(date(start), date(start + days)) for start, days in log]
    expected = still_followed(
        by_date, after, episodes, date(end), date(end) + dt.timedelta(days=length)
    )
    np.testing.assert_allclose(
        curves.still_followed(start, stop, since), [[expected]], rtol=1e-9
    )


def test_weights_are_exactly_one_where_nobody_departs() -> None:
    days = {Unit("f", str(k)): (FIRST, FIRST + 300) for k in range(5)}
    found = follow_ups(
        days, {unit: events_of(event("failure", 40)) for unit in list(days)[:3]}
    )
    day_B = np.arange(FIRST, FIRST + 200, dtype=np.int32)
    for each in found.values():
        assert (
            each.weights(day_B, day_B[:, None].astype(np.int64) + np.array([30, 90]))
            == 1
        ).all()


def test_weight_makes_up_for_those_that_departed() -> None:
    """One of four units departs on day 100, another on day 110: the rest stand for 4 / 3 and 4 / 2."""
    last = dict(zip("abcd", (300, 300, 100, 110), strict=True))
    found = follow_ups(
        {Unit("f", name): (FIRST, FIRST + day) for name, day in last.items()}, {}
    )
    ends = np.full(4, FIRST + 90, np.int32)
    decided = np.array([[FIRST + day] for day in (100, 101, 110, 111)])
    weights = found[Unit("f", "a")].weights(ends, decided)
    np.testing.assert_allclose(weights[:, 0], [1, 4 / 3, 4 / 3, 2])


def test_departure_after_an_event_weighs_only_windows_that_follow_an_event() -> None:
    """Half of the units that fail on day 50 leave ten days later."""
    days = {
        Unit("f", str(k)): (FIRST, FIRST + (60 if k < 2 else 300)) for k in range(8)
    }
    found = follow_ups(
        days, {Unit("f", str(k)): events_of(event("failure", 50)) for k in range(4)}
    )
    ends, decided = np.array([FIRST + 58], np.int32), np.array([[FIRST + 88]])
    failed, well = (
        found[Unit("f", "3")].weights(ends, decided),
        found[Unit("f", "7")].weights(ends, decided),
    )
    np.testing.assert_allclose([failed.item(), well.item()], [2, 1])


def test_weight_has_a_cap_even_where_all_at_risk_departed() -> None:
    curves = Departures(first_day=FIRST, calendar_D=np.array([0.0, 1.0, 1.0]))
    followed = FollowUp(end=FIRST + 100, until=FIRST + 100, departures=curves)
    weights = followed.weights(
        np.array([FIRST], np.int32), np.array([[FIRST + 1, FIRST + 30]])
    )
    assert weights.tolist() == [[1.0, HIGHEST_WEIGHT]]


def test_key_changes_only_with_what_the_weights_of_a_unit_rest_on() -> None:
    def key(
        calendar: list[float], after: float = 0.0, *events: int
    ) -> tuple[int, int, str]:
        after_A = np.full(AFTER_DAYS + 1, after)
        curves = Departures(
            first_day=FIRST - 1, calendar_D=np.array(calendar), after_event_A=after_A
        )
        targets = events_of(*(event("failure", day) for day in events))
        return FollowUp(
            first=FIRST,
            end=FIRST + 3,
            until=FIRST + 2,
            targets=targets,
            departures=curves,
        ).key

    base = key([0, 0.1, 0.2])
    assert key([0.3, 0.1, 0.2, 0.4, 0.5]) == base  # days before and after it
    assert key([0, 0.1, 0.3]) != base
    assert key([0, 0.1, 0.2], 0.1) == base
    assert key([0, 0.1, 0.2], 0.1, 1) != key([0, 0.1, 0.2], 0.0, 1)
