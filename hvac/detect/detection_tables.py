"""The results of a detection run as tables for people: windows, alarms, steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from hvac.detect.detections import SeriesScores
from hvac.detect.part_scores import Assessment
from hvac.detect.series import DETECTOR, moment

ALARM_COLUMNS = ("part", "model", "series", "record", "first", "last", "true")


def scored_windows_table(assessment: Assessment) -> pa.Table:
    """Return one row per evaluated window: its place, its label, every model's score and alarm.

    `anomalous` is None where it is not known.
    """
    tables = []
    for names, by_model in _each_series(assessment):
        series, cuts, *_ = by_model[DETECTOR]
        length = len(series) - cuts.start_B[-1]  # the last window ends with the series
        columns: dict[str, Any] = {
            "start": [moment(series, step) for step in cuts.start_B],
            "end": [moment(series, step) for step in cuts.start_B + length - 1],
            "anomalous": pa.array(cuts.y_B, mask=~cuts.known_B),
        }
        for name, scores in by_model.items():
            columns[name] = pa.array(scores.score_B, from_pandas=True)
            columns[f"{name}_alarm"] = scores.score_B >= assessment.thresholds[name][0]
        tables.append(_under(names, columns, np.int64))
    return pa.concat_tables(tables)


def _each_series(
    assessment: Assessment,
) -> Iterator[tuple[tuple[str, int, str], dict[str, SeriesScores]]]:
    """Yield the part, number and record of every series, and its scores by model."""
    for part in assessment.scores:
        for number, by_model in enumerate(assessment.by_series(part)):
            yield (part, number, by_model[DETECTOR].series.record), by_model


def _under(
    names: tuple[str, int, str], columns: dict[str, Any], kind: type[np.integer]
) -> pa.Table:
    part, number, record = names
    count = len(columns["anomalous"])
    first = {
        "part": [part] * count,
        "series": np.full(count, number, dtype=kind),
        "record": [record] * count,
    }
    return pa.table({**first, **columns})


def alarms_table(assessment: Assessment) -> pa.Table:
    """Return one row per alarm of every model.

    A row holds the series, the first and last moment, and whether the alarm belongs to an anomaly.
    """
    rows = []
    for part, outcomes in assessment.outcomes.items():
        for model, outcome in outcomes.items():
            for number, first, last, true in outcome.episodes:
                series = assessment.scores[part][model][number].series
                moments = (moment(series, first), moment(series, last))
                rows.append((part, model, number, series.record, *moments, true))
    columns = list(zip(*rows, strict=True)) or [()] * len(ALARM_COLUMNS)
    return pa.table(dict(zip(ALARM_COLUMNS, columns, strict=True)))


def steps_table(assessment: Assessment) -> pa.Table:
    """Return one row per evaluated step: value, label, every model's joined score."""
    tables = []
    for names, by_model in _each_series(assessment):
        series = by_model[DETECTOR].series
        count = len(series)
        time = series.time_T
        columns = {
            "step": np.arange(count, dtype=np.int32),
            "time": pa.nulls(count, pa.timestamp("s")) if time is None else time,
            "value": series.value_T,
            "anomalous": series.anomalous_T,
        }
        columns |= {name: scores.score_T for name, scores in by_model.items()}
        tables.append(_under(names, columns, np.int32))
    return pa.concat_tables(tables)
