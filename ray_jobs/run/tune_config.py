"""The `tune:` section of a run: how its family's settings are searched."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hvac.config import Config, Seed
from hvac.models.search_space import Space

METRIC = "tune_pr_auc"


class TuneConfig(Config):
    """A sweep over the settings of `model`; trials are scored on *tune* by the mean PR-AUC over
    classes and horizons.
    """

    algorithm: Literal["random", "asha", "optuna", "pbt"] = "random"
    """How settings are drawn and trials stopped."""
    trials: int = Field(default=16, ge=1)
    """How many settings are tried (`pbt`: the size of the population)."""
    concurrent: int = Field(default=2, ge=1)
    """Trials that run at once."""
    cpus_per_trial: float = Field(default=1.0, gt=0)
    """CPUs of one trial (with `train.workers` > 1: of one of its workers)."""
    gpus_per_trial: float = Field(default=0.0, ge=0)
    """GPUs of one trial (with `train.workers` > 1: of one of its workers)."""
    seed: Seed = 0
    """Random seed of the drawn settings."""
    metric: str = METRIC
    """`tune_pr_auc`, or that of one horizon, such as `tune_pr_auc_30`."""
    grace_epochs: int = Field(default=3, ge=1)
    """Epochs before `asha` may stop a trial, and between changes of `pbt`."""
    mlflow_uri: str | None = None
    """Where MLflow records the trials; default: nowhere."""
    space: Space = Field(min_length=1)
    """The range of each setting that is searched."""
