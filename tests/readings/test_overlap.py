"""What several files tell of one moment counts once, and the last value is the last by the clock."""

from __future__ import annotations

import datetime as dt
from itertools import permutations
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvac.panel.daily_readings import Aggregate, count_overlap
from hvac.panel.grid import Unit, unit_panel

DAY = dt.date(2024, 3, 1)
Row = tuple[str, int | None, float]  # file, second of the day, value


def table(rows: list[Row]) -> pa.Table:
    file, second, value = zip(*rows, strict=True)
    return pa.table(
        {
            **{
                name: ["a"] * len(rows)
                for name in ("facility_id", "equipment_id", "point_id")
            },
            "date": [DAY] * len(rows),
            "value": value,
            "second": pa.array(second, pa.int32()),
            "file": pa.array(file).dictionary_encode(),
        }
    )


def value_of(rows: list[Row], aggregate: Aggregate) -> float:
    panel = unit_panel(table(rows), Unit("a", "a"), ["a"], aggregate=aggregate)
    assert panel is not None
    return float(panel.value_TC[0, 0])


@pytest.mark.parametrize(
    ("rows", "total", "repeated", "replaced"),
    [
        ([("1", None, 13.9), ("2", None, 13.9)], 13.9, 1, 0),
        ([("1", None, 13.9), ("2", 0, 13.9)], 13.9, 1, 0),
        (
            [
                ("1", 60, 2.0),
                ("1", 120, 3.0),
                ("2", 60, 2.0),
                ("2", 120, 3.0),
                ("2", 180, 4.0),
            ],
            9.0,
            2,
            0,
        ),
        ([("1", None, 2.0), ("1", None, 2.0), ("2", None, 2.0)], 4.0, 1, 0),
        (
            [("1", None, 1.0), ("1", None, 2.0), ("2", None, 2.0), ("2", None, 3.0)],
            6.0,
            1,
            0,
        ),
        ([("1", 60, 13.9), ("2", 60, 14.1)], 14.1, 0, 1),
        ([("1", None, 13.9), ("2", None, 14.1), ("3", None, 14.1)], 14.1, 1, 1),
        ([("1", 60, 2.0), ("1", 60, 2.0)], 2.0, 0, 0),
        ([("1", None, 2.0), ("1", None, 2.0)], 4.0, 0, 0),
        ([("1", 60, 2.0), ("1", 60, 3.0)], 5.0, 0, 0),
        ([("1", 60, 2.0), ("2", 61, 2.0)], 4.0, 0, 0),
    ],
)
def test_moment_told_by_several_files_counts_once(
    rows: list[Row], total: float, repeated: int, replaced: int
) -> None:
    for order in permutations(rows):
        assert value_of(list(order), "sum") == pytest.approx(total)
        counts = count_overlap(table(list(order)))
        told = (
            counts.get("repeated_across_files", 0),
            counts.get("replaced_by_later_files", 0),
        )
        assert told == (repeated, replaced)


def test_last_is_the_last_by_the_clock_in_any_order_of_rows_and_files() -> None:
    rows: list[Row] = [("b", 57_600, 30.0), ("a", 0, 10.0), ("c", 28_800, 20.0)]
    for order in permutations(rows):
        assert value_of(list(order), "last") == 30.0
    assert (
        value_of([("a", 86_400, 5.0), ("a", 86_399, 4.0), ("a", None, 3.0)], "last")
        == 5.0
    )


@pytest.mark.parametrize("aggregate", ["mean", "min", "max", "sum", "last"])
def test_export_read_twice_gives_what_it_gives_once(aggregate: Aggregate) -> None:
    rows: list[Row] = [
        ("1", 60, 3.0),
        ("1", 120, 1.0),
        ("1", None, 2.0),
        ("1", None, 2.0),
    ]
    again = [("2", second, value) for _, second, value in rows]
    assert value_of([*rows, *again], aggregate) == value_of(rows, aggregate)


ROWS = st.lists(
    st.tuples(
        st.sampled_from("123"),
        st.sampled_from([None, 0, 60]),
        st.sampled_from([1.0, 2.0]),
    ),
    min_size=1,
    max_size=8,
)


def slow_total(rows: list[Row]) -> float:
    """The sum of a day by the rules of `overlap`, moment by moment."""
    total = 0.0
    for second in {row[1] or 0 for row in rows}:
        of_moment = [row for row in rows if (row[1] or 0) == second]
        files = sorted({file for file, *_ in of_moment})
        told: dict[str, list[float]] = {}
        for file in files:
            own = [row for row in of_moment if row[0] == file]
            timed_only = {value for _, at, value in own if at is not None}
            untimed = [value for _, at, value in own if at is None]
            told[file] = [
                *untimed,
                *(value for value in timed_only if value not in untimed),
            ]
        if len(files) > 1 and all(len(set(values)) == 1 for values in told.values()):
            last = told[files[-1]][0]
            told = {file: values for file, values in told.items() if values[0] == last}
        for value in {value for values in told.values() for value in values}:
            total += value * max(values.count(value) for values in told.values())
    return total


@settings(max_examples=200)
@given(rows=ROWS)
def test_sum_is_that_of_the_slow_rule(rows: list[Row]) -> None:
    assert value_of(rows, "sum") == pytest.approx(slow_total(rows))


def test_readings_without_file_and_time_are_reduced_as_they_come() -> None:
    plain: Any = table([("1", None, 2.0), ("1", None, 4.0)]).drop_columns(
        ["second", "file"]
    )
    panel = unit_panel(plain, Unit("a", "a"), ["a"], aggregate="last")
    assert panel is not None
    np.testing.assert_array_equal(panel.value_TC, [[4.0]])
    assert count_overlap(plain) == {}
