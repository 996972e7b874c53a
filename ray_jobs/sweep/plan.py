"""What a sweep will do, checked before any training starts."""

from __future__ import annotations

import importlib
import os
from typing import NamedTuple

import ray

from hvac.errors import ConfigError, HvacError
from hvac.models.families import FAMILIES
from hvac.models.network import TrainingConfig
from hvac.models.search_space import Settings, corners, draw_points
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.tune_config import METRIC, TuneConfig
from ray_jobs.run.workspace import Workspace
from ray_jobs.tables.trainable import check_trainable

FIXED_FOR_PBT = {"epochs", "patience", "seed", "family", "augment"}
WITHOUT_EPOCHS = (
    "{} {}, and {} is fitted at once, without epochs: use algorithm: random or optuna"
)


class Plan(NamedTuple):
    """Settings drawn beforehand (Optuna draws its own), what windows must carry, and the epochs of
    the longest trial.
    """

    points: list[Settings]
    needs: tuple[str, ...]
    epochs: int


def plan(config: RunConfig, workspace: Workspace) -> Plan:
    """Check everything that can be checked before training, and return the plan.

    Raises:
        HvacError: one sentence on what is wrong: a setting, a range, an algorithm that does not
            suit the family, a package or resource that is not there, a table that does not hold
            what the family needs.
    """
    search = tune_section(config)
    base = config.model
    _check_packages(search)
    _check_algorithm(config, search)
    _check_metric(search, config.windows.horizons)
    models = [base, *corners(base, search.space)]
    epochs = max(getattr(model, "epochs", 1) for model in models)
    if search.algorithm in ("asha", "pbt") and search.grace_epochs > epochs:
        raise ConfigError(
            f"tune.grace_epochs ({search.grace_epochs}) is more than a trial has epochs ({epochs})"
        )
    points = draw_points(base, search.space, count=search.trials, seed=search.seed)
    check_trainable(config, workspace, models)
    _check_resources(config, search)
    needs = set().union(*(model.reads for model in models))
    return Plan(points, tuple(sorted(needs)), epochs)


def tune_section(config: RunConfig) -> TuneConfig:
    """Return the `tune:` section. Raise ConfigError without one."""
    if config.tune is None:
        raise ConfigError(
            f"{config.name} has no 'tune' section: see ray_jobs/configs/sweep_demo.yaml for one"
        )
    return config.tune


def workers_of(config: RunConfig) -> int:
    """Return how many workers fit one trial: several only for networks."""
    return max(config.train.workers, 1) if FAMILIES[config.model.family].network else 1


def _check_packages(search: TuneConfig) -> None:
    needed = {
        "optuna": search.algorithm == "optuna",
        "mlflow": search.mlflow_uri is not None,
    }
    for package in (name for name, is_needed in needed.items() if is_needed):
        try:
            importlib.import_module(package)
        except ImportError:
            raise ConfigError(
                f"this sweep needs {package}, which is not installed: pip install"
                f" 'hvac-foresight[{package}]'"
            ) from None
    if search.mlflow_uri is not None:
        from ray_jobs.sweep.mlflow_runs import check_reachable

        check_reachable(search.mlflow_uri)


def _check_algorithm(config: RunConfig, search: TuneConfig) -> None:
    base = config.model
    workers = workers_of(config)
    network = FAMILIES[base.family].network
    if search.algorithm == "asha" and not network:
        raise ConfigError(
            WITHOUT_EPOCHS.format("asha", "stops trials between epochs", base.family)
        )
    if (
        search.algorithm == "asha"
        and workers > 1
        and _started_here(config)
        and not config.ray.dashboard
    ):
        raise ConfigError(
            "asha frees the workers of a stopped trial through Ray's dashboard, which is off here:"
            " set ray.dashboard: true, or train.workers: 1"
        )
    if search.algorithm != "pbt":
        return
    if not network:
        raise ConfigError(
            WITHOUT_EPOCHS.format("pbt", "changes settings between epochs", base.family)
        )
    if workers > 1:
        raise ConfigError(
            "pbt copies networks between trials of one process each: set train.workers: 1, not"
            f" {workers}"
        )
    changeable = sorted(set(TrainingConfig.model_fields) - FIXED_FOR_PBT)
    for key in search.space:
        if key not in changeable:
            raise ConfigError(
                f"tune.space.{key}: pbt changes settings of a network in training, and {key} is not"
                f" one that can be changed then; these can: {', '.join(changeable)}"
            )


def _check_metric(search: TuneConfig, horizons: tuple[int, ...]) -> None:
    known = [METRIC, *(f"{METRIC}_{days}" for days in horizons)]
    if search.metric not in known:
        raise ConfigError(
            f"tune.metric: unknown metric '{search.metric}'. Known metrics: {', '.join(known)}"
        )


def _check_resources(config: RunConfig, search: TuneConfig) -> None:
    """Raise HvacError where a trial can never start; on a cluster, which may grow, nothing is
    checked.
    """
    if not _started_here(config):
        return
    there = ray.cluster_resources()
    workers = workers_of(config)
    amounts = {
        "CPU": workers * search.cpus_per_trial,
        "GPU": workers * search.gpus_per_trial,
    }
    for name, amount in amounts.items():
        if amount > there.get(name, 0):
            raise HvacError(
                f"a trial asks for {amount:g} {name}, this machine's Ray has"
                f" {there.get(name, 0):g}: lower tune.{name.lower()}s_per_trial"
            )


def _started_here(config: RunConfig) -> bool:
    """Return whether this job starts its own Ray, rather than joining a cluster."""
    return not os.environ.get("RAY_ADDRESS") and config.ray.address == "local"
