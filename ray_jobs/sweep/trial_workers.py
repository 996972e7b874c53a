"""A trial whose network several workers fit together: a Ray Train run inside the trial."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from ray import train as ray_train
from ray import tune
from ray.train import CheckpointConfig, FailureConfig, ScalingConfig
from ray.train import RunConfig as RayRunConfig
from ray.train.torch import TorchTrainer, get_device, prepare_model
from ray.tune.integration.ray_train import TuneReportCallback

from hvac.features.encoder import load_encoder
from hvac.models.family import loaded_once
from hvac.models.fit_rows import Rows
from hvac.models.fitting import Workers
from hvac.models.search_space import Settings, decoded, with_settings
from hvac.storage import place
from ray_jobs.fit.torch_run import poll_often, storage_of
from ray_jobs.run.command import root_of
from ray_jobs.sweep.trial import (
    FAILED,
    Shared,
    already_ended,
    follow,
    keep,
    resumed_trial,
)
from ray_jobs.sweep.trial_curves import Ledger
from ray_jobs.sweep.trial_fits import read_classes


def run_trial_of_workers(
    config: dict[str, Settings], shared: Shared, table: str, scaling: ScalingConfig
) -> None:
    """Run one trial, as Ray Tune calls it; metrics come from the first worker, checkpoints stay
    with Ray Train.
    """
    trial = tune.get_context().get_trial_name()
    settings = decoded(config["settings"], shared.space)
    if already_ended(shared, trial, settings):
        return
    poll_often()
    trainer = TorchTrainer(
        fit_share,
        train_loop_config=TrialLoop(
            shared=shared, trial=trial, settings=settings, table=table
        ),
        scaling_config=scaling,
        run_config=RayRunConfig(
            name=trial,
            **storage_of(shared.sweep / "ray_train"),
            callbacks=[TuneReportCallback()],
            failure_config=FailureConfig(max_failures=shared.max_failures),
            checkpoint_config=CheckpointConfig(num_to_keep=1),
        ),
    )
    try:
        trainer.fit()
    except ray_train.TrainingFailedError as error:
        cause = root_of(error)
        if cause is None:
            raise
        with Ledger(shared.sweep, trial, settings) as ledger:
            ledger.fail(str(cause))
        tune.report({shared.metric: FAILED, "epoch": 1})


class TrialLoop(TypedDict):
    """What every worker of a trial is given; `table` is the folder of the windows."""

    shared: Shared
    trial: str
    settings: Settings
    table: str


def fit_share(loop: TrialLoop) -> None:
    """Fit as one worker on its share of every class's training windows; the first writes curves and
    checkpoints.
    """
    torch.set_num_threads(1)
    shared = loop["shared"]
    rank = ray_train.get_context().get_world_rank()
    size = ray_train.get_context().get_world_size()
    needs = with_settings(shared.base, loop["settings"]).reads
    classes = read_classes(
        place(loop["table"]), needs, loaded_once(lambda: load_encoder(shared.encoder))
    )
    states, before = resumed_trial(ray_train.get_checkpoint())
    ledger = (
        Ledger(shared.sweep, loop["trial"], loop["settings"], before=before)
        if rank == 0
        else None
    )

    def share(rows: Rows) -> Rows:
        return rows.take(np.arange(rank, len(rows.y_BH), size))

    workers = Workers(size, prepare_model, str(get_device()))
    for row, ended in follow(
        shared, loop["settings"], classes, states, workers, share=share
    ):
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = None
            if ledger is not None:
                ledger.add(row, ended=ended)
                if int(row["epoch"]) % shared.every == 0:
                    keep(states, ledger, Path(folder))
                    checkpoint = ray_train.Checkpoint.from_directory(folder)
            ray_train.report(dict(row), checkpoint=checkpoint)
    if ledger is not None:
        ledger.close()
