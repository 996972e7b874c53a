"""Real records with labels: one file each with a time and a value.

Anomalies are windows of time, and parts are cut by time. Legend: N readings of a file, T steps of
the regular grid.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Self

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import Field, model_validator

from hvac.arrays import Floats, Times
from hvac.config import Config
from hvac.detect.series import LABELLED, Anomaly, Series, fill, reference_of
from hvac.errors import InputError, SplitError
from hvac.json_values import Json, JsonObject, listed
from hvac.readings.files import iter_table, open_table
from hvac.readings.number_texts import parse_numbers
from hvac.readings.sources import MISSING, SourceConfig
from hvac.readings.table_paths import file_stamp
from hvac.storage import place, unreadable

BATCH = 1 << 16


class RecordConfig(Config):
    """One record: its file, and where its validation and test parts begin."""

    name: str
    """The record's name in tables and in the file of anomalies."""
    path: str
    """The file (CSV or Parquet), or its URL."""
    validation_from: dt.datetime
    """The moment at which the validation part begins."""
    test_from: dt.datetime
    """The moment at which the test part begins."""

    @model_validator(mode="after")
    def _parts_follow_each_other(self) -> Self:
        if self.validation_from >= self.test_from:
            raise ValueError(
                f"record '{self.name}': validation_from must lie before test_from"
            )
        return self


class RecordsConfig(Config):
    """Records with their labels."""

    records: tuple[RecordConfig, ...] = Field(min_length=1)
    """The records, at least one."""
    anomalies: str
    """A JSON file {name of the record: [[start, end], …]}, ends included."""
    time: str = "timestamp"
    """The column with the time of a reading."""
    value: str = "value"
    """The column with the value of a reading."""


def read_records(
    config: RecordsConfig,
) -> tuple[list[Series], dict[str, dict[str, Json]]]:
    """Read the parts of all records, and count per record what was read, merged and filled.

    Readings of the same moment are averaged. The grid has the most frequent distance of
    neighbouring readings. Missing steps hold the last value and count as not observed.

    Raises:
        InputError: if a file cannot be read or lacks a column, or labels are missing or lie outside
            of their record.
        SplitError: if a border lies outside of the record, or inside of an anomaly.
    """
    labels = _read_labels(config.anomalies)
    series = []
    counts = {}
    for record in config.records:
        time_T, value_T, counts[record.name] = _read(record, config)
        spans = _spans(record, labels, config.anomalies, time_T)
        series += _parts(record, time_T, value_T, spans)
    return series, counts


def stamps_of(config: RecordsConfig) -> list[str]:
    """Return what identifies the content of all files.

    Raises:
        InputError: if one cannot be opened.
    """
    stamps = []
    for path in (*(record.path for record in config.records), config.anomalies):
        try:
            stamps.append(file_stamp(path))
        except OSError as error:
            raise unreadable(path, error) from error
    return stamps


def _read_labels(path: str) -> JsonObject:
    try:
        labels = json.loads(place(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise unreadable(path, error) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: expected JSON, found something else ({error})"
        ) from None
    if not isinstance(labels, dict):
        raise InputError(
            f"{path}: expected windows by record, found a {type(labels).__name__}"
        )
    return labels


def _read(
    record: RecordConfig, config: RecordsConfig
) -> tuple[Times, Floats, dict[str, Json]]:
    """Return times and values (nan: missing) on the regular grid, and counts of what was read."""
    file = open_table(record.path, SourceConfig(readings=record.path))
    for name in (config.time, config.value):
        if name not in file.columns:
            raise InputError(
                f"{record.path}: column '{name}' is missing; it has"
                f" {', '.join(map(repr, file.columns))}"
            )
    batches = list(iter_table(file, [config.time, config.value], batch_rows=BATCH))
    table = pa.concat_tables([batch.table for batch in batches])
    times = pd.to_datetime(table[config.time].to_pandas(), errors="coerce")
    time_N = times.to_numpy().astype("datetime64[s]")
    numbers = parse_numbers(table[config.value], MISSING)
    value_N = np.asarray(numbers.value, dtype=np.float64)
    value_N = np.where(np.isfinite(value_N), value_N, np.nan)
    dated_N = ~np.isnat(time_N)
    readings = pd.Series(value_N[dated_N], index=time_N[dated_N])
    readings = readings.sort_index()
    if readings.index.nunique() < 2:
        raise InputError(
            f"{record.path}: expected at least two readings with a time, found"
            f" {readings.index.nunique()}"
        )
    merged = readings.groupby(level=0).mean()
    steps = np.diff(merged.index.to_numpy())
    gaps, often = np.unique(steps, return_counts=True)
    step = pd.Timedelta(gaps[np.argmax(often)])
    gridded = merged.resample(step, origin="start").mean()
    counts: dict[str, Json] = {
        "rows": len(time_N),
        "without_time": int((~dated_N).sum()),
        "without_value": int(np.isnan(value_N).sum()),
        "merged": len(readings) - len(merged),
        "step_seconds": step.total_seconds(),
        "steps": len(gridded),
        "filled": int(gridded.isna().sum()),
    }
    time_T = gridded.index.to_numpy().astype("datetime64[s]")
    return time_T, gridded.to_numpy(), counts


def _spans(
    record: RecordConfig, labels: JsonObject, path: str, time_T: Times
) -> list[tuple[int, int]]:
    """Return the steps [start, end) of the record's anomalies."""
    if record.name not in labels:
        raise InputError(
            f"{path}: no windows for record '{record.name}'; it has {', '.join(map(repr, labels))}"
        )
    spans = []
    for window in listed(labels[record.name]):
        start, end = _window(window, record.name, path)
        if start < time_T[0] or end > time_T[-1] or start > end:
            raise InputError(
                f"{path}: anomaly window {start} to {end} lies outside of record '{record.name}',"
                f" which has {time_T[0]} to {time_T[-1]}: correct the window"
            )
        first = int(np.searchsorted(time_T, start))
        stop = int(np.searchsorted(time_T, end, side="right"))
        spans.append((first, stop))
    return spans


def _window(window: Json, name: str, path: str) -> tuple[np.datetime64, np.datetime64]:
    moments = window if isinstance(window, list) else [window]
    texts = pd.Series(moments).astype(str)
    ends = pd.to_datetime(texts, format="mixed", errors="coerce")
    if len(ends) != 2 or ends.isna().any():
        raise InputError(
            f"{path}: an anomaly window of '{name}' must be [start, end], found {str(window)[:80]}"
        )
    start, end = ends.to_numpy().astype("datetime64[s]")
    return start, end


def _parts(
    record: RecordConfig,
    time_T: Times,
    value_T: Floats,
    spans: Sequence[tuple[int, int]],
) -> list[Series]:
    borders = _borders(record, time_T, spans)
    filled_T, observed_T = fill(value_T)
    normal_T = observed_T.copy()
    for start, end in spans:
        normal_T[start:end] = False
    before = slice(0, borders[0])
    if not normal_T[before].any():
        raise SplitError(
            f"record '{record.name}' has no normal reading before {record.validation_from}: begin"
            " later"
        )
    reference = reference_of(filled_T[before][normal_T[before]])
    stretches = []
    edges = (0, *borders, len(time_T))
    for part, start, end in zip(
        ("train", "validation", "test"), edges[:-1], edges[1:], strict=True
    ):
        inside = [
            Anomaly(LABELLED, a - start, b - start)
            for a, b in spans
            if start <= a < end
        ]
        stretches.append(
            Series(
                record=record.name,
                part=part,
                value_T=filled_T[start:end],
                observed_T=observed_T[start:end],
                anomalies=tuple(inside),
                time_T=time_T[start:end],
                reference=reference,
            )
        )
    return stretches


def _borders(
    record: RecordConfig, time_T: Times, spans: Sequence[tuple[int, int]]
) -> list[int]:
    borders = []
    for name in ("validation_from", "test_from"):
        moment = np.datetime64(getattr(record, name).replace(tzinfo=None), "s")
        border = int(np.searchsorted(time_T, moment))
        if not 0 < border < len(time_T):
            raise SplitError(
                f"record '{record.name}': {name} {moment} lies outside of it: choose a moment"
                f" between {time_T[0]} and {time_T[-1]}"
            )
        for start, end in spans:
            if start < border < end:
                raise SplitError(
                    f"record '{record.name}': {name} {moment} cuts the anomaly window"
                    f" {time_T[start]} to {time_T[end - 1]} in two: choose a moment outside of it"
                )
        borders.append(border)
    return borders
