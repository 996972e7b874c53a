"""A network's fit on Ray Train: the work of every worker, and the run around the workers.

Fits are named (an equipment class, a detector); a checkpoint holds all of them, so a killed worker,
or a killed job that is started again, goes on where they stood.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ray import train as ray_train
from ray.exceptions import ActorDiedError, RayActorError
from ray.train import CheckpointConfig, ControllerError, FailureConfig, ScalingConfig
from ray.train import RunConfig as RayRunConfig
from ray.train.torch import TorchTrainer, get_device, prepare_model

from hvac.features.table import Windows
from hvac.json_values import JsonObject
from hvac.models.fit_rows import count
from hvac.models.fitting import FitState, Workers, fit_network
from hvac.models.network import NetworkModel, TrainingConfig
from hvac.storage import AnyPath, Place, place, writing
from ray_jobs.run.run_config import TrainConfig

log = logging.getLogger(__name__)
STATE = "fits.pt"


def fit_by_workers(
    worker: Callable[[dict[str, Any]], None],
    settings: JsonObject,
    *,
    config: TrainConfig,
    folder: AnyPath,
    name: str,
) -> dict[str, FitState]:
    """Run `config.workers` workers (0: this process is the worker) and return every fit by its
    name.

    Args:
        worker: called with `settings` and, beside them, `every` (epochs between checkpoints) and
            `local` (where the fits lie where there is no worker that copies them, else None).
        folder: shared by all workers; checkpoints lie there under `name`, which must tell one fit
            from another.
    """
    poll_often()
    folder = place(folder)
    local = None if config.workers else str(folder / f"local-{name}")
    worker_resources = (
        {"CPU": 1.0, **({"GPU": 1.0} if config.gpu else {}), **config.resources}
        if config.resources
        else {}
    )

    def fitted() -> ray_train.Result:
        return TorchTrainer(
            worker,
            train_loop_config={
                **settings,
                "every": config.checkpoint_every,
                "local": local,
            },
            scaling_config=ScalingConfig(
                num_workers=config.workers,
                use_gpu=config.gpu,
                resources_per_worker=worker_resources or None,
            ),
            run_config=RayRunConfig(
                name=name,
                **storage_of(folder),
                failure_config=FailureConfig(max_failures=config.max_failures),
                checkpoint_config=CheckpointConfig(num_to_keep=1),
            ),
        ).fit()

    result = _led_again(fitted, config.max_failures)
    if local:
        return load_states(place(local))
    assert result.checkpoint is not None, "the last report carries a checkpoint"
    with result.checkpoint.as_directory() as saved:
        return load_states(Path(saved))


def _led_again(fitted: Callable[[], ray_train.Result], times: int) -> ray_train.Result:
    """Go on from the last checkpoint where Ray Train itself does not.

    It starts dead workers again, but not its own controller, nor a worker that dies while all are
    being started."""
    try:
        return fitted()
    except (ActorDiedError, ControllerError) as error:
        if not times or not isinstance(
            getattr(error, "controller_failure", error), RayActorError
        ):
            raise
        log.warning(
            "train: a process that leads or joins the workers died: going on from the last"
            " checkpoint"
        )
        return _led_again(fitted, times - 1)


def poll_often() -> None:
    """Let Ray Train look at its workers ten times a second: every report waits for the next look,
    and its own pace is 2 s.

    It hands the setting on to the process that leads the workers.
    """
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.1")


def storage_of(folder: AnyPath) -> dict[str, Any]:
    """Return where Ray Train and Ray Tune keep their checkpoints, as arguments of their
    `RunConfig`.
    """
    if isinstance(folder, Place):
        return {"storage_path": folder.inner, "storage_filesystem": folder.system}
    return {"storage_path": str(folder)}


def wrap(module: torch.nn.Module) -> torch.nn.Module:
    """Prepare a network for Ray Train: on the worker's device, data-parallel where there are
    several workers.
    """
    wrapped: torch.nn.Module = prepare_model(module)
    return wrapped


def shard(windows: Windows, rank: int, count: int) -> Windows:
    """Return a worker's share of the rows."""
    return windows if count == 1 else windows.take(np.arange(rank, len(windows), count))


def fit_as_worker(
    model: NetworkModel[Any],
    train: Windows,
    tune: Windows,
    name: str,
    states: dict[str, FitState],
    settings: dict[str, Any],
    *,
    last: bool = True,
    after_epoch: Callable[[FitState], None] = lambda state: None,
) -> None:
    """Fit a network on this worker's share of the rows, from where `states` has it.

    Args:
        model: started on all of `train`, so that its scaling is that of the whole.
        train: the rows of all workers.
        tune: what every epoch is scored on.
        name: of the fit among `states`, all of which a checkpoint holds.
        states: of all fits; this one's is kept up to date.
        settings: of the worker, as `fit_by_workers` gives them.
        last: whether no fit comes after it.
        after_epoch: called with the state before it is checkpointed.
    """
    context = ray_train.get_context()
    number = context.get_world_size()
    checkpoint = reporter(
        name,
        states,
        model.config,
        every=settings["every"],
        last=last,
        local=settings["local"],
    )

    def report(state: FitState) -> None:
        after_epoch(state)
        checkpoint(state)

    states[name] = fit_network(
        model.network,
        model.rows(shard(train, context.get_world_rank(), number)),
        model.rows(tune),
        model.config,
        counts=count(train),
        workers=Workers(number, wrap, str(get_device())),
        state=states.get(name),
        report=report,
    )


def reporter(
    name: str,
    states: dict[str, FitState],
    config: TrainingConfig,
    *,
    every: int,
    last: bool,
    local: str | None,
) -> Callable[[FitState], None]:
    """Make the function that checkpoints all fits every few epochs; without workers, into the
    folder `local`.
    """

    def report(state: FitState) -> None:
        states[name] = state
        row: dict[str, float] = {}
        for h, rows in enumerate(state.history_H):
            row |= {f"{key}_{h}": value for key, value in rows[-1].items()}
        if state.epoch % every and not (last and state.ended(config)):
            return
        rank = ray_train.get_context().get_world_rank()
        if local:
            save_states(states, place(local))
            ray_train.report({"class": name, "epoch": state.epoch, **row})
            return
        with tempfile.TemporaryDirectory() as folder:
            if rank == 0:
                save_states(states, Path(folder))
            checkpoint = (
                ray_train.Checkpoint.from_directory(folder) if rank == 0 else None
            )
            ray_train.report(
                {"class": name, "epoch": state.epoch, **row}, checkpoint=checkpoint
            )

    return report


def resumed(local: str | None) -> dict[str, FitState]:
    """Return the fits of the last checkpoint, {} where there is none."""
    if local and (place(local) / STATE).exists():
        return load_states(place(local))
    checkpoint = ray_train.get_checkpoint()
    if checkpoint is None:
        return {}
    with checkpoint.as_directory() as folder:
        return load_states(Path(folder))


def save_states(states: dict[str, FitState], folder: AnyPath) -> None:
    """Write the fits of a checkpoint, whole or not at all."""
    with writing(folder / STATE) as file:
        torch.save({name: asdict(state) for name, state in states.items()}, file)


def load_states(folder: AnyPath) -> dict[str, FitState]:
    """Read the fits of a checkpoint, by class (tensors and plain values only)."""
    with (folder / STATE).open("rb") as file:
        saved = torch.load(file, weights_only=True)
    return {name: FitState(**state) for name, state in saved.items()}
