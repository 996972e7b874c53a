"""Every piece of equipment judged once, by models that never saw it: a comparison in turns, one per fold.

    python -m ray_jobs.rotate --config FILE [key.sub=value …]

Of few machines a fifth cannot tell models apart. Here each turn tests another share of them (`splits.folds`), as a run
of its own under workspace/turns/: its models are fitted, stopped and calibrated on that turn's other machines. The
test parts of all turns hold every machine once; differences are paired over all of them. Nothing is chosen here: models
and `compare.default` are named beforehand, and not by the turns' validation parts, which hold machines that other turns
test. Writes workspace/compare/<name>/rotation.json; an interrupted job goes on
where it was.
"""

from __future__ import annotations

import logging
from typing import Any

from hvac.errors import HvacError
from hvac.evaluation.comparison import pooled
from hvac.evaluation.leaderboard import standings
from hvac.storage import write_json
from ray_jobs import featurize, ingest
from ray_jobs.boards import board_folder
from ray_jobs.command import main
from ray_jobs.compare import Field, comparison_of, fitted, table_of
from ray_jobs.run_config import RunConfig
from ray_jobs.workspace import Result, content_key, run_step, workspace_of

log = logging.getLogger(__name__)


def run(config: RunConfig) -> Result:
    """Turn by turn, unless that was done with the same configuration and windows."""
    wanted, workspace = comparison_of(config), workspace_of(config)
    if config.splits.kind != "equipment":
        raise HvacError(
            f"{config.name}: splits.kind is {config.splits.kind!r}; equipment takes turns to be tested under kind: "
            "equipment (a time split tests all of it already, and for facilities there is ray_jobs.facilities)"
        )
    turns = [_turn(config, fold) for fold in range(config.splits.folds)]
    for turn in turns:
        ingest.run(turn)
        featurize.run(turn)
    sections = [getattr(config, name).model_dump(mode="json") for name in ("compare", "decision")]
    key = content_key([table_of(turn) for turn in turns], sections)
    return run_step(workspace, f"rotate_{wanted.name}", key, lambda: _rotate(config, turns))


def _turn(config: RunConfig, fold: int) -> RunConfig:
    root = workspace_of(config).root / "turns" / f"{fold + 1}_of_{config.splits.folds}"
    return config.replace(workspace=str(root), splits=config.splits.replace(fold=fold))


def _rotate(config: RunConfig, turns: list[RunConfig]) -> Result:
    wanted = comparison_of(config)
    fields: list[Field] = []
    for number, turn in enumerate(turns, 1):
        log.info("rotate: turn %d of %d", number, len(turns))
        fields.append(fitted(turn))
    trial = pooled([field.trial("test") for field in fields])
    rows = standings(trial, fields[0].contenders, {"against_default": wanted.default}, wanted.replicates)
    board: dict[str, Any] = {"name": wanted.name, "default": wanted.default, "turns": len(turns),
                             "horizons": list(trial.horizons), "rows": rows}  # fmt: skip
    folder = board_folder(workspace_of(config), wanted.name)
    write_json(folder / "rotation.json", board)
    fits = {name: sum(field.fits[name] for field in fields) for name in fields[0].fits}
    return {"folder": str(folder), **fits}


if __name__ == "__main__":
    main(run, __doc__)
