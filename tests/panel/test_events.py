"""Events from the log and from limits: 3 of 7 observed days outside begin one, 7 clean days end it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hvac.panel.events import (
    Events,
    events_by_unit,
    inside_episode,
    limit_events,
    no_events,
)
from hvac.panel.grid import Panel, Unit
from tests.panel.panel_example import (
    FIRST,
    UNIT,
    event,
    event_table,
    events_of,
    panel_of,
    series,
)
from tests.reference.labels_oracle import limit_episodes


def outside(marks: str, **more: object) -> Panel:
    """A panel from marks: x outside, - inside, space not observed."""
    level = {"x": 9.0, "-": 0.0, " ": np.nan}
    return panel_of(series([level[mark] for mark in marks], limits=(-1.0, 1.0), **more))


def found(panel: Panel) -> list[tuple[int, int, int]]:
    """(onset, known, end) of the limit events, in days of the example."""
    events = limit_events(panel, panel.lower_TC, panel.upper_TC)
    days = zip(events.start_N, events.known_N, events.end_N, strict=True)
    return [
        (int(start) - FIRST, int(known) - FIRST, int(end) - FIRST)
        for start, known, end in days
    ]


CLEAN = "-" * 7


# The log


def test_events_come_sorted_by_start_and_keep_their_columns() -> None:
    events = events_of(event("repair", 30, 32), event("failure", 10, 12, point="p"))
    assert events.kind_N.tolist() == ["failure", "repair"]
    assert events.start_N.tolist() == [FIRST + 10, FIRST + 30]
    assert events.end_N.tolist() == [FIRST + 12, FIRST + 32]
    assert events.point_N[0] == "p"


def test_missing_end_is_the_start_day() -> None:
    assert events_of(event("failure", 10)).end_N.tolist() == [FIRST + 10]


def test_logged_event_is_known_from_its_start() -> None:
    assert events_of(event("failure", 10, 40)).known_N.tolist() == [FIRST + 10]


def test_events_of_equal_equipment_ids_in_two_facilities_stay_apart() -> None:
    other = Unit("F2", UNIT.equipment_id)
    units = events_by_unit(
        event_table([event("failure", 1), event("failure", 2, unit=other)])
    )
    assert units[UNIT].start_N.tolist() == [FIRST + 1]
    assert units[other].start_N.tolist() == [FIRST + 2]


def test_of_kinds_keeps_only_these_kinds() -> None:
    events = events_of(event("failure", 1), event("maintenance", 2), event("trip", 3))
    assert events.of_kinds(("failure", "trip")).kind_N.tolist() == ["failure", "trip"]
    assert len(events.of_kinds(()).kind_N) == 0
    assert len(no_events().of_kinds(("failure",)).kind_N) == 0


def test_of_point_keeps_its_own_events_and_those_of_the_whole_equipment() -> None:
    events = events_of(
        event("failure", 1, point="a"),
        event("failure", 2),
        event("failure", 3, point="b"),
    )
    assert (events.of_point("a").start_N - FIRST).tolist() == [1, 2]


# Limits


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ("--xxx" + CLEAN, [(2, 4, 4)]),
        ("x--x--x" + CLEAN, [(0, 6, 6)]),
        ("x--x---x" + CLEAN, []),
        ("xx" + CLEAN + "xx", []),
        ("xxx------x" + CLEAN, [(0, 2, 9)]),
        ("xxx" + CLEAN + "xxx" + CLEAN, [(0, 2, 2), (10, 12, 12)]),
        ("x-----xxx" + CLEAN, [(6, 8, 8)]),
        ("x----xx-x" + CLEAN, [(0, 6, 8)]),
        (CLEAN * 3, []),
    ],
)
def test_limit_events_begin_and_end_as_the_rule_says(
    marks: str, expected: list[tuple[int, int, int]]
) -> None:
    assert found(outside(marks)) == expected


def test_unobserved_day_is_neither_outside_nor_clean() -> None:
    assert found(outside("x  x      x-------")) == [(0, 10, 10)]
    assert found(outside("xxx---      ---x" + CLEAN)) == [(0, 2, 15)]


def test_event_is_kind_limit_exceedance_and_names_its_point() -> None:
    rows = series([0.0] * 30, point="a", limits=(-1.0, 1.0)) + series(
        [5.0] * 30, point="b", limits=(-1.0, 1.0)
    )
    panel = panel_of(rows)
    events = limit_events(panel, panel.lower_TC, panel.upper_TC)
    assert events.kind_N.tolist() == ["limit_exceedance"]
    assert events.point_N.tolist() == ["b"]


def test_points_have_episodes_of_their_own() -> None:
    rows = series([0, 5, 0, 0, 0, 0, 0.0], point="a", limits=(-1.0, 1.0))
    rows += series([0, 0, 5, 5, 0, 0, 0.0], point="b", limits=(-1.0, 1.0))
    assert found(panel_of(rows)) == []


def test_value_on_its_limit_is_inside() -> None:
    assert found(panel_of(series([1.0, -1.0] * 10, limits=(-1.0, 1.0)))) == []


def test_one_sided_limit_is_enough_for_an_event() -> None:
    assert found(panel_of(series([0, 2, 2, 2] + [0.0] * 8, limits=(None, 1.0)))) == [
        (1, 3, 3)
    ]


def test_without_limits_there_are_no_limit_events() -> None:
    assert found(panel_of(series([0, 1e9, 1e9, 1e9, 0, 0]))) == []


def test_limit_event_is_not_known_before_its_confirming_day() -> None:
    (only,) = found(outside("--x-x-x" + CLEAN))
    assert only[:2] == (2, 6)
    assert found(outside("--x-x-")) == []


def test_limit_event_is_not_known_before_its_readings_are() -> None:
    panel = outside("--xxx" + CLEAN)
    late = replace(panel, known_TC=np.full_like(panel.known_TC, FIRST + 30))
    assert [known for _, known, _ in found(late)] == [30]


@settings(max_examples=150)
@given(
    st.lists(st.sampled_from("x-- "), min_size=1, max_size=70)
    .map("".join)
    .filter(str.strip)
)
@example("x----- x x- -----x x")
def test_limit_events_equal_a_plain_day_loop(marks: str) -> None:
    observed = {day: mark == "x" for day, mark in enumerate(marks) if mark != " "}
    assert found(outside(marks)) == limit_episodes(observed)


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from("x- "), min_size=1, max_size=50)
    .map("".join)
    .filter(str.strip),
    st.integers(0, 60),
)
def test_what_is_known_by_a_day_does_not_depend_on_later_days(
    marks: str, day: int
) -> None:
    past = marks[: day + 1]
    if not past.strip():
        return
    told = [(onset, known) for onset, known, _ in found(outside(marks)) if known <= day]
    assert told == [
        (onset, known) for onset, known, _ in found(outside(past)) if known <= day
    ]


# Windows that are left out


def test_windows_inside_an_episode_or_up_to_seven_days_after_are_left_out() -> None:
    days = np.arange(FIRST, FIRST + 30, dtype=np.int32)
    inside = inside_episode(days, events_of(event("failure", 10, 14)))
    assert (days[inside] - FIRST).tolist() == list(range(10, 22))


def test_window_may_end_on_the_day_before_the_onset() -> None:
    assert not inside_episode(
        np.array([FIRST + 9], np.int32), events_of(event("failure", 10, 14))
    ).any()


def test_a_long_episode_covers_the_short_ones_that_start_inside_it() -> None:
    targets = events_of(event("failure", 10, 60), event("failure", 20, 21))
    days = np.arange(FIRST, FIRST + 100, dtype=np.int32)
    assert (days[inside_episode(days, targets)] - FIRST).tolist() == list(range(10, 68))


def test_no_events_leave_no_window_out() -> None:
    targets: Events = no_events()
    assert not inside_episode(np.arange(5, dtype=np.int32), targets).any()
