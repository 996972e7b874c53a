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

import ray

from hvac.evaluation.comparison import apart, by_equipment, compare_models
from hvac.features.describe import Recipe
from hvac.models.families import config_of
from hvac.report.page import write_report
from hvac.storage import place, write_json
from ray_jobs.assess.artifacts import (
    calibration,
    draw_figures,
    own_decisions,
    thresholds,
    write_predictions,
    write_summary,
)
from ray_jobs.assess.decided import ABLATION, DecidedRisks, ScoreSettings, decide_risks, score_model
from ray_jobs.assess.evaluation_sets import evaluation_set, onsets
from ray_jobs.assess.example_windows import choose_rows, draw_rows
from ray_jobs.assess.forecast_figures import forecast_figures
from ray_jobs.assess.leaderboard_files import finished_facilities, finished_leaderboard
from ray_jobs.assess.run_facts import run_facts
from ray_jobs.run.command import main
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Result, Workspace, content_key, run_step, workspace_of
from ray_jobs.tables.buckets import make_plan
from ray_jobs.tables.trainable import check_trainable
from ray_jobs.tables.windows_table import load_recipes

log = logging.getLogger(__name__)


def run(config: RunConfig) -> Result:
    """Evaluate the trained bundles, unless that was done with the same configuration."""
    workspace = workspace_of(config)
    trained = workspace.finished("train")
    section = config.evaluate.model_dump(mode="json")
    boards = [
        board
        for board in (finished_leaderboard(workspace), finished_facilities(workspace))
        if board
    ]
    key = content_key(
        trained["key"], trained["bundles"], section, config.language, config.seed, *boards
    )
    return run_step(workspace, "evaluate", key, lambda: _evaluate(config, workspace, trained))


def _evaluate(config: RunConfig, workspace: Workspace, trained: Result) -> Result:
    recipes = load_recipes(workspace.windows)
    bundles = {name: str(workspace.bundles / bundle) for name, bundle in trained["bundles"].items()}
    settings = ScoreSettings(
        str(workspace.windows),
        str(workspace.held_out),
        bundles,
        config.model,
        config.encoder,
        config.seed,
        config.decision.folds,
    )
    check_trainable(config, workspace, [config_of(name) for name in config.evaluate.baselines])
    default, ablation = config.model.family, ABLATION if config.evaluate.ablation else {}
    ablation = ablation if default == "hybrid" else {}
    names = list(dict.fromkeys([default, *config.evaluate.baselines, *ablation]))
    verdicts = _judge(settings, recipes, names, config)
    plan = make_plan(config, workspace, recipes)
    buckets = workspace.buckets
    trial = by_equipment(evaluation_set(workspace, recipes, verdicts, names, onsets(plan, buckets)))
    found = compare_models(
        trial, default=default, replicates=config.evaluate.replicates, seed=config.seed
    )
    write_predictions(workspace, recipes, verdicts, trained["bundles"], default)
    panels_trial = evaluation_set(workspace, recipes, verdicts, [default], trial.events)
    judged = panels_trial.judged[default]
    rows = choose_rows(panels_trial, judged, config.seed)
    panels = draw_rows(panels_trial, judged, rows, plan, buckets=buckets, bundles=bundles)
    content = {
        **run_facts(config, workspace, shlex.join(["python", *_command(sys.argv)])),
        **apart(found, ABLATION, default),
        "thresholds": thresholds(trial, verdicts),
        "fusion": trained.get("fusion", {}),
        "calibration": {default: calibration(trained, config.windows.horizons)},
        "leaderboard": finished_leaderboard(workspace),
        "unseen": finished_facilities(workspace),
        "own_decisions": own_decisions(trial, verdicts, default),
        "history": trained["history"],
        "forecast": forecast_figures(config, workspace, recipes, bundles),
    }
    write_json(workspace.root / "metrics.json", content)
    write_summary(workspace.root / "metrics_summary.csv", trial, found, default)
    drawn = draw_figures(workspace.figures, content, panels, config)
    write_report(content, drawn, path=workspace.root / "report.html", language=config.language)
    return {"headline": _headline(found), "files": _files(workspace)}


def _command(argv: list[str]) -> list[str]:
    """The command as a person would type it."""
    module = (
        f"ray_jobs.{Path(argv[0]).stem}"
        if argv and argv[0].endswith(".py")
        else "ray_jobs.evaluate"
    )
    return ["-m", module, *argv[1:]]


def _judge(
    settings: ScoreSettings, recipes: dict[str, Recipe], names: list[str], config: RunConfig
) -> dict[tuple[str, str], DecidedRisks]:
    """All verdicts, by (class, model); the longest fits are started first."""
    task = ray.remote(num_cpus=1, max_retries=2)(score_model)
    order = sorted(names, key=lambda name: (name not in ("gbdt_92", *ABLATION), name))
    refs = {
        task.remote(settings, recipe, name): (recipe.class_name, name)
        for name in order
        for recipe in recipes.values()
    }
    found, waiting = {}, list(refs)
    while waiting:
        done, waiting = ray.wait(waiting)
        found[refs[done[0]]] = ray.get(done[0])
        log.info("evaluate: %s / %s judged, %d to go", *refs[done[0]], len(waiting))
    verdicts: dict[tuple[str, str], DecidedRisks] = {}
    for model in names:
        opinions = {name: found[name, model] for name in recipes}
        decided = decide_risks(
            place(settings.windows_folder), recipes, opinions, config.decision, model
        )
        verdicts |= {(name, model): verdict for name, verdict in decided.items()}
    return verdicts


def _headline(found: dict[str, Any]) -> dict[str, Any]:
    """Figures for the closing summary."""
    return {
        model: {
            h: {name: each[name] for name in ("pr_auc", "roc_auc", "base_rate")}
            for h, each in by_horizon.items()
        }
        for model, by_horizon in found["models"].items()
    }


def _files(workspace: Workspace) -> list[str]:
    names = ("metrics.json", "metrics_summary.csv", "predictions.parquet", "report.html", "figures")
    return [str(workspace.root / name) for name in names]


if __name__ == "__main__":
    main(run, __doc__)
