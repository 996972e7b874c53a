"""Evaluation of a detection run: thresholds from validation, then every model on every part.

Legend: T steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hvac.detect.detection_metrics import (
    choose,
    event_result,
    recall_difference,
    score_series,
    window_result,
)
from hvac.detect.detection_results import (
    DetectionFigures,
    ListedEvent,
    NotedThreshold,
    PartResult,
)
from hvac.detect.detections import (
    AlarmConfig,
    DetectionOutcome,
    SeriesScores,
    outcome_of,
)
from hvac.detect.detector import AnomalyScorer, Detector
from hvac.detect.series import DETECTOR, PARTS, Series, moment, of_part
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

    def by_series(self, part: str) -> list[dict[str, SeriesScores]]:
        """Return the scores of every series of a part, by model."""
        by_model = self.scores[part]
        columns = zip(*by_model.values(), strict=True)
        return [dict(zip(by_model, scores, strict=True)) for scores in columns]


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
            scores[part] = {
                model.name: score_series(model, members, windows) for model in models
            }
    thresholds = {
        detector.name: (detector.threshold, str(detector.training.get("note", "")))
    }
    for model in baselines:
        validation = scores["validation"][model.name]
        thresholds[model.name] = choose(validation, alarms, windows, probability=False)
    outcomes: dict[str, dict[str, DetectionOutcome]] = {}
    for part, by_model in scores.items():
        if any(len(one.series) > windows.length for one in by_model[detector.name]):
            outcomes[part] = {
                name: outcome_of(of_model, thresholds[name][0], alarms, windows)
                for name, of_model in by_model.items()
            }
    return Assessment(thresholds, scores, outcomes)


def metrics_of(
    assessment: Assessment,
    series: Sequence[Series],
    windows: SlidingConfig,
    *,
    seed: int,
) -> DetectionFigures:
    """Return `parts`, `thresholds`, `models`, `differences` and `events` of metrics.json."""
    by_part = {part: of_part(series, part) for part in PARTS}
    thresholds: dict[str, NotedThreshold] = {}
    models = {}
    for name, (value, note) in assessment.thresholds.items():
        thresholds[name] = {"value": value, "note": note}
        models[name] = {
            part: _result(assessment, part, name) for part in assessment.scores
        }
    outcomes = assessment.outcomes.get("test", {})
    differences = {}
    for name in outcomes:
        difference = recall_difference(outcomes[DETECTOR], outcomes[name], seed=seed)
        if name != DETECTOR and difference:
            differences[name] = difference
    return {
        "parts": {
            part: _part(members, windows)
            for part, members in by_part.items()
            if members
        },
        "thresholds": thresholds,
        "models": models,
        "differences": differences,
        "events": _listed(assessment) if outcomes else [],
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
    result: PartResult = {
        "windows": window_result(scores, assessment.thresholds[name][0])
    }
    if part in assessment.outcomes:
        result["events"] = event_result(scores, assessment.outcomes[part][name])
    return result


def _listed(assessment: Assessment) -> list[ListedEvent]:
    """Return every anomaly of the test part with each model's first alarm, where they are few."""
    outcomes = assessment.outcomes["test"]
    if len(outcomes[DETECTOR].events) > MOST_LISTED:
        return []
    rows: list[ListedEvent] = []
    for place, (number, anomaly, *_) in enumerate(outcomes[DETECTOR].events):
        series = assessment.scores["test"][DETECTOR][number].series
        first = {}
        for name, outcome in outcomes.items():
            first[name] = moment(series, outcome.events[place].first_alarm)
        row: ListedEvent = {
            "record": series.record,
            "kind": anomaly.kind,
            "start": moment(series, anomaly.start),
            "end": moment(series, anomaly.end - 1),
            "first": first,
        }
        rows.append(row)
    return rows
