"""Compare models on one table of windows: a leaderboard with intervals, and the champion.

    python -m ray_jobs.compare --config FILE [key.sub=value …]

Every (class, model, seed) is one Ray task whose scores are kept, so that an interrupted comparison
goes on where it was. The champion is the model with the highest PR-AUC on the validation part (mean
over horizons and seeds); the test part measures all models afterwards and has no say in the choice.
Writes leaderboard.html, .json and .csv into workspace/compare/<name>/, and champion.yaml: a run file
that trains the champion. A run file without a `compare` section compares its model with every
baseline, by the run's seed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hvac.errors import ConfigError
from hvac.evaluation import leaderboard as boards
from hvac.evaluation.alarms import Onsets
from hvac.evaluation.compared_windows import EvaluationSet, by_equipment
from hvac.features.recipe import Recipe
from hvac.models.families import BASELINES, FAMILIES
from hvac.models.family import FamilyConfig
from hvac.storage import content_key
from ray_jobs.assess.decided_risks import DecidedRisks, decide_risks
from ray_jobs.assess.evaluation_sets import Risks, evaluation_set, onsets
from ray_jobs.assess.leaderboard_files import (
    NamedLeaderboard,
    leaderboard_folder,
    write_leaderboard,
)
from ray_jobs.fit.candidates import (
    Candidate,
    Candidates,
    CandidateScores,
    basis_of,
    read_scores,
)
from ray_jobs.run.command import main
from ray_jobs.run.records import CompareRecord, FeaturizeRecord
from ray_jobs.run.run_config import CompareConfig, RunConfig
from ray_jobs.run.workspace import Workspace, run_step, workspace_of
from ray_jobs.tables.buckets import make_plan
from ray_jobs.tables.trainable import check_trainable
from ray_jobs.tables.windows_table import load_recipes

ScoresByClass = dict[str, CandidateScores]


class FittedModels(NamedTuple):
    """Models of a comparison with the risks of their runs (a model with a seed is a run)."""

    workspace: Workspace
    recipes: dict[str, Recipe]
    models: list[boards.ComparedModel]
    risks: Risks
    events: Onsets
    fits: dict[str, int]

    def windows(self, *splits: str) -> EvaluationSet:
        """Return the windows of some splits, of equipment, with the risks of every run."""
        runs = [run for model in self.models for run in model.runs]
        joined = evaluation_set(
            self.workspace, self.recipes, self.risks, runs, self.events, splits=splits
        )
        return by_equipment(joined)


def run(config: RunConfig) -> CompareRecord:
    """Compare, unless that was done with the same configuration, windows and code."""
    config = config.replace(compare=config.compare or model_beside_baselines(config))
    workspace = workspace_of(config)
    section = compare_section(config)
    if section.kinds:
        raise ConfigError(
            f"{config.name}: compare.kinds is for ray_jobs.rotate; here labels.events are predicted"
            " together"
        )
    settings = [part.model_dump(mode="json") for part in (config.decision, section)]
    key = content_key(basis_of(config), *settings, config.language)
    step = f"compare_{section.name}"
    return run_step(
        workspace, CompareRecord, key, lambda: _compare(config, workspace), step=step
    )


def model_beside_baselines(config: RunConfig) -> CompareConfig:
    """Return the comparison of a run that names none: its model beside every baseline.

    What evaluate fitted is not fitted again.
    """
    default = config.model.family
    baselines = {name: {"family": name} for name in BASELINES if name != default}
    model = config.model.replace(seed=0).model_dump(mode="json")
    return CompareConfig(
        models={default: model, **baselines},
        default=default,
        seeds=(config.seed,),
        replicates=config.evaluate.replicates,
    )


def compare_section(config: RunConfig) -> CompareConfig:
    """Return the run file's `compare` section. Raises ConfigError where it has none."""
    if config.compare is None:
        raise ConfigError(
            f"{config.name}: the run file has no 'compare' section: name the models to compare"
            " there"
        )
    return config.compare


def _compare(config: RunConfig, workspace: Workspace) -> CompareRecord:
    section = compare_section(config)
    fitted = fit_models(config)
    board = boards.leaderboard(
        fitted.windows("test"),
        fitted.windows("tune", "cal"),
        fitted.models,
        default=section.default,
        replicates=section.replicates,
    )
    table = workspace.record(FeaturizeRecord).key
    folder = leaderboard_folder(workspace, section.name)
    named: NamedLeaderboard = {"name": section.name, "table": table, **board}
    write_leaderboard(config, section, named, folder)
    return CompareRecord(
        champion=board["champion"], folder=f"compare/{folder.name}", **fitted.fits
    )


def fit_models(config: RunConfig) -> FittedModels:
    """Fit every model of the comparison on the workspace's windows, where it is not fitted yet."""
    section = compare_section(config)
    workspace = workspace_of(config)
    check_trainable(config, workspace, section.models.values())
    recipes = load_recipes(workspace.windows)
    by_run = _candidates(config, section, recipes)
    every: list[Candidate] = []
    for of_class in by_run.values():
        every += of_class.values()
    fits = Candidates(config).fit(every, job="compare")
    scores = {run: _scores(of_class) for run, of_class in by_run.items()}
    models = [
        _model(name, settings, section, scores)
        for name, settings in section.models.items()
    ]
    risks: dict[tuple[str, str], DecidedRisks] = {}
    for model in models:
        for run in model.runs:
            decided = decide_risks(
                workspace.windows, recipes, scores[run], config.decision, model.family
            )
            risks |= {(name, run): decided[name] for name in recipes}
    events = onsets(make_plan(config, workspace, recipes), workspace.buckets)
    return FittedModels(workspace, recipes, models, risks, events, fits)


def _candidates(
    config: RunConfig, section: CompareConfig, recipes: dict[str, Recipe]
) -> dict[str, dict[str, Candidate]]:
    """Return the candidates of every run by class."""
    candidates = Candidates(config)
    by_run: dict[str, dict[str, Candidate]] = {}
    for name, settings in section.models.items():
        for seed in _seeds(settings, section):
            seeded = settings.replace(seed=seed)
            by_run[_run_name(name, seed)] = {
                class_name: candidates.of(seeded, recipe)
                for class_name, recipe in recipes.items()
            }
    return by_run


def _scores(of_class: dict[str, Candidate]) -> ScoresByClass:
    return {name: read_scores(candidate.file) for name, candidate in of_class.items()}


def _run_name(model: str, seed: int) -> str:
    return f"{model}#{seed}"


def _seeds(settings: FamilyConfig, section: CompareConfig) -> tuple[int, ...]:
    """Return the seeds a model is fitted with: one where another seed gives the same model."""
    return section.seeds if FAMILIES[settings.family].seeded else section.seeds[:1]


def _model(
    name: str,
    settings: FamilyConfig,
    section: CompareConfig,
    scores: dict[str, ScoresByClass],
) -> boards.ComparedModel:
    runs = tuple(_run_name(name, seed) for seed in _seeds(settings, section))
    costs = [_cost(list(scores[run].values())) for run in runs]
    return boards.ComparedModel(name, settings.family, runs, boards.mean_cost(costs))


def _cost(of_classes: list[CandidateScores]) -> boards.Cost:
    times = [scores.microseconds_per_window for scores in of_classes]
    return boards.Cost(
        parameters=sum(scores.parameters for scores in of_classes),
        fit_seconds=sum(scores.fit_seconds for scores in of_classes),
        microseconds_per_window=float(np.mean(times)),
    )


if __name__ == "__main__":
    main(run, __doc__)
