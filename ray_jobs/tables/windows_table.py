"""Read the featurized table."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.dataset as pads

from hvac.features.recipe import Recipe
from hvac.features.table import KEY_SCHEMA, Windows, from_arrow
from hvac.features.window_counts import WindowCounts, count_windows
from hvac.json_values import branch
from hvac.models.family import Encoding, FamilyConfig, columns_for, prepared
from hvac.storage import AnyPath, folder_name, matching, parquet_dataset
from ray_jobs.run.records import FeaturizeRecord
from ray_jobs.run.workspace import Workspace, whole_table

WEIGHTS = ("weights",)  # absent in tables made before labels had weights
NOT_TESTED = ("train", "tune", "cal")
BY_UNIT = ("equipment", "facility")  # splits that part no days
COUNTED = (*KEY_SCHEMA.names, "observed", "labels", "known")


def read_windows(
    folder: AnyPath,
    recipe: Recipe,
    splits: tuple[str, ...],
    columns: tuple[str, ...] = (),
) -> Windows:
    """Read windows of one class and some splits, in a fixed order (by unit, point and end date)."""
    names = [*KEY_SCHEMA.names, "observed", *columns, "labels", "known"]
    only = pads.field("split").isin(list(splits))
    table = whole_table(
        _parts(folder, recipe),
        "featurize",
        columns=names,
        optional=WEIGHTS,
        filter=only,
    )
    order = [
        (name, "ascending")
        for name in ("facility_id", "equipment_id", "point_id", "end_date")
    ]
    return from_arrow(table.sort_by(order), points=recipe.width)


def prepared_windows(
    folder: AnyPath, recipe: Recipe, split: str, needs: Iterable[str], encoder: Encoding
) -> Windows:
    """Read windows of one class and split with all that a family needs."""
    return prepared(
        read_windows(folder, recipe, (split,), columns_for(needs)), needs, encoder
    )


def fit_windows(
    folder: AnyPath, recipe: Recipe, config: FamilyConfig, encoder: Encoding
) -> Windows:
    """Read all windows of one class that a family may learn from: everything but the test part."""
    windows = read_windows(
        folder, recipe, NOT_TESTED, columns_for((*config.reads, *config.needs))
    )
    return prepared(windows, (*config.reads, *config.needs), encoder)


def table_columns(folder: AnyPath, recipe: Recipe) -> set[str]:
    """Return the columns of one class's part of the table."""
    return set(parquet_dataset(_parts(folder, recipe)).schema.names)


def class_folder(folder: AnyPath, class_name: str) -> AnyPath:
    """Return where the parts of one class of the table lie."""
    return folder / f"class={folder_name(class_name)}"


def learned_until(workspace: Workspace) -> int:
    """Return the last day that a training has seen of the record: T2, or the last that a window ends on
    which a model may learn from, where units are split and not days.
    """
    record = workspace.record(FeaturizeRecord)
    if branch(record.asked, "splits").get("kind") not in BY_UNIT:
        return record.borders.t2
    parts = matching(workspace.windows, "class=*/part-*.parquet")
    learned = pads.field("split").isin(list(NOT_TESTED))
    table = whole_table(parts, "featurize", columns=["end_date"], filter=learned)
    return max(table["end_date"].cast(pa.int32()).to_pylist(), default=-1)


def _parts(folder: AnyPath, recipe: Recipe) -> list[AnyPath]:
    return matching(class_folder(folder, recipe.class_name), "part-*.parquet")


def split_counts(folder: AnyPath, recipe: Recipe) -> dict[str, WindowCounts]:
    """Count windows, units, known labels and positives of every split of one class."""
    parts = (_label_part(path, recipe) for path in _parts(folder, recipe))
    return count_windows(parts, recipe.windows.horizons)


def _label_part(path: AnyPath, recipe: Recipe) -> Windows:
    """Read the keys and labels of one part of the table."""
    table = whole_table([path], "featurize", columns=list(COUNTED), optional=WEIGHTS)
    return from_arrow(table, points=recipe.width)


def load_recipes(folder: AnyPath) -> dict[str, Recipe]:
    """Read the recipes of the featurized table, by class."""
    recipes = json.loads((folder / "recipes.json").read_text(encoding="utf-8"))
    return {name: Recipe.from_json(recipe) for name, recipe in recipes.items()}
