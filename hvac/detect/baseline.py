"""The baseline: the robust z-score |x − median| / (1.4826 · MAD) of every step.

Two references: the window itself (`zscore_window`), and the training part of the same record
(`zscore_record`).

Legend: T steps, B windows, L window length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from hvac.detect.series import Series, of_part
from hvac.detect.sliding import SlidingConfig, SlidingWindows, join_scores, last_ended, raw_windows
from hvac.evaluation.metrics import ratio

Floats = npt.NDArray[np.float64]
MAD_TO_STD = 1.4826  # of a normal distribution


@dataclass(frozen=True, kw_only=True)
class WindowZScore:
    """Against the median and MAD of the window: needs no training."""

    windows: SlidingConfig
    name: str = "zscore_window"

    def window_scores(self, series: Series, found: SlidingWindows) -> Floats:
        """The highest score in each window; nan where too little of it was observed."""
        return _where_observed(self._scores(series, found).max(axis=1), found, self.windows)

    def step_scores(self, series: Series, found: SlidingWindows) -> Floats:
        """Mean over the windows that cover a step, or the score against the window that ended last."""
        if self.windows.join == "mean":
            return _mean_of_steps(self._scores(series, found), found, len(series), self.windows)
        centre_B1, spread_B1 = _centre_and_mad(
            raw_windows(series, found.start_B, self.windows.length)
        )
        ended_T = last_ended(found.start_B, len(series), self.windows.length)
        score_T = np.abs(series.value_T - centre_B1[ended_T, 0]) / spread_B1[ended_T, 0]
        return np.where(_judged(found, len(series), self.windows), score_T, np.nan)

    def _scores(self, series: Series, found: SlidingWindows) -> Floats:
        x_BL = raw_windows(series, found.start_B, self.windows.length)
        centre_B1, spread_B1 = _centre_and_mad(x_BL)
        return np.asarray(np.abs(x_BL - centre_B1) / spread_B1)


@dataclass(frozen=True, kw_only=True)
class RecordZScore:
    """Against the median and MAD of the record's training part."""

    windows: SlidingConfig
    fitted: Mapping[str, tuple[float, float]]
    name: str = "zscore_record"

    @classmethod
    def fit(cls, series: Sequence[Series], windows: SlidingConfig) -> RecordZScore:
        """Median and MAD of the observed, normal steps of every record's training part."""
        found = {}
        for each in of_part(series, "train"):
            normal_1T = each.value_T[None, each.observed_T & ~each.anomalous_T]
            centre, spread = (float(part[0, 0]) for part in _centre_and_mad(normal_1T))
            found[each.record] = (centre, spread)
        return cls(windows=windows, fitted=found)

    def window_scores(self, series: Series, found: SlidingWindows) -> Floats:
        """The highest score in each window; nan where too little of it was observed."""
        score_BL = sliding_window_view(self._scores(series), self.windows.length)[found.start_B]
        return _where_observed(score_BL.max(axis=1), found, self.windows)

    def step_scores(self, series: Series, found: SlidingWindows) -> Floats:
        """The score of every step that the other models judge too."""
        return np.where(_judged(found, len(series), self.windows), self._scores(series), np.nan)

    def _scores(self, series: Series) -> Floats:
        centre, spread = self.fitted[series.record]
        return np.asarray(np.abs(series.value_T - centre) / spread)


def _centre_and_mad(x_BL: Floats) -> tuple[Floats, Floats]:
    """Median, and MAD as a standard deviation (where it is 0: the std; where that is 0: 1), of
    every row.
    """
    centre_B1 = np.median(x_BL, axis=1, keepdims=True)
    spread_B1 = MAD_TO_STD * np.median(np.abs(x_BL - centre_B1), axis=1, keepdims=True)
    spread_B1 = np.where(spread_B1 > 0, spread_B1, x_BL.std(axis=1, keepdims=True))
    return centre_B1, np.where(spread_B1 > 0, spread_B1, 1.0)


def _where_observed(score_B: Floats, found: SlidingWindows, windows: SlidingConfig) -> Floats:
    return np.where(found.observed_B >= windows.least_observed, score_B, np.nan)


def _judged(found: SlidingWindows, steps: int, windows: SlidingConfig) -> npt.NDArray[np.bool_]:
    """Steps for which windows give a score at all."""
    zero_B = _where_observed(np.zeros(len(found.start_B)), found, windows)
    return np.isfinite(join_scores(zero_B, found.start_B, steps, windows))


def _mean_of_steps(
    score_BL: Floats, found: SlidingWindows, steps: int, windows: SlidingConfig
) -> Floats:
    used_B = found.observed_B >= windows.least_observed
    place_BL = found.start_B[used_B, None] + np.arange(score_BL.shape[1])
    total_T = np.bincount(place_BL.ravel(), score_BL[used_B].ravel(), minlength=steps)
    cover_T = np.bincount(place_BL.ravel(), minlength=steps)
    return ratio(total_T, cover_T)
