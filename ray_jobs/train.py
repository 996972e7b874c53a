"""Fit the classifiers on Ray Train, calibrate and choose thresholds on *cal*, write one bundle per class.

    python -m ray_jobs.train --config FILE [key.sub=value …]

Training reads the featurized table and never runs the encoder. Workers share every batch (data-parallel; GPUs where the
config says so); a killed worker resumes from the last checkpoint, and so does a killed job that is started again.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

from ray.train import CheckpointConfig, FailureConfig, ScalingConfig
from ray.train import RunConfig as RayRunConfig
from ray.train.torch import TorchTrainer

from hvac.errors import HvacError
from hvac.features.describe import Recipe
from hvac.features.encoder import load_encoder
from hvac.models.bundle import Bundle
from hvac.models.decision import fit_decision
from hvac.models.fitting import FitState, count, to_hybrid
from hvac.models.hybrid import hybrid_inputs
from hvac.models.scaling import Scaler, fit_scaler
from ray_jobs.bands import forecast_bands
from ray_jobs.command import main
from ray_jobs.run_config import RunConfig
from ray_jobs.train_worker import INPUTS, fit_worker, load_states
from ray_jobs.windows_table import load_recipes, read_windows
from ray_jobs.workspace import Result, Workspace, content_key, run_step, workspace_of

log = logging.getLogger(__name__)


def run(config: RunConfig) -> Result:
    """Train every class of the featurized table, unless it was done with the same configuration and windows."""
    workspace = workspace_of(config)
    featurized = workspace.finished("featurize")
    sections = [getattr(config, name).model_dump(mode="json") for name in ("model", "decision")]
    key = content_key(featurized["key"], sections, config.train.workers, config.encoder.pooling)
    return run_step(workspace, "train", key, lambda: _train(config, workspace, key))


def _train(config: RunConfig, workspace: Workspace, key: str) -> Result:
    recipes = load_recipes(workspace.windows)
    plans = {name: _plan(config, workspace.windows, recipe) for name, recipe in recipes.items()}
    fits = _fit(config, workspace, plans, key)
    bands = forecast_bands(config, workspace, recipes)
    encoder = load_encoder(config.encoder)
    shutil.rmtree(workspace.bundles, ignore_errors=True)
    bundles, history, calibration = {}, {}, {}
    for name, recipe in recipes.items():
        model = to_hybrid(fits[name], Scaler(*plans[name]["scaler"]), config.model)
        cal = read_windows(workspace.windows, recipe, ("cal",), INPUTS)
        decision = fit_decision(model.score(cal), cal, horizons=recipe.windows.horizons, config=config.decision)
        bundle = Bundle(
            model=model, recipe=recipe, decision=decision, encoder_config=config.encoder,
            encoder_sha256=encoder.sha256, band=bands[name], training=_record(config, plans[name], fits[name], key),
        )  # fmt: skip
        bundle.__dict__["encoder"] = encoder
        bundles[name] = bundle.save(workspace.bundles).name
        horizons = list(map(str, recipe.windows.horizons))
        history[name] = dict(zip(horizons, fits[name].history_H, strict=True))
        calibration[name] = {h: c.method for h, c in zip(horizons, decision.calibrators, strict=True)}
    return {"bundles": bundles, "history": history, "calibration": calibration, "encoder_sha256": encoder.sha256}


def _record(config: RunConfig, plan: dict[str, Any], fit: FitState, key: str) -> dict[str, Any]:
    kept = [max(rows, key=lambda row: (row.get("kept", 0.0), row["epoch"]))["epoch"] for rows in fit.history_H]
    return {"run": config.name, "key": key, "counts": plan["counts"]._asdict(), "kept_epoch": kept}


def _plan(config: RunConfig, folder: Path, recipe: Recipe) -> dict[str, Any]:
    """Statistics that every worker must share: how inputs are scaled, how many windows and positives there are."""
    windows = read_windows(folder, recipe, ("train",), INPUTS)
    if not len(windows):
        raise HvacError(
            f"class {recipe.class_name!r} has no training window: see what was left out in steps/featurize.json"
        )
    counts = count(windows)
    for h, positive, known in zip(recipe.windows.horizons, counts.positive_H, counts.known_H, strict=True):
        if positive in (0, known):
            raise HvacError(
                f"class {recipe.class_name!r}, {h} days: {positive} of {known} training labels are positive; a "
                "classifier needs both kinds: choose other labels.events, a longer record, or windows.class: all"
            )
    return {"scaler": tuple(fit_scaler(hybrid_inputs(windows, config.model))), "counts": counts}


def _fit(config: RunConfig, workspace: Workspace, plans: dict[str, Any], key: str) -> dict[str, FitState]:
    """All classes in one Ray Train run; its final checkpoint holds every fit."""
    settings = {
        "folder": str(workspace.windows.resolve()),
        "plans": plans,
        "model": config.model.model_dump(mode="json"),
        "every": config.train.checkpoint_every,
        "local": None if config.train.workers else str((workspace.root / "ray_train" / f"local-{key[:12]}").resolve()),
    }
    trainer = TorchTrainer(
        fit_worker,
        train_loop_config=settings,
        scaling_config=ScalingConfig(num_workers=config.train.workers, use_gpu=config.train.gpu),
        run_config=RayRunConfig(
            name=f"train-{key[:12]}",
            storage_path=str((workspace.root / "ray_train").resolve()),
            failure_config=FailureConfig(max_failures=config.train.max_failures),
            checkpoint_config=CheckpointConfig(num_to_keep=1),
        ),
    )
    result = trainer.fit()
    assert result.checkpoint is not None, "the last report carries a checkpoint"
    with result.checkpoint.as_directory() as folder:
        return load_states(Path(folder))


if __name__ == "__main__":
    main(run, __doc__)
