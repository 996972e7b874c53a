"""Blocks of a window as one matrix of inputs, and what to do with labels that are unknown or of one kind.

Legend: B windows, N inputs, H horizons.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import logit

from hvac.errors import BundleError
from hvac.features.table import Windows, flat
from hvac.models.family import NEEDS

Floats = npt.NDArray[np.float64]
RISK_FLOOR = 1e-4


def inputs(windows: Windows, blocks: Sequence[str]) -> Floats:
    """Blocks (names of `NEEDS`) side by side, flattened over points: [B, N]. Values may be nan where unknown.

    Raises:
        BundleError: the windows do not carry a block.
    """
    arrays = [getattr(windows, NEEDS[block]) for block in blocks]
    if any(array is None for array in arrays):
        raise BundleError(f"the model needs the windows' {' and '.join(blocks)}; they do not have all of them")
    return np.concatenate([flat(np.asarray(a, dtype=np.float64)) for a in arrays], axis=1)


def known(windows: Windows, h: int) -> Windows:
    """The windows whose label is known for one horizon."""
    return windows.take(windows.labels[1][:, h])


def two_classes(y_B: npt.NDArray[np.bool_]) -> bool:
    """Whether both kinds of label occur."""
    return bool(0 < y_B.sum() < len(y_B))


def base_rates(windows: Windows) -> Floats:
    """Share of positives among known labels, per horizon; nan where none is known."""
    y_BH, known_BH = windows.labels
    with np.errstate(invalid="ignore"):
        return np.asarray((y_BH & known_BH).sum(axis=0) / known_BH.sum(axis=0))


def log_odds(risk: Any) -> Floats:
    """Log-odds of risks, kept away from 0 and 1."""
    return np.asarray(logit(np.clip(risk, RISK_FLOOR, 1 - RISK_FLOOR)))


def constant_log_odds(windows: Windows, h: int) -> float:
    """Log-odds of the base rate of one horizon; 0 where no label is known."""
    rate = base_rates(windows)[h]
    return float(log_odds(rate)) if np.isfinite(rate) else 0.0
