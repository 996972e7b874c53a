"""Evaluate the bundles on the test part, beside every baseline: metrics, predictions, figures,
report.

    python -m ray_jobs.evaluate --config FILE [key.sub=value …]

The test part is used here and nowhere else. Baselines are candidates: what compare fitted with the
same settings is not fitted again.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hvac.decision.decision import StoredDecision
from hvac.evaluation.compared_windows import EvaluationSet, by_equipment
from hvac.evaluation.comparison import (
    ComparedModels,
    MeasuredHorizon,
    apart,
    compare_models,
)
from hvac.evaluation.decision_facts import facility_facts, threshold_facts
from hvac.features.recipe import Recipe
from hvac.json_values import JsonObject, as_json
from hvac.models.families import BASELINES, config_of
from hvac.models.family import FamilyConfig
from hvac.panel.names import load_names
from hvac.report.example_windows import choose_examples
from hvac.storage import content_key, write_json
from ray_jobs.assess.bundle_facts import bundle_facts, start_bundle_facts
from ray_jobs.assess.decided_risks import (
    DecidedRisks,
    bundle_risks,
    decide_risks,
    score_bundles,
)
from ray_jobs.assess.drawn_examples import draw_examples
from ray_jobs.assess.evaluation_sets import evaluation_set, onsets
from ray_jobs.assess.leaderboard_files import finished_facilities, finished_leaderboard
from ray_jobs.assess.report_files import (
    draw_figures,
    write_cards,
    write_predictions,
    write_summary,
)
from ray_jobs.assess.report_page import write_workspace_report
from ray_jobs.assess.run_facts import calibration_facts, run_facts
from ray_jobs.assess.window_samples import measure_forecasts, sample_windows
from ray_jobs.fit.candidates import Candidates, read_scores
from ray_jobs.run.command import main
from ray_jobs.run.records import EvaluateRecord, TrainRecord
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace, run_step, workspace_of
from ray_jobs.tables.buckets import make_plan
from ray_jobs.tables.trainable import check_trainable
from ray_jobs.tables.windows_table import load_recipes

RisksByModel = dict[tuple[str, str], DecidedRisks]
ABLATION: dict[str, dict[str, Any]] = {
    "features_only": {"inputs": ("features",)},
    "embedding_only": {"inputs": ("embedding",)},
    "untrained_encoder": {"inputs": ("untrained", "features")},
}
HEADLINE = ("pr_auc", "roc_auc", "base_rate")
FILES = (
    "metrics.json",
    "metrics_summary.csv",
    "predictions.parquet",
    "report.html",
    "figures",
    "cards",
)


def run(config: RunConfig) -> EvaluateRecord:
    """Evaluate the trained bundles, unless that was done with the same configuration."""
    workspace = workspace_of(config)
    trained = workspace.record(TrainRecord)
    section = config.evaluate.model_dump(mode="json")
    boards = [finished_leaderboard(workspace), finished_facilities(workspace)]
    shown = [board for board in boards if board]
    key = content_key(
        trained.key, trained.bundles, section, config.language, config.seed, *shown
    )
    return run_step(
        workspace, EvaluateRecord, key, lambda: _evaluate(config, workspace, trained)
    )


def _evaluate(
    config: RunConfig, workspace: Workspace, trained: TrainRecord
) -> EvaluateRecord:
    recipes = load_recipes(workspace.windows)
    bundles = {
        name: str(workspace.bundles / bundle)
        for name, bundle in trained.bundles.items()
    }
    default: str = config.model.family
    beside = _beside(config)
    candidates = Candidates(config)
    check_trainable(config, workspace, beside.values())
    scores = score_bundles(candidates.shared, recipes, bundles, workspace.held_out)
    decided = bundle_risks(workspace.windows, recipes, scores)
    risks: RisksByModel = {(name, default): decided[name] for name in recipes}
    risks |= _risks_of_candidates(config, workspace, recipes, beside, candidates)
    models = list(dict.fromkeys(model for _, model in risks))
    plan = make_plan(config, workspace, recipes)
    events = onsets(plan, workspace.buckets)
    write_predictions(workspace, recipes, risks, trained.bundles, default)
    units = evaluation_set(workspace, recipes, risks, [default], events)
    rows = choose_examples(units, units.risks[default], config.seed)
    panels = draw_examples(
        units,
        units.risks[default],
        rows,
        plan,
        buckets=workspace.buckets,
        bundles=bundles,
    )
    samples = sample_windows(config, workspace, recipes, "test")
    replicates = config.evaluate.replicates
    started = start_bundle_facts(  # measured while this process does what follows
        candidates.shared, recipes, bundles, replicates=replicates, seed=config.seed
    )
    windows = by_equipment(evaluation_set(workspace, recipes, risks, models, events))
    metrics = compare_models(
        windows, default=default, replicates=replicates, seed=config.seed
    )
    forecasts, methods = measure_forecasts(config, samples, bundles)
    boards = finished_leaderboard(workspace), finished_facilities(workspace)
    command = shlex.join(["python", *_command(sys.argv)])
    content: JsonObject = {
        **as_json(run_facts(config, workspace, command)),
        **as_json(apart(metrics, ABLATION, default)),
        **_decision_facts(windows, risks, models, default),
        "fusion": trained.fusion,
        "calibration": {
            default: as_json(calibration_facts(trained, config.windows.horizons))
        },
        "leaderboard": boards[0],
        "unseen": boards[1],
        "compare_command": _compare_command(sys.argv, models, boards[0]),
        "history": trained.history,
        "forecast": as_json(forecasts),
        "forecast_methods": as_json(methods),
    }
    names = load_names(workspace.panel)
    draw_figures(workspace.figures, content, panels, config, names)
    content = {**content, **as_json(bundle_facts(started)._asdict())}
    write_json(workspace.root / "metrics.json", content)
    write_summary(workspace.root / "metrics_summary.csv", windows, metrics, default)
    write_cards(workspace.root / "cards", content, bundles, config, names)
    write_workspace_report(workspace, config, content)
    return EvaluateRecord(headline=_headline(metrics), files=list(FILES))


def _command(argv: list[str]) -> list[str]:
    """Return the command as a person would type it."""
    by_file = bool(argv) and argv[0].endswith(".py")
    module = f"ray_jobs.{Path(argv[0]).stem}" if by_file else "ray_jobs.evaluate"
    return ["-m", module, *argv[1:]]


def _compare_command(
    argv: list[str], models: Sequence[str], leaderboard: JsonObject | None
) -> str | None:
    """Return the command that compares all baselines; None where they stand beside the model."""
    if leaderboard or set(models) >= set(BASELINES):
        return None
    return shlex.join(["python", "-m", "ray_jobs.compare", *argv[1:]])


def _risks_of_candidates(
    config: RunConfig,
    workspace: Workspace,
    recipes: dict[str, Recipe],
    settings: dict[str, FamilyConfig],
    candidates: Candidates,
) -> RisksByModel:
    """Fit what is not fitted yet, and return the risks of every model by (class, model)."""
    fits = {}
    for model in settings:
        for name, recipe in recipes.items():
            fits[name, model] = candidates.of(settings[model], recipe)
    candidates.fit(fits.values(), job="evaluate")
    risks: RisksByModel = {}
    for model in settings:
        scores = {name: read_scores(fits[name, model].file) for name in recipes}
        decided = decide_risks(
            workspace.windows, recipes, scores, config.decision, model
        )
        risks |= {(name, model): decided[name] for name in recipes}
    return risks


def _beside(config: RunConfig) -> dict[str, FamilyConfig]:
    """Return the settings of all models that stand beside the run's own."""
    settings: dict[str, FamilyConfig] = {
        name: config_of(name, seed=config.seed)
        for name in config.evaluate.baselines
        if name != config.model.family
    }
    if config.has_ablation:
        settings |= {
            name: config.model.replace(**changes) for name, changes in ABLATION.items()
        }
    return settings


def _decision_facts(
    windows: EvaluationSet, risks: RisksByModel, models: list[str], default: str
) -> JsonObject:
    decisions: dict[str, dict[str, StoredDecision]] = {model: {} for model in models}
    for (name, model), part in risks.items():
        decisions[model][name] = part.decision
    return {
        "thresholds": as_json(threshold_facts(windows, decisions)),
        "own_decisions": as_json(facility_facts(windows, decisions[default])),
    }


def _headline(metrics: ComparedModels) -> dict[str, dict[str, MeasuredHorizon]]:
    """Return the main figures of every model by horizon."""
    headline: dict[str, dict[str, MeasuredHorizon]] = {}
    for model, by_horizon in metrics["models"].items():
        headline[model] = {}
        for horizon, figures in by_horizon.items():
            headline[model][horizon] = {name: figures[name] for name in HEADLINE}
    return headline


if __name__ == "__main__":
    main(run, __doc__)
