"""Metrics of the models on the parts of a detection run, by window and by anomaly.

Windows are reported as the predecessor did. Legend: T steps, B windows, R replicates, U series.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence, Set

import numpy as np
from scipy.stats import chi2
from sklearn.metrics import classification_report

from hvac.arrays import Bools, Floats
from hvac.decision.thresholds import ThresholdConfig, choose_threshold
from hvac.detect.detection_results import (
    Bounds,
    EventCounts,
    EventResult,
    GroupCounts,
    WindowResult,
)
from hvac.detect.detections import (
    AlarmConfig,
    DetectionOutcome,
    EventOutcome,
    SeriesScores,
    choose_budget,
)
from hvac.detect.detector import AnomalyScorer
from hvac.detect.series import Series
from hvac.detect.sliding import SlidingConfig, cut_series
from hvac.evaluation.alarms import UnitRatio
from hvac.evaluation.bootstrap import (
    exact_interval,
    paired_difference,
    unit_sums,
    unit_weights,
)
from hvac.evaluation.metrics import confusion, pr_auc, ratio, roc_auc

HALF = 0.5
FEWEST_SERIES = 10  # with anomalies, for a difference by bootstrap
FEWEST_FOUND = 5  # anomalies, for quartiles of the delay
LENGTHS = (300, 1000, 3000)
CLASSES = ("normal", "anomalous")
UNDEFINED: Bounds = {"value": np.nan, "low": np.nan, "high": np.nan}


def score_series(
    model: AnomalyScorer, series: Sequence[Series], windows: SlidingConfig
) -> list[SeriesScores]:
    """Return the model's scores of every series."""
    scores = []
    for one in series:
        cuts = cut_series(one, windows)
        score_B = model.window_scores(one, cuts)
        scores.append(SeriesScores(one, cuts, score_B, model.step_scores(one, cuts)))
    return scores


def known_windows(scores: Sequence[SeriesScores]) -> tuple[Floats, Bools]:
    """Return scores and labels of all windows whose label is known."""
    score_parts = [np.zeros(0)]
    y_parts = [np.zeros(0, np.bool_)]
    for one in scores:
        score_parts.append(one.score_B[one.cuts.known_B])
        y_parts.append(one.cuts.y_B[one.cuts.known_B])
    return np.concatenate(score_parts), np.concatenate(y_parts)


def choose(
    scores: Sequence[SeriesScores],
    alarms: AlarmConfig,
    windows: SlidingConfig,
    *,
    probability: bool,
) -> tuple[float, str]:
    """Choose a model's threshold on the validation part.

    Args:
        scores: the model's scores of the validation part.
        alarms: the rule.
        windows: how series are cut.
        probability: whether scores are probabilities, so that `half` has a meaning.

    Returns:
        The threshold, and a note where the rule could not be kept.
    """
    if alarms.rule == "budget":
        return choose_budget(scores, alarms, windows)
    if probability:
        return HALF, ""
    score_B, y_B = known_windows(scores)
    rows = np.arange(len(score_B))
    best = choose_threshold(
        score_B, y_B, config=ThresholdConfig(), units_B=rows, end_day_B=rows, horizon=1
    )
    below_B = score_B[score_B < best.value]
    if not len(below_B):
        return best.value, best.note
    return (best.value + float(below_B.max())) / 2, best.note


def window_result(scores: Sequence[SeriesScores], threshold: float) -> WindowResult:
    """Return how well windows are told apart: ranking, confusion matrix, classification report.

    The accuracy has an interval only where every series is one window: overlapping windows are not
    independent.
    """
    score_B, y_B = known_windows(scores)
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
    right = int((alarm_B == y_B).sum())
    accuracy = share(right, len(y_B))
    if any(len(one.cuts.start_B) > 1 for one in scores):
        accuracy |= {"low": np.nan, "high": np.nan}
    return {
        "windows": len(y_B),
        "anomalous": int(y_B.sum()),
        "unknown": sum(int((~one.cuts.known_B).sum()) for one in scores),
        "base_rate": float(ratio(y_B.sum(), len(y_B))),
        "pr_auc": pr_auc(score_B, y_B),
        "roc_auc": roc_auc(score_B, y_B),
        "confusion": {name: int(value) for name, value in counts._asdict().items()},
        "accuracy": accuracy,
        "report": {
            name: report[name] for name in (*CLASSES, "macro avg", "weighted avg")
        },
    }


def event_result(
    scores: Sequence[SeriesScores], outcome: DetectionOutcome
) -> EventResult:
    """Return how many anomalies were found, how soon, and at the price of how many false alarms.

    The counts are also by kind of anomaly, and by the record or the length of the series.
    """
    clocked = any(one.series.time_T is not None for one in scores)
    by_kind = {}
    for kind in sorted({event.anomaly.kind for event in outcome.events}):
        of_kind = [event for event in outcome.events if event.anomaly.kind == kind]
        by_kind[kind] = _counts(of_kind)
    members = defaultdict(set)
    for number, one in enumerate(scores):
        group = one.series.record if clocked else _length_class(len(one.series))
        members[group].add(number)
    by_group = {}
    for group in sorted(members, key=_order):
        by_group[group] = _group(members[group], scores, outcome)
    return {
        **_counts(outcome.events),
        "false_alarms": outcome.false,
        "alarms": len(outcome.episodes),
        "exposure": outcome.exposure,
        "exposure_unit": "week" if clocked else "steps",
        "false_rate": rate(outcome.false, outcome.exposure),
        "in_alarm": outcome.in_alarm,
        "chance": chance(outcome),
        "delay": _delay(outcome.events, scores),
        "by_kind": by_kind,
        "by_group": by_group,
    }


def _counts(events: Sequence[EventOutcome]) -> EventCounts:
    alarmed = sum(event.first_alarm is not None for event in events)
    return {
        "events": len(events),
        "found": alarmed,
        "recall": share(alarmed, len(events)),
    }


def _delay(events: Sequence[EventOutcome], scores: Sequence[SeriesScores]) -> Bounds:
    """Return the quartiles from the start of an anomaly to its first alarm being known.

    They are in hours, or in steps without a clock; nan where fewer than `FEWEST_FOUND` were found.
    """
    delays = []
    for event in events:
        if event.first_alarm is not None:
            seconds = scores[event.number].series.step_seconds or 3600
            delays.append((event.first_alarm - event.anomaly.start) * seconds / 3600)
    if len(delays) < FEWEST_FOUND:
        return UNDEFINED
    low, middle, high = np.quantile(delays, (0.25, 0.5, 0.75)).tolist()
    return {"value": middle, "low": low, "high": high}


def _group(
    members: Set[int], scores: Sequence[SeriesScores], outcome: DetectionOutcome
) -> GroupCounts:
    false_alarms = [e for e in outcome.episodes if e.number in members and not e.true]
    return {
        **_counts([event for event in outcome.events if event.number in members]),
        "series": len(members),
        "steps": sum(len(scores[number].series) for number in members),
        "false_alarms": len(false_alarms),
    }


def _length_class(steps: int) -> str:
    shortest = 1
    for limit in LENGTHS:
        if steps <= limit:
            return f"{shortest}-{limit}"
        shortest = limit + 1
    return f"{shortest}-"


def _order(group: str) -> tuple[int, str]:
    first = group.partition("-")[0]
    return (int(first), "") if first.isdigit() else (0, group)


def chance(outcome: DetectionOutcome) -> float:
    """Return the share of the anomalies that alarms at random moments would find.

    These alarms are as frequent and as long as the false ones. It is nan without anomalies.
    """
    if not outcome.events or outcome.exposure <= 0:
        return float("nan")
    lasting = outcome.false_time / max(outcome.false, 1)
    per_time = -outcome.false / outcome.exposure
    shares = [-np.expm1(per_time * (event.reach + lasting)) for event in outcome.events]
    return float(np.mean(shares))


def share(part: int, whole: int) -> Bounds:
    """Return a share with its exact (Clopper–Pearson) 95 % interval."""
    low, high = exact_interval(part, whole)
    return {"value": float(ratio(part, whole)), "low": low, "high": high}


def rate(count: int, exposure: float) -> Bounds:
    """Return events per unit of exposure with the exact 95 % interval of a Poisson count.

    Source: Garwood 1936. It is nan without exposure.

    >>> {name: round(value, 3) for name, value in rate(0, 2.0).items()}
    {'value': 0.0, 'low': 0.0, 'high': 1.844}
    """
    if exposure <= 0:
        return UNDEFINED
    low = float(chi2.ppf(0.025, 2 * count)) / 2 if count else 0.0
    high = float(chi2.ppf(0.975, 2 * count + 2)) / 2
    return {"value": count / exposure, "low": low / exposure, "high": high / exposure}


def recall_difference(
    one: DetectionOutcome, other: DetectionOutcome, *, seed: int
) -> dict[str, float | str] | None:
    """Return the share of anomalies found by one minus that of the other, with its interval.

    It is paired, by bootstrap over series; None for few series.
    """
    numbers = np.array([event.number for event in one.events])
    if len(set(numbers.tolist())) < FEWEST_SERIES:
        return None
    weights = unit_weights(numbers, seed=seed)
    recalls = []
    for outcome in (one, other):
        counts_B2 = np.array(
            [(event.first_alarm is not None, 1) for event in outcome.events]
        )
        counts_U2 = unit_sums(
            counts_B2, weights.unit_index_B, units=weights.w_RU.shape[1]
        )
        alarmed_U, events_U = counts_U2.T
        recalls.append(UnitRatio(alarmed_U, events_U).replicated(weights.w_RU))
    return paired_difference(*recalls)._asdict()
