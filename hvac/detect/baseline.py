"""The baselines: the robust z-score |x − median| / (1.4826 · MAD) of every step.

There are two references: the window itself (`zscore_window`), and the training part of the same
record (`zscore_record`). Legend: T steps, B windows, L window length.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hvac.arrays import Bools, Floats
from hvac.detect.series import Series, of_part, positive_spread
from hvac.detect.sliding import (
    SlidingConfig,
    SlidingWindows,
    join_scores,
    last_ended,
    raw_windows,
)
from hvac.evaluation.metrics import ratio

MAD_TO_STD = 1.4826  # of a normal distribution


@dataclass(frozen=True, kw_only=True)
class _ZScore(ABC):
    """What both baselines share."""

    windows: SlidingConfig

    def window_scores(self, series: Series, cuts: SlidingWindows) -> Floats:
        """Return the highest score in each window; nan where too little of it was observed."""
        highest_B = self._scores(series, cuts).max(axis=1)
        return np.where(cuts.scored_B, highest_B, np.nan)

    @abstractmethod
    def _scores(self, series: Series, cuts: SlidingWindows) -> Floats:
        """Return the score of every step of every window: [B, L]."""

    def _scored_steps(self, steps: int, cuts: SlidingWindows) -> Bools:
        """Tell for which steps windows give a score at all."""
        zero_B = np.where(cuts.scored_B, 0.0, np.nan)
        return np.isfinite(join_scores(zero_B, cuts.start_B, steps, self.windows))


@dataclass(frozen=True, kw_only=True)
class WindowZScore(_ZScore):
    """Z-score against the median and MAD of the window; it needs no training."""

    name: str = "zscore_window"

    def step_scores(self, series: Series, cuts: SlidingWindows) -> Floats:
        """Return a score per step: the mean over its windows, or that of the last ended window."""
        steps = len(series)
        if self.windows.join == "mean":
            return _mean_of_steps(self._scores(series, cuts), cuts, steps)
        x_BL = raw_windows(series.value_T, cuts.start_B, self.windows.length)
        centre_B1, spread_B1 = _centre_and_mad(x_BL)
        ended_T = last_ended(cuts.start_B, steps, self.windows.length)
        score_T = np.abs(series.value_T - centre_B1[ended_T, 0]) / spread_B1[ended_T, 0]
        return np.where(self._scored_steps(steps, cuts), score_T, np.nan)

    def _scores(self, series: Series, cuts: SlidingWindows) -> Floats:
        x_BL = raw_windows(series.value_T, cuts.start_B, self.windows.length)
        centre_B1, spread_B1 = _centre_and_mad(x_BL)
        return np.asarray(np.abs(x_BL - centre_B1) / spread_B1)


@dataclass(frozen=True, kw_only=True)
class RecordZScore(_ZScore):
    """Z-score against the median and MAD of the record's training part."""

    fitted: Mapping[str, tuple[float, float]]
    name: str = "zscore_record"

    @classmethod
    def fit(cls, series: Sequence[Series], windows: SlidingConfig) -> RecordZScore:
        """Take median and MAD of the observed, normal steps of every record's training part."""
        fitted = {}
        for part in of_part(series, "train"):
            normal_T = part.value_T[part.observed_T & ~part.anomalous_T]
            centre_11, spread_11 = _centre_and_mad(normal_T[None])
            fitted[part.record] = (centre_11.item(), spread_11.item())
        return cls(windows=windows, fitted=fitted)

    def step_scores(self, series: Series, cuts: SlidingWindows) -> Floats:
        """Return the score of every step that windows give a score; nan for the others."""
        scored_T = self._scored_steps(len(series), cuts)
        return np.where(scored_T, self._of_steps(series), np.nan)

    def _scores(self, series: Series, cuts: SlidingWindows) -> Floats:
        return raw_windows(self._of_steps(series), cuts.start_B, self.windows.length)

    def _of_steps(self, series: Series) -> Floats:
        centre, spread = self.fitted[series.record]
        return np.asarray(np.abs(series.value_T - centre) / spread)


def _centre_and_mad(x_BL: Floats) -> tuple[Floats, Floats]:
    """Return the median, and the MAD as a standard deviation, of every row.

    Where the MAD is 0 it is the std; where that is 0 too, 1.
    """
    centre_B1 = np.median(x_BL, axis=1, keepdims=True)
    distance_BL = np.abs(x_BL - centre_B1)
    spread_B1 = MAD_TO_STD * np.median(distance_BL, axis=1, keepdims=True)
    return centre_B1, positive_spread(spread_B1, x_BL)


def _mean_of_steps(score_BL: Floats, cuts: SlidingWindows, steps: int) -> Floats:
    place_BL = cuts.start_B[cuts.scored_B, None] + np.arange(score_BL.shape[1])
    total_T = np.bincount(
        place_BL.ravel(), score_BL[cuts.scored_B].ravel(), minlength=steps
    )
    cover_T = np.bincount(place_BL.ravel(), minlength=steps)
    return ratio(total_T, cover_T)
