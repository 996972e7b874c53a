"""Reading the featurized table."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.dataset as pads

from hvac.features.describe import Recipe
from hvac.features.table import KEY_SCHEMA, Windows, from_arrow
from hvac.models.family import Encoding, FamilyConfig, columns_for, prepared
from hvac.panel.splits import SPLITS
from hvac.storage import AnyPath, folder_name, matching, parquet_dataset
from ray_jobs.run.workspace import whole_table

Sums = npt.NDArray[np.float64]
WEIGHTS = ("weights",)  # absent in tables made before labels had weights
NOT_TESTED = ("train", "tune", "cal")
COUNTED = (*KEY_SCHEMA.names, "observed", "labels", "known")


def read_windows(
    folder: AnyPath, recipe: Recipe, splits: tuple[str, ...], columns: tuple[str, ...] = ()
) -> Windows:
    """Windows of one class and some splits, in a fixed order (by unit, point and end date)."""
    wanted = [*KEY_SCHEMA.names, "observed", *columns, "labels", "known"]
    only = pads.field("split").isin(list(splits))
    table = whole_table(
        _parts(folder, recipe), "featurize", columns=wanted, optional=WEIGHTS, filter=only
    )
    order = [
        (name, "ascending") for name in ("facility_id", "equipment_id", "point_id", "end_date")
    ]
    return from_arrow(table.sort_by(order), points=recipe.width)


def prepared_windows(
    folder: AnyPath, recipe: Recipe, split: str, needs: Iterable[str], encoder: Encoding
) -> Windows:
    """Windows of one class and split with all that a family needs."""
    return prepared(read_windows(folder, recipe, (split,), columns_for(needs)), needs, encoder)


def fit_windows(
    folder: AnyPath, recipe: Recipe, config: FamilyConfig, encoder: Encoding
) -> Windows:
    """Read all windows of one class that a family may learn from: everything but the test part."""
    windows = read_windows(folder, recipe, NOT_TESTED, columns_for((*config.reads, *config.needs)))
    return prepared(windows, (*config.reads, *config.needs), encoder)


def table_columns(folder: AnyPath, recipe: Recipe) -> set[str]:
    """Columns of one class's part of the table."""
    return set(parquet_dataset(_parts(folder, recipe)).schema.names)


def class_folder(folder: AnyPath, class_name: str) -> AnyPath:
    """Return where the parts of one class of the table lie."""
    return folder / f"class={folder_name(class_name)}"


def _parts(folder: AnyPath, recipe: Recipe) -> list[AnyPath]:
    return matching(class_folder(folder, recipe.class_name), "part-*.parquet")


def split_counts(folder: AnyPath, recipe: Recipe) -> dict[str, Any]:
    """Count windows, units, known labels and positives of every split, part by part.

    `weights` holds the sum of weights and of their squares of known labels and of positives by
    horizon, `effective` the numbers of equally weighted labels that tell as much
    (`effective_number`)."""
    shape = (len(SPLITS), len(recipe.windows.horizons))
    windows, units = Counter[str](), {name: set[str]() for name in SPLITS}
    known_SHK, positive_SHK = np.zeros((*shape, 3)), np.zeros((*shape, 3))
    for path in _parts(folder, recipe):
        table = whole_table([path], "featurize", columns=list(COUNTED), optional=WEIGHTS)
        part = from_arrow(table, points=recipe.width)
        y_BH, weight_BH = part.labels[0], part.weights.astype(np.float64)
        powers_BHK = np.stack([weight_BH > 0, weight_BH, weight_BH**2], axis=2)
        split_B = part.column("split")
        for s, name in enumerate(SPLITS):
            own_B = split_B == name
            windows[name] += int(own_B.sum())
            units[name].update(part.units[own_B].tolist())
            known_SHK[s] += powers_BHK[own_B].sum(axis=0)
            positive_SHK[s] += (powers_BHK * y_BH[:, :, None])[own_B].sum(axis=0)
    days = list(map(str, recipe.windows.horizons))
    return {
        name: {
            "windows": windows[name],
            "units": len(units[name]),
            **_label_counts(days, known_SHK[s], positive_SHK[s]),
        }
        for s, name in enumerate(SPLITS)
    }


def _label_counts(days: list[str], known_HK: Sums, positive_HK: Sums) -> dict[str, Any]:
    """Return counts, sums of weights and effective numbers by horizon; K is count, sum, sum of
    squares.
    """
    counted = {"known": known_HK, "positives": positive_HK}
    counts = {
        name: dict(zip(days, map(int, sums_HK[:, 0]), strict=True))
        for name, sums_HK in counted.items()
    }
    weights = {
        name: dict(zip(days, sums_HK[:, 1:].tolist(), strict=True))
        for name, sums_HK in counted.items()
    }
    return {**counts, "weights": weights, "effective": effective(weights)}


def effective(weights: dict[str, dict[str, list[float]]]) -> dict[str, dict[str, float]]:
    """Return effective numbers from sums of weights, by kind of label and horizon."""
    return {
        name: {h: effective_number(*sums) for h, sums in by_day.items()}
        for name, by_day in weights.items()
    }


def effective_number(total: float, squares: float) -> float:
    """Return Kish's effective number of labels: how many of equal weight tell as much (Kish 1965);
    0 of none.

    >>> effective_number(4.0, 4.0), effective_number(4.0, 8.0), effective_number(0.0, 0.0)
    (4.0, 2.0, 0.0)
    """
    return total * total / squares if squares else 0.0


def load_recipes(folder: AnyPath) -> dict[str, Recipe]:
    """Recipes of the featurized table, by class."""
    found = json.loads((folder / "recipes.json").read_text(encoding="utf-8"))
    return {name: Recipe.from_json(each) for name, each in found.items()}
