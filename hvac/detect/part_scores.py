"""A run's judgement: thresholds from validation, then every judge on validation, test and unseen
series.

Legend: T steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from hvac.detect.detection_metrics import (
    SeriesScores,
    choose,
    event_result,
    judge_series,
    recall_difference,
    window_result,
)
from hvac.detect.detections import AlarmConfig, DetectionOutcome, outcome_of
from hvac.detect.detector import Detector, Judge
from hvac.detect.series import PARTS, Series, moment, of_part
from hvac.detect.sliding import SlidingConfig, cut_series

MOST_LISTED = 20


class Assessment(NamedTuple):
    """By judge: threshold and note; by part and judge: all scores, and (for series of several
    windows) the outcome.
    """

    thresholds: dict[str, tuple[float, str]]
    judged: dict[str, dict[str, list[SeriesScores]]]
    outcomes: dict[str, dict[str, DetectionOutcome]]


def score_parts(
    series: Sequence[Series], detector: Detector, baselines: Sequence[Judge], alarms: AlarmConfig
) -> Assessment:
    """Judge everything but the training part; the detector brings its threshold, baselines get
    theirs on validation.
    """
    windows = detector.windows
    judges: list[Judge] = [detector, *baselines]
    parts = {part: of_part(series, part) for part in PARTS[1:]}
    judged = {
        part: {judge.name: judge_series(judge, members, windows) for judge in judges}
        for part, members in parts.items()
        if members
    }
    thresholds = {detector.name: (detector.threshold, str(detector.training.get("note", "")))}
    for judge in baselines:
        thresholds[judge.name] = choose(
            judged["validation"][judge.name], alarms, windows, probability=False
        )
    outcomes = {
        part: {
            name: outcome_of([each.scored for each in rows], thresholds[name][0], alarms, windows)
            for name, rows in by_judge.items()
        }
        for part, by_judge in judged.items()
        if any(len(each) > windows.length for each in parts[part])
    }
    return Assessment(thresholds, judged, outcomes)


def metrics_of(
    found: Assessment, series: Sequence[Series], windows: SlidingConfig, *, seed: int
) -> dict[str, Any]:
    """Sections `parts`, `thresholds`, `models`, `differences` and `events` of metrics.json."""
    names = list(found.thresholds)
    return {
        "parts": {
            part: _part(of_part(series, part), windows) for part in PARTS if of_part(series, part)
        },
        "thresholds": {
            name: {"value": value, "note": note} for name, (value, note) in found.thresholds.items()
        },
        "models": {
            name: {part: _result(found, part, name) for part in found.judged} for name in names
        },
        "differences": _differences(found, names, seed),
        "events": _listed(found, names),
    }


def _part(members: Sequence[Series], windows: SlidingConfig) -> dict[str, int]:
    cuts = [cut_series(each, windows) for each in members]
    return {
        "series": len(members),
        "steps": sum(map(len, members)),
        "anomalies": sum(len(each.anomalies) for each in members),
        "windows": sum(len(each.start_B) for each in cuts),
        "anomalous_windows": sum(int((each.y_B & each.known_B).sum()) for each in cuts),
        "unknown": sum(int((~each.known_B).sum()) for each in cuts),
    }


def _result(found: Assessment, part: str, name: str) -> dict[str, Any]:
    judged = found.judged[part][name]
    result: dict[str, Any] = {"windows": window_result(judged, found.thresholds[name][0])}
    if part in found.outcomes:
        result["events"] = event_result(judged, found.outcomes[part][name])
    return result


def _differences(found: Assessment, names: Sequence[str], seed: int) -> dict[str, Any]:
    outcomes = found.outcomes.get("test")
    if not outcomes:
        return {}
    made = {
        name: recall_difference(outcomes[names[0]], outcomes[name], seed=seed) for name in names[1:]
    }
    return {name: each for name, each in made.items() if each}


def _listed(found: Assessment, names: Sequence[str]) -> list[dict[str, Any]]:
    """Every anomaly of the test part with each judge's first alarm, where they are few."""
    outcomes, rows = found.outcomes.get("test"), []
    if not outcomes or len(outcomes[names[0]].events) > MOST_LISTED:
        return []
    for several in zip(*(outcomes[name].events for name in names), strict=True):
        series, anomaly = (
            found.judged["test"][names[0]][several[0].number].series,
            several[0].anomaly,
        )
        first = {
            name: moment(series, event.first_alarm)
            for name, event in zip(names, several, strict=True)
        }
        ends = {"start": moment(series, anomaly.start), "end": moment(series, anomaly.end - 1)}
        rows.append({"record": series.record, "kind": anomaly.kind, **ends, "first": first})
    return rows
