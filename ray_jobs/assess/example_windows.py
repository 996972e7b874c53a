"""Windows to draw in the forecast comparison: chosen by outcome, cut anew from the panel in
physical units.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import ray

from hvac.evaluation.comparison import EvaluationSet, ModelRisks
from hvac.features.describe import Recipe, Scene
from hvac.panel.windows import cut, fit_scale
from hvac.report.figures import DrawnForecast, ForecastPanel
from hvac.scoring.bundle import Bundle
from ray_jobs.tables.buckets import BucketPlan, bucket_scenes

OUTCOMES = ("tn", "tp", "fp", "fn")
ROWS = 5
Said = dict[int, tuple[float, float, bool, str]]  # risk, threshold, alarm, outcome of each horizon


def choose_rows(trial: EvaluationSet, judged: ModelRisks, seed: int) -> list[int]:
    """Up to five test windows: one of each outcome at the first horizon, the rest at random."""
    y_BH, known_BH = trial.windows.labels
    rng = np.random.default_rng(seed)
    outcome_B = _outcomes(judged.alarm_BH[:, 0], y_BH[:, 0])
    whole_B = known_BH.all(axis=1)
    rows = [
        int(rng.choice(at))
        for o in OUTCOMES
        if len(at := np.flatnonzero((outcome_B == o) & whole_B))
    ]
    others = np.setdiff1d(np.flatnonzero(whole_B), rows)
    more = rng.choice(others, min(ROWS - len(rows), len(others)), replace=False)
    return rows + [int(row) for row in more]


def _outcomes(alarm_B: npt.NDArray[np.bool_], y_B: npt.NDArray[np.bool_]) -> npt.NDArray[np.str_]:
    right = np.where(alarm_B, "tp", "fn")
    return np.where(y_B, right, np.where(alarm_B, "fp", "tn"))


def draw_rows(
    trial: EvaluationSet,
    judged: ModelRisks,
    rows: list[int],
    plan: BucketPlan,
    *,
    buckets: Iterable[str],
    bundles: dict[str, str],
) -> list[ForecastPanel]:
    """Panels of the chosen rows, in their order."""
    windows = trial.windows
    ids = [windows.column(name) for name in ("facility_id", "equipment_id", "point_id")]
    wanted = {
        (*(column[row] for column in ids), int(windows.end_day_B[row])): _said(trial, judged, row)
        for row in rows
    }
    task = ray.remote(num_cpus=1, max_retries=2)(_bucket_pictures)
    shared = ray.put(plan)
    parts = ray.get([task.remote(shared, bucket, wanted, bundles) for bucket in buckets])
    found = {key: panel for part in parts for key, panel in part}
    return [found[key] for key in wanted if key in found]


def _said(trial: EvaluationSet, judged: ModelRisks, row: int) -> Said:
    y_H = trial.windows.labels[0][row]
    risk_H, threshold_H, alarm_H = (
        judged.risk_BH[row],
        judged.threshold_BH[row],
        judged.alarm_BH[row],
    )
    outcome_H = _outcomes(alarm_H, y_H)
    return {
        h: (float(risk_H[i]), float(threshold_H[i]), bool(alarm_H[i]), str(outcome_H[i]))
        for i, h in enumerate(trial.horizons)
    }


def _bucket_pictures(
    plan: BucketPlan, bucket: str, wanted: dict[Any, Said], bundles: dict[str, str]
) -> list[tuple[Any, ForecastPanel]]:
    found = []
    for scene, recipe in bucket_scenes(plan, bucket):
        for key, said in wanted.items():
            if key[:3] == (*scene.panel.unit, scene.panel.point_id):
                bundle = Bundle.load(bundles[recipe.class_name])
                found.append(
                    (key, forecast_panel(scene, recipe, bundle, end_day=key[3], said=said))
                )
    return found


def forecast_panel(
    scene: Scene, recipe: Recipe, bundle: Bundle, *, end_day: int, said: Said
) -> ForecastPanel:
    """One window in physical units: of its points, the one that has moved furthest from its
    baseline.
    """
    panel = scene.panel
    made = cut(panel, np.array([end_day], dtype=np.int32), recipe.windows)
    c = int(np.argmax(np.abs(made.x_BCL[0, :, -14:].mean(axis=1))))
    row = end_day - panel.first_day
    scale = fit_scale(panel, recipe.windows.normalise)
    centre, spread = scale.centre_TC[row, c], scale.spread_TC[row, c]

    def outlook(horizon: int) -> DrawnForecast:
        value, low, high = (
            part[0, c] * spread + centre for part in bundle.forecast(made.x_BCL, horizon)
        )
        risk, threshold, alarm, outcome = said[horizon]
        return DrawnForecast(
            forecast_D=value,
            band_low_D=low,
            band_high_D=high,
            risk=risk,
            threshold=threshold,
            alarm=alarm,
            outcome=outcome,  # type: ignore[arg-type]
        )

    ahead = scene.targets.where(
        (scene.targets.end_N > end_day) & (scene.targets.start_N <= end_day + max(said))
    )
    return ForecastPanel(
        unit=f"{panel.unit.facility_id} / {panel.unit.equipment_id}",
        point=panel.points[c],
        uom="",
        end_day=end_day,
        past_L=np.where(made.observed_BCL[0, c], made.x_BCL[0, c] * spread + centre, np.nan),
        forecasts={horizon: outlook(horizon) for horizon in said},
        lower_limit=float(scene.lower_TC[row, c]),
        upper_limit=float(scene.upper_TC[row, c]),
        events=tuple(zip(ahead.start_N.tolist(), ahead.end_N.tolist(), strict=True)),
    )
