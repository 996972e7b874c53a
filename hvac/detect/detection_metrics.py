"""Metrics of what judges say of the parts of a run: windows (as the seed reports them), and
anomalies one by one.

Legend: T steps, B windows, R replicates, U series.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2
from sklearn.metrics import classification_report

from hvac.decision.thresholds import ThresholdConfig, choose_threshold
from hvac.detect.detections import (
    AlarmConfig,
    DetectionOutcome,
    EventOutcome,
    ScoredSeries,
    choose_budget,
)
from hvac.detect.detector import Judge
from hvac.detect.series import Series
from hvac.detect.sliding import SlidingConfig, SlidingWindows, cut_series
from hvac.evaluation.bootstrap import Replicated, exact_interval, paired_difference, unit_weights
from hvac.evaluation.metrics import confusion, pr_auc, ratio, roc_auc

Floats = npt.NDArray[np.float64]
HALF = 0.5
FEWEST_SERIES = 10  # with anomalies, for a difference by bootstrap
FEWEST_FOUND = 5  # anomalies, for quartiles of the delay
LENGTHS = (300, 1000, 3000)
CLASSES = ("normal", "anomalous")


class SeriesScores(NamedTuple):
    """A series as one judge sees it: its windows, their scores, and the joined score of every step."""

    series: Series
    found: SlidingWindows
    score_B: Floats
    score_T: Floats

    @property
    def scored(self) -> ScoredSeries:
        """Without its windows."""
        return ScoredSeries(self.series, self.score_T)


def judge_series(
    judge: Judge, series: Sequence[Series], windows: SlidingConfig
) -> list[SeriesScores]:
    """All scores of some series."""
    cuts = [cut_series(each, windows) for each in series]
    return [
        SeriesScores(each, found, judge.window_scores(each, found), judge.step_scores(each, found))
        for each, found in zip(series, cuts, strict=True)
    ]


def known_windows(judged: Sequence[SeriesScores]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Scores and labels of all windows of which it is known whether they are anomalous."""
    score = [each.score_B[each.found.known_B] for each in judged]
    y = [each.found.y_B[each.found.known_B] for each in judged]
    return np.concatenate([np.zeros(0), *score]), np.concatenate([np.zeros(0, np.bool_), *y])


def choose(
    judged: Sequence[SeriesScores],
    alarms: AlarmConfig,
    windows: SlidingConfig,
    *,
    probability: bool,
) -> tuple[float, str]:
    """The threshold of a judge from the validation part, and a note where the rule could not be
    kept.

    Args:
        probability: whether scores are probabilities, so that `half` has a meaning.
    """
    if alarms.rule == "budget":
        return choose_budget([each.scored for each in judged], alarms, windows)
    if probability:
        return HALF, ""
    score_B, y_B = known_windows(judged)
    rows = np.arange(len(score_B))
    best = choose_threshold(
        score_B, y_B, config=ThresholdConfig(), units_B=rows, end_day_B=rows, horizon=1
    )
    below_B = score_B[score_B < best.value]
    return (best.value + float(below_B.max())) / 2 if len(below_B) else best.value, best.note


def window_result(judged: Sequence[SeriesScores], threshold: float) -> dict[str, Any]:
    """How well windows are told apart: ranking, confusion matrix, classification report.

    The accuracy has an interval only where every series is one window: overlapping windows are not
    independent."""
    score_B, y_B = known_windows(judged)
    alarm_B = score_B >= threshold
    report = classification_report(
        y_B,
        alarm_B,
        labels=[False, True],
        target_names=CLASSES,
        output_dict=True,
        zero_division=np.nan,
    )
    counts = confusion(alarm_B, y_B)
    right = share(int((alarm_B == y_B).sum()), len(y_B))
    overlapping = any(len(each.found.start_B) > 1 for each in judged)
    return {
        "windows": len(y_B),
        "anomalous": int(y_B.sum()),
        "unknown": sum(int((~each.found.known_B).sum()) for each in judged),
        "base_rate": float(ratio(y_B.sum(), len(y_B))),
        "pr_auc": pr_auc(score_B, y_B),
        "roc_auc": roc_auc(score_B, y_B),
        "confusion": {name: int(value) for name, value in counts._asdict().items()},
        "accuracy": (
            {"value": right["value"], "low": np.nan, "high": np.nan} if overlapping else right
        ),
        "report": {name: report[name] for name in (*CLASSES, "macro avg", "weighted avg")},
    }


def event_result(judged: Sequence[SeriesScores], outcome: DetectionOutcome) -> dict[str, Any]:
    """Anomalies found, when, and at what price; also by kind, and by the length or record of the
    series.
    """
    clocked = any(each.series.time_T is not None for each in judged)
    groups = [each.series.record if clocked else _length_class(len(each.series)) for each in judged]
    kinds = sorted({event.anomaly.kind for event in outcome.events})
    return {
        **_found(outcome.events),
        "false_alarms": outcome.false,
        "alarms": len(outcome.episodes),
        "exposure": outcome.exposure,
        "exposure_unit": "week" if clocked else "steps",
        "false_rate": rate(outcome.false, outcome.exposure),
        "in_alarm": outcome.in_alarm,
        "chance": chance(outcome),
        "delay": _delay(outcome.events, judged),
        "by_kind": {
            kind: _found([e for e in outcome.events if e.anomaly.kind == kind]) for kind in kinds
        },
        "by_group": {
            group: _group(group, groups, judged, outcome)
            for group in sorted(set(groups), key=_order)
        },
    }


def _found(events: Sequence[EventOutcome]) -> dict[str, Any]:
    found = sum(event.first_alarm is not None for event in events)
    return {"events": len(events), "found": found, "recall": share(found, len(events))}


def _delay(events: Sequence[EventOutcome], judged: Sequence[SeriesScores]) -> dict[str, Any]:
    """Quartiles from the start of an anomaly to its first alarm being known: hours, or steps
    without a clock.

    Nan where fewer than `FEWEST_FOUND` were found.
    """
    delays = [
        (event.first_alarm - event.anomaly.start)
        * (judged[event.number].series.step_seconds or 3600)
        / 3600
        for event in events
        if event.first_alarm is not None
    ]
    low, middle, high = (
        np.quantile(delays, (0.25, 0.5, 0.75)) if len(delays) >= FEWEST_FOUND else (np.nan,) * 3
    )
    return {"value": float(middle), "low": float(low), "high": float(high)}


def _group(
    group: str, groups: Sequence[str], judged: Sequence[SeriesScores], outcome: DetectionOutcome
) -> dict[str, Any]:
    members = {number for number, name in enumerate(groups) if name == group}
    return {
        **_found([event for event in outcome.events if event.number in members]),
        "series": len(members),
        "steps": sum(len(judged[number].series) for number in members),
        "false_alarms": sum(not e.true for e in outcome.episodes if e.number in members),
    }


def _length_class(steps: int) -> str:
    above = [limit for limit in LENGTHS if steps > limit]
    return f"{above[-1] + 1 if above else 1}-{LENGTHS[len(above)] if len(above) < len(LENGTHS) else ''}"


def _order(group: str) -> tuple[int, str]:
    first = group.partition("-")[0]
    return (int(first), "") if first.isdigit() else (0, group)


def chance(outcome: DetectionOutcome) -> float:
    """Share of the anomalies that alarms at random moments, as frequent and as long as the false
    ones, would hit.
    """
    if not outcome.events or outcome.exposure <= 0:
        return float("nan")
    lasting = outcome.false_time / max(outcome.false, 1)
    return float(
        np.mean(
            [
                -np.expm1(-outcome.false / outcome.exposure * (e.reach + lasting))
                for e in outcome.events
            ]
        )
    )


def share(part: int, whole: int) -> dict[str, float]:
    """A share with its exact (Clopper–Pearson) 95 % interval."""
    low, high = exact_interval(part, whole)
    return {"value": float(ratio(part, whole)), "low": low, "high": high}


def rate(count: int, exposure: float) -> dict[str, float]:
    """Events per unit of exposure with the exact 95 % interval of a Poisson count (Garwood 1936).

    >>> {name: round(value, 3) for name, value in rate(0, 2.0).items()}
    {'value': 0.0, 'low': 0.0, 'high': 1.844}
    """
    if exposure <= 0:
        return {"value": np.nan, "low": np.nan, "high": np.nan}
    low = float(chi2.ppf(0.025, 2 * count)) / 2 if count else 0.0
    high = float(chi2.ppf(0.975, 2 * count + 2)) / 2
    return {"value": count / exposure, "low": low / exposure, "high": high / exposure}


def recall_difference(
    one: DetectionOutcome, other: DetectionOutcome, *, seed: int
) -> dict[str, Any] | None:
    """Share of anomalies found by one minus that of the other, paired, bootstrap over series; None
    for few series.
    """
    numbers = np.array([event.number for event in one.events])
    if len(set(numbers.tolist())) < FEWEST_SERIES:
        return None
    weights = unit_weights(numbers, seed=seed)
    parts = []
    for outcome in (one, other):
        found_B = np.array(
            [event.first_alarm is not None for event in outcome.events], dtype=np.float64
        )
        units = weights.w_RU.shape[1]
        found_U, all_U = (
            np.bincount(weights.unit_index_B, w, minlength=units)
            for w in (found_B, np.ones(len(found_B)))
        )
        value_R = ratio(weights.w_RU @ found_U, weights.w_RU @ all_U)
        parts.append(Replicated(float(found_B.mean()), value_R))
    return paired_difference(*parts)._asdict()
