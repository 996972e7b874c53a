"""The rows that a network is fitted on, and the batches drawn from them.

Legend: B windows, S positions, N columns, H horizons.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from hvac.arrays import AnyArray, Bools, Float32s
from hvac.features.table import Windows

if TYPE_CHECKING:
    from hvac.models.network import TrainingConfig


class Rows(NamedTuple):
    """Standardised inputs ([B, S, N] each), labels, and the weight of each label (0: unknown)."""

    inputs: tuple[Float32s, ...]
    y_BH: Bools
    w_BH: Float32s

    def take(self, rows: AnyArray) -> Rows:
        """Return some of the rows."""
        inputs = tuple(array[rows] for array in self.inputs)
        return Rows(inputs, self.y_BH[rows], self.w_BH[rows])


class Counts(NamedTuple):
    """Training windows, and per horizon the positive and the known ones, over all workers."""

    windows: int
    positive_H: tuple[int, ...]
    known_H: tuple[int, ...]


class RowTensors(NamedTuple):
    """The rows as tensors on a device, labels by horizon."""

    inputs: tuple[torch.Tensor, ...]
    y_HB: torch.Tensor
    w_HB: torch.Tensor

    @classmethod
    def make(cls, rows: Rows, device: str) -> RowTensors:
        labels = (
            torch.from_numpy(np.ascontiguousarray(a.T, dtype=np.float32))
            for a in (rows.y_BH, rows.w_BH)
        )
        inputs = tuple(torch.from_numpy(array).to(device) for array in rows.inputs)
        return cls(inputs, *(label.to(device) for label in labels))


def drawn_batches(
    rows: int, config: TrainingConfig, counts: Counts, workers: int, epoch: int
) -> list[torch.Tensor]:
    """Return this worker's batches of one epoch, drawn anew each epoch.

    Every worker takes the same number of steps.
    """
    mine = max(config.batch_size // workers, 1)
    seen = min(config.windows_per_epoch or counts.windows, counts.windows)
    order = np.random.default_rng((config.seed, epoch)).permutation(rows)
    if workers > 1:
        order = np.resize(order, math.ceil(seen / config.batch_size) * mine)
    return list(torch.from_numpy(order[:seen]).split(mine))


def count(windows: Windows) -> Counts:
    """Count one worker's, or all, training windows."""
    y_BH, known_BH = windows.labels
    positive_H = (y_BH & known_BH).sum(axis=0).tolist()
    known_H = known_BH.sum(axis=0).tolist()
    return Counts(len(windows), tuple(positive_H), tuple(known_H))
