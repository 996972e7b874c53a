"""What is told while a sweep runs: a line in the log per trial, and runs in MLflow where that is
asked for.
"""

from __future__ import annotations

import logging
from typing import Any

from ray.tune import Callback

from ray_jobs.run.tune_config import TuneConfig

log = logging.getLogger(__name__)


class Progress(Callback):  # type: ignore[misc]
    """A line per trial that ended."""

    def __init__(self, metric: str, trials: int) -> None:
        self.metric, self.trials = metric, trials

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """How far a trial came, and how many there are still to come."""
        found = trial.last_result
        done = sum(each.is_finished() or each is trial for each in trials)
        log.info(
            "%s: %s %.4f after %d epochs; %d of %d trials done",
            trial,
            self.metric,
            found[self.metric],
            found["epoch"],
            done,
            self.trials,
        )

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial whose process died, or that met a bug."""
        log.warning("%s: ended with an error, see the sweep's table", trial)


def callbacks(config: TuneConfig, experiment: str, sweep: str) -> list[Callback]:
    """All that the configuration asks for."""
    found: list[Callback] = [Progress(config.metric, config.trials)]
    if config.mlflow_uri is not None:
        from ray_jobs.sweep.mlflow_runs import TrialRuns

        found.append(TrialRuns(config.mlflow_uri, experiment, sweep))
    return found
