"""Every piece of equipment judged once, by models that never saw it: a comparison in turns, one per
fold.

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
interrupted job goes on where it was."""

from __future__ import annotations

import logging
import re
from typing import Any

import numpy as np

from hvac.errors import ConfigError, HvacError
from hvac.evaluation.comparison import EvaluationSet, part_of, pooled
from hvac.evaluation.leaderboard import IN_TURNS, mean_cost, standings
from hvac.panel.registry import Registry
from hvac.storage import write_json
from ray_jobs import featurize, ingest
from ray_jobs.assess.leaderboard_files import leaderboard_folder
from ray_jobs.compare import Field, comparison_of, fitted
from ray_jobs.fit.candidates import basis_of
from ray_jobs.run.command import main
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Result, content_key, run_step, workspace_of
from ray_jobs.tables.recipes import check_kinds

log = logging.getLogger(__name__)


def run(config: RunConfig) -> Result:
    """Turn by turn, unless that was done with the same configuration, windows and code."""
    wanted, workspace = comparison_of(config), workspace_of(config)
    if config.splits.kind != "equipment":
        raise HvacError(
            f"{config.name}: splits.kind is {config.splits.kind!r}; equipment takes turns to be"
            " tested under kind: equipment (a time split tests all of it already, and for"
            " facilities there is ray_jobs.facilities)"
        )
    if wanted.kinds and (config.labels.source, config.labels.label) != ("events", "onset"):
        raise ConfigError(
            f"{config.name}: compare.kinds names kinds of events, but labels.source is"
            f" {config.labels.source!r} and labels.label {config.labels.label!r}: remove"
            " compare.kinds, or predict onsets of events"
        )
    turns = {kind: _turns(config, kind) for kind in wanted.kinds or (None,)}
    every = [turn for of_kind in turns.values() for turn in of_kind]
    if wanted.kinds:
        ingest.run(every[0])
        registry = Registry.load(workspace_of(every[0]).panel)
        for of_kind in turns.values():
            check_kinds(of_kind[0], registry)
    for turn in every:
        ingest.run(turn)
        featurize.run(turn)
    sections = [getattr(config, name).model_dump(mode="json") for name in ("compare", "decision")]
    key = content_key([basis_of(turn) for turn in every], sections, IN_TURNS)
    return run_step(workspace, f"rotate_{wanted.name}", key, lambda: _rotate(config, turns))


def _turns(config: RunConfig, kind: str | None) -> list[RunConfig]:
    root, labels = workspace_of(config).root / "turns", config.labels
    if kind is not None:
        place = comparison_of(config).kinds.index(kind) + 1
        root, labels = (
            root / f"{place}_{re.sub(r'[^A-Za-z0-9]', '_', kind)}",
            labels.replace(events=(kind,)),
        )
    folds = config.splits.folds
    return [
        config.replace(
            workspace=str(root / f"{fold + 1}_of_{folds}"),
            labels=labels,
            splits=config.splits.replace(fold=fold),
            evaluate=config.evaluate.replace(ablation=False),
        )
        for fold in range(folds)
    ]


def _rotate(config: RunConfig, turns: dict[str | None, list[RunConfig]]) -> Result:
    wanted = comparison_of(config)
    fields = {kind: [_field(turn) for turn in of_kind] for kind, of_kind in turns.items()}
    every = [field for of_kind in fields.values() for field in of_kind]
    trials = {
        kind: pooled([field.trial("test") for field in of_kind]) for kind, of_kind in fields.items()
    }
    seen = np.unique(np.concatenate([field.trial("cal").windows.units for field in every]))
    unseen = [part_of(trial, ~np.isin(trial.windows.units, seen)) for trial in trials.values()]

    contenders = [
        of_turns[0]._replace(cost=mean_cost([each.cost for each in of_turns]))
        for of_turns in zip(*(field.contenders for field in every), strict=True)
    ]

    def rows(*tests: EvaluationSet) -> list[dict[str, Any]]:
        return standings(tests, contenders, {"against_default": wanted.default}, wanted.replicates)

    board: dict[str, Any] = {
        "name": wanted.name,
        "default": wanted.default,
        "turns": config.splits.folds,
        "judged": IN_TURNS,
        "horizons": list(unseen[0].horizons),
        "rows": rows(*trials.values()),
        "kinds": {kind: rows(trials[kind]) for kind in wanted.kinds},
        "unseen": rows(*unseen) if all(len(trial.windows) for trial in unseen) else [],
    }
    folder = leaderboard_folder(workspace_of(config), wanted.name)
    write_json(folder / "rotation.json", board)
    fits = {name: sum(field.fits[name] for field in every) for name in every[0].fits}
    return {"folder": str(folder), **fits}


def _field(turn: RunConfig) -> Field:
    log.info(
        "rotate: %s, turn %d of %d",
        ", ".join(turn.labels.kinds),
        (turn.splits.fold or 0) + 1,
        turn.splits.folds,
    )
    return fitted(turn)


if __name__ == "__main__":
    main(run, __doc__)
