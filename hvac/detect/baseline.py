"""The baselines: the robust z-score |x − median| / (1.4826 · MAD) of every step.

There are two references: the window itself (`zscore_window`), and the training part of the same
record (`zscore_record`). Legend: T steps, B windows, L window length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from hvac.arrays import Bools, Floats
from hvac.detect.series import Series, of_part
from hvac.detect.sliding import SlidingConfig, SlidingWindows, join_scores, last_ended, raw_windows
from hvac.evaluation.metrics import ratio

MAD_TO_STD = 1.4826  # of a normal distribution


@dataclass(frozen=True, kw_only=True)
class WindowZScore:
    """Z-score against the median and MAD of the window; it needs no training."""

    windows: SlidingConfig
    name: str = "zscore_window"

    def window_scores(self, series: Series, cuts: SlidingWindows) -> Floats:
        """Return the highest score in each window; nan where too little of it was observed."""
        highest_B = self._scores(series, cuts).max(axis=1)
        return _where_observed(highest_B, cuts, self.windows)

    def step_scores(self, series: Series, cuts: SlidingWindows) -> Floats:
        """Return a score per step: the mean over its windows, or that of the last ended window."""
        steps = len(series)
        if self.windows.join == "mean":
            return _mean_of_steps(self._scores(series, cuts), cuts, steps, self.windows)
        x_BL = raw_windows(series, cuts.start_B, self.windows.length)
        centre_B1, spread_B1 = _centre_and_mad(x_BL)
        ended_T = last_ended(cuts.start_B, steps, self.windows.length)
        distance_T = np.abs(series.value_T - centre_B1[ended_T, 0])
        score_T = distance_T / spread_B1[ended_T, 0]
        scored_T = _scored_steps(cuts, steps, self.windows)
        return np.where(scored_T, score_T, np.nan)

    def _scores(self, series: Series, cuts: SlidingWindows) -> Floats:
        x_BL = raw_windows(series, cuts.start_B, self.windows.length)
        centre_B1, spread_B1 = _centre_and_mad(x_BL)
        return np.asarray(np.abs(x_BL - centre_B1) / spread_B1)


@dataclass(frozen=True, kw_only=True)
class RecordZScore:
    """Z-score against the median and MAD of the record's training part."""

    windows: SlidingConfig
    fitted: Mapping[str, tuple[float, float]]
    name: str = "zscore_record"

    @classmethod
    def fit(cls, series: Sequence[Series], windows: SlidingConfig) -> RecordZScore:
        """Take median and MAD of the observed, normal steps of every record's training part."""
        fitted = {}
        for part in of_part(series, "train"):
            normal_T = part.value_T[part.observed_T & ~part.anomalous_T]
            centre_11, spread_11 = _centre_and_mad(normal_T[None])
            centre = float(centre_11[0, 0])
            spread = float(spread_11[0, 0])
            fitted[part.record] = (centre, spread)
        return cls(windows=windows, fitted=fitted)

    def window_scores(self, series: Series, cuts: SlidingWindows) -> Floats:
        """Return the highest score in each window; nan where too little of it was observed."""
        windows_TL = sliding_window_view(self._scores(series), self.windows.length)
        score_BL = windows_TL[cuts.start_B]
        return _where_observed(score_BL.max(axis=1), cuts, self.windows)

    def step_scores(self, series: Series, cuts: SlidingWindows) -> Floats:
        """Return the score of every step that windows give a score; nan for the others."""
        scored_T = _scored_steps(cuts, len(series), self.windows)
        return np.where(scored_T, self._scores(series), np.nan)

    def _scores(self, series: Series) -> Floats:
        centre, spread = self.fitted[series.record]
        return np.asarray(np.abs(series.value_T - centre) / spread)


def _centre_and_mad(x_BL: Floats) -> tuple[Floats, Floats]:
    """Return the median, and the MAD as a standard deviation, of every row.

    Where the MAD is 0 it is the std; where that is 0 too, 1.
    """
    centre_B1 = np.median(x_BL, axis=1, keepdims=True)
    distance_BL = np.abs(x_BL - centre_B1)
    spread_B1 = MAD_TO_STD * np.median(distance_BL, axis=1, keepdims=True)
    std_B1 = x_BL.std(axis=1, keepdims=True)
    spread_B1 = np.where(spread_B1 > 0, spread_B1, std_B1)
    return centre_B1, np.where(spread_B1 > 0, spread_B1, 1.0)


def _where_observed(score_B: Floats, cuts: SlidingWindows, windows: SlidingConfig) -> Floats:
    return np.where(cuts.observed_B >= windows.least_observed, score_B, np.nan)


def _scored_steps(cuts: SlidingWindows, steps: int, windows: SlidingConfig) -> Bools:
    """Tell for which steps windows give a score at all."""
    zero_B = _where_observed(np.zeros(len(cuts.start_B)), cuts, windows)
    return np.isfinite(join_scores(zero_B, cuts.start_B, steps, windows))


def _mean_of_steps(
    score_BL: Floats, cuts: SlidingWindows, steps: int, windows: SlidingConfig
) -> Floats:
    used_B = cuts.observed_B >= windows.least_observed
    place_BL = cuts.start_B[used_B, None] + np.arange(score_BL.shape[1])
    total_T = np.bincount(place_BL.ravel(), score_BL[used_B].ravel(), minlength=steps)
    cover_T = np.bincount(place_BL.ravel(), minlength=steps)
    return ratio(total_T, cover_T)
