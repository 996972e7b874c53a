"""Fit the configured family, calibrate and choose thresholds, and write one bundle per class.

    python -m ray_jobs.train --config FILE [key.sub=value …]

Networks, also those of a fusion and those that score held-out folds, are fitted by Ray Train's
workers, which share every batch (data-parallel; GPUs where the config says so). A killed worker
resumes from the last checkpoint, and so does a killed job that is started again. Everything else is
Ray tasks; a fusion's other blocks are fitted on the CPUs that the workers leave. The frozen encoder
runs only for families that look at its patch tokens or tune it. Calibration and thresholds rest on
cross-fitted scores.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hvac.certainty.certainty import fit_certainty
from hvac.certainty.venn_abers import calibration_widths
from hvac.decision.decision import Decision, Scored
from hvac.decision.fit_decisions import fit_decisions, on_grid
from hvac.features.encoder import load_encoder
from hvac.features.recipe import Recipe
from hvac.json_values import Json, JsonObject
from hvac.models.families import (
    FAMILIES,
    network_fits,
)
from hvac.models.family import CrossFit, Encoding, loaded_once
from hvac.models.fit_rows import count
from hvac.models.fitting import FitState
from hvac.models.network import fit_name
from hvac.scoring.bundle import Bundle
from hvac.storage import content_key, remove_tree
from ray_jobs.assess.decided_risks import write_held_out
from ray_jobs.assess.window_samples import ShownForecast, shown_forecasts
from ray_jobs.fit.class_fits import FittedClass, fit_classes, start_blocks
from ray_jobs.fit.torch_run import fit_by_workers
from ray_jobs.fit.train_worker import fit_worker
from ray_jobs.run.command import main
from ray_jobs.run.records import FeaturizeRecord, TrainRecord
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace, run_step, workspace_of
from ray_jobs.tables.trainable import check_trainable
from ray_jobs.tables.windows_table import (
    NOT_TESTED,
    load_recipes,
    read_windows,
)

# raised where bundles hold more than before, so that classes are trained anew
BUNDLES = 3


def run(config: RunConfig) -> TrainRecord:
    """Train every class of the table, unless it was done with the same configuration and windows."""
    workspace = workspace_of(config)
    table = workspace.record(FeaturizeRecord).key
    parts = (config.model, config.decision, config.encoder)
    sections = [part.model_dump(mode="json") for part in parts]
    key = content_key(table, sections, config.train.workers, BUNDLES)
    return run_step(workspace, TrainRecord, key, lambda: _train(config, workspace, key))


def _train(config: RunConfig, workspace: Workspace, key: str) -> TrainRecord:
    check_trainable(config, workspace, [config.model])
    recipes = load_recipes(workspace.windows)
    (forecasts, networks), blocks = start_blocks(
        lambda: (
            shown_forecasts(config, workspace, recipes),
            _fit_networks(config, workspace, key),
        ),
        config,
        workspace,
        recipes,
    )
    fits = fit_classes(config, workspace, recipes, networks, blocks)
    encoder = loaded_once(lambda: load_encoder(config.encoder))
    remove_tree(workspace.bundles)
    scored = {
        name: _scored(workspace, recipes[name], fits[name].fit) for name in recipes
    }
    decisions = fit_decisions(
        scored,
        horizons=config.windows.horizons,
        config=config.decision,
        log_odds=FAMILIES[config.model.family].log_odds,
    )
    bundles, history = {}, {}
    for name, recipe in recipes.items():
        state = networks.get(f"{name}/{fit_name('', None)}")
        training = (
            _training_facts(config, workspace, recipe, state, key)
            | fits[name].fit.notes
        )
        widths = calibration_widths(scored[name])
        training["calibration_widths"] = [
            None if np.isnan(w) else float(w) for w in widths
        ]
        bundle = _bundle(
            config,
            fits[name],
            recipe,
            decisions[name],
            forecasts[name],
            training,
            encoder,
        )
        abstain = config.decision.abstain
        certainty = fit_certainty(
            scored[name], decisions[name], abstain, bundle.horizons
        )
        bundle = replace(bundle, certainty=certainty)
        bundle.__dict__["encoder"] = encoder()  # loaded here already
        bundles[name] = bundle.save(workspace.bundles).name
        history[name] = _history(recipe, state)
    return TrainRecord(
        bundles=bundles,
        history=history,
        calibration={
            name: _methods(recipes[name], decisions[name]) for name in recipes
        },
        encoder_sha256=encoder().sha256,
        fusion={
            name: fitted.fit.notes for name, fitted in fits.items() if fitted.fit.notes
        },
    )


def _bundle(
    config: RunConfig,
    fitted: FittedClass,
    recipe: Recipe,
    decision: Decision,
    forecast: ShownForecast,
    training: dict[str, Json],
    encoder: Encoding,
) -> Bundle:
    return Bundle(
        model=fitted.fit.model,
        recipe=recipe,
        decision=decision,
        encoder_config=config.encoder,
        encoder_sha256=encoder().sha256,
        band=forecast.band,
        forecast_method=forecast.method,
        training=training,
        background=fitted.background,
        cases=fitted.cases,
    )


def _history(
    recipe: Recipe, state: FitState | None
) -> dict[str, list[dict[str, float]]]:
    """Return the figures of every epoch by horizon; nothing where there is no single network."""
    horizons = map(str, recipe.windows.horizons)
    return dict(zip(horizons, state.history_H, strict=True)) if state else {}


def _methods(recipe: Recipe, decision: Decision) -> dict[str, str]:
    """Return the method of calibration by horizon."""
    horizons = map(str, recipe.windows.horizons)
    methods = (calibrator.method for calibrator in decision.calibrators)
    return dict(zip(horizons, methods, strict=True))


def _scored(workspace: Workspace, recipe: Recipe, fit: CrossFit) -> Scored:
    """Keep the cross-fitted scores, and return those on the evaluation grid: they calibrate."""
    windows = read_windows(workspace.windows, recipe, NOT_TESTED)
    write_held_out(workspace.held_out, recipe.class_name, fit.score_BH)
    return Scored(fit.score_BH, windows).where(
        on_grid(windows, recipe.windows.evaluation_stride)
    )


def _training_facts(
    config: RunConfig,
    workspace: Workspace,
    recipe: Recipe,
    state: FitState | None,
    key: str,
) -> dict[str, Json]:
    counts = count(read_windows(workspace.windows, recipe, ("train",)))
    epoch = {"kept_epoch": state.best_epoch} if state else {}
    return {"run": config.name, "key": key, "counts": counts._asdict(), **epoch}


def _fit_networks(
    config: RunConfig, workspace: Workspace, key: str
) -> dict[str, FitState]:
    """Fit the networks of all classes in one Ray Train run, whose final checkpoint holds every fit;
    none of trees.
    """
    if not network_fits(config.model, folds=config.decision.folds):
        return {}
    settings: JsonObject = {
        "folder": str(workspace.windows),
        "model": config.model.model_dump(mode="json"),
        "encoder": config.encoder.model_dump(mode="json"),
        "folds": config.decision.folds,
    }
    folder = workspace.root / "ray_train"
    return fit_by_workers(
        fit_worker,
        settings,
        config=config.train,
        folder=folder,
        name=f"train-{key[:12]}",
    )


if __name__ == "__main__":
    main(run, __doc__)
