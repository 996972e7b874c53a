"""Where a comparison's leaderboard lies, written in every form; both boards are found again by
evaluate.
"""

from __future__ import annotations

import datetime as dt
import json

import yaml

from hvac.evaluation.leaderboard_csv import write_leaderboard_csv
from hvac.report.leaderboard_page import write_leaderboard_page
from hvac.storage import AnyPath, write_json, write_text
from ray_jobs.run.run_config import CompareConfig, RunConfig
from ray_jobs.run.workspace import Result, Workspace

FACILITIES = "facilities.json"


def leaderboard_folder(workspace: Workspace, name: str) -> AnyPath:
    """Where everything of one comparison lies."""
    return workspace.root / "compare" / name


def write_leaderboard(
    config: RunConfig, wanted: CompareConfig, board: Result, folder: AnyPath
) -> Result:
    """Write leaderboard.json, .csv and .html, and champion.yaml: a run file that trains the
    champion.
    """
    _write_champion(config, wanted, board["champion"], folder / "champion.yaml")
    write_leaderboard_csv(board, folder / "leaderboard.csv")
    about = {
        "run": config.name,
        "name": board["name"],
        "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "seeds": list(wanted.seeds),
        "replicates": wanted.replicates,
        "table": board["table"],
        "command": f"python -m ray_jobs.pipeline --config {folder / 'champion.yaml'}",
    }
    write_leaderboard_page(
        board, path=folder / "leaderboard.html", language=config.language, about=about
    )
    write_json(folder / "leaderboard.json", board)
    return {"champion": board["champion"], "folder": str(folder)}


def _write_champion(config: RunConfig, wanted: CompareConfig, champion: str, path: AnyPath) -> None:
    """The run with the champion as its model, on the same table of windows (so its values are kept,
    or not, as now).
    """
    kept = config.replace(featurize=config.featurize.replace(keep_values=config.keeps_values))
    settings = kept.model_dump(
        mode="json", by_alias=True, exclude={"compare"}, exclude_defaults=True
    )
    model = wanted.models[champion].model_dump(mode="json")
    write_text(
        path, yaml.safe_dump({**settings, "model": model}, allow_unicode=True, sort_keys=False)
    )


def finished_leaderboard(workspace: Workspace, name: str = "families") -> Result | None:
    """The leaderboard of a finished comparison of the windows that lie there now; None where there
    is none.
    """
    return _of_these_windows(workspace, leaderboard_folder(workspace, name) / "leaderboard.json")


def finished_facilities(workspace: Workspace) -> Result | None:
    """What `ray_jobs.facilities` found on the windows that lie there now; None where it has not
    been run on them.
    """
    return _of_these_windows(workspace, workspace.root / FACILITIES)


def _of_these_windows(workspace: Workspace, path: AnyPath) -> Result | None:
    if not path.exists():
        return None
    board: Result = json.loads(path.read_text(encoding="utf-8"))
    return board if board.get("table") == workspace.finished("featurize")["key"] else None
