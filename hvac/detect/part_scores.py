"""Evaluation of a detection run: thresholds from validation, then every model on every part.

Legend: T steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hvac.detect.detection_metrics import (
    SeriesScores,
    choose,
    event_result,
    recall_difference,
    score_series,
    window_result,
)
from hvac.detect.detection_results import DetectionFigures, ListedEvent, NotedThreshold, PartResult
from hvac.detect.detections import AlarmConfig, DetectionOutcome, outcome_of
from hvac.detect.detector import AnomalyScorer, Detector
from hvac.detect.series import PARTS, Series, moment, of_part
from hvac.detect.sliding import SlidingConfig, cut_series

MOST_LISTED = 20


class Assessment(NamedTuple):
    """The scores and outcomes of every model.

    Thresholds with a note are by model; all scores, and (for series of several windows) the
    outcomes, are by part and model.
    """

    thresholds: dict[str, tuple[float, str]]
    scores: dict[str, dict[str, list[SeriesScores]]]
    outcomes: dict[str, dict[str, DetectionOutcome]]


def score_parts(
    series: Sequence[Series],
    detector: Detector,
    baselines: Sequence[AnomalyScorer],
    alarms: AlarmConfig,
) -> Assessment:
    """Score everything but the training part.

    The detector brings its threshold, baselines get theirs on validation.
    """
    windows = detector.windows
    models: list[AnomalyScorer] = [detector, *baselines]
    scores: dict[str, dict[str, list[SeriesScores]]] = {}
    for part in PARTS[1:]:
        members = of_part(series, part)
        if members:
            scores[part] = {model.name: score_series(model, members, windows) for model in models}
    thresholds = {detector.name: (detector.threshold, str(detector.training.get("note", "")))}
    for model in baselines:
        validation = scores["validation"][model.name]
        thresholds[model.name] = choose(validation, alarms, windows, probability=False)
    outcomes: dict[str, dict[str, DetectionOutcome]] = {}
    for part, by_model in scores.items():
        if all(len(member) <= windows.length for member in of_part(series, part)):
            continue
        outcomes[part] = {}
        for name, of_model in by_model.items():
            scored = [one.scored for one in of_model]
            outcomes[part][name] = outcome_of(scored, thresholds[name][0], alarms, windows)
    return Assessment(thresholds, scores, outcomes)


def metrics_of(
    assessment: Assessment, series: Sequence[Series], windows: SlidingConfig, *, seed: int
) -> DetectionFigures:
    """Return `parts`, `thresholds`, `models`, `differences` and `events` of metrics.json."""
    parts = {}
    for part in PARTS:
        members = of_part(series, part)
        if members:
            parts[part] = _part(members, windows)
    thresholds: dict[str, NotedThreshold] = {}
    models = {}
    for name, (value, note) in assessment.thresholds.items():
        thresholds[name] = {"value": value, "note": note}
        models[name] = {part: _result(assessment, part, name) for part in assessment.scores}
    names = list(assessment.thresholds)
    return {
        "parts": parts,
        "thresholds": thresholds,
        "models": models,
        "differences": _differences(assessment, names, seed),
        "events": _listed(assessment, names),
    }


def _part(members: Sequence[Series], windows: SlidingConfig) -> dict[str, int]:
    cuts = [cut_series(member, windows) for member in members]
    known_B = np.concatenate([cut.known_B for cut in cuts])
    anomalous_B = np.concatenate([cut.y_B for cut in cuts]) & known_B
    return {
        "series": len(members),
        "steps": sum(map(len, members)),
        "anomalies": sum(len(member.anomalies) for member in members),
        "windows": len(known_B),
        "anomalous_windows": int(anomalous_B.sum()),
        "unknown": int((~known_B).sum()),
    }


def _result(assessment: Assessment, part: str, name: str) -> PartResult:
    scores = assessment.scores[part][name]
    result: PartResult = {"windows": window_result(scores, assessment.thresholds[name][0])}
    if part in assessment.outcomes:
        result["events"] = event_result(scores, assessment.outcomes[part][name])
    return result


def _differences(
    assessment: Assessment, names: Sequence[str], seed: int
) -> dict[str, dict[str, float | str]]:
    outcomes = assessment.outcomes.get("test")
    if not outcomes:
        return {}
    differences = {}
    for name in names[1:]:
        difference = recall_difference(outcomes[names[0]], outcomes[name], seed=seed)
        if difference:
            differences[name] = difference
    return differences


def _listed(assessment: Assessment, names: Sequence[str]) -> list[ListedEvent]:
    """Return every anomaly of the test part with each model's first alarm, where they are few."""
    outcomes = assessment.outcomes.get("test")
    if not outcomes or len(outcomes[names[0]].events) > MOST_LISTED:
        return []
    rows: list[ListedEvent] = []
    for place, event in enumerate(outcomes[names[0]].events):
        series = assessment.scores["test"][names[0]][event.number].series
        first = {name: moment(series, outcomes[name].events[place].first_alarm) for name in names}
        row: ListedEvent = {
            "record": series.record,
            "kind": event.anomaly.kind,
            "start": moment(series, event.anomaly.start),
            "end": moment(series, event.anomaly.end - 1),
            "first": first,
        }
        rows.append(row)
    return rows
