"""The detector's network on Ray Train: what a worker does, and the run around it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from ray import train as ray_train
from ray.train import CheckpointConfig, FailureConfig, ScalingConfig
from ray.train import RunConfig as RayRunConfig
from ray.train.torch import TorchTrainer, get_device
from safetensors.numpy import load_file, save_file

from hvac.detect.training import Examples, settle_tie
from hvac.models.cnn1d import Cnn1d, Cnn1dConfig
from hvac.models.family import no_encoder
from hvac.models.fitting import FitState, Workers, count, fit_network
from ray_jobs.run_config import TrainConfig
from ray_jobs.train_worker import _reporter, _resumed, _shard, _wrap, load_states

NETWORK = "detector"


def fit_on_workers(
    train: Examples, validation: Examples, model: Cnn1dConfig, *, config: TrainConfig, folder: Path, key: str
) -> tuple[Cnn1d, FitState]:
    """Fit by `config.workers` Ray Train workers (0: in this process); started again, it goes on where it stood.

    Args:
        folder: shared by all workers; `key` names the fit in it.
    """
    for name, part in (("train", train), ("validation", validation)):
        _write(part, folder / f"{name}-{key}.safetensors")
    local = folder / f"local-{key}"
    settings = {
        "folder": str(folder),
        "key": key,
        "model": model.model_dump(mode="json"),
        "every": config.checkpoint_every,
        "local": None if config.workers else str(local),
    }
    trainer = TorchTrainer(
        fit_worker,
        train_loop_config=settings,
        scaling_config=ScalingConfig(num_workers=config.workers, use_gpu=config.gpu),
        run_config=RayRunConfig(
            name=f"detect-{key}",
            storage_path=str(folder),
            failure_config=FailureConfig(max_failures=config.max_failures),
            checkpoint_config=CheckpointConfig(num_to_keep=1),
        ),
    )
    result = trainer.fit()
    if config.workers:
        assert result.checkpoint is not None, "the last report carries a checkpoint"
        with result.checkpoint.as_directory() as saved:
            state = load_states(Path(saved))[NETWORK]
    else:
        state = load_states(local)[NETWORK]
    return Cnn1d.start(train.windows, model, no_encoder).finish(state), state


def fit_worker(settings: dict[str, Any]) -> None:
    """One worker of the data-parallel fit: it reads all examples, for their statistics, and learns from its share."""
    torch.set_num_threads(1)
    context = ray_train.get_context()
    config = Cnn1dConfig(**settings["model"])
    workers = Workers(context.get_world_size(), _wrap, str(get_device()))
    states = _resumed(settings["local"])
    state = states.get(NETWORK)
    if state is not None and state.ended(config):
        return
    folder, key = Path(settings["folder"]), settings["key"]
    train, validation = (_read(folder / f"{name}-{key}.safetensors").windows for name in ("train", "validation"))
    model = Cnn1d.start(train, config, no_encoder)
    shard = _shard(train, context.get_world_rank(), context.get_world_size())
    checkpoint = _reporter(NETWORK, states, config, every=settings["every"], last=True, local=settings["local"])

    def report(found: FitState) -> None:
        settle_tie(found)
        checkpoint(found)

    fit_network(
        model.network, model.rows(shard), model.rows(validation), config, counts=count(train), workers=workers,
        state=state, report=report,
    )  # fmt: skip


def _write(examples: Examples, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(examples._asdict(), path)


def _read(path: Path) -> Examples:
    return Examples(**load_file(path))
