"""Facts of decisions for metrics.json: thresholds by class, and departures of facilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from hvac.decision.decision import Decision, StoredDecision
from hvac.decision.thresholds import StoredThreshold
from hvac.evaluation.compared_windows import EvaluationSet

Decisions = Mapping[str, StoredDecision]  # by class


class ThresholdFacts(TypedDict):
    """The thresholds of one model at one horizon: their mean over windows, and each class's."""

    value: float
    policy: str
    note: str
    by_class: dict[str, StoredThreshold]
    units_with_event: dict[str, int]


class DepartureCount(TypedDict):
    """How many of a facility's classes and horizons depart from their class."""

    own: int
    of: int


def threshold_facts(
    windows: EvaluationSet, decisions: Mapping[str, Decisions]
) -> dict[str, dict[str, ThresholdFacts]]:
    """Return the thresholds of every model by horizon.

    `by_class` holds each class's, `value` their mean over windows, `units_with_event` the units
    behind them.
    """
    facts: dict[str, dict[str, ThresholdFacts]] = {}
    for model, by_class in decisions.items():
        mean_H = windows.risks[model].threshold_BH.mean(axis=0)
        facts[model] = {
            str(horizon): _horizon_facts(by_class, i, float(mean_H[i]))
            for i, horizon in enumerate(windows.horizons)
        }
    return facts


def _horizon_facts(decisions: Decisions, i: int, mean: float) -> ThresholdFacts:
    thresholds = {
        name: decision["thresholds"][i] for name, decision in sorted(decisions.items())
    }
    units = {
        name: decision["units_with_event"][i]
        for name, decision in sorted(decisions.items())
        if decision.get("units_with_event")
    }
    notes = sorted(
        {threshold["note"] for threshold in thresholds.values() if threshold["note"]}
    )
    return {
        "value": mean,
        "policy": next(iter(thresholds.values()))["policy"],
        "note": "; ".join(notes),
        "by_class": thresholds,
        "units_with_event": units,
    }


def facility_facts(
    windows: EvaluationSet, decisions: Decisions
) -> dict[str, dict[str, DepartureCount]]:
    """Count for every facility the classes and horizons of which it has its own decision.

    `own` of `of`, for calibration and for thresholds.
    """
    places = zip(
        *(windows.windows.column(name) for name in ("facility_id", "class")),
        strict=True,
    )
    facts: dict[str, dict[str, DepartureCount]] = {}
    for facility, class_name in sorted(set(places)):
        row = facts.setdefault(facility, {})
        departures = Decision.from_json(decisions[class_name]).own(facility)
        for part, flags in zip(("calibration", "thresholds"), departures, strict=True):
            counts = row.setdefault(part, {"own": 0, "of": 0})
            counts["own"] += sum(flags)
            counts["of"] += len(flags)
    return facts
