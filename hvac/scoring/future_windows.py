"""Windows with the days that came after them: to calibrate forecasts, and to measure their error.

Legend: B windows, C points, L lookback days, D days ahead, N series.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from hvac.arrays import DayNumbers, Floats, Strings
from hvac.features.encoder import Encoder
from hvac.features.recipe import Recipe
from hvac.features.scene import Scene
from hvac.panel.cutting import cut
from hvac.panel.grid import Panel
from hvac.panel.windows import Scale
from hvac.scoring.bundle import Bundle
from hvac.scoring.forecast import fit_band, scaled_error, window_spread
from hvac.scoring.forecast_methods import ENCODER, METHODS, Method, forecast_by


class FutureWindows(NamedTuple):
    """Windows of one class with the days after them, normalised; nan where nothing was observed.

    `unit_B` names the unit of each window.
    """

    x_BCL: Floats
    future_BCD: Floats
    unit_B: Strings

    @property
    def unit_N(self) -> Strings:
        """Return the unit of every series."""
        return np.repeat(self.unit_B, self.x_BCL.shape[1])

    def series(self, horizon: int) -> tuple[Floats, Floats]:
        """Return the points of all windows as series: [N, L], and their future [N, horizon]."""
        x_NL = self.x_BCL.reshape(-1, self.x_BCL.shape[-1])
        return x_NL, self.future_BCD[..., :horizon].reshape(-1, horizon)


def future_windows(
    scene: Scene, end_day_B: DayNumbers, recipe: Recipe
) -> FutureWindows:
    """Cut the windows of a unit that end on given days, with the days after them."""
    scale = scene.scale
    x_BCL = cut(scene.panel, end_day_B, recipe.windows, scale).x_BCL
    unit_B = np.array(["\x1f".join(scene.panel.unit)] * len(end_day_B))
    return FutureWindows(
        x_BCL, future_values(scene.panel, end_day_B, recipe, scale), unit_B
    )


def future_values(
    panel: Panel, end_day_B: DayNumbers, recipe: Recipe, scale: Scale
) -> Floats:
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


def fit_bands(
    windows: FutureWindows,
    horizons: Sequence[int],
    method: str,
    encoder: Callable[[], Encoder],
) -> dict[int, Floats]:
    """Fit the half-widths of the band around a method's forecast for every horizon: [C, D]."""
    points = range(windows.x_BCL.shape[1])
    bands = {}
    for horizon in horizons:
        of_points = [_point_band(windows, c, horizon, method, encoder) for c in points]
        bands[horizon] = np.stack(of_points)
    return bands


def _point_band(
    windows: FutureWindows,
    c: int,
    horizon: int,
    method: str,
    encoder: Callable[[], Encoder],
) -> Floats:
    x_BL = windows.x_BCL[:, c]
    future_BD = windows.future_BCD[:, c, :horizon]
    forecast_BD = forecast_by(method, x_BL, horizon, encoder)
    return fit_band(future_BD, forecast_BD, window_spread(x_BL))


def method_errors(
    windows: FutureWindows,
    horizons: Sequence[int],
    encoder: Callable[[], Encoder] | None,
) -> dict[str, Floats]:
    """Return the scaled error of every series by method, simplest first: [N, H].

    A method that does not reach a horizon has nan. Without an encoder there is none of it.
    """
    error_NH: dict[str, Floats] = {}
    for method in METHODS:
        error_NH[method] = _errors(windows, horizons, METHODS[method])
    if encoder is not None:
        x_NL, _ = windows.series(max(horizons))
        every_ND = forecast_by(ENCODER, x_NL, max(horizons), encoder)
        error_NH[ENCODER] = _errors(
            windows, horizons, lambda _, horizon: every_ND[:, :horizon]
        )
    return error_NH


def _errors(windows: FutureWindows, horizons: Sequence[int], method: Method) -> Floats:
    columns = []
    for horizon in horizons:
        x_NL, future_ND = windows.series(horizon)
        forecast_ND = method(x_NL, horizon)
        error_N = scaled_error(future_ND, forecast_ND, x_NL)
        reaches = bool(np.isfinite(forecast_ND).all())
        columns.append(error_N if reaches else np.full(len(error_N), np.nan))
    return np.stack(columns, axis=1)


def inside_band(
    windows: FutureWindows, bundle: Bundle, horizons: Sequence[int]
) -> Floats:
    """Return the share of the days of each series that lay in the bundle's band: [N, H].

    It is nan where no day was observed, or there is no band.
    """
    columns = []
    for horizon in horizons:
        x_NL, future_ND = windows.series(horizon)
        point_N = np.tile(np.arange(windows.x_BCL.shape[1]), len(windows.x_BCL))
        (outlook,) = bundle.forecast_series(x_NL, point_N, [horizon])
        seen_ND = np.isfinite(future_ND) & np.isfinite(outlook.low_BCD)
        inside_ND = (
            seen_ND & (future_ND >= outlook.low_BCD) & (future_ND <= outlook.high_BCD)
        )
        seen_N = seen_ND.sum(axis=1)
        share_N = inside_ND.sum(axis=1) / np.maximum(seen_N, 1)
        columns.append(np.where(seen_N > 0, share_N, np.nan))
    return np.stack(columns, axis=1)
