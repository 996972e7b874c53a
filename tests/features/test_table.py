"""`Windows` keep their rows together: taken, split, joined, written to Arrow and read again."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from hvac.features.table import (
    KEY_SCHEMA,
    KEYS,
    VECTORS,
    Windows,
    concat,
    from_arrow,
    lists,
    matrix,
    to_arrow,
)

POINTS = 3
WIDE = {"x_BCL": 90, "f_BCF": 28, "z_BCE": 16, "u_BCE": 16}
ARRAYS = ("observed_B", "persistence_B", *(name for name, _ in VECTORS.values()))


def windows(
    rows: int = 5, *, points: int = POINTS, seed: int = 0, without: tuple[str, ...] = ()
) -> Windows:
    rng = np.random.default_rng(seed)
    keys: dict[str, list[Any]] = {
        "facility_id": [f"F{k % 2}" for k in range(rows)],
        "equipment_id": [f"E{k % 3}" for k in range(rows)],
        "point_id": [None] * rows,
        "class": ["ahu"] * rows,
        "end_date": [dt.date(2024, 2, 28) + dt.timedelta(days=k) for k in range(rows)],
        "split": [("train", "tune", "cal", "test", None)[k % 5] for k in range(rows)],
        "status": ["ok"] * rows,
    }
    arrays: dict[str, Any] = {
        name: rng.normal(size=(rows, points, width)) for name, width in WIDE.items()
    }
    arrays |= {
        "k_BK": rng.normal(size=(rows, 7)),
        "observed_B": rng.random(rows),
        "persistence_B": rng.random(rows),
    }
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    arrays["k_BK"][0, 0] = np.nan
    arrays |= {name: rng.random((rows, 3)) < 0.5 for name in ("y_BH", "known_BH")}
    arrays["w_BH"] = (1 + rng.random((rows, 3))).astype(np.float32)
    kept = {name: array for name, array in arrays.items() if name not in without}
    return Windows(keys=pa.table(keys, schema=KEY_SCHEMA), **kept)


def assert_same(one: Windows, other: Windows) -> None:
    assert one.keys.select(KEYS).to_pylist() == other.keys.select(KEYS).to_pylist()
    for name in ARRAYS:
        left, right = getattr(one, name), getattr(other, name)
        assert (left is None) == (right is None), name
        if left is not None:
            assert left.dtype == right.dtype, name
            np.testing.assert_array_equal(left, right, err_msg=name)


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("points", [1, POINTS])
def test_windows_come_back_from_arrow_as_they_were(fixed: bool, points: int) -> None:
    found = windows(points=points)
    assert_same(from_arrow(to_arrow(found, fixed=fixed), points=points), found)


@pytest.mark.parametrize("fixed", [True, False])
def test_arrays_that_were_not_made_stay_none(fixed: bool) -> None:
    found = windows(
        without=("z_BCE", "u_BCE", "y_BH", "known_BH", "w_BH", "persistence_B")
    )
    assert_same(from_arrow(to_arrow(found, fixed=fixed), points=POINTS), found)


def test_weight_of_an_unknown_label_is_zero() -> None:
    found = windows()
    _, known_BH = found.labels
    np.testing.assert_array_equal(found.weights, found.w_BH * known_BH)
    assert found.weights.dtype == np.float32


def test_labels_without_weights_count_once_each_where_they_are_known() -> None:
    found = windows(without=("w_BH",))
    np.testing.assert_array_equal(found.weights, found.labels[1].astype(np.float32))


@pytest.mark.parametrize("fixed", [True, False])
def test_table_of_several_chunks_is_read_whole(fixed: bool) -> None:
    found = windows(12)
    table = to_arrow(found, fixed=fixed)
    chunked = pa.concat_tables([table.slice(0, 5), table.slice(5, 1), table.slice(6)])
    assert_same(from_arrow(chunked, points=POINTS), found)


@pytest.mark.parametrize("fixed", [True, False])
def test_slice_of_a_table_is_read_as_its_rows(fixed: bool) -> None:
    found = windows(12)
    table = to_arrow(found, fixed=fixed).slice(4, 3)
    assert_same(from_arrow(table, points=POINTS), found.take(np.array([4, 5, 6])))


def test_plain_lists_have_one_schema_whatever_the_number_of_points() -> None:
    assert (
        to_arrow(windows(points=1), fixed=False).schema
        == to_arrow(windows(points=4), fixed=False).schema
    )


def test_fixed_lists_say_their_length() -> None:
    schema = to_arrow(windows()).schema
    assert schema.field("values").type.list_size == POINTS * 90
    assert schema.field("labels").type.list_size == 3


@pytest.mark.parametrize("fixed", [True, False])
def test_table_without_rows_keeps_its_columns(fixed: bool) -> None:
    empty = windows().take(np.array([], np.int64))
    again = from_arrow(to_arrow(empty, fixed=fixed), points=POINTS)
    assert again.keys.num_rows == 0
    assert len(again.observed_B) == 0


def test_lists_and_matrix_are_inverse() -> None:
    array = np.arange(12, dtype=np.float32).reshape(4, 3)
    for fixed in (True, False):
        column = pa.chunked_array([lists(array, pa.float32(), fixed=fixed)])
        np.testing.assert_array_equal(matrix(column), array)


def test_take_by_positions_and_by_mask_agree() -> None:
    found = windows(6)
    mask = np.array([False, True, False, True, True, False])
    assert_same(found.take(mask), found.take(np.flatnonzero(mask)))
    assert found.take(mask).column("end_date").tolist() == [
        found.column("end_date")[k] for k in (1, 3, 4)
    ]


def test_take_keeps_keys_and_arrays_together_in_any_order() -> None:
    found = windows(6)
    order = np.array([5, 0, 3])
    taken = found.take(order)
    assert taken.end_day_B.tolist() == found.end_day_B[order].tolist()
    np.testing.assert_array_equal(taken.x_BCL, found.x_BCL[order])  # type: ignore[index]


def test_split_gives_the_windows_of_that_name() -> None:
    found = windows(10)
    assert found.split("tune").column("split").tolist() == ["tune"] * 2
    assert found.split("tune").keys.num_rows == 2
    assert (
        sum(
            found.split(name).keys.num_rows for name in ("train", "tune", "cal", "test")
        )
        == 8
    )


def test_concat_joins_what_take_took_apart() -> None:
    found = windows(7)
    assert_same(concat([found.take(np.arange(3)), found.take(np.arange(3, 7))]), found)


def test_units_tell_equal_equipment_ids_of_two_facilities_apart() -> None:
    found = windows(6)
    pairs = list(
        zip(found.column("facility_id"), found.column("equipment_id"), strict=True)
    )
    assert len(set(found.units.tolist())) == len(set(pairs)) == 6


def test_end_day_counts_from_1970() -> None:
    assert windows(2).end_day_B.tolist() == [19781, 19782]
