"""What the detector is trained on: windows of the training part, and anomalous copies of its normal
ones where asked.

Legend: B windows, C channels, L window length, H = 1: is the window anomalous?
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from hvac.config import Config
from hvac.detect.anomalies import AnomalyConfig, draw_anomalies, put
from hvac.detect.series import Series, of_part, reference_of
from hvac.detect.sliding import SlidingConfig, cut_series, raw_windows, shown
from hvac.errors import SplitError
from hvac.features.table import Windows
from hvac.models.fitting import FitState

Floats = npt.NDArray[np.float32]


class InjectConfig(Config):
    """Anomalies put into copies of normal training windows: `share` of these get one anomalous copy
    each.
    """

    share: float = Field(default=0.5, gt=0, le=1)
    anomalies: AnomalyConfig = AnomalyConfig()


class Examples(NamedTuple):
    """Windows to learn from; `made_B` marks the anomalous copies."""

    x_BCL: Floats
    y_B: npt.NDArray[np.bool_]
    made_B: npt.NDArray[np.bool_]

    @property
    def windows(self) -> Windows:
        """As the model families know them."""
        return as_windows(self.x_BCL, self.y_B)

    @property
    def counts(self) -> dict[str, int]:
        """Normal windows, anomalous ones, and anomalous copies."""
        made = int(self.made_B.sum())
        return {
            "normal": int((~self.y_B).sum()),
            "anomalous": int(self.y_B.sum()) - made,
            "made": made,
        }


def as_windows(x_BCL: Floats, y_B: npt.NDArray[np.bool_] | None = None) -> Windows:
    """Windows of series as the model families know them, with one label each."""
    y_BH = None if y_B is None else y_B[:, None]
    known_BH = None if y_BH is None else np.ones_like(y_BH)
    rows, observed_B = (
        pa.table({"window": np.arange(len(x_BCL))}),
        np.ones(len(x_BCL), dtype=np.float32),
    )
    return Windows(keys=rows, observed_B=observed_B, x_BCL=x_BCL, y_BH=y_BH, known_BH=known_BH)


def training_examples(
    series: Sequence[Series], windows: SlidingConfig, inject: InjectConfig | None, seed: int
) -> tuple[Examples, Examples]:
    """Windows of the training part (with copies where asked) and of the validation part (as they
    are).

    Raises:
        SplitError: the training part has no anomalous or no normal window, or the validation part
            no window.
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
    series: Sequence[Series], windows: SlidingConfig, inject: InjectConfig | None, seed: int
) -> Examples:
    nothing = np.zeros(0, dtype=np.bool_)
    parts = [
        Examples(
            np.empty((0, len(windows.channels), windows.length), dtype=np.float32), nothing, nothing
        )
    ]
    for number, each in enumerate(series):
        found = cut_series(each, windows)
        start_B, y_B = found.start_B[found.known_B], found.y_B[found.known_B]
        x_BL = raw_windows(each, start_B, windows.length)
        parts.append(Examples(shown(x_BL, each, windows), y_B, np.zeros_like(y_B)))
        if inject:
            made_BL = _copies(x_BL[~y_B], each, inject, np.random.default_rng((seed, number)))
            made_B = np.ones(len(made_BL), dtype=np.bool_)
            parts.append(Examples(shown(made_BL, each, windows), made_B, made_B))
    return Examples(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _copies(
    x_BL: npt.NDArray[np.float64], series: Series, inject: InjectConfig, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    chosen_BL = x_BL[rng.random(len(x_BL)) < inject.share]
    reference = series.reference or reference_of(series.value_T)
    length = x_BL.shape[1]
    made = [
        put(x_L, draw_anomalies(inject.anomalies, length, rng), reference, rng) for x_L in chosen_BL
    ]
    return np.array(made).reshape(-1, length)


def settle_tie(state: FitState) -> None:
    """Of epochs with the same validation PR-AUC keep the one with the lowest validation loss.

    The loop keeps the first, which on easy series is one that ranks perfectly but is sure of
    nothing."""
    rows = state.history_H[0]
    kept, last = rows[state.best_epoch[0] - 1], rows[-1]
    if last["tune_pr_auc"] == kept["tune_pr_auc"] and last["tune_loss"] < kept["tune_loss"]:
        state.best, state.best_epoch = [dict(state.module)], [state.epoch]
