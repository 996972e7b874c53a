"""Files of a comparison's leaderboard, and of the figures by facility; evaluate shows both."""

from __future__ import annotations

import json

import yaml

from hvac.days import now_text
from hvac.evaluation.leaderboard import Leaderboard
from hvac.evaluation.leaderboard_csv import write_leaderboard_csv
from hvac.json_values import JsonObject, as_json
from hvac.report.leaderboard_page import write_leaderboard_page
from hvac.storage import AnyPath, write_json, write_text
from ray_jobs.run.records import FeaturizeRecord
from ray_jobs.run.run_config import CompareConfig, RunConfig
from ray_jobs.run.workspace import Workspace

FACILITIES = "facilities.json"


class NamedLeaderboard(Leaderboard):
    """A leaderboard with its name and the key of the table of windows it was made from."""

    name: str
    table: str


def leaderboard_folder(workspace: Workspace, name: str) -> AnyPath:
    """Return the folder of everything that one comparison writes."""
    return workspace.root / "compare" / name


def write_leaderboard(
    config: RunConfig, section: CompareConfig, board: NamedLeaderboard, folder: AnyPath
) -> None:
    """Write leaderboard.json, .csv and .html, and champion.yaml: a run file of the champion."""
    champion_file = folder / "champion.yaml"
    _write_champion(config, section, board["champion"], champion_file)
    write_leaderboard_csv(board, folder / "leaderboard.csv")
    about: JsonObject = {
        "run": config.name,
        "name": board["name"],
        "created": now_text(),
        "seeds": list(section.seeds),
        "replicates": section.replicates,
        "table": board["table"],
        "command": f"python -m ray_jobs.pipeline --config {champion_file}",
    }
    page = folder / "leaderboard.html"
    write_leaderboard_page(board, path=page, language=config.language, about=about)
    write_json(folder / "leaderboard.json", as_json(board))


def _write_champion(
    config: RunConfig, section: CompareConfig, champion: str, path: AnyPath
) -> None:
    """Write the run with the champion as its model, on the same table of windows."""
    featurize = config.featurize.replace(keep_values=config.keeps_values)
    same_table = config.replace(featurize=featurize)
    settings = same_table.model_dump(
        mode="json", by_alias=True, exclude={"compare"}, exclude_defaults=True
    )
    settings["model"] = section.models[champion].model_dump(mode="json")
    write_text(path, yaml.safe_dump(settings, allow_unicode=True, sort_keys=False))


def finished_leaderboard(
    workspace: Workspace, name: str = "families"
) -> JsonObject | None:
    """Read the leaderboard of the windows that lie there now; None where there is none."""
    return _of_these_windows(
        workspace, leaderboard_folder(workspace, name) / "leaderboard.json"
    )


def finished_facilities(workspace: Workspace) -> JsonObject | None:
    """Read the figures by facility of the windows that lie there now; None where there are none."""
    return _of_these_windows(workspace, workspace.root / FACILITIES)


def _of_these_windows(workspace: Workspace, path: AnyPath) -> JsonObject | None:
    if not path.exists():
        return None
    board: JsonObject = json.loads(path.read_text(encoding="utf-8"))
    table = workspace.record(FeaturizeRecord).key
    return board if board.get("table") == table else None
