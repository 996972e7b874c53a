"""The inputs of a network: which windows it learns from, and which columns of them.

Legend: B windows, C points, N columns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from hvac.arrays import AnyArray, Bools, Float32s
from hvac.errors import BundleError
from hvac.features.table import Windows
from hvac.models.family import Folds

Chosen = Bools | None


def chosen_columns(
    inputs: tuple[Float32s, ...], chosen_N: Chosen
) -> tuple[Float32s, ...]:
    """Keep the chosen columns of the first input.

    Raises:
        BundleError: if it has another number of columns.
    """
    if chosen_N is None:
        return inputs
    if inputs[0].shape[-1] != len(chosen_N):
        raise BundleError(
            f"windows have {inputs[0].shape[-1]} inputs, the model expects {len(chosen_N)}"
        )
    return inputs[0][..., chosen_N], *inputs[1:]


def network_parts(
    windows: Windows, folds: Folds, fold: int | None
) -> tuple[Windows, Windows]:
    """Return the training and the tuning windows outside of a fold (None: all of them).

    Where no training unit is left outside the fold, as with one unit, nothing is held out.
    """
    split_B = windows.column("split")
    train_B = split_B == "train"
    tune_B = split_B == "tune"
    outside_B = np.ones(len(windows), dtype=bool)
    if fold is not None:
        outside_B = folds.fold_B != fold
    if not (train_B & outside_B).any():
        outside_B = np.ones(len(windows), dtype=bool)
    return windows.take(train_B & outside_B), windows.take(tune_B & outside_B)


def points_of(windows: Windows) -> int:
    """Return the number of points, from whichever array carries it."""
    arrays = (windows.f_BCF, windows.x_BCL, windows.z_BCE)
    return next((a.shape[1] for a in arrays if a is not None), 1)


def side_by_side(arrays: Sequence[AnyArray]) -> Float32s:
    """Join arrays [B, …], flattened: [B, 1, N]."""
    flat = [
        np.asarray(a, dtype=np.float32).reshape(len(a), 1, math.prod(a.shape[1:]))
        for a in arrays
    ]
    return np.concatenate(flat, axis=2)
