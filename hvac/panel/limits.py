"""Limits of a panel: from the record, else quantiles fitted on the training period.

Legend: T days, C points. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from hvac.panel.grid import Floats, Panel
from hvac.panel.windows import Scale, fit_scale

SAMPLES_PER_SERIES = 400
Limits = Mapping[str, tuple[float, float]]


def panel_limits(panel: Panel, *, fitted: Limits, normalise: str) -> tuple[Floats, Floats]:
    """(lower_TC, upper_TC): the record's; for points without any, the fitted ones (in normalised units) scaled back."""
    lower_TC, upper_TC = panel.lower_TC, panel.upper_TC
    bare_C = ~(np.isfinite(lower_TC) | np.isfinite(upper_TC)).any(axis=0)
    if not fitted or not bare_C.any():
        return lower_TC, upper_TC
    scale = fit_scale(panel, normalise)
    lower_TC, upper_TC = lower_TC.copy(), upper_TC.copy()
    for c in np.flatnonzero(bare_C):
        low, high = fitted.get(panel.points[c], (np.nan, np.nan))
        lower_TC[:, c] = scale.centre_TC[:, c] + low * scale.spread_TC[:, c]
        upper_TC[:, c] = scale.centre_TC[:, c] + high * scale.spread_TC[:, c]
    return lower_TC, upper_TC


def sample_values(panel: Panel, *, normalise: str, training_end: int) -> dict[str, Floats]:
    """Normalised values of each point up to the end of training: at most 400, evenly spaced."""
    days = np.arange(panel.first_day, panel.last_day + 1)
    scale: Scale = fit_scale(panel, normalise)
    sampled = {}
    for c, name in enumerate(panel.points):
        rows = np.flatnonzero(panel.observed_TC[:, c] & (days <= training_end))
        if len(rows):
            rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), SAMPLES_PER_SERIES)).astype(int)]
            sampled[name] = (panel.value_TC[rows, c] - scale.centre_TC[rows, c]) / scale.spread_TC[rows, c]
    return sampled


def fit_limits(
    samples: Iterable[Mapping[str, npt.NDArray[np.float64]]], quantiles: tuple[float, float]
) -> dict[str, tuple[float, float]]:
    """Quantiles of the pooled samples of each point.

    >>> fit_limits([{"p": np.arange(101.0)}], (0.1, 0.9))
    {'p': (10.0, 90.0)}
    """
    pooled: dict[str, list[npt.NDArray[np.float64]]] = {}
    for sample in samples:
        for name, values in sample.items():
            pooled.setdefault(name, []).append(values)
    found = {name: np.nanquantile(np.concatenate(parts), quantiles) for name, parts in pooled.items()}
    return {name: (float(low), float(high)) for name, (low, high) in found.items()}
