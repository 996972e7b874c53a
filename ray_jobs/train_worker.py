"""What a Ray Train worker does: fit its share of every class's network, checkpoint, resume."""

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

from hvac.features.encoder import EncoderConfig, load_encoder
from hvac.features.table import Windows
from hvac.models.families import FAMILIES, read_config
from hvac.models.family import loaded_once
from hvac.models.fitting import FitState, Workers, count, fit_network
from ray_jobs.windows_table import load_recipes, prepared_windows, training_windows

STATE = "fits.pt"


def fit_worker(settings: dict[str, Any]) -> None:
    """One worker of the data-parallel fit (also the whole of it, with one worker).

    Every worker reads all training windows, so that scaling and class weights are those of the whole; it then keeps its
    share of the rows.
    """
    torch.set_num_threads(1)
    context = ray_train.get_context()
    config = read_config(settings["model"])
    encoder = loaded_once(lambda: load_encoder(EncoderConfig(**settings["encoder"])))
    workers = Workers(context.get_world_size(), _wrap, str(get_device()))
    states = _resumed(settings["local"])
    folder, recipes = Path(settings["folder"]), load_recipes(Path(settings["folder"]))
    for name in recipes:
        state = states.get(name)
        if state is not None and state.ended(config):
            continue
        train = training_windows(folder, recipes[name], config, encoder)
        tune = prepared_windows(folder, recipes[name], "tune", config.needs, encoder)
        model = FAMILIES[config.family].model.start(train, config, encoder)
        shard = _shard(train, context.get_world_rank(), context.get_world_size())
        report = _reporter(name, states, config, every=settings["every"], last=name == list(recipes)[-1],
                           local=settings["local"])  # fmt: skip
        states[name] = fit_network(
            model.network, model.rows(shard), model.rows(tune), config, counts=count(train), workers=workers,
            state=state, report=report,
        )  # fmt: skip


def _wrap(module: torch.nn.Module) -> torch.nn.Module:
    wrapped: torch.nn.Module = prepare_model(module)
    return wrapped


def _shard(windows: Windows, rank: int, count: int) -> Windows:
    return windows if count == 1 else windows.take(np.arange(rank, len(windows), count))


def _reporter(
    name: str, states: dict[str, FitState], config: Any, *, every: int, last: bool, local: str | None
) -> Callable[[FitState], None]:
    """Checkpoint all fits every few epochs; without workers nothing copies the folder, so it lies in the workspace."""

    def report(state: FitState) -> None:
        states[name] = state
        row = {f"{key}_{h}": value for h, rows in enumerate(state.history_H) for key, value in rows[-1].items()}
        if state.epoch % every and not (last and state.ended(config)):
            return
        rank = ray_train.get_context().get_world_rank()
        with nullcontext(local) if local else tempfile.TemporaryDirectory() as folder:
            if rank == 0:
                save_states(states, Path(folder))
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


def save_states(states: dict[str, FitState], folder: Path) -> None:
    """Write the fits of a checkpoint, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({name: asdict(state) for name, state in states.items()}, folder / f".{STATE}")
    (folder / f".{STATE}").replace(folder / STATE)


def load_states(folder: Path) -> dict[str, FitState]:
    """The fits of a checkpoint, by class (tensors and plain values only)."""
    found = torch.load(folder / STATE, weights_only=True)
    return {name: FitState(**state) for name, state in found.items()}
