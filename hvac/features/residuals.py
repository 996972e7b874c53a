"""Residuals: how far each point lies from what the unit's other points predict.

Where a machine runs under several regimes (load, season, set points) the level of one point means
something only beside the others. Every point is predicted by a ridge regression on the unit's other
points, fitted on its own reference days.

Legend: U units, C points, T days of the grids. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Self

import numpy as np

from hvac.arrays import AnyArray, DayNumbers, Floats
from hvac.compiled import compiled
from hvac.days import NEVER
from hvac.panel.daily_readings import ALWAYS_KNOWN
from hvac.panel.grid import Panel
from hvac.panel.windows import BASELINE_DAYS, Scale

RIDGE: Final = 0.1  # added to the variances of normalised points
CLIP: Final = 10.0  # normalised values beyond it weigh no more in the fit
LEAST_DAYS: Final = 30
# after the first point's baseline: not all are ready on the same day
GRACE_DAYS: Final = 14
# of a point's usual spread: exact predictions do not blow residuals up
SMALLEST: Final = 0.05


class ResidualFit(NamedTuple):
    """How the points of units go together, fitted on their reference days.

    Points minus `centre_UC`, times `weight_UCC`, over `spread_UC` are residuals; a point is silent
    before `ready_UC` (`hvac.days.NEVER`: it takes no part).
    """

    centre_UC: Floats
    weight_UCC: Floats
    spread_UC: Floats
    ready_UC: DayNumbers

    @classmethod
    def of(cls, panels: Sequence[Panel], scales: Sequence[Scale]) -> Self:
        """Fit every unit."""
        fits = [_fit(panel, scale) for panel, scale in zip(panels, scales, strict=True)]
        return cls(*map(np.stack, zip(*fits, strict=True)))

    def take(self, rows: AnyArray) -> Self:
        """Return the fits of some units."""
        parts: list[Any] = [part[rows] for part in self]
        return type(self)(*parts)


def _fit(panel: Panel, scale: Scale) -> tuple[Floats, Floats, Floats, DayNumbers]:
    """Fit one unit.

    The reference days end 14 days after the first point has its baseline (and not before 90 days of
    record). Points that have theirs by then take part; nothing later enters the fit, and a point
    that joins later has no residual. There is none where one point or under 30 reference days are
    left.
    """
    points = len(panel.points)
    centre_C, weight_CC, spread_C = (
        np.zeros(points),
        np.zeros((points, points)),
        np.ones(points),
    )
    ready_C = np.full(points, NEVER, dtype=np.int32)
    first_ready = max(int(scale.ready_C.min()), panel.first_day + BASELINE_DAYS - 1)
    ready = min(first_ready + GRACE_DAYS, NEVER)
    usable_C = scale.ready_C <= min(ready, NEVER - 1)
    days = max(ready - panel.first_day + 1, 0)
    with np.errstate(invalid="ignore"):
        normal_TC = (panel.value_TC[:days] - scale.centre_TC[:days]) / scale.spread_TC[
            :days
        ]
        x_TC = np.clip(normal_TC, -CLIP, CLIP)[:, usable_C]
    early_TC = np.isfinite(x_TC) & (panel.known_TC[:days, usable_C] <= ready)
    reference_T = early_TC.any(axis=1)
    if usable_C.sum() < 2 or reference_T.sum() < LEAST_DAYS:
        return centre_C, weight_CC, spread_C, ready_C
    reference_TC = np.where(early_TC, x_TC, 0.0)[reference_T]
    mean_C = reference_TC.mean(axis=0)
    used_CC = _weights(reference_TC - mean_C)
    left_TC = (reference_TC - mean_C) @ used_CC
    centre_C[usable_C] = mean_C
    weight_CC[np.ix_(usable_C, usable_C)] = used_CC
    spread_C[usable_C] = np.maximum(left_TC.std(axis=0), SMALLEST)
    ready_C[usable_C] = ready
    return centre_C, weight_CC, spread_C, ready_C


def residuals(normal_UCT: Floats, fit: ResidualFit) -> Floats:
    """Subtract from each normalised point what the unit's other points predict for the same day.

    Missing points count as usual (0) in a prediction; the residual of a point that was not read, or
    takes no part, is nan.

    Returns:
        In units of a point's residuals on the reference days: [U, C, T].
    """
    residual_UCT = np.full(normal_UCT.shape, np.nan)
    _residuals(normal_UCT, *fit, residual_UCT)
    return residual_UCT


def known_together(normal_UCT: Floats, known_UCT: DayNumbers) -> DayNumbers:
    """Return the day on which all points of a day were known, as residuals rest on all of them.

    It is that of every point: [U, C, T].
    """
    read_known_UCT = np.where(np.isfinite(normal_UCT), known_UCT, ALWAYS_KNOWN)
    known_U1T = read_known_UCT.max(axis=1, keepdims=True)
    return np.ascontiguousarray(np.broadcast_to(known_U1T, known_UCT.shape))


@compiled
def _residuals(
    normal_UCT: Floats,
    centre_UC: Floats,
    weight_UCC: Floats,
    spread_UC: Floats,
    ready_UC: DayNumbers,
    residual_UCT: Floats,
) -> None:
    units, points, days = normal_UCT.shape
    for u in range(units):
        for c in range(points):
            if ready_UC[u, c] == NEVER:
                continue
            for t in range(days):
                if not np.isfinite(normal_UCT[u, c, t]):
                    continue
                total = 0.0
                for other in range(points):
                    value = normal_UCT[u, other, t]
                    near = min(max(value, -CLIP), CLIP) if np.isfinite(value) else 0.0
                    total += (near - centre_UC[u, other]) * weight_UCC[u, other, c]
                residual_UCT[u, c, t] = total / spread_UC[u, c]


def _weights(centred_TC: Floats) -> Floats:
    """Return the matrix [C, C] that turns centred points into residuals.

    It comes from one inverse of their ridged covariance.
    """
    covariance_CC = centred_TC.T @ centred_TC / len(centred_TC)
    gram_CC = covariance_CC + RIDGE * np.eye(centred_TC.shape[1])
    precision_CC = np.linalg.inv(gram_CC)
    return np.asarray(precision_CC / np.diag(precision_CC))
