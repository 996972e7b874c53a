"""Blocks of a window as one matrix of inputs, and labels that are unknown or of one kind.

Legend: B windows, N inputs, H horizons.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logit

from hvac.arrays import Bools, Floats
from hvac.config import Distinct
from hvac.errors import BundleError
from hvac.features.table import Windows, flat
from hvac.models.family import NEEDS

LEAST_RATE = 1e-4
Without = Annotated[
    tuple[Literal["recent", "raw", "peers", "residuals", "context", "activity"], ...],
    Distinct,
]


def remaining(blocks: tuple[str, ...], without: tuple[str, ...]) -> tuple[str, ...]:
    """Return the blocks that are not left out; all where that would leave nothing.

    >>> remaining(("peers", "context"), ("peers",)), remaining(("peers",), ("peers",))
    (('context',), ('peers',))
    """
    return tuple(block for block in blocks if block not in without) or blocks


def inputs(windows: Windows, blocks: Sequence[str]) -> Floats:
    """Return blocks (names of `NEEDS`) side by side, flattened over points: [B, N].

    Values may be nan where unknown.

    Raises:
        BundleError: if the windows do not carry a block.
    """
    arrays = [getattr(windows, NEEDS[block]) for block in blocks]
    if any(array is None for array in arrays):
        raise BundleError(
            f"the model needs the windows' {' and '.join(blocks)}; they do not have all of them"
        )
    parts = [flat(np.asarray(array, dtype=np.float64)) for array in arrays]
    return np.concatenate(parts, axis=1)


def finite_inputs(windows: Windows, blocks: Sequence[str]) -> Floats:
    """Return the blocks side by side for a fit of trees: [B, N].

    Infinite values are unknown (nan), and a column without any finite value is 0
    (`without_empty_columns`)."""
    input_BN = inputs(windows, blocks)
    input_BN[~np.isfinite(input_BN)] = np.nan
    return without_empty_columns(input_BN)


def without_empty_columns(input_BN: Floats) -> Floats:
    """Return the same columns, with 0 in those that hold no value at all.

    Scikit-learn 1.9 refuses such columns. No tree splits on a column that is the same everywhere,
    so scores do not change.
    """
    empty_N = np.isnan(input_BN).all(axis=0)
    return np.where(empty_N, 0.0, input_BN) if empty_N.any() else input_BN


def known(windows: Windows, h: int) -> Windows:
    """Return the windows whose label is known for one horizon."""
    return windows.take(windows.labels[1][:, h])


def two_classes(y_B: Bools) -> bool:
    """Tell whether both kinds of label occur."""
    return bool(0 < y_B.sum() < len(y_B))


def base_rates(windows: Windows) -> Floats:
    """Return the share of positives among known labels, by their weights, per horizon.

    It is nan where none is known.
    """
    y_BH = windows.labels[0]
    w_BH = windows.weights.astype(np.float64)
    with np.errstate(invalid="ignore"):
        positive_H = (y_BH * w_BH).sum(axis=0)
        return np.asarray(positive_H / w_BH.sum(axis=0))


def unit_windows(windows: Windows) -> float:
    """Return how many windows a unit has on average.

    Leaves of trees are counted in units, whatever the stride.
    """
    return len(windows) / max(len(np.unique(windows.units)), 1)


def log_odds(risk: ArrayLike) -> Floats:
    """Return the log-odds of risks, kept away from 0 and 1."""
    return np.asarray(logit(np.clip(risk, LEAST_RATE, 1 - LEAST_RATE)))


def constant_log_odds(windows: Windows, h: int) -> float:
    """Return the log-odds of the base rate of one horizon; 0 where no label is known."""
    rate = base_rates(windows)[h]
    return float(log_odds(rate)) if np.isfinite(rate) else 0.0
