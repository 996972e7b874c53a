"""Limits of a panel: from the record, else quantiles fitted on the training period.

Legend: T days, C points. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from hvac.arrays import Floats
from hvac.panel.grid import Panel
from hvac.panel.windows import Scale, fit_scale

SAMPLES_PER_SERIES = 400
Limits = Mapping[str, tuple[float, float]]


def panel_limits(panel: Panel, fitted: Limits, scale: Scale) -> tuple[Floats, Floats]:
    """Return lower_TC and upper_TC: the record's, or the fitted ones on days without any.

    Fitted limits, in normalised units, are scaled back; they are nan until the point's baseline is
    there.
    """
    if not fitted:
        return panel.lower_TC, panel.upper_TC
    low_C, high_C = np.array(
        [fitted.get(name, (np.nan, np.nan)) for name in panel.points]
    ).T
    days = np.arange(panel.first_day, panel.last_day + 1)
    bare_TC = ~(np.isfinite(panel.lower_TC) | np.isfinite(panel.upper_TC))
    usable_TC = bare_TC & (scale.ready_C <= days[:, None])
    fitted_lower_TC = scale.centre_TC + low_C * scale.spread_TC
    fitted_upper_TC = scale.centre_TC + high_C * scale.spread_TC
    lower_TC = np.where(usable_TC, fitted_lower_TC, panel.lower_TC)
    upper_TC = np.where(usable_TC, fitted_upper_TC, panel.upper_TC)
    return lower_TC, upper_TC


def sample_values(
    panel: Panel, *, normalise: str, training_end: int
) -> dict[str, Floats]:
    """Return normalised values of each point up to the end of training.

    They are at most 400 a point, evenly spaced.
    """
    days = np.arange(panel.first_day, panel.last_day + 1)
    scale = fit_scale(panel, normalise)
    samples = {}
    for c, name in enumerate(panel.points):
        known_T = panel.known_TC[:, c] <= training_end
        rows = np.flatnonzero(
            panel.observed_TC[:, c] & known_T & (days <= training_end)
        )
        if scale.ready_C[c] > training_end or not len(rows):
            continue
        count = min(len(rows), SAMPLES_PER_SERIES)
        places = np.linspace(0, len(rows) - 1, count)
        rows = rows[places.astype(int)]
        deviation = panel.value_TC[rows, c] - scale.centre_TC[rows, c]
        samples[name] = deviation / scale.spread_TC[rows, c]
    return samples


def fit_limits(
    samples: Iterable[Mapping[str, Floats]], quantiles: tuple[float, float]
) -> dict[str, tuple[float, float]]:
    """Return the quantiles of the pooled samples of each point.

    >>> fit_limits([{"p": np.arange(101.0)}], (0.1, 0.9))
    {'p': (10.0, 90.0)}
    """
    pooled: dict[str, list[Floats]] = {}
    for sample in samples:
        for name, values in sample.items():
            pooled.setdefault(name, []).append(values)
    limits = {}
    for name, parts in pooled.items():
        low, high = np.nanquantile(np.concatenate(parts), quantiles)
        limits[name] = (float(low), float(high))
    return limits
