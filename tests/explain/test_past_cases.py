"""Past cases: other units only, nearest first, and only where the outcome was known by then."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from hvac.errors import BundleError
from hvac.explain.past_cases import MOST, PastCases, choose_cases
from hvac.features.table import KEY_SCHEMA, Windows
from tests.models.models_example import HORIZONS, windows


def labelled(rows: int = 600) -> Windows:
    made = windows(rows, points=2)
    y_B = made.labels[0][:, -1]
    y_BH = np.stack([y_B & (np.arange(rows) % 2 == 0), y_B, y_B], axis=1)
    return replace(made, y_BH=y_BH, known_BH=np.ones((rows, 3), dtype=bool))


@pytest.fixture(scope="module")
def cases() -> PastCases:
    chosen = choose_cases(labelled(), HORIZONS)
    assert chosen is not None
    return chosen


def test_cases_are_half_followed_by_an_anomaly(cases: PastCases) -> None:
    assert len(cases.unit_M) == MOST
    assert (cases.within_M > 0).mean() == 0.5
    assert set(cases.within_M.tolist()) == {0, 30, 60}


def test_outcome_is_known_when_the_horizon_has_passed(cases: PastCases) -> None:
    waited = np.where(cases.within_M > 0, cases.within_M, HORIZONS[-1])
    np.testing.assert_array_equal(cases.known_day_M, cases.end_day_M + waited)


def test_nearest_cases_are_of_other_units_and_known_by_then(cases: PastCases) -> None:
    made = labelled()
    late = made.take(np.flatnonzero(made.end_day_B > made.end_day_B.min() + 150)[:20])
    for b in range(len(late)):
        nearest = cases.nearest(late, b)
        units = [f"{case.facility_id}\x1f{case.equipment_id}" for case in nearest]
        assert late.units[b] not in units
        assert len(set(units)) == len(units) == 3
        assert [case.distance for case in nearest] == sorted(
            case.distance for case in nearest
        )
        for case in nearest:
            known = case.end_date.toordinal() + (case.within_days or HORIZONS[-1])
            assert known <= late.end_day_B[b] + 719163


def test_no_case_is_known_at_the_start_of_the_record(cases: PastCases) -> None:
    made = labelled()
    first = made.take(np.flatnonzero(made.end_day_B == made.end_day_B.min())[:1])
    assert cases.nearest(first, 0) == []


def test_a_window_like_a_case_finds_it(cases: PastCases) -> None:
    made = labelled()
    row = next(
        row
        for row in range(len(made))
        if (str(made.column("facility_id")[row]), str(made.column("equipment_id")[row]))
        == cases.unit_M[7]
        and made.end_day_B[row] == cases.end_day_M[7]
    )
    copied = made.take(np.array([row]))
    (row_of_keys,) = copied.keys.to_pylist()
    changed = {**row_of_keys, "equipment_id": "new", "end_date": dt.date(2026, 1, 1)}
    later = pa.Table.from_pylist([changed], schema=KEY_SCHEMA)
    nearest = cases.nearest(replace(copied, keys=later), 0)
    assert nearest[0].equipment_id == cases.unit_M[7][1]
    assert nearest[0].distance < 1e-4


def test_cases_come_back_from_their_arrays(cases: PastCases) -> None:
    again = PastCases.restore(cases.arrays())
    assert again.unit_M == cases.unit_M
    np.testing.assert_array_equal(again.place_MD, cases.place_MD)


@pytest.mark.parametrize("name", ["case.units", "case.place_MD", "case.basis_ND"])
def test_damaged_cases_are_refused(cases: PastCases, name: str) -> None:
    arrays = cases.arrays()
    arrays[name] = arrays[name][: len(arrays[name]) // 2]
    with pytest.raises(BundleError, match="its past cases are damaged"):
        PastCases.restore(arrays)


@pytest.mark.parametrize("name", ["case.place_MD", "case.scaler.mean_N"])
def test_cases_of_another_shape_are_refused(cases: PastCases, name: str) -> None:
    arrays = cases.arrays()
    arrays[name] = arrays[name].ravel()[0] if "mean" in name else arrays[name].ravel()
    with pytest.raises(BundleError, match="its past cases are damaged"):
        PastCases.restore(arrays)


def test_there_are_no_cases_where_nothing_is_known() -> None:
    made = labelled(40)
    unknown = replace(made, known_BH=np.zeros_like(made.labels[1]))
    assert choose_cases(unknown, HORIZONS) is None
