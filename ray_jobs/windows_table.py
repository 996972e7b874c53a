"""Reading the featurized table."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow.dataset as pads

from hvac.features.describe import Recipe
from hvac.features.table import KEY_SCHEMA, Windows, from_arrow
from hvac.models.family import Encoding, FamilyConfig, augmented, columns_for, prepared
from hvac.panel.splits import SPLITS
from hvac.storage import AnyPath, matching, parquet_dataset
from ray_jobs.workspace import whole_table

WEIGHTS = ("weights",)  # absent in tables made before labels had weights
COUNTED = (*KEY_SCHEMA.names, "observed", "labels", "known")


def read_windows(folder: AnyPath, recipe: Recipe, splits: tuple[str, ...], columns: tuple[str, ...] = ()) -> Windows:
    """Windows of one class and some splits, in a fixed order (by unit, point and end date)."""
    wanted = [*KEY_SCHEMA.names, "observed", *columns, "labels", "known"]
    only = pads.field("split").isin(list(splits))
    table = whole_table(_parts(folder, recipe), "featurize", columns=wanted, optional=WEIGHTS, filter=only)
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
    return set(parquet_dataset(_parts(folder, recipe)).schema.names)


def _parts(folder: AnyPath, recipe: Recipe) -> list[AnyPath]:
    return matching(folder / f"class={recipe.class_name}", "part-*.parquet")


def split_counts(folder: AnyPath, recipe: Recipe) -> dict[str, Any]:
    """Windows, units, known labels and positives of every split, counted part by part."""
    shape = (len(SPLITS), len(recipe.windows.horizons))
    windows, units = Counter[str](), {name: set[str]() for name in SPLITS}
    known_SH, positive_SH = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for path in _parts(folder, recipe):
        part = from_arrow(whole_table([path], "featurize", columns=list(COUNTED)), points=recipe.width)
        y_BH, known_BH = part.labels
        split_B = part.column("split")
        for s, name in enumerate(SPLITS):
            own_B = split_B == name
            windows[name] += int(own_B.sum())
            units[name].update(part.units[own_B].tolist())
            known_SH[s] += known_BH[own_B].sum(axis=0)
            positive_SH[s] += (y_BH & known_BH)[own_B].sum(axis=0)
    days = list(map(str, recipe.windows.horizons))
    return {
        name: {
            "windows": windows[name],
            "units": len(units[name]),
            "known": dict(zip(days, known_SH[s].tolist(), strict=True)),
            "positives": dict(zip(days, positive_SH[s].tolist(), strict=True)),
        }
        for s, name in enumerate(SPLITS)
    }


def load_recipes(folder: AnyPath) -> dict[str, Recipe]:
    """Recipes of the featurized table, by class."""
    found = json.loads((folder / "recipes.json").read_text(encoding="utf-8"))
    return {name: Recipe.from_json(each) for name, each in found.items()}
