"""How good the forecast is on the test part: MASE and band coverage, beside last value and damped
trend.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hvac.features.describe import Recipe
from hvac.scoring.bundle import Bundle
from hvac.scoring.forecast import damped_quadratic, damped_trend, last_value, scaled_error
from ray_jobs.assess.forecast_windows import FutureWindows, sample_outcomes
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace

METHODS = {"quadratic": damped_quadratic, "last_value": last_value, "damped_trend": damped_trend}


def forecast_figures(
    config: RunConfig, workspace: Workspace, recipes: dict[str, Recipe], bundles: dict[str, str]
) -> dict[str, Any]:
    """Per horizon and method: MASE over all points of a sample of test windows; coverage of the 90
    % band.
    """
    outcomes = sample_outcomes(config, workspace, recipes, "test")
    loaded = {name: Bundle.load(bundles[name]) for name in outcomes}
    encoder_days = {
        name: bundle.encoder.forecast(outcomes[name].x_BCL, max(bundle.horizons))
        for name, bundle in loaded.items()
    }
    found: dict[str, Any] = {}
    for horizon in config.windows.horizons:
        rows = {name: _errors(outcome, horizon) for name, outcome in outcomes.items()}
        found[str(horizon)] = {
            method: {"mase": _mean([row[method] for row in rows.values()])} for method in METHODS
        }
        if config.encoder.source != "random":
            own = [_encoder_error(outcomes[name], encoder_days[name], horizon) for name in outcomes]
            found[str(horizon)]["encoder"] = {"mase": _mean(own)}
        inside = [_inside(outcome, loaded[name], horizon) for name, outcome in outcomes.items()]
        found[str(horizon)]["quadratic"]["coverage"] = _mean(inside)
        found[str(horizon)]["windows"] = int(
            sum(len(outcome.x_BCL) for outcome in outcomes.values())
        )
    return found


def _errors(outcome: FutureWindows, horizon: int) -> dict[str, Any]:
    x_NL = outcome.x_BCL.reshape(-1, outcome.x_BCL.shape[-1])
    future_ND = outcome.future_BCD[..., :horizon].reshape(-1, horizon)
    return {
        name: scaled_error(future_ND, method(x_NL, horizon), x_NL)
        for name, method in METHODS.items()
    }


def _encoder_error(outcome: FutureWindows, forecast_BCD: Any, horizon: int) -> Any:
    x_NL = outcome.x_BCL.reshape(-1, outcome.x_BCL.shape[-1])
    future_ND, forecast_ND = (
        p[..., :horizon].reshape(-1, horizon) for p in (outcome.future_BCD, forecast_BCD)
    )
    return scaled_error(future_ND, forecast_ND, x_NL)


def _inside(outcome: FutureWindows, bundle: Bundle, horizon: int) -> Any:
    said, future_BCD = bundle.forecast(outcome.x_BCL, horizon), outcome.future_BCD[..., :horizon]
    seen = np.isfinite(future_BCD) & np.isfinite(said.low_BCD)
    return ((future_BCD >= said.low_BCD) & (future_BCD <= said.high_BCD))[seen].astype(float)


def _mean(parts: list[Any]) -> float | None:
    values = np.concatenate(parts) if parts else np.empty(0)
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else None
