"""A bundle whose risks are bent by a line in log-odds, and whose alarms stay the same windows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import expit, logit

from hvac.certainty.certainty import Certainty
from hvac.decision.calibration import bent
from hvac.decision.decision import Decision
from hvac.decision.thresholds import Threshold
from hvac.json_values import Json, branch, listed
from hvac.scoring.bundle import Bundle
from hvac.update.bends import Bend
from hvac.update.threshold_steps import Step, moved_decision

STEERED_FROM = "steered_from"  # bundles with the same risks and earlier thresholds
FITTED_UNTIL = "fitted_until"
Line = tuple[float, float]  # slope and intercept


def same_risks(bundle: Bundle) -> tuple[str, ...]:
    """Return the ids of the bundles that give a bundle's risks: its own, and earlier thresholds'."""
    earlier = bundle.training.get(STEERED_FROM, [])
    return (*(str(name) for name in listed(earlier)), bundle.name)


def fitted_until(bundle: Bundle) -> int:
    """Return the day until which labels were known that an update was fitted on; -1 without one."""
    return int(str(bundle.training.get(FITTED_UNTIL, -1)))


def bent_bundle(bundle: Bundle, bend: Bend, note: str, fitted_until: int) -> Bundle:
    """Return a bundle with other risks: calibrators, thresholds and bands go along the line.

    Isotonic calibrators are bent at their points; between these risks differ from the line by some
    thousandths of log-odds.

    Args:
        bundle: what serves.
        bend: the line.
        note: why, kept in the bundle's facts about its training.
        fitted_until: day (since 1970-01-01) until which labels were known that it was fitted on.
    """
    about: Json = {str(horizon): at for horizon, at in bend.about.items()}
    line: list[Json] = [bend.slope, bend.intercept, about, note]
    training: dict[str, Json] = {
        **bundle.training,
        "update": line,
        FITTED_UNTIL: fitted_until,
    }
    training.pop(STEERED_FROM, None)  # those have other risks
    line_H = [bend.line(horizon) for horizon in bundle.horizons]
    certainty = bundle.certainty and _bent_certainty(bundle.certainty, line_H)
    return _other(
        bundle,
        decision=bent_decision(bundle.decision, line_H),
        certainty=certainty,
        training=training,
    )


def steered_bundle(bundle: Bundle, steps: Mapping[str, Step], day: dt.date) -> Bundle:
    """Return a bundle whose thresholds are moved, by facility; why is kept in it.

    Args:
        bundle: what serves.
        steps: of the facilities whose thresholds move.
        day: on which they do.
    """
    decision = bundle.decision
    moves: dict[str, Json] = {}
    for facility, step in steps.items():
        shift_H = [step.shift] * len(bundle.horizons)
        deciding = decision.facilities.get(facility, decision)
        before = deciding.threshold_H.tolist()
        decision = moved_decision(decision, facility, shift_H)
        after = decision.facilities[facility].threshold_H.tolist()
        moves[facility] = {
            "date": day.isoformat(),
            "before": before,
            "after": after,
            "why": step.why,
            "rate": step.rate_before,
            "declared": step.declared,
        }
    known = branch(bundle.training, "thresholds_moved")
    training: dict[str, Json] = {
        **bundle.training,
        "thresholds_moved": {**known, **moves},
        STEERED_FROM: list(same_risks(bundle)),
    }
    return _other(bundle, decision=decision, training=training)


def _other(bundle: Bundle, **parts: Any) -> Bundle:
    """Return a bundle with other parts, that is not yet saved."""
    changed = replace(bundle, **parts, folder=None, golden={}, manifest={})
    changed.__dict__["encoder"] = bundle.encoder
    return changed


def bent_decision(decision: Decision, line_H: Sequence[Line]) -> Decision:
    """Return a decision with bent risks, and thresholds at which the same windows alarm.

    Args:
        decision: what serves.
        line_H: slope and intercept by horizon.
    """
    calibrators = zip(decision.calibrators, line_H, strict=True)
    thresholds = zip(decision.thresholds, line_H, strict=True)
    return replace(
        decision,
        calibrators=tuple(bent(one, *line) for one, line in calibrators),
        thresholds=tuple(_bent_threshold(one, *line) for one, line in thresholds),
        facilities={
            name: bent_decision(of_facility, line_H)
            for name, of_facility in decision.facilities.items()
        },
    )


def _bent_threshold(threshold: Threshold, slope: float, intercept: float) -> Threshold:
    if not 0 < threshold.value < 1:
        return threshold
    moved = slope * logit(threshold.value) + intercept
    return threshold._replace(value=float(expit(moved)))


def _bent_certainty(certainty: Certainty, line_H: Sequence[Line]) -> Certainty:
    """Return bands about the bent risks: the draws of before, each bent like the risk itself.

    A draw s·L + i of a risk with log-odds L becomes s·L' + (a·i + b − s·b) of L' = a·L + b.
    """
    bands = certainty.bands
    slope_H, new_H = np.array(line_H).T
    intercept_DH = slope_H * bands.intercept_DH + new_H * (1 - bands.slope_DH)
    return certainty._replace(bands=bands._replace(intercept_DH=intercept_DH))
