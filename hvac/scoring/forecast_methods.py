"""The ways to forecast by name, simplest first.

Legend: N series, L lookback days, D days ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from hvac.arrays import AnyFloats, Floats
from hvac.scoring.forecast import (
    Moments,
    damped_quadratic,
    damped_trend,
    last_value,
    smoothed_level,
    weekly_pattern,
)

if TYPE_CHECKING:
    from hvac.features.encoder import Encoder

Method = Callable[[AnyFloats, int], Floats]
LAST_VALUE: Final = "last_value"
QUADRATIC: Final = "quadratic"  # the predecessor's, and that of bundles which name none
ENCODER: Final = "encoder"
METHODS: Final[dict[str, Method]] = {
    LAST_VALUE: last_value,
    "level": smoothed_level,
    "weekly": weekly_pattern,
    "damped_trend": damped_trend,
    QUADRATIC: damped_quadratic,
}
SIMPLEST_FIRST: Final = (*METHODS, ENCODER)


def forecast_by(
    method: str, x_NL: AnyFloats, horizon: int, encoder: Callable[[], Encoder]
) -> Floats:
    """Forecast days 1…horizon of series by one method: [N, D] (`forecasts_by`)."""
    (value_ND,) = forecasts_by(method, x_NL, [horizon], encoder)
    return value_ND


def forecasts_by(
    method: str,
    x_NL: AnyFloats,
    horizons: Sequence[int],
    encoder: Callable[[], Encoder],
    moments: Moments | None = None,
) -> list[Floats]:
    """Forecast days 1…horizon of series by one method, for several horizons: [N, D] each.

    The encoder runs once: its forecast of a day does not depend on the horizon.

    Args:
        method: one of `SIMPLEST_FIRST`.
        x_NL: the series.
        horizons: in days.
        encoder: gives the encoder, whose head forecasts by `encoder`.
        moments: of the series, where they are known already.
    """
    if method == ENCODER:
        every_ND = encoder().forecast(np.asarray(x_NL)[:, None], max(horizons))[:, 0]
        return [every_ND[:, :horizon] for horizon in horizons]
    if method == QUADRATIC:
        return [damped_quadratic(x_NL, horizon, moments) for horizon in horizons]
    return [METHODS[method](x_NL, horizon) for horizon in horizons]
