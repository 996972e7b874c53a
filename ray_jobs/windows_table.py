"""Reading the featurized table."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pyarrow.dataset as pads

from hvac.features.describe import Recipe
from hvac.features.table import KEY_SCHEMA, Windows, from_arrow
from hvac.models.family import Encoding, FamilyConfig, augmented, columns_for, prepared
from hvac.panel.splits import SPLITS
from hvac.storage import AnyPath, matching, parquet_dataset


def read_windows(folder: AnyPath, recipe: Recipe, splits: tuple[str, ...], columns: tuple[str, ...] = ()) -> Windows:
    """Windows of one class and some splits, in a fixed order (by unit, point and end date)."""
    dataset = _dataset(folder, recipe)
    wanted = [*KEY_SCHEMA.names, "observed", *columns, "labels", "known"]
    table = dataset.to_table(columns=wanted, filter=pads.field("split").isin(list(splits)))
    order = [(name, "ascending") for name in ("facility_id", "equipment_id", "point_id", "end_date")]
    return from_arrow(table.sort_by(order), points=recipe.width)


def prepared_windows(folder: AnyPath, recipe: Recipe, split: str, needs: Iterable[str], encoder: Encoding) -> Windows:
    """Windows of one class and split with all that a family needs."""
    return prepared(read_windows(folder, recipe, (split,), columns_for(needs)), needs, encoder)


def training_windows(folder: AnyPath, recipe: Recipe, config: FamilyConfig, encoder: Encoding) -> Windows:
    """What a network of one class is trained on: its training windows, and what `config.augment` makes of them."""
    return augmented(prepared_windows(folder, recipe, "train", config.reads, encoder), config, encoder)


def table_columns(folder: AnyPath, recipe: Recipe) -> set[str]:
    """Columns of one class's part of the table."""
    return set(_dataset(folder, recipe).schema.names)


def _dataset(folder: AnyPath, recipe: Recipe) -> pads.Dataset:
    return parquet_dataset(matching(folder / f"class={recipe.class_name}", "part-*.parquet"))


def split_counts(folder: AnyPath, recipe: Recipe) -> dict[str, Any]:
    """Windows, units, known labels and positives of every split."""
    windows = read_windows(folder, recipe, SPLITS)
    return {name: _count(windows.split(name), recipe.windows.horizons) for name in SPLITS}


def _count(part: Windows, horizons: tuple[int, ...]) -> dict[str, Any]:
    y_BH, known_BH = part.y_BH, part.known_BH
    assert y_BH is not None, "the table is labelled"
    assert known_BH is not None, "the table is labelled"
    known = dict(zip(map(str, horizons), known_BH.sum(axis=0).tolist(), strict=True))
    positives = dict(zip(map(str, horizons), (y_BH & known_BH).sum(axis=0).tolist(), strict=True))
    units = sorted(set(part.units.tolist()))
    return {"windows": len(part), "units": len(units), "known": known, "positives": positives}


def load_recipes(folder: AnyPath) -> dict[str, Recipe]:
    """Recipes of the featurized table, by class."""
    found = json.loads((folder / "recipes.json").read_text(encoding="utf-8"))
    return {name: Recipe.from_json(each) for name, each in found.items()}
