"""The detector's network on Ray Train: what a worker does, and the run around it."""

from __future__ import annotations

from typing import Any

import torch
from safetensors.numpy import load, save_file

from hvac.detect.training import Examples, settle_tie
from hvac.json_values import JsonObject
from hvac.models.cnn1d import Cnn1d, Cnn1dConfig
from hvac.models.family import augmented, no_encoder
from hvac.models.fitting import FitState
from hvac.storage import AnyPath, place, replacing
from ray_jobs.fit.torch_run import fit_as_worker, fit_by_workers, resumed
from ray_jobs.run.run_config import TrainConfig

NETWORK = "detector"


def fit_on_workers(
    train: Examples,
    validation: Examples,
    model: Cnn1dConfig,
    *,
    config: TrainConfig,
    folder: AnyPath,
    key: str,
) -> tuple[Cnn1d, FitState]:
    """Fit by `config.workers` Ray Train workers (0: in this process); started again, it goes on
    from its checkpoint.

    Args:
        folder: shared by all workers; `key` names the fit in it.
    """
    for name, part in (("train", train), ("validation", validation)):
        _write(part, folder / f"{name}-{key}.safetensors")
    settings: JsonObject = {
        "folder": str(folder),
        "key": key,
        "model": model.model_dump(mode="json"),
    }
    states = fit_by_workers(
        detector_worker, settings, config=config, folder=folder, name=f"detect-{key}"
    )
    windows = augmented(train.windows, model, no_encoder)
    return Cnn1d.start(windows, model, no_encoder).finish(states[NETWORK]), states[
        NETWORK
    ]


def detector_worker(settings: dict[str, Any]) -> None:
    """Fit as one of the data-parallel workers: read all examples, for their statistics, and learn
    from a share.
    """
    torch.set_num_threads(1)
    config = Cnn1dConfig(**settings["model"])
    states = resumed(settings["local"])
    state = states.get(NETWORK)
    if state is not None and state.ended(config):
        return
    folder = place(settings["folder"])
    key = settings["key"]
    train, validation = (
        _read(folder / f"{name}-{key}.safetensors").windows
        for name in ("train", "validation")
    )
    train = augmented(train, config, no_encoder)
    model = Cnn1d.start(train, config, no_encoder)
    fit_as_worker(
        model, train, validation, NETWORK, states, settings, after_epoch=settle_tie
    )


def _write(examples: Examples, path: AnyPath) -> None:
    with replacing(path) as building:
        save_file(examples._asdict(), building)


def _read(path: AnyPath) -> Examples:
    return Examples(**load(path.read_bytes()))
