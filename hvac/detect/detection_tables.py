"""The results of a detection run as tables for people: windows, alarms, steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from hvac.detect.detection_metrics import SeriesScores
from hvac.detect.part_scores import Assessment
from hvac.detect.series import moment


def scored_windows_table(assessment: Assessment) -> pa.Table:
    """Return one row per evaluated window: its place, its label, every model's score and alarm.

    `anomalous` is None where it is not known.
    """
    tables = []
    for part, number, by_model in _each_series(assessment):
        first = next(iter(by_model.values()))
        series = first.series
        cuts = first.cuts
        count = len(cuts.start_B)
        length = len(series) - cuts.start_B[-1]  # the last window ends with the series
        columns: dict[str, Any] = {
            "part": [part] * count,
            "series": np.full(count, number),
            "record": [series.record] * count,
            "start": [moment(series, step) for step in cuts.start_B],
            "end": [moment(series, step) for step in cuts.start_B + length - 1],
            "anomalous": pa.array(cuts.y_B, mask=~cuts.known_B),
        }
        for name, scores in by_model.items():
            columns[name] = pa.array(scores.score_B, from_pandas=True)
            columns[f"{name}_alarm"] = scores.score_B >= assessment.thresholds[name][0]
        tables.append(pa.table(columns))
    return pa.concat_tables(tables)


def _each_series(
    assessment: Assessment,
) -> Iterator[tuple[str, int, dict[str, SeriesScores]]]:
    """Yield every series of every part with its number and its scores by model."""
    for part, by_model in assessment.scores.items():
        for number, scores in enumerate(zip(*by_model.values(), strict=True)):
            yield part, number, dict(zip(by_model, scores, strict=True))


def alarms_table(assessment: Assessment) -> pa.Table:
    """Return one row per alarm of every model.

    A row holds the series, the first and last moment, and whether the alarm belongs to an anomaly.
    """
    names = ("part", "model", "series", "record", "first", "last", "true")
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for part, outcomes in assessment.outcomes.items():
        for model, outcome in outcomes.items():
            for alarm in outcome.episodes:
                series = assessment.scores[part][model][alarm.number].series
                first = moment(series, alarm.first)
                last = moment(series, alarm.last)
                row = (part, model, alarm.number, series.record, first, last, alarm.true)
                for name, value in zip(names, row, strict=True):
                    columns[name].append(value)
    return pa.table(columns)


def steps_table(assessment: Assessment) -> pa.Table:
    """Return one row per evaluated step: value, label, every model's joined score."""
    tables = []
    for part, number, by_model in _each_series(assessment):
        series = next(iter(by_model.values())).series
        count = len(series)
        time = series.time_T
        columns: dict[str, Any] = {
            "part": [part] * count,
            "series": np.full(count, number, dtype=np.int32),
            "record": [series.record] * count,
            "step": np.arange(count, dtype=np.int32),
            "time": pa.nulls(count, pa.timestamp("s")) if time is None else time,
            "value": series.value_T,
            "anomalous": series.anomalous_T,
        }
        columns |= {name: scores.score_T for name, scores in by_model.items()}
        tables.append(pa.table(columns))
    return pa.concat_tables(tables)
