"""Ray Tune's part of a sweep: who draws the settings, stops trials and goes on after a kill."""

from __future__ import annotations

import json
import logging
import os
import random
from typing import Any

import numpy as np
from ray import tune
from ray.tune import CheckpointConfig, FailureConfig, Tuner
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler, PopulationBasedTraining, TrialScheduler
from ray.tune.search import Searcher
from ray.tune.search.sample import Domain

from hvac.json_values import Json
from hvac.models.search_space import Distribution, Settings, Space, encoded
from hvac.storage import AnyPath, matching, remove_tree
from ray_jobs.fit.torch_run import storage_of
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.tune_config import TuneConfig
from ray_jobs.sweep.callbacks import callbacks
from ray_jobs.sweep.plan import Plan, tune_section, workers_of
from ray_jobs.sweep.trial_curves import ledger_file, read_ledger

log = logging.getLogger(__name__)
ENVIRONMENT = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # trials write their own curves
    "TUNE_GLOBAL_CHECKPOINT_S": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # it prints boxes on stdout at any verbosity
}
STATE = "ray"
KEPT = 2  # checkpoints of a trial; PBT keeps all: others may still copy an old one


def search(
    trainable: tune.Trainable, run: RunConfig, planned: Plan, sweep: AnyPath
) -> tune.ResultGrid:
    """Run all trials, or those that a killed sweep has not finished; return Ray's result grid."""
    config = tune_section(run)
    for variable, value in ENVIRONMENT.items():
        os.environ.setdefault(variable, value)
    logging.getLogger("ray.tune.analysis").setLevel(
        logging.ERROR
    )  # it misses the files of loggers we do not use
    state = sweep / STATE
    if restorable(state):
        log.info("tune: going on with %s", sweep)
        return Tuner.restore(
            *storage_of(state).values(), trainable=trainable, restart_errored=True
        ).fit()
    remove_tree(state)
    random.seed(config.seed)  # PBT and ASHA draw from these
    np.random.seed(config.seed)
    first = 1 if config.algorithm == "optuna" else 0  # what Ray counts from

    def name(trial: Trial) -> str:
        return f"trial_{int(str(trial.experiment_tag).split('_')[0]) - first:05d}"

    tuner = Tuner(
        trainable,
        param_space={"settings": _space(config, planned)},
        tune_config=tune.TuneConfig(
            metric=config.metric,
            mode="max",
            num_samples=config.trials if config.algorithm == "optuna" else 1,
            max_concurrent_trials=config.concurrent,
            scheduler=_scheduler(config, planned, sweep),
            search_alg=_searcher(config),
            reuse_actors=workers_of(run)
            == 1,  # a Ray Train run cannot be left in mid-flight
            trial_name_creator=name,
            trial_dirname_creator=name,
        ),
        run_config=tune.RunConfig(
            name=STATE,
            **storage_of(sweep),
            callbacks=callbacks(config, run.name, sweep.name),
            failure_config=FailureConfig(max_failures=run.train.max_failures),
            checkpoint_config=CheckpointConfig(
                num_to_keep=None if config.algorithm == "pbt" else KEPT
            ),
            verbose=0,
        ),
    )
    return tuner.fit()


def restorable(state: AnyPath) -> bool:
    """Tell whether a whole snapshot of a sweep lies there (one that was cut while being written is
    none).
    """
    snapshots = matching(state, "experiment_state-*.json")
    if not snapshots or not Tuner.can_restore(*storage_of(state).values()):
        return False
    try:
        json.loads(snapshots[-1].read_text(encoding="utf-8"))
    except json.JSONDecodeError:
        log.warning(
            "tune: the newest snapshot in %s was cut: starting anew, trials that ended are kept",
            state,
        )
        return False
    return True


def _space(
    config: TuneConfig, planned: Plan
) -> dict[str, Domain] | dict[str, list[Settings]]:
    if config.algorithm == "optuna":
        return {key: _domain(values) for key, values in config.space.items()}
    grid: dict[str, list[Settings]] = tune.grid_search(
        [encoded(p) for p in planned.points]
    )
    return grid


def _domain(values: Distribution) -> Domain:
    if values.kind == "choice":
        return tune.choice(_options(values))
    low, high = values.values
    if values.kind == "int":
        return tune.randint(low, high + 1)
    return (
        tune.loguniform(low, high)
        if values.kind == "loguniform"
        else tune.uniform(low, high)
    )


def _options(values: Distribution) -> list[Json]:
    return [encoded({"": option})[""] for option in values.values]


def _searcher(config: TuneConfig) -> Searcher | None:
    if config.algorithm != "optuna":
        return None
    import optuna
    from ray.tune.search.optuna import OptunaSearch

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return OptunaSearch(metric=config.metric, mode="max", seed=config.seed)


def _scheduler(
    config: TuneConfig, planned: Plan, sweep: AnyPath
) -> TrialScheduler | None:
    if config.algorithm == "asha":
        return Halving(
            sweep,
            config.metric,
            time_attr="epoch",
            max_t=planned.epochs,
            grace_period=config.grace_epochs,
        )
    if config.algorithm == "pbt":
        return PopulationBasedTraining(
            time_attr="epoch",
            perturbation_interval=config.grace_epochs,
            hyperparam_mutations={
                "settings": {
                    key: _options(values)
                    if values.kind == "choice"
                    else _domain(values)
                    for key, values in config.space.items()
                }
            },
            custom_explore_fn=lambda changed: _within(config.space, changed),
            log_config=False,
        )
    return None


def _within(space: Space, config: dict[str, Settings]) -> dict[str, Settings]:
    """Bring settings that PBT has multiplied back into their ranges."""
    return {
        **config,
        "settings": {
            key: space[key].nearest(value) for key, value in config["settings"].items()
        },
    }


class Halving(ASHAScheduler):  # type: ignore[misc]
    """ASHA that fills its rungs from the curves of earlier trials when a sweep is taken up again.

    Ray Tune saves no scheduler: without this, the trials after a kill would be compared with each
    other only."""

    def __init__(self, sweep: AnyPath, measure: str, **settings: Any) -> None:
        super().__init__(**settings)
        self._sweep, self._measure = sweep, measure

    def on_trial_add(self, tune_controller: TuneController, trial: Trial) -> None:
        """Give the scheduler the rows that a trial of an earlier session has reached."""
        super().on_trial_add(tune_controller, trial)
        for row in read_ledger(ledger_file(self._sweep, str(trial))).get("rows", ()):
            if row[self._measure] is not None:
                self.on_trial_result(
                    tune_controller,
                    trial,
                    {"epoch": row["epoch"], self._measure: row[self._measure]},
                )
