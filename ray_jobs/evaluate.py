"""Judge the bundles on the test part, beside every baseline: metrics, predictions, figures, report.

    python -m ray_jobs.evaluate --config FILE [key.sub=value …]

The test part is used here and nowhere else. Every (class, model) is one Ray task.
"""

from __future__ import annotations

import logging
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import ray

from hvac.evaluation.alarms import Events
from hvac.evaluation.comparison import Judged, Trial, apart, assess, by_equipment
from hvac.evaluation.report import write_report
from hvac.features.describe import Recipe
from hvac.features.table import concat
from ray_jobs.artifacts import DEFAULT, calibration, draw, threshold_H, thresholds, write_predictions, write_summary
from ray_jobs.buckets import BucketPlan, bucket_scenes, make_plan
from ray_jobs.command import main
from ray_jobs.forecasts import forecast_figures
from ray_jobs.pictures import choose_rows, draw_rows
from ray_jobs.rivals import ABLATION, EVALUATED, Settings, Verdict, judge
from ray_jobs.run_config import RunConfig
from ray_jobs.summary import run_facts
from ray_jobs.windows_table import load_recipes, read_windows
from ray_jobs.workspace import Result, Workspace, content_key, run_step, workspace_of, write_json

log = logging.getLogger(__name__)


def run(config: RunConfig) -> Result:
    """Evaluate the trained bundles, unless that was done with the same configuration."""
    workspace = workspace_of(config)
    trained = workspace.finished("train")
    section = config.evaluate.model_dump(mode="json")
    key = content_key(trained["key"], trained["bundles"], section, config.language, config.seed)
    return run_step(workspace, "evaluate", key, lambda: _evaluate(config, workspace, trained))


def _evaluate(config: RunConfig, workspace: Workspace, trained: Result) -> Result:
    recipes = load_recipes(workspace.windows)
    bundles = {name: str(workspace.bundles / bundle) for name, bundle in trained["bundles"].items()}
    settings = Settings(str(workspace.windows), bundles, config.model, config.decision, config.seed)
    names = [DEFAULT, *config.evaluate.baselines, *(ABLATION if config.evaluate.ablation else ())]
    verdicts = _judge(settings, recipes, names)
    plan = make_plan(config, workspace, recipes)
    buckets = workspace.finished("ingest")["buckets"]
    trial = by_equipment(_trial(workspace, recipes, verdicts, names, _onsets(plan, buckets)))
    found = assess(trial, default=DEFAULT, replicates=config.evaluate.replicates, seed=config.seed)
    write_predictions(workspace, recipes, verdicts, trained["bundles"])
    panels_trial = _trial(workspace, recipes, verdicts, [DEFAULT], trial.events)
    judged = panels_trial.judged[DEFAULT]
    rows = choose_rows(panels_trial, judged, config.seed)
    panels = draw_rows(panels_trial, judged, rows, plan, buckets=buckets, bundles=bundles)
    content = {
        **run_facts(config, workspace, shlex.join(["python", *_command(sys.argv)])),
        **apart(found, ABLATION, DEFAULT),
        "thresholds": thresholds(trial, verdicts),
        "calibration": {DEFAULT: calibration(trained, config.windows.horizons)},
        "history": trained["history"],
        "forecast": forecast_figures(config, workspace, recipes, bundles),
    }
    write_json(workspace.root / "metrics.json", content)
    write_summary(workspace.root / "metrics_summary.csv", trial, found)
    drawn = draw(workspace.figures, content, panels, config)
    write_report(content, drawn, path=workspace.root / "report.html", language=config.language)
    return {"headline": _headline(found), "files": _files(workspace)}


def _command(argv: list[str]) -> list[str]:
    """The command as a person would type it."""
    module = f"ray_jobs.{Path(argv[0]).stem}" if argv and argv[0].endswith(".py") else "ray_jobs.evaluate"
    return ["-m", module, *argv[1:]]


def _judge(settings: Settings, recipes: dict[str, Recipe], names: list[str]) -> dict[tuple[str, str], Verdict]:
    """All verdicts, by (class, model); the longest fits are started first."""
    task = ray.remote(num_cpus=1, max_retries=2)(judge)
    order = sorted(names, key=lambda name: (name not in ("gbdt_92", *ABLATION), name))
    refs = {
        task.remote(settings, recipe, name): (recipe.class_name, name) for name in order for recipe in recipes.values()
    }
    found, waiting = {}, list(refs)
    while waiting:
        done, waiting = ray.wait(waiting)
        found[refs[done[0]]] = ray.get(done[0])
        log.info("evaluate: %s / %s judged, %d to go", *refs[done[0]], len(waiting))
    return found


def _onsets(plan: BucketPlan, buckets: int) -> Events:
    """Every target onset, named by unit as windows name it."""
    task = ray.remote(num_cpus=1, max_retries=2)(_bucket_onsets)
    rows = sorted({row for part in ray.get([task.remote(plan, b) for b in range(buckets)]) for row in part})
    units, days = zip(*rows, strict=True) if rows else ((), ())
    return Events(np.array(units, dtype=np.str_), np.array(days, dtype=np.int64))


def _bucket_onsets(plan: BucketPlan, bucket: int) -> list[tuple[str, int]]:
    return [
        ("\x1f".join(scene.panel.unit), int(day))
        for scene, _ in bucket_scenes(plan, bucket)
        for day in scene.targets.start_N
    ]


def _trial(
    workspace: Workspace, recipes: dict[str, Recipe], verdicts: dict[Any, Verdict], names: list[str], events: Events
) -> Trial:
    """Test windows of all classes, one after another, with every model's risks."""
    windows, keep = [], {}
    for name, recipe in recipes.items():
        evaluated = read_windows(workspace.windows, recipe, EVALUATED)
        keep[name] = evaluated.column("split") == "test"
        windows.append(evaluated.take(keep[name]))
    horizons = next(iter(recipes.values())).windows.horizons

    def judged(model: str) -> Judged:
        parts = [(verdicts[name, model], keep[name]) for name in recipes]
        risks = [verdict.risk_BH[rows] for verdict, rows in parts]
        cuts = [np.tile(threshold_H(verdict), (int(rows.sum()), 1)) for verdict, rows in parts]
        return Judged(np.concatenate(risks), np.concatenate(cuts))

    reference = [np.tile(verdicts[name, DEFAULT].reference_H, (int(keep[name].sum()), 1)) for name in recipes]
    return Trial(
        windows=concat(windows), judged={model: judged(model) for model in names},
        reference_BH=np.concatenate(reference), events=events, horizons=horizons,
    )  # fmt: skip


def _headline(found: dict[str, Any]) -> dict[str, Any]:
    """Figures for the closing summary."""
    return {
        model: {h: {name: each[name] for name in ("pr_auc", "roc_auc", "base_rate")} for h, each in by_horizon.items()}
        for model, by_horizon in found["models"].items()
    }


def _files(workspace: Workspace) -> list[str]:
    names = ("metrics.json", "metrics_summary.csv", "predictions.parquet", "report.html", "figures")
    return [str(workspace.root / name) for name in names]


if __name__ == "__main__":
    main(run, __doc__)
