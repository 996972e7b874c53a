"""Example windows of the report's forecast figure: chosen by outcome, drawn in physical units.

Legend: B windows, C points, L lookback days, D days ahead, H horizons.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hvac.arrays import Bools, Strings
from hvac.evaluation.compared_windows import EvaluationSet, ModelRisks
from hvac.features.recipe import Recipe
from hvac.features.scene import Scene
from hvac.panel.cutting import Cut, cut
from hvac.report.forecast_figure import DrawnForecast, ForecastPanel
from hvac.scoring.bundle import Bundle
from hvac.scoring.outlooks import driving_points

OUTCOMES = ("tn", "tp", "fp", "fn")
ROWS = 5


class ExampleRisk(NamedTuple):
    """The risk of one window at one horizon, and whether its alarm was right (`outcome`)."""

    risk: float
    threshold: float
    alarm: bool
    outcome: str


RisksByHorizon = dict[int, ExampleRisk]


def choose_examples(windows: EvaluationSet, risks: ModelRisks, seed: int) -> list[int]:
    """Choose up to five test windows: one of each outcome at the first horizon, others at random.

    Only windows whose labels are all known are chosen. Returns their rows.
    """
    y_BH, known_BH = windows.windows.labels
    rng = np.random.default_rng(seed)
    outcome_B = outcomes(risks.alarm_BH[:, 0], y_BH[:, 0])
    whole_B = known_BH.all(axis=1)
    rows = []
    for outcome in OUTCOMES:
        rows_of_outcome = np.flatnonzero((outcome_B == outcome) & whole_B)
        if len(rows_of_outcome):
            rows.append(int(rng.choice(rows_of_outcome)))
    others = np.setdiff1d(np.flatnonzero(whole_B), rows)
    more = rng.choice(others, min(ROWS - len(rows), len(others)), replace=False)
    return rows + [int(row) for row in more]


def outcomes(alarm_B: Bools, y_B: Bools) -> Strings:
    """Return tp, fp, fn or tn for every window.

    >>> alarm_B = np.array([True, True, False, False])
    >>> outcomes(alarm_B, np.array([True, False, True, False])).tolist()
    ['tp', 'fp', 'fn', 'tn']
    """
    of_positives = np.where(alarm_B, "tp", "fn")
    of_negatives = np.where(alarm_B, "fp", "tn")
    return np.where(y_B, of_positives, of_negatives)


def example_risks(
    windows: EvaluationSet, risks: ModelRisks, row: int
) -> RisksByHorizon:
    """Return the risks of one window by horizon."""
    outcome_H = outcomes(risks.alarm_BH[row], windows.windows.labels[0][row])
    by_horizon = {}
    for i, horizon in enumerate(windows.horizons):
        by_horizon[horizon] = ExampleRisk(
            risk=float(risks.risk_BH[row, i]),
            threshold=float(risks.threshold_BH[row, i]),
            alarm=bool(risks.alarm_BH[row, i]),
            outcome=str(outcome_H[i]),
        )
    return by_horizon


def forecast_panel(
    scene: Scene, recipe: Recipe, bundle: Bundle, *, end_day: int, risks: RisksByHorizon
) -> ForecastPanel:
    """Draw one window in physical units, by the point that has moved furthest from its baseline."""
    panel, scale = scene.panel, scene.scale
    window = cut(panel, np.array([end_day], dtype=np.int32), recipe.windows, scale)
    c = int(driving_points(window.x_BCL)[0])
    row = end_day - panel.first_day
    centre = scale.centre_TC[row, c]
    spread = scale.spread_TC[row, c]
    forecasts = {
        horizon: _forecast(bundle, window, c, horizon, risk, centre, spread)
        for horizon, risk in risks.items()
    }
    last_day = end_day + max(risks)
    ahead = scene.targets.where(
        (scene.targets.end_N > end_day) & (scene.targets.start_N <= last_day)
    )
    past_L = window.x_BCL[0, c] * spread + centre
    return ForecastPanel(
        unit=panel.unit,
        point=panel.points[c],
        uom="",
        end_day=end_day,
        past_L=np.where(window.observed_BCL[0, c], past_L, np.nan),
        forecasts=forecasts,
        lower_limit=float(scene.lower_TC[row, c]),
        upper_limit=float(scene.upper_TC[row, c]),
        events=tuple(zip(ahead.start_N.tolist(), ahead.end_N.tolist(), strict=True)),
    )


def _forecast(
    bundle: Bundle,
    window: Cut,
    c: int,
    horizon: int,
    risk: ExampleRisk,
    centre: float,
    spread: float,
) -> DrawnForecast:
    normal = bundle.forecast(window.x_BCL, horizon)
    value_D, low_D, high_D = (part_BCD[0, c] * spread + centre for part_BCD in normal)
    return DrawnForecast(
        forecast_D=value_D,
        band_low_D=low_D,
        band_high_D=high_D,
        risk=risk.risk,
        threshold=risk.threshold,
        alarm=risk.alarm,
        outcome=risk.outcome,  # type: ignore[arg-type]
    )
