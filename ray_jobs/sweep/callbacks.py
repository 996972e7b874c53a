"""Reports while a sweep runs: a line in the log per trial, and runs in MLflow where they are
configured.
"""

from __future__ import annotations

import logging
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial

from ray_jobs.run.tune_config import TuneConfig

log = logging.getLogger(__name__)


class Progress(Callback):  # type: ignore[misc]
    """A line in the log per trial that ended."""

    def __init__(self, metric: str, trials: int) -> None:
        self.metric, self.trials = metric, trials

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Log the trial's metric and how many trials are done."""
        result = trial.last_result
        done = sum(other.is_finished() or other is trial for other in trials)
        log.info(
            "%s: %s %.4f after %d epochs; %d of %d trials done",
            trial,
            self.metric,
            result[self.metric],
            result["epoch"],
            done,
            self.trials,
        )

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Log that a trial's process died, or met a bug."""
        log.warning("%s: ended with an error, see the sweep's table", trial)


def callbacks(config: TuneConfig, experiment: str, sweep: str) -> list[Callback]:
    """Return all callbacks of the configuration."""
    chosen: list[Callback] = [Progress(config.metric, config.trials)]
    if config.mlflow_uri is not None:
        from ray_jobs.sweep.mlflow_runs import TrialRuns

        chosen.append(TrialRuns(config.mlflow_uri, experiment, sweep))
    return chosen
