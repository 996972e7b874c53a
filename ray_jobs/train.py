"""Fit the configured family, calibrate and choose thresholds on *cal*, write one bundle per class.

    python -m ray_jobs.train --config FILE [key.sub=value …]

Networks are fitted by Ray Train's workers, which share every batch (data-parallel; GPUs where the config says so); a
killed worker resumes from the last checkpoint, and so does a killed job that is started again. Other families are one
Ray task per class. The frozen encoder runs only for families that look at its patch tokens or tune it.
"""

from __future__ import annotations

from typing import Any

import ray

from hvac.features.describe import Recipe
from hvac.features.encoder import EncoderConfig, load_encoder
from hvac.models.bundle import Bundle
from hvac.models.decision import Scored, fit_decisions
from hvac.models.families import FAMILIES, fit
from hvac.models.family import Fitting, Model, loaded_once
from hvac.models.fitting import FitState, count
from hvac.storage import AnyPath, remove_tree
from ray_jobs.bands import forecast_bands
from ray_jobs.command import main
from ray_jobs.gate import check_trainable
from ray_jobs.run_config import RunConfig
from ray_jobs.torch_run import fit_by_workers
from ray_jobs.train_worker import fit_worker
from ray_jobs.windows_table import load_recipes, prepared_windows, read_windows, training_windows
from ray_jobs.workspace import Result, Workspace, content_key, run_step, workspace_of

Fits = dict[str, tuple[Model, FitState | None]]


def run(config: RunConfig) -> Result:
    """Train every class of the featurized table, unless it was done with the same configuration and windows."""
    workspace = workspace_of(config)
    featurized = workspace.finished("featurize")
    sections = [getattr(config, name).model_dump(mode="json") for name in ("model", "decision", "encoder")]
    key = content_key(featurized["key"], sections, config.train.workers)
    return run_step(workspace, "train", key, lambda: _train(config, workspace, key))


def _train(config: RunConfig, workspace: Workspace, key: str) -> Result:
    check_trainable(config, workspace, [config.model])
    recipes = load_recipes(workspace.windows)
    fits = (_fit_networks if FAMILIES[config.model.family].network else _fit_tasks)(config, workspace, recipes, key)
    bands = forecast_bands(config, workspace, recipes)
    encoder = loaded_once(lambda: load_encoder(config.encoder))
    remove_tree(workspace.bundles)
    bundles, history, calibration, scored = {}, {}, {}, {}
    for name, recipe in recipes.items():
        cal = prepared_windows(workspace.windows, recipe, "cal", config.model.needs, encoder)
        scored[name] = Scored(fits[name][0].score(cal), cal)
    decisions = fit_decisions(scored, horizons=config.windows.horizons, config=config.decision)
    for name, recipe in recipes.items():
        (model, state), decision = fits[name], decisions[name]
        bundle = Bundle(
            model=model, recipe=recipe, decision=decision, encoder_config=config.encoder,
            encoder_sha256=encoder().sha256, band=bands[name], training=_record(config, workspace, recipe, state, key),
        )  # fmt: skip
        bundle.__dict__["encoder"] = encoder()
        bundles[name] = bundle.save(workspace.bundles).name
        horizons = list(map(str, recipe.windows.horizons))
        history[name] = dict(zip(horizons, state.history_H, strict=True)) if state else {}
        calibration[name] = {h: c.method for h, c in zip(horizons, decision.calibrators, strict=True)}
    return {"bundles": bundles, "history": history, "calibration": calibration, "encoder_sha256": encoder().sha256}


def _record(
    config: RunConfig, workspace: Workspace, recipe: Recipe, state: FitState | None, key: str
) -> dict[str, Any]:
    counts = count(read_windows(workspace.windows, recipe, ("train",)))
    kept = {"kept_epoch": state.best_epoch} if state else {}
    return {"run": config.name, "key": key, "counts": counts._asdict(), **kept}


def _fit_tasks(config: RunConfig, workspace: Workspace, recipes: dict[str, Recipe], key: str) -> Fits:
    """One Ray task per class."""
    task = ray.remote(num_cpus=1, num_gpus=1 if config.train.gpu else 0, max_retries=2)(_fit_class)
    refs = [task.remote(workspace.windows, recipe, config.model, config.encoder) for recipe in recipes.values()]
    return {name: (model, None) for name, model in zip(recipes, ray.get(refs), strict=True)}


def _fit_class(folder: AnyPath, recipe: Recipe, model: Any, encoder_config: EncoderConfig) -> Model:
    encoder = loaded_once(lambda: load_encoder(encoder_config))
    train, tune = (prepared_windows(folder, recipe, split, model.reads, encoder) for split in ("train", "tune"))
    return fit(train, tune, model, Fitting(encoder))


def _fit_networks(config: RunConfig, workspace: Workspace, recipes: dict[str, Recipe], key: str) -> Fits:
    """All classes in one Ray Train run; its final checkpoint holds every fit."""
    settings = {
        "folder": str(workspace.windows),
        "model": config.model.model_dump(mode="json"),
        "encoder": config.encoder.model_dump(mode="json"),
    }
    folder = workspace.root / "ray_train"
    states = fit_by_workers(fit_worker, settings, config=config.train, folder=folder, name=f"train-{key[:12]}")
    encoder = loaded_once(lambda: load_encoder(config.encoder))
    family = FAMILIES[config.model.family]
    fits: Fits = {}
    for name, recipe in recipes.items():
        train = training_windows(workspace.windows, recipe, config.model, encoder)
        fits[name] = (family.model.start(train, config.model, encoder).finish(states[name]), states[name])
    return fits


if __name__ == "__main__":
    main(run, __doc__)
