"""What a run found, as tables for people: windows, alarms, steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from hvac.detect.part_scores import Assessment
from hvac.detect.series import moment


def scored_windows_table(found: Assessment) -> pa.Table:
    """One row per judged window: where it lies, what is known of it, every judge's score and alarm."""
    parts = []
    for part, by_judge in found.judged.items():
        for number, several in enumerate(zip(*by_judge.values(), strict=True)):
            series, windows = several[0].series, several[0].found
            length = len(series) - windows.start_B[-1]  # the last window ends with the series
            columns: dict[str, Any] = {
                "part": [part] * len(windows.start_B),
                "series": np.full(len(windows.start_B), number),
                "record": [series.record] * len(windows.start_B),
                "start": [moment(series, step) for step in windows.start_B],
                "end": [moment(series, step) for step in windows.start_B + length - 1],
                "anomalous": [
                    bool(y) if known else None
                    for y, known in zip(windows.y_B, windows.known_B, strict=True)
                ],
            }
            for name, each in zip(by_judge, several, strict=True):
                columns[name] = pa.array(each.score_B, from_pandas=True)
                columns[f"{name}_alarm"] = each.score_B >= found.thresholds[name][0]
            parts.append(pa.table(columns))
    return pa.concat_tables(parts)


def alarms_table(found: Assessment) -> pa.Table:
    """One row per alarm of every judge: series, first and last moment, whether it belongs to an
    anomaly.
    """
    names = ("part", "model", "series", "record", "first", "last", "true")
    rows = []
    for part, outcomes in found.outcomes.items():
        for name, outcome in outcomes.items():
            for alarm in outcome.episodes:
                series = found.judged[part][name][alarm.number].series
                ends = [moment(series, step) for step in (alarm.first, alarm.last)]
                rows.append((part, name, alarm.number, series.record, *ends, alarm.true))
    return pa.table({name: [row[place] for row in rows] for place, name in enumerate(names)})


def steps_table(found: Assessment) -> pa.Table:
    """One row per judged step: value, label, every judge's joined score."""
    parts = []
    for part, by_judge in found.judged.items():
        for number, several in enumerate(zip(*by_judge.values(), strict=True)):
            series = several[0].series
            columns: dict[str, Any] = {
                "part": [part] * len(series),
                "series": np.full(len(series), number, dtype=np.int32),
                "record": [series.record] * len(series),
                "step": np.arange(len(series), dtype=np.int32),
                "time": (
                    pa.nulls(len(series), pa.timestamp("s"))
                    if series.time_T is None
                    else series.time_T
                ),
                "value": series.value_T,
                "anomalous": series.anomalous_T,
            }
            columns |= {name: each.score_T for name, each in zip(by_judge, several, strict=True)}
            parts.append(pa.table(columns))
    return pa.concat_tables(parts)
