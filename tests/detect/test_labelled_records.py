"""Real records: reading, the grid, labels, parts by time; every fault in one clear sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hvac.detect.labelled_records import RecordsConfig, read_records, stamps_of
from hvac.detect.series import of_part
from hvac.errors import ConfigError, HvacError, InputError, SplitError

Make = Callable[..., RecordsConfig]
START = pd.Timestamp("2024-01-01")
BORDERS = {"validation_from": "2024-01-04", "test_from": "2024-01-06"}


def readings(hours: int = 24 * 8) -> pd.DataFrame:
    value_N = np.sin(np.arange(hours) / 4)
    return pd.DataFrame(
        {"timestamp": START + pd.to_timedelta(np.arange(hours), "h"), "value": value_N}
    )


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(
        table: pd.DataFrame | None = None,
        windows: Any = (("2024-01-02 03:00", "2024-01-02 05:00"),),
        **more: Any,
    ) -> Any:
        path, labels = tmp_path / "room.csv", tmp_path / "labels.json"
        (readings() if table is None else table).to_csv(path, index=False)
        labels.write_text(
            json.dumps({more.pop("labels_of", "room"): list(windows)}), encoding="utf-8"
        )
        borders = {**BORDERS, **more.pop("borders", {})}
        record = {"name": "room", "path": str(path), **borders}
        return RecordsConfig(**{"records": [record], "anomalies": str(labels), **more})

    return made


def refused(kind: type[HvacError], config: RecordsConfig, match: str) -> None:
    with pytest.raises(kind, match=match) as caught:
        read_records(config)
    assert "\n" not in str(caught.value)


def test_record_is_cut_by_time_and_every_anomaly_lies_in_its_part(make: Make) -> None:
    windows = (
        ("2024-01-02 03:00", "2024-01-02 05:00"),
        ("2024-01-06 12:00", "2024-01-07 00:00"),
    )
    series, _ = read_records(make(windows=windows))
    assert [(each.part, len(each)) for each in series] == [
        ("train", 72),
        ("validation", 48),
        ("test", 72),
    ]
    assert [[(a.start, a.end) for a in each.anomalies] for each in series] == [
        [(27, 30)],
        [],
        [(12, 25)],
    ]
    assert str(series[1].time_T[0]) == "2024-01-04T00:00:00"


def test_scale_of_a_record_comes_from_normal_training_readings_alone(
    make: Make,
) -> None:
    table = readings()
    table.loc[27:29, "value"] = 1000.0
    table.loc[72:, "value"] *= 50
    one, other = (
        read_records(make(each))[0][0].reference for each in (readings(), table)
    )
    assert one is not None
    assert other is not None
    assert one.spread == pytest.approx(other.spread, rel=0.1)
    assert abs(other.centre) < 1


def test_gaps_and_missing_values_hold_the_last_value_and_are_counted(
    make: Make,
) -> None:
    table = readings()
    table.loc[10:12, "value"] = np.nan
    table = table.drop(index=[20, 21]).reset_index(drop=True)
    series, counts = read_records(make(table))
    assert (
        counts["room"]
        | {"step_seconds": 3600.0, "without_value": 3, "filled": 5, "steps": 192}
        == counts["room"]
    )
    train = series[0]
    assert np.flatnonzero(~train.observed_T).tolist() == [10, 11, 12, 20, 21]
    assert set(train.value_T[10:13]) == {train.value_T[9]}


def test_readings_of_the_same_moment_are_averaged_and_counted_in_any_order(
    make: Make,
) -> None:
    table = readings()
    twice = pd.concat(
        [table, table.iloc[[5]].assign(value=table["value"][5] + 2)]
    ).sample(frac=1, random_state=0)
    series, counts = read_records(make(twice))
    assert counts["room"]["merged"] == 1
    assert series[0].value_T[5] == pytest.approx(table["value"][5] + 1)


def test_rows_without_a_time_are_left_out_and_counted(make: Make) -> None:
    table = readings().astype({"timestamp": str})
    table.loc[3, "timestamp"] = "soon"
    assert read_records(make(table))[1]["room"]["without_time"] == 1


def test_parquet_gives_the_same_as_csv(make: Make, tmp_path: Path) -> None:
    config = make()
    readings().to_parquet(tmp_path / "room.parquet")
    record = config.records[0].replace(path=str(tmp_path / "room.parquet"))
    for a, b in zip(
        read_records(config)[0],
        read_records(config.replace(records=[record]))[0],
        strict=True,
    ):
        np.testing.assert_allclose(a.value_T, b.value_T)


def test_missing_column_is_named_with_those_there_are(make: Make) -> None:
    refused(
        InputError,
        make(value="temperature"),
        r"column 'temperature' is missing; it has 'timestamp', 'value'",
    )


@pytest.mark.parametrize(
    "window",
    [
        ("2023-12-31", "2024-01-01 05:00"),
        ("2024-01-08 20:00", "2024-01-20"),
        ("2024-01-03", "2024-01-02"),
    ],
)
def test_anomaly_window_outside_of_the_record_is_refused_with_both_periods(
    make: Make, window: Any
) -> None:
    refused(
        InputError,
        make(windows=[window]),
        r"lies outside of record 'room', which has 2024-01-01T00:00:00 to",
    )


@pytest.mark.parametrize("window", ["2024-01-02", ["2024-01-02"], ["soon", "later"]])
def test_anomaly_window_that_is_none_is_refused(make: Make, window: Any) -> None:
    refused(
        InputError,
        make(windows=[window]),
        r"an anomaly window of 'room' must be \[start, end\]",
    )


def test_record_without_labels_is_refused_with_those_there_are(make: Make) -> None:
    refused(
        InputError,
        make(labels_of="hall"),
        r"no windows for record 'room'; it has 'hall'",
    )


def test_border_inside_of_an_anomaly_is_refused(make: Make) -> None:
    windows = [("2024-01-03 12:00", "2024-01-04 12:00")]
    refused(
        SplitError,
        make(windows=windows),
        "validation_from 2024-01-04T00:00:00 cuts the anomaly window",
    )


def test_border_outside_of_the_record_is_refused(make: Make) -> None:
    refused(
        SplitError,
        make(borders={"test_from": "2024-03-01"}),
        "test_from 2024-03-01T00:00:00 lies outside of it",
    )


def test_borders_in_the_wrong_order_are_refused(make: Make) -> None:
    with pytest.raises(ConfigError, match="validation_from must lie before test_from"):
        make(borders={"test_from": "2024-01-03"})


def test_training_part_without_a_normal_reading_is_refused(make: Make) -> None:
    windows = [("2024-01-01", "2024-01-03 23:00")]
    refused(SplitError, make(windows=windows), "'room' has no normal reading before")


def test_files_that_are_not_there_or_no_json_are_refused(
    make: Make, tmp_path: Path
) -> None:
    config = make()
    for missing in (
        config.replace(anomalies="nowhere.json"),
        config.replace(records=[config.records[0].replace(path="no.csv")]),
    ):
        with pytest.raises(InputError, match=r"nowhere\.json|no\.csv"):
            stamps_of(missing)
    (tmp_path / "labels.json").write_text("[1, 2]", encoding="utf-8")
    refused(InputError, config, "expected windows by record, found a list")
    (tmp_path / "labels.json").write_text("{", encoding="utf-8")
    refused(InputError, config, "expected JSON")


def test_parts_hold_every_step_once(make: Make) -> None:
    series, counts = read_records(make())
    assert sum(map(len, series)) == counts["room"]["steps"]
    assert all(
        len(of_part(series, part)) == 1 for part in ("train", "validation", "test")
    )
