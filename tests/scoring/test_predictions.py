"""The predictions table of design §3."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hvac.features.table import Windows
from hvac.scoring.predictions import SCHEMA, predictions_table
from tests.models.models_example import HORIZONS, keys, windows

THRESHOLD_H = np.array([0.3, 0.5, 0.7])


def risks(rows: int) -> np.ndarray:
    return np.sort(np.random.default_rng(0).random((rows, 3)), axis=1)


def table(
    made: Windows,
    risk_BH: np.ndarray | None = None,
    horizons: tuple[int, ...] = HORIZONS,
) -> pa.Table:
    risk_BH = risks(len(made)) if risk_BH is None else risk_BH
    return predictions_table(
        made, risk_BH, THRESHOLD_H, horizons=horizons, model="hybrid", bundle_id="ahu-0"
    )


def test_columns_are_those_of_the_design_with_their_types() -> None:
    kinds = dict(zip(SCHEMA.names, SCHEMA.types, strict=True))
    wanted = "facility_id equipment_id point_id end_date horizon risk threshold alarm split label"
    wanted += " observed model bundle_id"
    assert set(wanted.split()) <= set(kinds)
    assert kinds["end_date"] == pa.date32()
    assert kinds["horizon"] == pa.int32()
    assert {kinds[name] for name in ("alarm", "label", "observed")} == {pa.bool_()}
    assert {kinds[name] for name in ("risk", "threshold")} == {pa.float64()}
    assert table(windows(3)).schema == SCHEMA


def test_there_is_one_row_per_window_and_horizon_in_the_order_of_the_windows() -> None:
    made, risk_BH = windows(7), risks(7)
    found = table(made, risk_BH)
    assert found.num_rows == 21
    assert found["horizon"].to_pylist() == [30, 60, 90] * 7
    assert found["risk"].to_pylist() == risk_BH.ravel().tolist()
    assert found["threshold"].to_pylist() == THRESHOLD_H.tolist() * 7
    assert (
        found["equipment_id"].to_pylist()
        == np.repeat(made.column("equipment_id"), 3).tolist()
    )
    assert found["end_date"][0].as_py() == dt.date(2024, 2, 1)
    assert set(found["model"].to_pylist()) == {"hybrid"}
    assert set(found["bundle_id"].to_pylist()) == {"ahu-0"}


def test_alarm_is_risk_at_or_above_the_threshold() -> None:
    found = table(windows(2), np.array([[0.3, 0.5, 0.7], [0.2999, 0.4999, 0.6999]]))
    assert found["alarm"].to_pylist() == [True] * 3 + [False] * 3


def test_label_is_null_exactly_where_it_is_not_observed() -> None:
    made = windows(40)
    found = table(made)
    assert made.y_BH is not None
    assert made.known_BH is not None
    assert found["observed"].to_pylist() == made.known_BH.ravel().tolist()
    expected = [
        y if known else None
        for y, known in zip(made.y_BH.ravel(), made.known_BH.ravel(), strict=True)
    ]
    assert found["label"].to_pylist() == expected
    assert None in expected


def test_unlabelled_windows_have_null_labels_that_are_not_observed() -> None:
    found = table(replace(windows(4), y_BH=None, known_BH=None))
    assert found["label"].null_count == 12
    assert found["observed"].to_pylist() == [False] * 12


def test_window_without_a_score_has_neither_risk_nor_alarm() -> None:
    risk_BH = risks(3)
    risk_BH[1] = np.nan
    found = table(windows(3), risk_BH)
    for name in ("risk", "alarm"):
        assert [value is None for value in found[name].to_pylist()] == [False] * 3 + [
            True
        ] * 3 + [False] * 3
    assert not any(
        np.isnan(value) for value in found["risk"].to_pylist() if value is not None
    )


@pytest.mark.parametrize("point", [None, "温度"])
def test_point_is_null_by_equipment_and_named_by_point(point: str | None) -> None:
    found = table(replace(windows(3), keys=keys(3, point=point)))
    assert found["point_id"].to_pylist() == [point] * 9


def test_no_windows_give_an_empty_table_of_the_same_schema() -> None:
    found = table(windows(3).take(np.array([], int)), np.empty((0, 3)))
    assert found.num_rows == 0
    assert found.schema == SCHEMA


def test_table_survives_parquet(tmp_path: Path) -> None:
    found = table(windows(5))
    pq.write_table(found, tmp_path / "predictions.parquet")
    assert pq.read_table(tmp_path / "predictions.parquet").equals(found)


def test_alarm_of_a_horizon_is_one_of_the_longer_ones() -> None:
    found = table(windows(1), np.array([[0.3, 0.4, 0.5]]))
    assert found["alarm"].to_pylist() == [True] * 3
