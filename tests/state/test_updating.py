"""States that were brought up to date hold the very bits of states that are made of the whole record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvac.features.recipe import Recipe
from hvac.features.scene import Scene, UnitRecord, scenes
from hvac.panel.grid import Unit, panels
from hvac.state.unit_states import UnitStates, joined
from hvac.state.updating import pending_limits, update
from tests.features.test_describe import recipe
from tests.panel.panel_example import Row, reading, readings

UNITS = (Unit("F1", "E1"), Unit("F1", "E2"), Unit("F2", "E1"))


def scenes_of(rows: list[Row], rule: Recipe) -> list[Scene]:
    made = panels(
        readings(rows),
        dict.fromkeys(UNITS, rule.points),
        aggregate=rule.windows.aggregate,
    )
    return [scene for panel in made for scene in scenes(panel, rule, UnitRecord())]


def states_of(rows: list[Row], rule: Recipe) -> UnitStates:
    found = scenes_of(rows, rule)
    pending = pending_limits(readings(rows), found)
    return UnitStates.of([s for s in found if s.panel.unit not in pending], rule)


def assert_same(one: UnitStates, other: UnitStates) -> None:
    assert one.unit_U == other.unit_U
    assert one.point_U == other.point_U
    for name in (
        "last_day_U",
        "count_UC",
        "value_UCR",
        "known_UCR",
        "lower_UCR",
        "upper_UCR",
    ):
        np.testing.assert_array_equal(
            getattr(one, name), getattr(other, name), err_msg=name
        )
    for name in ("fits", "residual_fit"):
        for part, same in zip(getattr(one, name), getattr(other, name), strict=True):
            np.testing.assert_array_equal(part, same, err_msg=name)


def day_by_day(parts: list[list[Row]], rule: Recipe) -> tuple[UnitStates, int]:
    """States made of the first part and brought up to date with the others; how often one was read again."""
    known = parts[0]
    states, again = states_of(known, rule), 0
    for part in parts[1:]:
        known = known + part
        updated = update(states, readings(part), rule)
        states = updated.states
        if updated.again:
            again += len(updated.again)
            rows = [
                r
                for r in known
                if Unit(r["facility_id"], r["equipment_id"]) in updated.again
            ]
            states = joined([states, states_of(rows, rule)])
    return states, again


def rows_of(
    days: range, seed: int = 0, *, points: str = "ab", every: int = 1, **more: Any
) -> list[Row]:
    rng = np.random.default_rng(seed)
    made = []
    for unit in UNITS:
        for day in days:
            for point in points:
                if day % every == 0:
                    made.append(
                        reading(day, rng.normal(20, 3), point=point, unit=unit, **more)
                    )
    return made


def test_a_new_day_is_laid_in_and_nothing_is_read_again() -> None:
    rule = recipe("ab")
    parts = [
        rows_of(range(400)),
        *(rows_of(range(d, d + 1), seed=d) for d in range(400, 406)),
    ]
    states, again = day_by_day(parts, rule)
    assert again == 0
    assert_same(states, states_of([row for part in parts for row in part], rule))


@pytest.mark.parametrize("by", ["equipment", "point"])
@pytest.mark.parametrize("normalise", ["baseline", "none", "limits"])
def test_gaps_limits_and_points_of_their_own_end_in_the_same_states(
    by: Any, normalise: Any
) -> None:
    rule = recipe("ab", by=by, normalise=normalise)
    parts = [
        rows_of(range(300), limits=(10.0, 30.0)),
        rows_of(range(300, 301), seed=1, points="a"),
        rows_of(range(303, 305), seed=2, limits=(11.0, None)),
        rows_of(range(305, 306), seed=3, limits=(12.0, 31.0), known=308),
        rows_of(range(306, 312), seed=4, points="b"),
        rows_of(range(600, 602), seed=5),
    ]
    states, _ = day_by_day(parts, rule)
    assert_same(states, states_of([row for part in parts for row in part], rule))


def test_weekly_inspections_are_laid_in_once_their_rhythm_is_known() -> None:
    rule = recipe("ab")
    parts = [rows_of(range(400), every=7)]
    parts += [rows_of(range(d, d + 7), seed=d, every=7) for d in range(400, 470, 7)]
    states, again = day_by_day(parts, rule)
    assert again == 0
    assert_same(states, states_of([row for part in parts for row in part], rule))


@pytest.mark.parametrize(
    ("late", "again"),
    [
        ((350, {}), 0),  # a day that was missing
        ((349, {}), 3),  # a second reading of a day
        ((20, {}), 3),  # of the reference days
        ((350, {"limits": (1.0, 2.0)}), 3),  # a limit that held earlier
    ],
)
def test_a_late_reading_is_laid_in_or_its_unit_is_read_again(
    late: Any, again: int
) -> None:
    rule = recipe("ab")
    day, more = late
    first = [
        row for row in rows_of(range(400)) if row["date"] != reading(350, 0)["date"]
    ]
    parts = [first, rows_of(range(day, day + 1), seed=9, points="a", **more)]
    states, found = day_by_day(parts, rule)
    assert found == again
    assert_same(states, states_of([row for part in parts for row in part], rule))


def test_a_unit_without_a_state_is_read_again() -> None:
    rule = recipe("ab")
    known = states_of(rows_of(range(200)), rule)
    updated = update(
        known.take(np.array([0, 1])), readings(rows_of(range(200, 201))), rule
    )
    assert updated.again == {UNITS[2]}


def test_points_of_no_class_change_nothing() -> None:
    rule = recipe("ab")
    known = states_of(rows_of(range(200)), rule)
    updated = update(known, readings(rows_of(range(200, 203), points="z")), rule)
    assert not updated.again
    assert_same(updated.states, known)
    assert_same(update(known, pa.table(readings([])), rule).states, known)


@st.composite
def histories(draw: Any) -> tuple[list[list[Row]], Recipe]:
    """Readings in any order of days, cut into parts; the first is a record of some length."""
    length = draw(st.integers(20, 420))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    every = draw(st.sampled_from([1, 1, 1, 3, 7, 30]))
    limits = draw(st.sampled_from([None, (10.0, 30.0)]))
    rows = [
        row
        for row in rows_of(
            range(length), seed=int(rng.integers(99)), every=every, limits=limits
        )
        if rng.random() > 0.1
    ]
    first = [row for row in rows if row["date"] <= reading(length * 3 // 4, 0)["date"]]
    left = [row for row in rows if row not in first]
    for row in [*left, *first[:: max(len(first) // 5, 1)]]:
        if rng.random() < 0.2:
            row["known_at"] = reading(
                (row["date"] - reading(0, 0)["date"]).days + 3, 0
            )["date"]
    late = [
        first.pop(int(rng.integers(len(first)))) for _ in range(min(4, len(first) - 1))
    ]
    left += late
    if draw(st.booleans()):
        rng.shuffle(left)  # type: ignore[arg-type]
    cuts = np.array_split(np.arange(len(left)), draw(st.integers(1, 5)))
    rule = recipe(
        "ab",
        by=draw(st.sampled_from(["equipment", "point"])),
        normalise=draw(st.sampled_from(["baseline", "none", "limits"])),
        aggregate=draw(st.sampled_from(["mean", "max"])),
    )
    return [first, *([left[n] for n in cut] for cut in cuts)], replace(
        rule, points=("a", "b")
    )


@settings(max_examples=120)
@given(histories())
def test_any_order_of_days_ends_in_the_states_of_the_whole_record(made: Any) -> None:
    parts, rule = made
    states, _ = day_by_day(parts, rule)
    whole = states_of([row for part in parts for row in part], rule)
    assert_same(states, whole)
