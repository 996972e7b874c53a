"""Windows of the days since the table of the training was made, beside it: `update/windows`."""

from __future__ import annotations

from dataclasses import replace

from hvac.features.recipe import Recipe
from hvac.features.table import Windows, concat
from hvac.panel.registry import Registry
from hvac.panel.splits import SPLITS, later_than
from hvac.storage import AnyPath, matching
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace
from ray_jobs.tables.matured_scores import scored_until
from ray_jobs.tables.windows_table import class_folder, read_windows
from ray_jobs.tables.windows_writer import make_windows, windows_plan


def make_later_windows(
    config: RunConfig,
    workspace: Workspace,
    recipes: dict[str, Recipe],
    registry: Registry,
) -> AnyPath:
    """Make the windows of later days than `predictions.parquet` holds; return their folder.

    Those of a bucket whose readings and events are as they were are left alone.
    """
    folder = workspace.root / "update" / "windows"
    splitter = later_than(scored_until(workspace.root))
    plan = windows_plan(config, workspace, registry, recipes, splitter)
    make_windows(config, replace(plan, windows_folder=str(folder)), step="update")
    return folder


def unlearned_windows(
    folders: tuple[AnyPath, ...], recipe: Recipe, columns: tuple[str, ...]
) -> Windows | None:
    """Read the windows of a class that its model was not fitted on; None where there is none."""
    parts = []
    for folder, splits in zip(folders, (("test",), SPLITS), strict=True):
        if matching(class_folder(folder, recipe.class_name), "part-*.parquet"):
            parts.append(read_windows(folder, recipe, splits, columns))
    return concat(parts) if parts else None
