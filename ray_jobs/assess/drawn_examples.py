"""Cut the report's example windows anew from the panel, one Ray task per bucket."""

from __future__ import annotations

from collections.abc import Iterable

import ray

from hvac.evaluation.compared_windows import EvaluationSet, ModelRisks
from hvac.report.example_windows import RisksByHorizon, example_risks, forecast_panel
from hvac.report.figures import ForecastPanel
from hvac.scoring.bundle import Bundle
from ray_jobs.tables.buckets import BucketPlan, bucket_scenes

WindowKey = tuple[str, str, str | None, int]  # facility, equipment, point, last day


def draw_examples(
    windows: EvaluationSet,
    risks: ModelRisks,
    rows: list[int],
    plan: BucketPlan,
    *,
    buckets: Iterable[str],
    bundles: dict[str, str],
) -> list[ForecastPanel]:
    """Return the panels of the chosen rows, in their order."""
    by_key = {_key(windows, row): example_risks(windows, risks, row) for row in rows}
    task = ray.remote(num_cpus=1, max_retries=2)(_bucket_examples)
    shared = ray.put(plan)
    parts = ray.get(
        [task.remote(shared, bucket, by_key, bundles) for bucket in buckets]
    )
    panels: dict[WindowKey, ForecastPanel] = {}
    for part in parts:
        panels.update(part)
    return [panels[key] for key in by_key if key in panels]


def _key(windows: EvaluationSet, row: int) -> WindowKey:
    column = windows.windows.column
    facility = column("facility_id")[row]
    equipment = column("equipment_id")[row]
    return (
        facility,
        equipment,
        column("point_id")[row],
        int(windows.windows.end_day_B[row]),
    )


def _bucket_examples(
    plan: BucketPlan,
    bucket: str,
    by_key: dict[WindowKey, RisksByHorizon],
    bundles: dict[str, str],
) -> list[tuple[WindowKey, ForecastPanel]]:
    panels = []
    for scene, recipe in bucket_scenes(plan, bucket):
        unit = (*scene.panel.unit, scene.panel.point_id)
        for key, risks in by_key.items():
            if key[:3] == unit:
                bundle = Bundle.load(bundles[recipe.class_name])
                panel = forecast_panel(
                    scene, recipe, bundle, end_day=key[3], risks=risks
                )
                panels.append((key, panel))
    return panels
