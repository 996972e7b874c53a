"""All chosen models × horizons × seeds on one featurized table: a leaderboard with intervals, and
the champion.

    python -m ray_jobs.compare --config FILE [key.sub=value …]

Every (class, model, seed) is one Ray task whose result is kept, so an interrupted comparison goes
on where it was. The champion is the model with the highest PR-AUC on the validation part (mean over
horizons and seeds); the test part judges it and everything else afterwards and has no say in the
choice. Writes leaderboard.html, .json and .csv into workspace/compare/<name>/, and champion.yaml: a
run file that trains the champion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from hvac.errors import ConfigError
from hvac.evaluation.comparison import EvaluationSet, by_equipment
from hvac.evaluation.leaderboard import Candidate, Cost, leaderboard, mean_cost
from hvac.features.describe import Recipe
from hvac.storage import AnyPath, folder_name
from ray_jobs.assess.decided import DecidedRisks, decide_risks
from ray_jobs.assess.evaluation_sets import evaluation_set, onsets
from ray_jobs.assess.leaderboard_files import leaderboard_folder, write_leaderboard
from ray_jobs.fit.candidates import (
    CandidateFit,
    CandidateScores,
    FitSettings,
    basis_of,
    fit_candidates,
    read_scores,
)
from ray_jobs.run.command import main
from ray_jobs.run.run_config import CompareConfig, RunConfig
from ray_jobs.run.workspace import Result, Workspace, content_key, run_step, workspace_of
from ray_jobs.tables.buckets import make_plan
from ray_jobs.tables.trainable import check_trainable
from ray_jobs.tables.windows_table import load_recipes

UNSEEDED = ("base_rate", "persistence", "logistic_28")


class Field(NamedTuple):
    """Fitted contenders, their trial on the windows of some splits, and how many fits that took."""

    contenders: list[Candidate]
    trial: Callable[..., EvaluationSet]
    fits: dict[str, int]


def run(config: RunConfig) -> Result:
    """Compare, unless that was done with the same configuration, windows and code."""
    workspace, wanted = workspace_of(config), comparison_of(config)
    if wanted.kinds:
        raise ConfigError(
            f"{config.name}: compare.kinds is for ray_jobs.rotate; here labels.events are predicted"
            " together"
        )
    decision = config.decision.model_dump(mode="json")
    key = content_key(basis_of(config), decision, wanted.model_dump(mode="json"), config.language)
    return run_step(workspace, f"compare_{wanted.name}", key, lambda: _compare(config, workspace))


def comparison_of(config: RunConfig) -> CompareConfig:
    """The run file's `compare` section. Raises ConfigError where it has none."""
    if config.compare is None:
        raise ConfigError(
            f"{config.name}: the run file has no 'compare' section: name the models to compare"
            " there"
        )
    return config.compare


def _compare(config: RunConfig, workspace: Workspace) -> Result:
    wanted, field = comparison_of(config), fitted(config)
    board = leaderboard(
        field.trial("test"),
        field.trial("tune", "cal"),
        field.contenders,
        default=wanted.default,
        replicates=wanted.replicates,
    )
    named = {"name": wanted.name, "table": workspace.finished("featurize")["key"], **board}
    return {
        **write_leaderboard(config, wanted, named, leaderboard_folder(workspace, wanted.name)),
        **field.fits,
    }


def fitted(config: RunConfig) -> Field:
    """Every model of the comparison, fitted on the workspace's windows (or found fitted)."""
    wanted, workspace = comparison_of(config), workspace_of(config)
    check_trainable(config, workspace, wanted.models.values())
    recipes, folder = (
        load_recipes(workspace.windows),
        workspace.root / "outcomes" / basis_of(config)[:12],
    )
    entries = list(_entries(wanted, folder, recipes))
    bench = FitSettings(str(workspace.windows), config.encoder, config.decision.folds)
    fits = fit_candidates(
        bench, [(recipes[class_name], entry) for class_name, _, entry in entries], job="compare"
    )
    outcomes = {(class_name, run): read_scores(entry.path) for class_name, run, entry in entries}
    contenders = [
        _contender(name, model, wanted, outcomes, recipes) for name, model in wanted.models.items()
    ]
    runs = [run for contender in contenders for run in contender.runs]
    plan = make_plan(config, workspace, recipes)
    events = onsets(plan, workspace.buckets)
    verdicts = _verdicts(config, workspace, recipes, contenders, outcomes)

    def trial(*splits: str) -> EvaluationSet:
        return by_equipment(
            evaluation_set(workspace, recipes, verdicts, runs, events, splits=splits)
        )

    return Field(contenders, trial, fits)


def _entries(
    wanted: CompareConfig, folder: AnyPath, recipes: dict[str, Recipe]
) -> Iterator[tuple[str, str, CandidateFit]]:
    """(class, run, entry): a run is a model with a seed; its file's name holds a hash of its
    settings.
    """
    for name, model in wanted.models.items():
        for seed in _seeds(model, wanted):
            config = model.replace(seed=seed)
            mark = content_key(config.model_dump(mode="json"))[:12]
            for class_name in recipes:
                path = folder / folder_name(class_name) / f"{config.family}-{seed}-{mark}.npz"
                yield class_name, f"{name}#{seed}", CandidateFit(name, config, str(path))


def _seeds(model: Any, wanted: CompareConfig) -> tuple[int, ...]:
    return wanted.seeds[:1] if model.family in UNSEEDED else wanted.seeds


def _verdicts(
    config: RunConfig,
    workspace: Workspace,
    recipes: dict[str, Recipe],
    contenders: list[Candidate],
    outcomes: dict[tuple[str, str], CandidateScores],
) -> dict[tuple[str, str], DecidedRisks]:
    """Risks of every run, by (class, run)."""
    found: dict[tuple[str, str], DecidedRisks] = {}
    for contender in contenders:
        for run in contender.runs:
            own = {name: outcomes[name, run] for name in recipes}
            decided = decide_risks(
                workspace.windows, recipes, own, config.decision, contender.family
            )
            found |= {(name, run): verdict for name, verdict in decided.items()}
    return found


def _contender(
    name: str,
    model: Any,
    wanted: CompareConfig,
    outcomes: dict[tuple[str, str], CandidateScores],
    recipes: dict[str, Recipe],
) -> Candidate:
    runs = tuple(f"{name}#{seed}" for seed in _seeds(model, wanted))
    return Candidate(
        name,
        model.family,
        runs,
        mean_cost([_cost([outcomes[c, run] for c in recipes]) for run in runs]),
    )


def _cost(of_classes: list[CandidateScores]) -> Cost:
    return Cost(
        parameters=sum(each.parameters for each in of_classes),
        fit_seconds=sum(each.fit_seconds for each in of_classes),
        microseconds_per_window=float(
            np.mean([each.microseconds_per_window for each in of_classes])
        ),
    )


if __name__ == "__main__":
    main(run, __doc__)
