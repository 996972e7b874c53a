"""What a Ray Train worker does: fit its share of every class, checkpoint, resume."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ray import train as ray_train
from ray.train.torch import get_device, prepare_model

from hvac.features.table import Windows
from hvac.models.fitting import Counts, FitState, Workers, fit_classifiers, rows_of
from hvac.models.hybrid import HybridConfig
from hvac.models.scaling import Scaler
from ray_jobs.windows_table import load_recipes, read_windows

INPUTS = ("features", "embedding")
STATE = "fits.pt"


def fit_worker(settings: dict[str, Any]) -> None:
    """One worker of the data-parallel fit (also the whole of it, with one worker)."""
    torch.set_num_threads(1)
    context = ray_train.get_context()
    config = HybridConfig(**settings["model"])
    device = str(get_device())
    workers = Workers(context.get_world_size(), _wrap, device)
    states = _resumed(settings["local"])
    recipes = load_recipes(Path(settings["folder"]))
    for name, plan in settings["plans"].items():
        state = states.get(name)
        if state is not None and state.epoch >= config.epochs:
            continue
        train, tune = (read_windows(Path(settings["folder"]), recipes[name], (s,), INPUTS) for s in ("train", "tune"))
        train = _shard(train, context.get_world_rank(), context.get_world_size())
        rows = [rows_of(part, Scaler(*plan["scaler"]), config) for part in (train, tune)]
        last = name == list(settings["plans"])[-1]
        final = config.epochs if last else None
        report = _reporter(name, states, every=settings["every"], final_epoch=final, local=settings["local"])
        states[name] = fit_classifiers(
            rows[0], rows[1], config, counts=Counts(*plan["counts"]), workers=workers, state=state, report=report
        )


def _wrap(module: torch.nn.Module) -> torch.nn.Module:
    wrapped: torch.nn.Module = prepare_model(module)
    return wrapped


def _shard(windows: Windows, rank: int, count: int) -> Windows:
    return windows if count == 1 else windows.take(np.arange(rank, len(windows), count))


def _reporter(
    name: str, states: dict[str, FitState], *, every: int, final_epoch: int | None, local: str | None
) -> Callable[[FitState], None]:
    """Checkpoint all fits every few epochs; without workers nothing copies the folder, so it lies in the workspace."""

    def report(state: FitState) -> None:
        states[name] = state
        row = {f"{key}_{h}": value for h, rows in enumerate(state.history_H) for key, value in rows[-1].items()}
        if state.epoch % every and state.epoch != final_epoch:
            return
        rank = ray_train.get_context().get_world_rank()
        with nullcontext(local) if local else tempfile.TemporaryDirectory() as folder:
            if rank == 0:
                _save_states(states, Path(folder))
            checkpoint = ray_train.Checkpoint.from_directory(folder) if rank == 0 else None
            ray_train.report({"class": name, "epoch": state.epoch, **row}, checkpoint=checkpoint)

    return report


def _resumed(local: str | None) -> dict[str, FitState]:
    """The fits of the last checkpoint, none where there is none."""
    if local and (Path(local) / STATE).exists():
        return load_states(Path(local))
    checkpoint = ray_train.get_checkpoint()
    if checkpoint is None:
        return {}
    with checkpoint.as_directory() as folder:
        return load_states(Path(folder))


def _save_states(states: dict[str, FitState], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({name: asdict(state) for name, state in states.items()}, folder / f".{STATE}")
    (folder / f".{STATE}").replace(folder / STATE)


def load_states(folder: Path) -> dict[str, FitState]:
    """The fits of a checkpoint, by class (tensors and plain values only)."""
    found = torch.load(folder / STATE, weights_only=True)
    return {name: FitState(**state) for name, state in found.items()}
