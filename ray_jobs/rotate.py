"""Compare models in turns, so that every piece of equipment is tested once.

    python -m ray_jobs.rotate --config FILE [key.sub=value …]

Of few machines a fifth cannot tell models apart. Here each turn tests another share of them
(`splits.folds`), as a run of its own under workspace/turns/: its models are fitted, stopped and
calibrated on that turn's other machines. The test parts of all turns hold every machine once;
differences are paired over all of them.

Every turn has models of its own, so that their risks are ranked within turns only: PR-AUC, ROC-AUC
and recall at the top are means over turns, weighted by their positives. Brier skill, calibration
error and alarms are of all windows together. `judged` in the file says which is which.

Nothing is chosen here: models and `compare.default` are named beforehand. A choice that was made on
the turns' *cal* parts has seen labels of machines that other turns test: the rows under `unseen`
are of the machines that calibrate in no turn.

With `compare.kinds` every kind of events is predicted alone, in turns of its own, and figures are
means over kinds, paired over the same machines. Writes workspace/compare/<name>/rotation.json; an
interrupted job goes on where it was.
"""

from __future__ import annotations

import logging
import re
from itertools import chain
from typing import TypedDict

import numpy as np

from hvac.errors import ConfigError, HvacError
from hvac.evaluation.compared_windows import EvaluationSet, part_of, pooled
from hvac.evaluation.leaderboard import (
    IN_TURNS,
    Against,
    ComparedModel,
    LeaderboardRow,
    mean_cost,
    standings,
)
from hvac.json_values import as_json
from hvac.panel.registry import Registry
from hvac.storage import content_key, write_json
from ray_jobs import featurize, ingest
from ray_jobs.assess.leaderboard_files import leaderboard_folder
from ray_jobs.compare import FittedModels, compare_section, fit_models
from ray_jobs.fit.candidates import basis_of
from ray_jobs.run.command import main
from ray_jobs.run.records import RotateRecord
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import run_step, workspace_of
from ray_jobs.tables.fitted_recipes import check_kinds

log = logging.getLogger(__name__)
Turns = dict[
    str | None, list[RunConfig]
]  # by the kind of events that is predicted alone


class Rotation(TypedDict):
    """The leaderboard of all turns: together, by kind of events, and of unseen machines.

    `judged` tells which figures are means over turns (`IN_TURNS`).
    """

    name: str
    default: str
    turns: int
    judged: dict[str, list[str]]
    horizons: list[int]
    rows: list[LeaderboardRow]
    kinds: dict[str, list[LeaderboardRow]]
    unseen: list[LeaderboardRow]


def run(config: RunConfig) -> RotateRecord:
    """Compare turn by turn, unless that was done with the same configuration, windows and code."""
    section = compare_section(config)
    workspace = workspace_of(config)
    _check(config)
    turns: Turns = {kind: _turns(config, kind) for kind in section.kinds or (None,)}
    every = list(chain.from_iterable(turns.values()))
    if section.kinds:
        ingest.run(every[0])
        registry = Registry.load(workspace_of(every[0]).panel)
        for of_kind in turns.values():
            check_kinds(of_kind[0], registry)
    for turn in every:
        ingest.run(turn)
        featurize.run(turn)
    settings = [
        section.model_dump(mode="json"),
        config.decision.model_dump(mode="json"),
    ]
    key = content_key([basis_of(turn) for turn in every], settings, IN_TURNS)
    step = f"rotate_{section.name}"
    return run_step(
        workspace, RotateRecord, key, lambda: _rotate(config, turns), step=step
    )


def _check(config: RunConfig) -> None:
    """Raise where the splits or labels of a run cannot take turns."""
    if config.splits.kind != "equipment":
        raise HvacError(
            f"{config.name}: splits.kind is {config.splits.kind!r}; equipment takes turns to be"
            " tested under kind: equipment (a time split tests all of it already, and for"
            " facilities there is ray_jobs.facilities)"
        )
    labels = config.labels
    if compare_section(config).kinds and (labels.source, labels.label) != (
        "events",
        "onset",
    ):
        raise ConfigError(
            f"{config.name}: compare.kinds names kinds of events, but labels.source is"
            f" {labels.source!r} and labels.label {labels.label!r}: remove compare.kinds, or"
            " predict onsets of events"
        )


def _turns(config: RunConfig, kind: str | None) -> list[RunConfig]:
    """Return the runs of all turns, each with a workspace of its own."""
    root = workspace_of(config).root / "turns"
    labels = config.labels
    if kind is not None:
        number = compare_section(config).kinds.index(kind) + 1
        root = root / f"{number}_{re.sub(r'[^A-Za-z0-9]', '_', kind)}"
        labels = labels.replace(events=(kind,))
    folds = config.splits.folds
    turns = []
    for fold in range(folds):
        turn = config.replace(
            workspace=str(root / f"{fold + 1}_of_{folds}"),
            labels=labels,
            splits=config.splits.replace(fold=fold),
            evaluate=config.evaluate.replace(ablation=False),
        )
        turns.append(turn)
    return turns


def _rotate(config: RunConfig, turns: Turns) -> RotateRecord:
    section = compare_section(config)
    every: list[FittedModels] = []
    tests = {}
    for kind, of_kind in turns.items():
        fitted = list(map(_fit_turn, of_kind))
        every += fitted
        tests[kind] = pooled([models.windows("test") for models in fitted])
    calibrating = [models.windows("cal").windows.units for models in every]
    seen = np.unique(np.concatenate(calibrating))
    unseen = [
        part_of(test, ~np.isin(test.windows.units, seen)) for test in tests.values()
    ]
    candidates = _mean_candidates(every)

    def rows(*parts: EvaluationSet) -> list[LeaderboardRow]:
        others: dict[Against, str] = {"against_default": section.default}
        return standings(parts, candidates, others, section.replicates)

    board: Rotation = {
        "name": section.name,
        "default": section.default,
        "turns": config.splits.folds,
        "judged": IN_TURNS,
        "horizons": list(unseen[0].horizons),
        "rows": rows(*tests.values()),
        "kinds": {kind: rows(tests[kind]) for kind in section.kinds},
        "unseen": rows(*unseen) if all(len(part.windows) for part in unseen) else [],
    }
    folder = leaderboard_folder(workspace_of(config), section.name)
    write_json(folder / "rotation.json", as_json(board))
    fits = {name: sum(models.fits[name] for models in every) for name in every[0].fits}
    return RotateRecord(folder=f"compare/{folder.name}", **fits)


def _mean_candidates(every: list[FittedModels]) -> list[ComparedModel]:
    """Return every model once, with the mean of what it cost in all turns."""
    candidates = []
    for of_turns in zip(*(models.models for models in every), strict=True):
        cost = mean_cost([candidate.cost for candidate in of_turns])
        candidates.append(of_turns[0]._replace(cost=cost))
    return candidates


def _fit_turn(turn: RunConfig) -> FittedModels:
    number = (turn.splits.fold or 0) + 1
    kinds = ", ".join(turn.labels.kinds)
    log.info("rotate: %s, turn %d of %d", kinds, number, turn.splits.folds)
    return fit_models(turn)


if __name__ == "__main__":
    main(run, __doc__)
