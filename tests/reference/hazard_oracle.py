"""The discrete-time hazard likelihood, one window and one interval at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence


def hazard(logit: float) -> float:
    return (
        1 / (1 + math.exp(-logit))
        if logit >= 0
        else math.exp(logit) / (1 + math.exp(logit))
    )


def risks(logits: Sequence[float]) -> list[float]:
    """Risk of an onset up to the end of each interval."""
    survival, found = 1.0, []
    for logit in logits:
        survival *= 1 - hazard(logit)
        found.append(1 - survival)
    return found


def log_likelihood(
    logits: Sequence[float], onset: Sequence[bool], followed: Sequence[bool]
) -> float:
    """Of one window: it is followed until its onset, or until its follow-up ends.

    Args:
        onset: whether an onset lies up to the end of each interval.
        followed: whether the label of each interval is known.
    """
    total = 0.0
    for logit, happened, known in zip(logits, onset, followed, strict=True):
        if not known:
            break
        if happened:
            return total + math.log(hazard(logit))
        total += math.log(1 - hazard(logit))
    return total
