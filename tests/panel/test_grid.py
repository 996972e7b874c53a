"""Readings become one regular daily grid per equipment; what was not read stays unobserved."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvac.panel.daily_readings import ALWAYS_KNOWN, Aggregate
from hvac.panel.grid import Unit, panels, unit_panel
from tests.panel.panel_example import FIRST, UNIT, panel_of, reading, readings, series


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [("mean", 3.0), ("min", 1.0), ("max", 6.0), ("sum", 9.0), ("last", 2.0)],
)
def test_several_readings_of_a_day_become_one(
    aggregate: Aggregate, expected: float
) -> None:
    rows = [reading(0, 5), reading(1, 1), reading(1, 6), reading(1, 2)]
    panel = panel_of(rows, aggregate=aggregate)
    assert panel.value_TC[:, 0].tolist() == [5.0, expected]


def test_missing_day_stays_unobserved() -> None:
    panel = panel_of([reading(0, 1), reading(3, 2)])
    assert panel.observed_TC[:, 0].tolist() == [True, False, False, True]
    np.testing.assert_array_equal(panel.value_TC[:, 0], [1, np.nan, np.nan, 2])


def test_zero_is_a_reading() -> None:
    panel = panel_of([reading(0, 0), reading(1, 0)])
    assert panel.observed_TC.all()
    assert panel.value_TC[:, 0].tolist() == [0.0, 0.0]


def test_grid_runs_from_the_first_to_the_last_reading_of_any_point() -> None:
    panel = panel_of([reading(2, 1, point="a"), reading(5, 1, point="b")])
    assert (panel.first_day, panel.last_day) == (FIRST + 2, FIRST + 5)
    assert panel.observed_TC.tolist() == [
        [True, False],
        [False, False],
        [False, False],
        [False, True],
    ]


def test_points_keep_the_order_they_are_asked_in() -> None:
    panel = panel_of(
        [reading(0, 1, point="a"), reading(0, 2, point="b")], points=["b", "never", "a"]
    )
    assert panel.points == ("b", "never", "a")
    np.testing.assert_array_equal(panel.value_TC, [[2, np.nan, 1]])


def test_readings_of_other_points_are_left_out() -> None:
    panel = panel_of(
        [reading(0, 1, point="a"), reading(1, 2, point="stranger")], points=["a"]
    )
    assert panel.value_TC[:, 0].tolist()[:1] == [1.0]
    assert panel.value_TC.shape[1] == 1


def test_day_is_known_when_its_last_reading_is() -> None:
    panel = panel_of(
        [reading(0, 1, known=2), reading(0, 3, known=9), reading(1, 1, known=1)]
    )
    assert panel.known_TC[:, 0].tolist() == [FIRST + 9, FIRST + 1]


def test_reading_without_known_at_is_always_known() -> None:
    panel = panel_of([reading(0, 1)])
    assert panel.known_TC[0, 0] == ALWAYS_KNOWN


def test_limit_holds_from_the_day_it_is_recorded_until_it_is_recorded_anew() -> None:
    panel = panel_of(
        [
            reading(0, 1),
            reading(1, 1, limits=(0.0, 4.0)),
            reading(3, 1),
            reading(4, 1, limits=(1.0, 5.0)),
        ]
    )
    np.testing.assert_array_equal(panel.lower_TC[:, 0], [np.nan, 0, 0, 0, 1])
    np.testing.assert_array_equal(panel.upper_TC[:, 0], [np.nan, 4, 4, 4, 5])


def test_side_without_a_limit_stays_nan() -> None:
    panel = panel_of([reading(0, 1, limits=(None, 5.0)), reading(1, 1)])
    assert np.isnan(panel.lower_TC).all()
    assert panel.upper_TC[:, 0].tolist() == [5.0, 5.0]


def test_panels_come_in_the_order_of_ids_and_never_mix_equal_ids_of_two_facilities() -> (
    None
):
    units = [Unit("F2", "A"), Unit("F1", "B"), Unit("F1", "A")]
    rows = [reading(k, 10 + k, unit=unit) for k, unit in enumerate(units)]
    found = list(panels(readings(rows), {unit: ["p"] for unit in units}))
    assert [panel.unit for panel in found] == sorted(units)
    assert [panel.value_TC.item() for panel in found] == [12.0, 11.0, 10.0]


def test_by_point_gives_one_panel_per_point_that_was_ever_observed() -> None:
    rows = [reading(0, 1, point="a"), reading(1, 2, point="c", limits=(0.0, 9.0))]
    found = panel_of(rows, points=["a", "b", "c"]).by_point()
    assert [(panel.point_id, panel.points) for panel in found] == [
        ("a", ("a",)),
        ("c", ("c",)),
    ]
    assert all(panel.unit == UNIT and panel.value_TC.shape[1] == 1 for panel in found)
    newest = found[1].first_day + np.flatnonzero(found[1].observed_TC[:, 0])
    assert newest.tolist() == [FIRST + 1]
    assert found[1].upper_TC[newest[0] - found[1].first_day, 0] == 9.0


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.sampled_from("ab"), st.integers(-50, 50)),
        min_size=1,
        max_size=40,
    ),
    st.randoms(use_true_random=False),
)
def test_grid_is_the_mean_of_each_day_in_any_row_order(
    found: list[tuple[int, str, int]], random: object
) -> None:
    rows = [reading(day, value, point=point) for day, point, value in found]
    random.shuffle(rows)  # type: ignore[attr-defined]
    panel = panel_of(rows, points=["a", "b"])
    for t in range(panel.value_TC.shape[0]):
        for c, point in enumerate("ab"):
            same = [
                value
                for day, name, value in found
                if (FIRST + day, name) == (panel.first_day + t, point)
            ]
            assert panel.observed_TC[t, c] == bool(same)
            np.testing.assert_allclose(
                panel.value_TC[t, c], np.mean(same) if same else np.nan
            )


def test_input_table_is_not_changed() -> None:
    table = readings(series([1.0, 2.0, 3.0]))
    before = table.to_pylist()
    list(panels(table, {UNIT: ["p"]}))
    assert table.to_pylist() == before


def test_panel_of_one_unit_needs_no_ids_and_takes_coded_points() -> None:
    rows = [
        reading(0, 1, point="b"),
        reading(1, 2, point="a", limits=(0.0, 4.0)),
        reading(1, 4, point="a", known=3),
    ]
    table = readings([*rows, reading(2, 7, point="stranger")])
    (expected,) = panels(table, {UNIT: ["a", "b"]})
    bare = table.drop_columns(["facility_id", "equipment_id"])
    coded = bare.set_column(0, "point_id", bare["point_id"].dictionary_encode())
    rows_alone = [table.slice(n, 1) for n in range(len(table))]
    pieces = pa.concat_tables(rows_alone)
    coded_apart = [
        t.set_column(2, "point_id", t["point_id"].dictionary_encode())
        for t in rows_alone
    ]
    for same in (table, bare, coded, pieces, pa.concat_tables(coded_apart)):
        found = unit_panel(same, UNIT, ["a", "b"])
        for field in fields(expected):
            np.testing.assert_array_equal(
                getattr(found, field.name), getattr(expected, field.name)
            )


def test_there_is_no_panel_of_one_unit_without_a_reading_of_its_points() -> None:
    table = readings([reading(0, 1, point="a")])
    assert unit_panel(table, UNIT, ["b"]) is None
    assert unit_panel(table.slice(0, 0), UNIT, ["a"]) is None
