"""Trials as MLflow runs (optional: `pip install 'hvac-foresight[mlflow]'`)."""

from __future__ import annotations

import functools
import logging
import math
import time
from collections.abc import Callable
from typing import Any

from mlflow.entities import Metric, Param, Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from ray.tune import Callback
from ray.tune.experiment import Trial

from hvac.errors import ConfigError

TRIAL, SWEEP = "sweep_trial", "sweep"
log = logging.getLogger(__name__)


def check_reachable(uri: str) -> None:
    """Raise ConfigError where no runs can be recorded."""
    try:
        MlflowClient(uri).search_experiments(max_results=1)
    except MlflowException as error:
        raise ConfigError(
            f"tune.mlflow_uri: MLflow cannot record runs at {uri}: {str(error).splitlines()[0]}"
        ) from error


def _or_warn(record: Callable[..., None]) -> Callable[..., None]:
    """Turn errors of MLflow into warnings, as Ray Tune would end a trial whose callback fails."""

    @functools.wraps(record)
    def recorded(self: TrialRuns, *arguments: Any, **info: Any) -> None:
        try:
            record(self, *arguments, **info)
        except MlflowException as error:
            log.warning(
                "MLflow did not record at %s: %s", self.uri, str(error).splitlines()[0]
            )

    return recorded


class TrialRuns(Callback):  # type: ignore[misc]
    """One MLflow run per trial: a metric per epoch, the settings when it ends; a killed sweep goes
    on with it.

    Ray's own callback writes every metric by itself, which takes a second per epoch on a local
    database, and starts a second run for a trial that is taken up again.
    """

    def __init__(self, uri: str, experiment: str, sweep: str) -> None:
        self.uri, self.experiment, self.sweep = uri, experiment, sweep
        self.run_of: dict[str, str] = {}

    @property
    def client(self) -> MlflowClient:
        """Return a new client, which costs little."""
        return MlflowClient(self.uri)

    @_or_warn
    def on_trial_start(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Find or start the trial's run."""
        client = self.client
        name = str(trial)
        known = client.get_experiment_by_name(self.experiment)
        experiment = (
            known.experiment_id if known else client.create_experiment(self.experiment)
        )
        tags = {
            TRIAL: name,
            SWEEP: self.sweep,
        }  # trials of another sweep of this name are called the same
        runs: list[Run] = client.search_runs(
            [experiment], " and ".join(f"tags.{n} = '{v}'" for n, v in tags.items())
        )
        run = (
            runs[0] if runs else client.create_run(experiment, run_name=name, tags=tags)
        )
        client.update_run(run.info.run_id, status="RUNNING")
        self.run_of[name] = run.info.run_id

    @_or_warn
    def on_trial_result(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        result: dict[str, float],
        **info: Any,
    ) -> None:
        """Record an epoch."""
        now = int(time.time() * 1000)
        step = int(result["epoch"])
        finite = {
            n: v
            for n, v in result.items()
            if isinstance(v, float) and math.isfinite(v) and not n.startswith("time")
        }
        if run := self.run_of.get(str(trial)):
            self.client.log_batch(
                run, metrics=[Metric(n, v, now, step) for n, v in finite.items()]
            )

    @_or_warn
    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Record the settings (PBT changes them on the way) and the end."""
        if run := self.run_of.get(str(trial)):
            self.client.log_batch(
                run,
                params=[Param(n, str(v)) for n, v in trial.config["settings"].items()],
            )
            self.client.set_terminated(run)

    @_or_warn
    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Record that the trial failed."""
        if run := self.run_of.get(str(trial)):
            self.client.set_terminated(run, "FAILED")
