"""Scores (logits) into probabilities: isotonic, Platt, or a mere shift.

Shapes: B windows, K breakpoints, H horizons.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypedDict

import numpy as np
from scipy.special import expit, logit

from hvac.arrays import AnyFloats, Floats
from hvac.errors import BundleError

Method = Literal["isotonic", "platt", "shift"]

RISK_FLOOR = 1e-6
# share of the plain sigmoid mixed into isotonic risks: ranks flat stretches, moves no risk by more
TIE_BREAK = 1e-4


class StoredCalibrator(TypedDict):
    """A `Calibrator` as JSON holds it."""

    method: Method
    slope: float
    intercept: float
    score_K: list[float]
    risk_K: list[float]


@dataclass(frozen=True, kw_only=True)
class Calibrator:
    """Monotone map from score (logit) to risk; plain numbers, so a bundle keeps it as JSON.

    `platt` and `shift`: sigmoid(slope * score + intercept). `isotonic`: linear between `score_K`
    and `risk_K`, the centres of the isotonic blocks.
    """

    method: Method
    slope: float = 1.0
    intercept: float = 0.0
    score_K: tuple[float, ...] = ()
    risk_K: tuple[float, ...] = ()

    def transform(self, score_B: AnyFloats) -> Floats:
        """Return the risk per window, never falling with the score; a nan score gives nan.

        It lies inside [1e-6, 1 - 1e-6].

        >>> Calibrator(method="shift", intercept=0.0).transform(np.array([0.0, 100.0])).tolist()
        [0.5, 0.999999]
        """
        logit_B: Floats = np.asarray(score_B, np.float64)
        if self.method == "isotonic":
            risk_B = (1 - TIE_BREAK) * _interpolate(
                logit_B, self.score_K, self.risk_K
            ) + TIE_BREAK * expit(logit_B)
        else:
            risk_B = expit(self.slope * logit_B + self.intercept)
        clipped_B: Floats = np.clip(risk_B, RISK_FLOOR, 1 - RISK_FLOOR)
        return clipped_B

    def to_json(self) -> StoredCalibrator:
        """Return a mapping of plain numbers and lists.

        >>> Calibrator(method="shift", intercept=-2.0).to_json()
        {'method': 'shift', 'slope': 1.0, 'intercept': -2.0, 'score_K': [], 'risk_K': []}
        """
        return {
            "method": self.method,
            "slope": self.slope,
            "intercept": self.intercept,
            "score_K": list(self.score_K),
            "risk_K": list(self.risk_K),
        }

    @classmethod
    def from_json(cls, stored: StoredCalibrator) -> Calibrator:
        """Read the calibrator that `to_json` wrote.

        Raises:
            BundleError: if it is not one.
        """
        try:
            calibrator = cls(
                method=stored["method"],
                slope=float(stored["slope"]),
                intercept=float(stored["intercept"]),
                score_K=tuple(map(float, stored["score_K"])),
                risk_K=tuple(map(float, stored["risk_K"])),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(
                f"calibrator in the bundle is damaged: {error!r} in {str(stored)[:80]}"
            ) from error
        _check(calibrator)
        return calibrator


def _check(calibrator: Calibrator) -> None:
    if calibrator.method not in ("isotonic", "platt", "shift"):
        raise BundleError(
            f"calibrator: expected isotonic, platt or shift, found {calibrator.method!r}"
        )
    finite = np.all(np.isfinite([calibrator.slope, calibrator.intercept]))
    if not finite or calibrator.slope < 0:
        raise BundleError(
            "calibrator: expected a finite slope >= 0, found"
            f" {calibrator.slope}, {calibrator.intercept}"
        )
    if calibrator.method == "isotonic" and not _is_rising(
        calibrator.score_K, calibrator.risk_K
    ):
        raise BundleError(
            "calibrator: expected at least two isotonic breakpoints, scores and risks rising"
        )


def _is_rising(score_K: tuple[float, ...], risk_K: tuple[float, ...]) -> bool:
    same_length = len(score_K) == len(risk_K) >= 2
    if not same_length:
        return False
    scores_rise = np.all(np.diff(score_K) > 0)
    risks_never_fall = np.all(np.diff(risk_K) >= 0)
    return bool(scores_rise and risks_never_fall)


def bent(calibrator: Calibrator, slope: float, intercept: float) -> Calibrator:
    """Return the calibrator whose log-odds are slope · (those of this one) + intercept.

    Isotonic breakpoints move one by one.

    >>> bent(Calibrator(method="platt", slope=2.0, intercept=-1.0), 1.0, 0.5).intercept
    -0.5
    """
    if (slope, intercept) == (1.0, 0.0):
        return calibrator
    if calibrator.method != "isotonic":
        return replace(
            calibrator,
            method="platt" if slope != 1.0 else calibrator.method,
            slope=calibrator.slope * slope,
            intercept=calibrator.intercept * slope + intercept,
        )
    odds_K = logit(np.clip(calibrator.risk_K, RISK_FLOOR, 1 - RISK_FLOOR))
    return replace(calibrator, risk_K=tuple(expit(slope * odds_K + intercept).tolist()))


def running_maximum(risk_BH: Floats) -> Floats:
    """Return risks that never fall with the horizon: an onset within 30 days is one within 60.

    Leading axes are kept.

    >>> running_maximum(np.array([[0.2, 0.1, 0.3]])).tolist()
    [[0.2, 0.2, 0.3]]
    """
    return np.maximum.accumulate(risk_BH, axis=-1)


def _interpolate(
    score_B: Floats, score_K: tuple[float, ...], risk_K: tuple[float, ...]
) -> Floats:
    """Interpolate linearly between breakpoints, flat outside.

    Values are clipped to their segment, so rounding cannot break monotony.
    """
    x_K = np.array(score_K)
    r_K = np.array(risk_K)
    left_B = np.searchsorted(x_K, score_B, side="right") - 1
    k_B = np.clip(left_B, 0, len(x_K) - 2)
    width_B = x_K[k_B + 1] - x_K[k_B]
    part_B = np.clip((score_B - x_K[k_B]) / width_B, 0, 1)
    inside_B: Floats = np.clip(
        r_K[k_B] + part_B * (r_K[k_B + 1] - r_K[k_B]), r_K[k_B], r_K[k_B + 1]
    )
    return inside_B
