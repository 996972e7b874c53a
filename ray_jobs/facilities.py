"""Leave one facility out: how good is the model at a facility it has seen nothing of, and later in
time?

    python -m ray_jobs.facilities --config FILE [key.sub=value …]

For every facility the run's model, and beside it a strong and a trivial baseline, are fitted on the
training windows of the other facilities, stopped on their tune part, calibrated on their cal part,
and judged on the test windows of the facility left out. Every (facility, class, model) is one Ray
task whose result is kept, so an interrupted job goes on where it was. Writes facilities.json, which
evaluate shows in the report; the test part has no say in anything."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from hvac.errors import HvacError
from hvac.evaluation.alarms import Onsets
from hvac.evaluation.comparison import EvaluationSet, by_equipment, part_of
from hvac.evaluation.unseen import unseen_facilities
from hvac.features.describe import Recipe
from hvac.features.table import Windows
from hvac.models.blocks import known, two_classes
from hvac.models.families import config_of
from hvac.panel.splits import SPLITS
from hvac.storage import folder_name, write_json
from ray_jobs.assess.decided import DecidedRisks, decide_risks
from ray_jobs.assess.evaluation_sets import evaluation_set, onsets
from ray_jobs.assess.leaderboard_files import FACILITIES
from ray_jobs.fit.candidates import (
    CandidateFit,
    FitSettings,
    basis_of,
    elsewhere,
    fit_candidates,
    read_scores,
)
from ray_jobs.run.command import main
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Result, Workspace, content_key, run_step, workspace_of
from ray_jobs.tables.buckets import make_plan
from ray_jobs.tables.trainable import check_trainable
from ray_jobs.tables.windows_table import load_recipes, read_windows

log = logging.getLogger(__name__)
BESIDE = ("gbdt_full", "base_rate")


class Fold(NamedTuple):
    """A facility left out: its classes that the others teach, and why any other class is not judged
    there.
    """

    facility: str
    classes: tuple[str, ...]
    left_out: dict[str, str]


def run(config: RunConfig) -> Result:
    """Leave every facility out once, unless that was done with the same configuration, windows and
    code.
    """
    workspace = workspace_of(config)
    basis = basis_of(config)
    sections = [getattr(config, name).model_dump(mode="json") for name in ("model", "decision")]
    key = content_key(basis, sections, config.seed, config.evaluate.replicates)
    return run_step(workspace, "facilities", key, lambda: _leave_out(config, workspace, basis))


def _leave_out(config: RunConfig, workspace: Workspace, basis: str) -> Result:
    models: dict[str, Any] = {config.model.family: config.model}
    models |= {name: config_of(name, seed=config.seed) for name in BESIDE if name not in models}
    if config.splits.kind == "facility":
        raise HvacError(
            "splits.kind: facility holds one facility out already, and the others have no test"
            " windows: set splits.kind: time or equipment to leave each of them out in turn"
        )
    check_trainable(config, workspace, models.values())
    recipes = load_recipes(workspace.windows)
    folds = plan_folds(
        {name: read_windows(workspace.windows, each, SPLITS) for name, each in recipes.items()}
    )
    entries = {
        (fold.facility, name, model): _entry(workspace, basis, fold, name, model, settings)
        for fold in folds
        for name in fold.classes
        for model, settings in models.items()
    }
    bench = FitSettings(str(workspace.windows), config.encoder, config.decision.folds)
    fit_candidates(
        bench, [(recipes[name], entry) for (_, name, _), entry in entries.items()], job="facilities"
    )
    events = onsets(make_plan(config, workspace, recipes), workspace.buckets)
    trials = {
        fold.facility: _trial(
            config, workspace, fold, {name: recipes[name] for name in fold.classes}, entries, events
        )
        for fold in folds
    }
    board = unseen_facilities(trials, replicates=config.evaluate.replicates)
    board |= {
        "table": workspace.finished("featurize")["key"],
        "model": config.model.family,
        "left_out": {fold.facility: fold.left_out for fold in folds if fold.left_out},
    }
    write_json(workspace.root / FACILITIES, board)
    log.info(
        "facilities: %d facilities left out in turn: %s", len(folds), workspace.root / FACILITIES
    )
    return {"facilities": len(folds), "files": [str(workspace.root / FACILITIES)]}


def plan_folds(windows: Mapping[str, Windows]) -> list[Fold]:
    """A fold per facility that has test windows.

    Args:
        windows: by class, of all splits.

    Raises:
        HvacError: there is one facility only, or a facility of whose classes none can be learned
            elsewhere.
    """
    facilities = sorted({each for part in windows.values() for each in part.column("facility_id")})
    if len(facilities) < 2:
        found = ", ".join(facilities) or "none"
        raise HvacError(
            f"leaving one facility out needs at least 2 facilities with windows, found {found}"
        )
    return [fold for facility in facilities if (fold := _fold(facility, windows)).classes]


def _fold(facility: str, windows: Mapping[str, Windows]) -> Fold:
    present = [
        name
        for name, part in windows.items()
        if facility in part.split("test").column("facility_id")
    ]
    left_out = {
        name: reason for name in present if (reason := _why_not(elsewhere(windows[name], facility)))
    }
    if present and len(left_out) == len(present):
        told = "; ".join(f"class {name!r}: {reason}" for name, reason in left_out.items())
        raise HvacError(
            f"facility {facility!r} cannot be left out, the other facilities do not teach its"
            f" classes ({told}): pool  classes with windows.class: all, or bring the record of"
            " another facility"
        )
    return Fold(facility, tuple(name for name in present if name not in left_out), left_out)


def _why_not(others: Windows) -> str:
    """What the windows of the other facilities lack to learn from; empty where they lack nothing."""
    train, cal = others.split("train"), others.split("cal")
    if not len(train):
        return "no training window elsewhere"
    for h in range(train.labels[0].shape[1]):
        if not two_classes(known(train, h).labels[0][:, h]):
            return "training windows elsewhere with one kind of label only"
        if not len(known(cal, h)):
            return "no window elsewhere to calibrate on"
    return ""


def _entry(
    workspace: Workspace, basis: str, fold: Fold, class_name: str, model: str, settings: Any
) -> CandidateFit:
    folder = (
        workspace.root
        / "facilities"
        / "outcomes"
        / basis[:12]
        / content_key(fold.facility)[:12]
        / folder_name(class_name)
    )
    mark = content_key(settings.model_dump(mode="json"))[:12]
    return CandidateFit(
        model, settings, str(folder / f"{model}-{settings.seed}-{mark}.npz"), without=fold.facility
    )


def _trial(
    config: RunConfig,
    workspace: Workspace,
    fold: Fold,
    recipes: dict[str, Recipe],
    entries: Mapping[tuple[str, str, str], CandidateFit],
    events: Onsets,
) -> EvaluationSet:
    """The facility's test windows, with what the models say that did not see it."""
    names = list(dict.fromkeys(model for _, _, model in entries))
    verdicts: dict[tuple[str, str], DecidedRisks] = {}
    for model in names:
        opinions = {name: read_scores(entries[fold.facility, name, model].path) for name in recipes}
        decided = decide_risks(
            workspace.windows, recipes, opinions, config.decision, model, without=fold.facility
        )
        verdicts |= {(name, model): verdict for name, verdict in decided.items()}
    trial = evaluation_set(workspace, recipes, verdicts, names, events)
    return by_equipment(part_of(trial, trial.windows.column("facility_id") == fold.facility))


if __name__ == "__main__":
    main(run, __doc__)
