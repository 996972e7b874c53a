"""Fit the configured family, calibrate and choose thresholds on cross-fitted scores, write one
bundle per class.

    python -m ray_jobs.train --config FILE [key.sub=value …]

Networks, also those of a fusion and those that score held-out folds, are fitted by Ray Train's
workers, which share every batch (data-parallel; GPUs where the config says so). A killed worker
resumes from the last checkpoint, and so does a killed job that is started again. Everything else is
one Ray task per class. The frozen encoder runs only for families that look at its patch tokens or
tune it."""

from __future__ import annotations

from typing import Any

import ray
import torch

from hvac.decision.decision import Scored, fit_decisions, on_grid
from hvac.features.describe import Recipe
from hvac.features.encoder import EncoderConfig, load_encoder
from hvac.models.families import FAMILIES, cross_fit, network_fits
from hvac.models.family import CrossFit, Fitting, loaded_once
from hvac.models.fitting import FitState, count
from hvac.models.network import fit_name
from hvac.scoring.bundle import Bundle
from hvac.storage import AnyPath, remove_tree
from ray_jobs.assess.decided import write_held_out
from ray_jobs.assess.forecast_windows import forecast_bands
from ray_jobs.fit.torch_run import fit_by_workers
from ray_jobs.fit.train_worker import fit_worker
from ray_jobs.run.command import main
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Result, Workspace, content_key, run_step, workspace_of
from ray_jobs.tables.trainable import check_trainable
from ray_jobs.tables.windows_table import NOT_TESTED, fit_windows, load_recipes, read_windows


def run(config: RunConfig) -> Result:
    """Train every class of the featurized table, unless it was done with the same configuration and
    windows.
    """
    workspace = workspace_of(config)
    featurized = workspace.finished("featurize")
    sections = [
        getattr(config, name).model_dump(mode="json") for name in ("model", "decision", "encoder")
    ]
    key = content_key(featurized["key"], sections, config.train.workers)
    return run_step(workspace, "train", key, lambda: _train(config, workspace, key))


def _train(config: RunConfig, workspace: Workspace, key: str) -> Result:
    check_trainable(config, workspace, [config.model])
    recipes = load_recipes(workspace.windows)
    networks = _fit_networks(config, workspace, key)
    fits = _fit_classes(config, workspace, recipes, networks)
    bands = forecast_bands(config, workspace, recipes)
    encoder = loaded_once(lambda: load_encoder(config.encoder))
    remove_tree(workspace.bundles)
    scored = {
        name: _scored(config, workspace, recipe, fits[name]) for name, recipe in recipes.items()
    }
    log_odds = FAMILIES[config.model.family].log_odds
    decisions = fit_decisions(
        scored, horizons=config.windows.horizons, config=config.decision, log_odds=log_odds
    )
    bundles, history, calibration = {}, {}, {}
    for name, recipe in recipes.items():
        decision, state = decisions[name], networks.get(f"{name}/{fit_name('', None)}")
        bundle = Bundle(
            model=fits[name].model,
            recipe=recipe,
            decision=decision,
            encoder_config=config.encoder,
            encoder_sha256=encoder().sha256,
            band=bands[name],
            training=_record(config, workspace, recipe, state, key) | fits[name].notes,
        )
        bundle.__dict__["encoder"] = encoder()
        bundles[name] = bundle.save(workspace.bundles).name
        horizons = list(map(str, recipe.windows.horizons))
        history[name] = dict(zip(horizons, state.history_H, strict=True)) if state else {}
        calibration[name] = {
            h: c.method for h, c in zip(horizons, decision.calibrators, strict=True)
        }
    return {
        "bundles": bundles,
        "history": history,
        "calibration": calibration,
        "encoder_sha256": encoder().sha256,
        "fusion": {name: fit.notes for name, fit in fits.items() if fit.notes},
    }


def _scored(config: RunConfig, workspace: Workspace, recipe: Recipe, fit: CrossFit) -> Scored:
    """Return the cross-fitted scores of the windows that calibrate: those on the grid that is
    evaluated.
    """
    windows = read_windows(workspace.windows, recipe, NOT_TESTED)
    write_held_out(workspace.held_out, recipe.class_name, fit.score_BH)
    return Scored(fit.score_BH, windows).where(on_grid(windows, recipe.windows.evaluation_stride))


def _record(
    config: RunConfig, workspace: Workspace, recipe: Recipe, state: FitState | None, key: str
) -> dict[str, Any]:
    counts = count(read_windows(workspace.windows, recipe, ("train",)))
    kept = {"kept_epoch": state.best_epoch} if state else {}
    return {"run": config.name, "key": key, "counts": counts._asdict(), **kept}


def _fit_classes(
    config: RunConfig,
    workspace: Workspace,
    recipes: dict[str, Recipe],
    networks: dict[str, FitState],
) -> dict[str, CrossFit]:
    """Fit everything but the networks, one Ray task per class, and put it together with them."""
    task = ray.remote(num_cpus=1, max_retries=2)(_fit_class)
    refs = []
    for name, recipe in recipes.items():
        own = {
            fit.removeprefix(f"{name}/"): state
            for fit, state in networks.items()
            if fit.startswith(f"{name}/")
        }
        refs.append(
            task.remote(
                workspace.windows, recipe, config.model, config.encoder, own, config.decision.folds
            )
        )
    return dict(zip(recipes, ray.get(refs), strict=True))


def _fit_class(
    folder: AnyPath,
    recipe: Recipe,
    model: Any,
    encoder_config: EncoderConfig,
    states: dict[str, FitState],
    folds: int,
) -> CrossFit:
    torch.set_num_threads(1)
    encoder = loaded_once(lambda: load_encoder(encoder_config))
    windows = fit_windows(folder, recipe, model, encoder)
    return cross_fit(windows, model, Fitting(encoder, states=states), folds=folds)


def _fit_networks(config: RunConfig, workspace: Workspace, key: str) -> dict[str, FitState]:
    """Fit the networks of all classes in one Ray Train run, whose final checkpoint holds every fit;
    none of trees.
    """
    if not network_fits(config.model, folds=config.decision.folds):
        return {}
    settings = {
        "folder": str(workspace.windows),
        "model": config.model.model_dump(mode="json"),
        "encoder": config.encoder.model_dump(mode="json"),
        "folds": config.decision.folds,
    }
    folder = workspace.root / "ray_train"
    return fit_by_workers(
        fit_worker, settings, config=config.train, folder=folder, name=f"train-{key[:12]}"
    )


if __name__ == "__main__":
    main(run, __doc__)
