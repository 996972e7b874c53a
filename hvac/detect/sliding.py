"""Sliding windows: a series cut into overlapping windows, and their scores joined to steps.

Legend: T steps of a series, B windows, C channels, L window length.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from pydantic import Field

from hvac.arrays import Bools, Float32s, Floats, Ints
from hvac.config import Config
from hvac.detect.series import Series, references
from hvac.errors import ConfigError, InputError
from hvac.evaluation.metrics import ratio

Channel = Literal["raw", "window", "record"]
Join = Literal["mean", "last"]


class SlidingConfig(Config):
    """How a series is cut, what a window shows, and how window scores are joined."""

    length: int = Field(default=100, ge=8)
    """Length of a window in steps."""
    stride: int = Field(default=10, ge=1)
    """Steps from the start of one window to that of the next."""
    train_stride: int | None = Field(default=None, ge=1)
    """The stride of windows for training; None: `stride`."""
    channels: tuple[Channel, ...] = Field(default=("raw",), min_length=1)
    """Values as they are (`raw`), or relative to the `window` or the `record`'s training part."""
    join: Join = "mean"
    """A step's score: the `mean` of the windows that cover it, or that of the `last` ended one."""
    overlap: float = Field(default=0.5, gt=0, le=1)
    """Share of an anomaly (at most of a window) that makes a window anomalous; less: unknown."""
    least_observed: float = Field(default=0.5, ge=0, le=1)
    """Windows of which a smaller share was observed are not scored."""


class SlidingWindows(NamedTuple):
    """Windows of one series: first step, whether enough was observed, anomalous, label known."""

    start_B: Ints
    scored_B: Bools
    y_B: Bools
    known_B: Bools


def cut_series(series: Series, config: SlidingConfig) -> SlidingWindows:
    """Cut windows every `stride` steps and one at the end, so that every step is covered.

    Raises:
        InputError: if the series is shorter than a window.
    """
    if len(series) < config.length:
        raise InputError(
            f"series '{series.record}' ({series.part}) has {len(series)} steps, a window needs"
            f" {config.length}: give a longer stretch or set a smaller windows.length"
        )
    last = len(series) - config.length
    regular_B = np.arange(0, last + 1, config.stride)
    start_B = np.unique(np.append(regular_B, last))
    before_T = np.concatenate([[0], np.cumsum(series.observed_T)])
    observed_B = (before_T[start_B + config.length] - before_T[start_B]) / config.length
    scored_B = observed_B >= config.least_observed
    y_B, known_B = _labels(series, start_B, config)
    return SlidingWindows(start_B, scored_B, y_B, known_B & scored_B)


def _labels(
    series: Series, start_B: Ints, config: SlidingConfig
) -> tuple[Bools, Bools]:
    """Tell which windows are anomalous, and for which that is known."""
    y_B = np.zeros(len(start_B), dtype=np.bool_)
    touched_B = np.zeros(len(start_B), dtype=np.bool_)
    end_B = start_B + config.length
    for anomaly in series.anomalies:
        shared_B = np.minimum(end_B, anomaly.end) - np.maximum(start_B, anomaly.start)
        y_B |= shared_B >= config.overlap * min(
            anomaly.end - anomaly.start, config.length
        )
        touched_B |= shared_B > 0
    return y_B, y_B | ~touched_B


def raw_windows(value_T: Floats, start_B: Ints, length: int) -> Floats:
    """Return the values of windows as they are: x_BL."""
    return np.asarray(sliding_window_view(value_T, length)[start_B])


def shown(x_BL: Floats, series: Series, config: SlidingConfig) -> Float32s:
    """Return what windows of a series show, channel by channel: x_BCL.

    Raises:
        ConfigError: if `channels` names the record, of which no training part is known.
    """
    channels = [_channel(x_BL, channel, series) for channel in config.channels]
    return np.ascontiguousarray(np.stack(channels, axis=1), dtype=np.float32)


def _channel(x_BL: Floats, channel: Channel, series: Series) -> Floats:
    if channel == "raw":
        return x_BL
    if channel == "window":
        centre_B1, spread_B1 = references(x_BL)
        return np.asarray((x_BL - centre_B1) / spread_B1)
    if series.reference is None:
        raise ConfigError(
            f"windows.channels: 'record' needs a training part of record '{series.record}', which"
            " it does not have: use 'window'"
        )
    return (x_BL - series.reference.centre) / series.reference.spread


def join_scores(
    score_B: Floats, start_B: Ints, steps: int, config: SlidingConfig
) -> Floats:
    """Join window scores to a score per step.

    Windows with a nan score are left out; a step without a score from a window is nan.

    >>> config = SlidingConfig(length=8, stride=4)
    >>> join_scores(np.array([0.0, 1.0]), np.array([0, 4]), 12, config).tolist()
    [0.0, 0.0, 0.0, 0.0, 0.5, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0]
    >>> last = config.replace(join="last")
    >>> join_scores(np.array([0.0, 1.0]), np.array([0, 4]), 12, last)[6:].tolist()
    [nan, 0.0, 0.0, 0.0, 0.0, 1.0]
    """
    scored_B = np.isfinite(score_B)
    score_B = score_B[scored_B]
    start_B = start_B[scored_B]
    if config.join == "mean":
        total_T = _spread(score_B, start_B, steps, config.length)
        cover_T = _spread(score_B**0, start_B, steps, config.length)
        return ratio(total_T, cover_T)
    ended_T = last_ended(start_B, steps, config.length)
    score_T = np.append(score_B, np.nan)[ended_T]
    return np.where(ended_T >= 0, score_T, np.nan)


def _spread(weight_B: Floats, start_B: Ints, steps: int, length: int) -> Floats:
    change_T = np.zeros(steps + 1)
    np.add.at(change_T, start_B, weight_B)
    np.add.at(change_T, start_B + length, -weight_B)
    return np.asarray(np.cumsum(change_T)[:steps])


def last_ended(start_B: Ints, steps: int, length: int) -> Ints:
    """Return per step the window that ended last, at this step or before it; −1 without one."""
    last_B = start_B + length - 1
    return np.searchsorted(last_B, np.arange(steps), side="right") - 1


def known_at(step_N: Ints, series_steps: int, config: SlidingConfig) -> Ints:
    """Return the step at which the joined score of a step is complete.

    That is when the last window that covers it has ended.
    """
    if config.join == "last":
        return step_N
    return np.minimum(step_N + config.length - 1, series_steps - 1)
