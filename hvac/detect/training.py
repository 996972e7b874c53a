"""What the detector is trained on: windows of the training part, and anomalous copies.

The copies are made of its normal windows, where the configuration has `inject`. Legend: B windows,
C channels, L window length, H = 1: is the window anomalous?
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import Field

from hvac.arrays import Bools, Float32s, Floats
from hvac.config import Config
from hvac.detect.anomalies import AnomalyConfig, draw_anomalies, put
from hvac.detect.series import Series, of_part, reference_of
from hvac.detect.sliding import SlidingConfig, cut_series, raw_windows, shown
from hvac.errors import SplitError
from hvac.features.table import Windows
from hvac.models.fitting import FitState


class InjectConfig(Config):
    """Anomalies put into copies of normal training windows."""

    share: float = Field(default=0.5, gt=0, le=1)
    """Share of the normal training windows that get one anomalous copy each."""
    anomalies: AnomalyConfig = AnomalyConfig()
    """Which anomalies are put in."""


class Examples(NamedTuple):
    """Windows to learn from; `copied_B` marks the anomalous copies."""

    x_BCL: Float32s
    y_B: Bools
    copied_B: Bools

    @property
    def windows(self) -> Windows:
        """Return them as the model families take them."""
        return as_windows(self.x_BCL, self.y_B)

    @property
    def counts(self) -> dict[str, int]:
        """Return how many windows are normal, anomalous, and anomalous copies."""
        copies = int(self.copied_B.sum())
        return {
            "normal": int((~self.y_B).sum()),
            "anomalous": int(self.y_B.sum()) - copies,
            "made": copies,
        }


def as_windows(x_BCL: Float32s, y_B: Bools | None = None) -> Windows:
    """Return windows of series as the model families take them, with one label each."""
    y_BH = None if y_B is None else y_B[:, None]
    return Windows(
        keys=pa.table({"window": np.arange(len(x_BCL))}),
        observed_B=np.ones(len(x_BCL), dtype=np.float32),
        x_BCL=x_BCL,
        y_BH=y_BH,
        known_BH=None if y_BH is None else np.ones_like(y_BH),
    )


def training_examples(
    series: Sequence[Series],
    windows: SlidingConfig,
    inject: InjectConfig | None,
    seed: int,
) -> tuple[Examples, Examples]:
    """Return windows of the training part (with copies) and of the validation part (without).

    Raises:
        SplitError: if the training part has no anomalous or no normal window, or the validation
            part no window.
    """
    windows = windows.replace(stride=windows.train_stride or windows.stride)
    train = _examples(of_part(series, "train"), windows, inject, seed)
    validation = _examples(of_part(series, "validation"), windows, None, seed)
    if not train.y_B.any():
        raise SplitError(
            "the training part has no anomalous window to learn from: let it reach further, or add"
            " an 'inject' section that puts made anomalies into copies of its normal windows"
        )
    if train.y_B.all():
        raise SplitError(
            "the training part has no normal window to learn from: let it reach further"
        )
    if not len(validation.y_B):
        raise SplitError(
            "the validation part has no window to choose the epoch on: give it a longer stretch"
        )
    return train, validation


def _examples(
    series: Sequence[Series],
    windows: SlidingConfig,
    inject: InjectConfig | None,
    seed: int,
) -> Examples:
    none_B = np.zeros(0, dtype=np.bool_)
    shape = (0, len(windows.channels), windows.length)
    none_BCL = np.empty(shape, dtype=np.float32)
    parts = [Examples(none_BCL, none_B, none_B)]
    for number, one in enumerate(series):
        cuts = cut_series(one, windows)
        y_B = cuts.y_B[cuts.known_B]
        x_BL = raw_windows(one.value_T, cuts.start_B[cuts.known_B], windows.length)
        parts.append(Examples(shown(x_BL, one, windows), y_B, np.zeros_like(y_B)))
        if inject:
            rng = np.random.default_rng((seed, number))
            copy_BL = _copies(x_BL[~y_B], one, inject, rng)
            copied_B = np.ones(len(copy_BL), dtype=np.bool_)
            parts.append(Examples(shown(copy_BL, one, windows), copied_B, copied_B))
    return Examples(*map(np.concatenate, zip(*parts, strict=True)))


def _copies(
    x_BL: Floats, series: Series, inject: InjectConfig, rng: np.random.Generator
) -> Floats:
    chosen_BL = x_BL[rng.random(len(x_BL)) < inject.share]
    reference = series.reference or reference_of(series.value_T)
    length = x_BL.shape[1]
    copies = []
    for x_L in chosen_BL:
        anomaly = draw_anomalies(inject.anomalies, length, rng)
        copies.append(put(x_L, anomaly, reference, rng))
    return np.array(copies).reshape(-1, length)


def settle_tie(state: FitState) -> None:
    """Keep, of epochs with the same validation PR-AUC, the one with the lowest validation loss.

    The training loop keeps the first, which on easy series is one that ranks perfectly but is sure
    of nothing.
    """
    rows = state.history_H[0]
    kept = rows[state.best_epoch[0] - 1]
    last = rows[-1]
    if (
        last["tune_pr_auc"] == kept["tune_pr_auc"]
        and last["tune_loss"] < kept["tune_loss"]
    ):
        state.best = [dict(state.module)]
        state.best_epoch = [state.epoch]
