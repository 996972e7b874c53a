"""One trial of a sweep, as Ray Tune runs it: fit every class, report each epoch, checkpoint,
resume.

Where `train.workers` asks for several, the trial starts a Ray Train run whose workers share every
batch, and only passes on what they report.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import torch
from ray import tune

from hvac.decision.fit_decisions import DecisionConfig
from hvac.errors import HvacError
from hvac.features.encoder import Encoder, EncoderConfig, load_encoder
from hvac.json_values import as_json
from hvac.models.families import FAMILIES
from hvac.models.family import FamilyConfig, loaded_once
from hvac.models.fitting import FitState, Workers
from hvac.models.network import TrainingConfig
from hvac.models.search_space import Settings, Space, decoded, with_settings
from hvac.storage import AnyPath, write_json
from ray_jobs.fit.torch_run import load_states, save_states
from ray_jobs.sweep.trial_curves import LEDGER, Curves, Ledger, ledger_file, read_ledger
from ray_jobs.sweep.trial_fits import (
    Models,
    Parts,
    Row,
    epoch_row,
    fit_others,
    fit_side_by_side,
    fitted_row,
    threshold_row,
)

FAILED = 0.0  # the score of settings that could not be fitted: no PR-AUC is below
States = dict[str, FitState]
Classes = Mapping[str, Parts]


@dataclass(frozen=True, kw_only=True)
class Shared:
    """Settings that all trials of a sweep share.

    Attributes:
        sweep: the sweep's folder.
        every: epochs between two checkpoints.
        max_failures: how often a trial whose process died is taken up again.
    """

    sweep: AnyPath
    base: FamilyConfig
    space: Space
    encoder: EncoderConfig
    decision: DecisionConfig
    horizons: tuple[int, ...]
    metric: str
    every: int
    max_failures: int
    device: str


def run_trial(config: dict[str, Settings], shared: Shared, classes: Classes) -> None:
    """Run one trial; `config["settings"]` holds the settings to try, encoded."""
    torch.set_num_threads(1)
    trial = tune.get_context().get_trial_name()
    settings = decoded(config["settings"], shared.space)
    if already_ended(shared, trial, settings):
        return
    states, before = resumed_trial(tune.get_checkpoint())
    if before and all(
        state.ended(cast(TrainingConfig, with_settings(shared.base, settings)))
        for state in states.values()
    ):
        # a copy of a fit at its end: nothing is trained with new ones
        settings = before["schedule"][-1]["settings"]
    with Ledger(shared.sweep, trial, settings, before=before) as ledger:
        try:
            for row, ended in follow(
                shared, settings, classes, states, Workers(device=shared.device)
            ):
                ledger.add(row, ended=ended)
                _report(row, ledger, states, shared.every)
        except HvacError as error:
            ledger.fail(str(error))
            tune.report({shared.metric: FAILED, "epoch": ledger.epoch + 1})


def already_ended(shared: Shared, trial: str, settings: Settings) -> bool:
    """Report the last row of a trial that had come to its end before Ray Tune knew of it (killed in
    between).
    """
    done = read_ledger(ledger_file(shared.sweep, trial))
    if not done.get("ended") or done["settings"] != settings:
        return False
    tune.report(_reported(done["rows"][-1]))
    return True


def follow(
    shared: Shared,
    settings: Settings,
    classes: Classes,
    states: States,
    workers: Workers,
    **more: Any,
) -> Iterator[tuple[Row, bool]]:
    """Yield each epoch's row, and whether it is the last, which carries the thresholds too."""
    config: Any = with_settings(shared.base, settings)
    encoder = loaded_once(lambda: _encoder(shared.encoder))
    if not FAMILIES[config.family].network:
        models: Models = fit_others(classes, config, encoder)
        row = fitted_row(models, classes, shared.horizons)
        yield (
            row | threshold_row(models, classes, shared.horizons, shared.decision),
            True,
        )
        return
    for networks in fit_side_by_side(
        classes, config, states, encoder=encoder, workers=workers, **more
    ):
        row = epoch_row(networks, states, classes, shared.horizons)
        ended = all(state.ended(config) for state in states.values())
        if ended:
            best: Models = {
                name: network.finish(states[name]) for name, network in networks.items()
            }
            row |= threshold_row(best, classes, shared.horizons, shared.decision)
        yield row, ended


@cache
def _encoder(config: EncoderConfig) -> Encoder:
    """Load the encoder once per process: importing its library takes seconds."""
    return load_encoder(config)


def _report(row: Row, ledger: Ledger, states: States, every: int) -> None:
    if not states or int(row["epoch"]) % every:
        tune.report(_reported(row))
        return
    with tempfile.TemporaryDirectory() as folder:
        keep(states, ledger, Path(folder))
        tune.report(_reported(row), checkpoint=tune.Checkpoint.from_directory(folder))


def _reported(row: Mapping[str, float | None]) -> dict[str, float]:
    return {
        name: float("nan") if value is None else value for name, value in row.items()
    }


def keep(states: States, ledger: Ledger, folder: Path) -> None:
    """Write a checkpoint: every class's fit, and the curves so far."""
    save_states(states, folder)
    write_json(folder / LEDGER, as_json(ledger.carried))


def resumed_trial(checkpoint: tune.Checkpoint | None) -> tuple[States, Curves | None]:
    """Return the fits and curves of a checkpoint (PBT: that of a better trial); ({}, None) without
    one.
    """
    if checkpoint is None:
        return {}, None
    with checkpoint.as_directory() as folder:
        return load_states(Path(folder)), read_ledger(Path(folder) / LEDGER)
