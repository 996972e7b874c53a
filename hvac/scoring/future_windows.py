"""Windows with the days that came after them: to calibrate forecasts, and to measure their error.

Legend: B windows, C points, L lookback days, D days ahead, N series.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from hvac.arrays import AnyFloats, DayNumbers, Floats
from hvac.features.describe import Recipe, Scene
from hvac.panel.grid import Panel
from hvac.panel.windows import Scale, cut, fit_scale
from hvac.scoring.bundle import Bundle
from hvac.scoring.forecast import (
    damped_quadratic,
    damped_trend,
    fit_band,
    last_value,
    scaled_error,
    window_spread,
)

ForecastFigures = dict[str, dict[str, float | None] | int]
"""MASE and coverage by method at one horizon, and the number of `windows`."""
METHODS = {"quadratic": damped_quadratic, "last_value": last_value, "damped_trend": damped_trend}


class FutureWindows(NamedTuple):
    """Windows of one class with the days after them, normalised; nan where nothing was observed."""

    x_BCL: Floats
    future_BCD: Floats

    def series(self, horizon: int) -> tuple[Floats, Floats]:
        """Return the points of all windows as series: [N, L], and their future [N, horizon]."""
        x_NL = self.x_BCL.reshape(-1, self.x_BCL.shape[-1])
        return x_NL, self.future_BCD[..., :horizon].reshape(-1, horizon)


def future_windows(scene: Scene, end_day_B: DayNumbers, recipe: Recipe) -> FutureWindows:
    """Cut the windows of a unit that end on given days, with the days after them."""
    scale = fit_scale(scene.panel, recipe.windows.normalise)
    x_BCL = cut(scene.panel, end_day_B, recipe.windows, scale).x_BCL
    return FutureWindows(x_BCL, future_values(scene.panel, end_day_B, recipe, scale))


def future_values(panel: Panel, end_day_B: DayNumbers, recipe: Recipe, scale: Scale) -> Floats:
    """Return the normalised values of the days after each window [B, C, D].

    They are nan where nothing was observed, and after the record.
    """
    normal_TC = (panel.value_TC - scale.centre_TC) / scale.spread_TC
    value_TC = np.where(panel.observed_TC, normal_TC, np.nan)
    ahead_D = np.arange(max(recipe.windows.horizons))
    row_BD = end_day_B[:, None] - panel.first_day + 1 + ahead_D
    inside_BD = row_BD < len(value_TC)
    future_BDC = value_TC[np.where(inside_BD, row_BD, 0)]
    future_BDC[~inside_BD] = np.nan
    return np.moveaxis(future_BDC, 2, 1)


def fit_bands(windows: FutureWindows, horizons: Sequence[int]) -> dict[int, Floats]:
    """Fit the half-widths of the forecast's band for every horizon: [C, D]."""
    points = range(windows.x_BCL.shape[1])
    return {h: np.stack([_point_band(windows, c, h) for c in points]) for h in horizons}


def _point_band(windows: FutureWindows, c: int, horizon: int) -> Floats:
    x_BL = windows.x_BCL[:, c]
    future_BD = windows.future_BCD[:, c, :horizon]
    return fit_band(future_BD, damped_quadratic(x_BL, horizon), window_spread(x_BL))


def forecast_metrics(
    windows: Mapping[str, FutureWindows],
    bundles: Mapping[str, Bundle],
    horizons: Sequence[int],
    *,
    with_encoder: bool,
) -> dict[str, ForecastFigures]:
    """Measure forecasts by horizon: MASE of every method, and coverage of the 90 % band.

    Args:
        windows: by class, of the test part.
        bundles: by class.
        with_encoder: whether the encoder's own head is measured too.
    """
    encoder_days = {
        name: bundle.encoder.forecast(windows[name].x_BCL, max(bundle.horizons))
        for name, bundle in bundles.items()
    }
    metrics: dict[str, ForecastFigures] = {}
    for horizon in horizons:
        errors = [_method_errors(part, horizon) for part in windows.values()]
        by_method = {}
        for method in METHODS:
            by_method[method] = {"mase": _mean([part[method] for part in errors])}
        if with_encoder:
            encoder_errors = [
                _encoder_error(windows[name], encoder_days[name], horizon) for name in windows
            ]
            by_method["encoder"] = {"mase": _mean(encoder_errors)}
        inside = [_inside_band(part, bundles[name], horizon) for name, part in windows.items()]
        by_method["quadratic"]["coverage"] = _mean(inside)
        count = sum(len(part.x_BCL) for part in windows.values())
        metrics[str(horizon)] = {**by_method, "windows": count}
    return metrics


def _method_errors(windows: FutureWindows, horizon: int) -> dict[str, Floats]:
    x_NL, future_ND = windows.series(horizon)
    return {
        name: scaled_error(future_ND, method(x_NL, horizon), x_NL)
        for name, method in METHODS.items()
    }


def _encoder_error(windows: FutureWindows, forecast_BCD: AnyFloats, horizon: int) -> Floats:
    x_NL, future_ND = windows.series(horizon)
    return scaled_error(future_ND, forecast_BCD[..., :horizon].reshape(-1, horizon), x_NL)


def _inside_band(windows: FutureWindows, bundle: Bundle, horizon: int) -> Floats:
    forecast = bundle.forecast(windows.x_BCL, horizon)
    future_BCD = windows.future_BCD[..., :horizon]
    seen = np.isfinite(future_BCD) & np.isfinite(forecast.low_BCD)
    inside = (future_BCD >= forecast.low_BCD) & (future_BCD <= forecast.high_BCD)
    return inside[seen].astype(float)


def _mean(parts: list[Floats]) -> float | None:
    """Return the mean of what is known; None of nothing."""
    values = np.concatenate(parts) if parts else np.empty(0)
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else None
