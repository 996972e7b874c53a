"""Leave one facility out: how good is the model at a facility it has seen nothing of?

    python -m ray_jobs.facilities --config FILE [key.sub=value …]

For every facility the run's model, and beside it a strong and a trivial baseline, are fitted on the
training windows of the other facilities, stopped on their tune part, calibrated on their cal part,
and tested on the windows of the facility left out. Every (facility, class, model) is one Ray task
whose scores are kept, so that an interrupted job goes on where it was. Writes facilities.json,
which evaluate shows in the report; the test part has no say in anything.
"""

from __future__ import annotations

import logging

from hvac.errors import HvacError
from hvac.evaluation.alarms import Onsets
from hvac.evaluation.compared_windows import EvaluationSet, by_equipment, part_of
from hvac.evaluation.facility_folds import FacilityFold, facility_folds
from hvac.evaluation.unseen import UnseenFacilities, unseen_facilities
from hvac.features.recipe import Recipe
from hvac.json_values import as_json
from hvac.models.families import config_of
from hvac.models.family import FamilyConfig
from hvac.panel.splits import SPLITS
from hvac.storage import content_key, write_json
from ray_jobs.assess.decided_risks import DecidedRisks, decide_risks
from ray_jobs.assess.evaluation_sets import evaluation_set, onsets
from ray_jobs.assess.leaderboard_files import FACILITIES
from ray_jobs.fit.candidates import Candidate, Candidates, basis_of, read_scores
from ray_jobs.run.command import main
from ray_jobs.run.records import FacilitiesRecord, FeaturizeRecord
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace, run_step, workspace_of
from ray_jobs.tables.buckets import make_plan
from ray_jobs.tables.trainable import check_trainable
from ray_jobs.tables.windows_table import load_recipes, read_windows

log = logging.getLogger(__name__)
BESIDE = ("gbdt_full", "base_rate")
FoldCandidates = dict[tuple[str, str, str], Candidate]  # by facility, class and model


def run(config: RunConfig) -> FacilitiesRecord:
    """Leave every facility out once, unless that was done with the same settings and windows."""
    workspace = workspace_of(config)
    settings = [
        config.model.model_dump(mode="json"),
        config.decision.model_dump(mode="json"),
    ]
    key = content_key(
        basis_of(config), settings, config.seed, config.evaluate.replicates
    )
    return run_step(
        workspace, FacilitiesRecord, key, lambda: _leave_out(config, workspace)
    )


def _leave_out(config: RunConfig, workspace: Workspace) -> FacilitiesRecord:
    if config.splits.kind == "facility":
        raise HvacError(
            "splits.kind: facility holds one facility out already, and the others have no test"
            " windows: set splits.kind: time or equipment to leave each of them out in turn"
        )
    models = _models(config)
    check_trainable(config, workspace, models.values())
    recipes = load_recipes(workspace.windows)
    windows = {
        name: read_windows(workspace.windows, recipes[name], SPLITS) for name in recipes
    }
    folds = facility_folds(windows)
    candidates = _candidates(config, recipes, folds, models)
    Candidates(config).fit(candidates.values(), job="facilities")
    events = onsets(make_plan(config, workspace, recipes), workspace.buckets)
    tests = {}
    for fold in folds:
        of_fold = {name: recipes[name] for name in fold.classes}
        tests[fold.facility] = _test(
            config, workspace, fold, of_fold, candidates, events
        )
    board: UnseenFacilities = {
        **unseen_facilities(tests, replicates=config.evaluate.replicates),
        "table": workspace.record(FeaturizeRecord).key,
        "model": config.model.family,
        "left_out": {fold.facility: fold.left_out for fold in folds if fold.left_out},
    }
    file = workspace.root / FACILITIES
    write_json(file, as_json(board))
    log.info("facilities: %d facilities left out in turn: %s", len(folds), file)
    return FacilitiesRecord(facilities=len(folds), files=[file.name])


def _models(config: RunConfig) -> dict[str, FamilyConfig]:
    models: dict[str, FamilyConfig] = {config.model.family: config.model}
    for name in BESIDE:
        models.setdefault(name, config_of(name, seed=config.seed))
    return models


def _candidates(
    config: RunConfig,
    recipes: dict[str, Recipe],
    folds: list[FacilityFold],
    models: dict[str, FamilyConfig],
) -> FoldCandidates:
    candidates = Candidates(config)
    by_fold: FoldCandidates = {}
    for fold in folds:
        for name in fold.classes:
            for model, settings in models.items():
                candidate = candidates.of(
                    settings, recipes[name], without=fold.facility
                )
                by_fold[fold.facility, name, model] = candidate
    return by_fold


def _test(
    config: RunConfig,
    workspace: Workspace,
    fold: FacilityFold,
    recipes: dict[str, Recipe],
    candidates: FoldCandidates,
    events: Onsets,
) -> EvaluationSet:
    """Return the facility's test windows, with the risks of models that did not see it."""
    models = list(dict.fromkeys(model for _, _, model in candidates))
    risks: dict[tuple[str, str], DecidedRisks] = {}
    for model in models:
        scores = {
            name: read_scores(candidates[fold.facility, name, model].file)
            for name in recipes
        }
        decided = decide_risks(
            workspace.windows,
            recipes,
            scores,
            config.decision,
            model,
            without=fold.facility,
        )
        risks |= {(name, model): decided[name] for name in recipes}
    windows = evaluation_set(workspace, recipes, risks, models, events)
    own_B = windows.windows.column("facility_id") == fold.facility
    return by_equipment(part_of(windows, own_B))


if __name__ == "__main__":
    main(run, __doc__)
