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
    """(lower_TC, upper_TC): the record's; on days without any, the fitted ones (in normalised
    units) scaled back.

    Fitted limits are nan until the point's baseline is there.
    """
    if not fitted:
        return panel.lower_TC, panel.upper_TC
    scale = fit_scale(panel, normalise)
    low_C, high_C = np.array([fitted.get(name, (np.nan, np.nan)) for name in panel.points]).T
    days = np.arange(panel.first_day, panel.last_day + 1)
    bare_TC = ~(np.isfinite(panel.lower_TC) | np.isfinite(panel.upper_TC))
    usable_TC = bare_TC & (scale.ready_C <= days[:, None])
    lower_TC = np.where(usable_TC, scale.centre_TC + low_C * scale.spread_TC, panel.lower_TC)
    return lower_TC, np.where(usable_TC, scale.centre_TC + high_C * scale.spread_TC, panel.upper_TC)


def sample_values(panel: Panel, *, normalise: str, training_end: int) -> dict[str, Floats]:
    """Normalised values of each point up to the end of training: at most 400, evenly spaced."""
    days = np.arange(panel.first_day, panel.last_day + 1)
    scale: Scale = fit_scale(panel, normalise)
    sampled = {}
    for c, name in enumerate(panel.points):
        known_T = panel.known_TC[:, c] <= training_end
        rows = np.flatnonzero(panel.observed_TC[:, c] & known_T & (days <= training_end))
        if scale.ready_C[c] > training_end:
            continue
        if len(rows):
            rows = rows[
                np.linspace(0, len(rows) - 1, min(len(rows), SAMPLES_PER_SERIES)).astype(int)
            ]
            sampled[name] = (panel.value_TC[rows, c] - scale.centre_TC[rows, c]) / scale.spread_TC[
                rows, c
            ]
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
    found = {
        name: np.nanquantile(np.concatenate(parts), quantiles) for name, parts in pooled.items()
    }
    return {name: (float(low), float(high)) for name, (low, high) in found.items()}
