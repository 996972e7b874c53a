"""Sweep over the settings of a family: random, ASHA, Optuna or PBT, on Ray Tune.

    python -m ray_jobs.tune --config ray_jobs/configs/sweep_demo.yaml [key.sub=value …]

Needs the featurized table; a killed sweep goes on when it is started again, a finished one is not
done twice. Writes into workspace/sweeps/<name>-<key>/: best.yaml (a run with the best settings),
trials.csv, sweep.json, sweep.html, and curves for TensorBoard (`make tensorboard`). Trials are
fitted on *train* and scored on *tune*."""

from __future__ import annotations

from functools import partial

from ray import tune
from ray.train import ScalingConfig

from hvac.features.encoder import EncoderConfig, load_encoder
from hvac.models.family import loaded_once, no_encoder
from hvac.storage import AnyPath, content_key, place, remove_tree
from ray_jobs.run.command import main
from ray_jobs.run.records import FeaturizeRecord, TuneRecord
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace, run_step, workspace_of
from ray_jobs.sweep.plan import Plan, plan, tune_section, workers_of
from ray_jobs.sweep.search import STATE, search
from ray_jobs.sweep.sweep_files import write_results
from ray_jobs.sweep.trial import Shared, run_trial
from ray_jobs.sweep.trial_fits import check_scorable, read_classes
from ray_jobs.sweep.trial_workers import run_trial_of_workers


def run(config: RunConfig) -> TuneRecord:
    """Run, or go on with, the configured sweep; return its record."""
    workspace = workspace_of(config)
    search_config = tune_section(config)
    table = workspace.record(FeaturizeRecord).key
    parts = (config.model, config.decision, config.encoder, search_config)
    sections = [part.model_dump(mode="json") for part in parts]
    key = content_key(table, sections, config.train.workers)
    sweep = workspace.root / "sweeps" / f"{config.name}-{key[:8]}"
    step = f"tune-{key[:8]}"
    work = partial(_sweep, config, workspace, sweep)
    result = run_step(workspace, TuneRecord, key, work, step=step)
    remove_tree(sweep / STATE)  # Ray's own state is good for resuming only
    remove_tree(sweep / "ray_train")
    return result


def _sweep(config: RunConfig, workspace: Workspace, sweep: AnyPath) -> TuneRecord:
    planned = plan(config, workspace)
    search_config = tune_section(config)
    classes = read_classes(workspace.windows, (), no_encoder)
    check_scorable(classes, search_config.metric, config.windows.horizons)
    shared = Shared(
        sweep=sweep,
        base=config.model,
        space=search_config.space,
        encoder=_absolute(config.encoder),
        decision=config.decision,
        horizons=config.windows.horizons,
        metric=search_config.metric,
        every=(
            search_config.grace_epochs
            if search_config.algorithm == "pbt"
            else config.train.checkpoint_every
        ),
        max_failures=config.train.max_failures,
        device="cuda" if search_config.gpus_per_trial else "cpu",
    )
    grid = search(
        _trainable(config, shared, workspace, planned), config, planned, sweep
    )
    return write_results(config, sweep, grid)


def _absolute(encoder: EncoderConfig) -> EncoderConfig:
    """Return the encoder with an absolute path: trials work in folders of their own."""
    return (
        encoder
        if encoder.path is None
        else encoder.replace(path=str(place(encoder.path)))
    )


def _trainable(
    config: RunConfig, shared: Shared, workspace: Workspace, planned: Plan
) -> tune.Trainable:
    """Return the trial function with all it needs: windows are prepared once and lie in Ray's
    object store.
    """
    section = tune_section(config)
    workers = workers_of(config)
    resources = {"CPU": section.cpus_per_trial, "GPU": section.gpus_per_trial}
    if workers > 1:
        scaling = ScalingConfig(
            num_workers=workers,
            use_gpu=section.gpus_per_trial > 0,
            resources_per_worker=resources,
        )
        nested = tune.with_parameters(
            run_trial_of_workers,
            shared=shared,
            table=str(workspace.windows),
            scaling=scaling,
        )
        return tune.with_resources(
            nested, {"memory": 1}
        )  # it only waits: all CPUs are for its workers
    encoder = loaded_once(lambda: load_encoder(config.encoder))
    classes = read_classes(workspace.windows, planned.needs, encoder)
    alone = tune.with_parameters(run_trial, shared=shared, classes=classes)
    return tune.with_resources(
        alone, {name.lower(): amount for name, amount in resources.items()}
    )


if __name__ == "__main__":
    main(run, __doc__)
