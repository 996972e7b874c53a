"""The `tune:` section of a run: how its family's settings are searched."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hvac.config import Config, Seed
from hvac.models.search_space import Space

METRIC = "tune_pr_auc"


class TuneConfig(Config):
    """A sweep over the settings of `model`, each trial judged on *tune* by the mean PR-AUC over
    classes and horizons.

    Attributes:
        trials: how many settings are tried (`pbt`: the size of the population).
        cpus_per_trial, gpus_per_trial: what one trial (with `train.workers` > 1: one of its
            workers) is given.
        metric: `tune_pr_auc`, or that of one horizon, such as `tune_pr_auc_30`.
        grace_epochs: `asha` stops no trial before; `pbt` may change settings this often.
        mlflow_uri: where MLflow records the trials, if anywhere.
    """

    algorithm: Literal["random", "asha", "optuna", "pbt"] = "random"
    trials: int = Field(default=16, ge=1)
    concurrent: int = Field(default=2, ge=1)
    cpus_per_trial: float = Field(default=1.0, gt=0)
    gpus_per_trial: float = Field(default=0.0, ge=0)
    seed: Seed = 0
    metric: str = METRIC
    grace_epochs: int = Field(default=3, ge=1)
    mlflow_uri: str | None = None
    space: Space = Field(min_length=1)
