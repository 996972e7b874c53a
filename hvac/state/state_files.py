"""The states of the units of one partition as one Arrow file, all classes together.

The file names what it rests on: the parts of the record it has seen, and the settings of every
class. Whatever does not fit is not used: the states are then made anew of the record.

Legend: U units, C points, R newest days.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypedDict

import numpy as np
import pyarrow as pa

from hvac.arrays import AnyArray
from hvac.features.recipe import Recipe
from hvac.features.residuals import ResidualFit
from hvac.panel.daily_readings import ALWAYS_KNOWN
from hvac.panel.grid import Unit
from hvac.panel.unit_fits import UnitFits
from hvac.state.unit_states import UnitStates, ring_days
from hvac.storage import AnyPath, content_key, writing

VERSION: Final = 1  # raised when the same record gives other states
FACTS: Final = b"states"
DAMAGE: Final = (OSError, ValueError, KeyError, TypeError, pa.ArrowException)


class StoredFacts(TypedDict):
    """What a file of states rests on, as JSON holds it."""

    version: int
    parts: list[str]
    recipes: dict[str, str]
    apart: list[list[str]]


@dataclass(frozen=True)
class StateFile:
    """The states of a partition by class.

    `parts` are the keys of the parts of the record behind them; `apart` the units that can have no
    state yet and are read from the record (`hvac.state.updating.pending_limits`).
    """

    classes: Mapping[str, UnitStates]
    parts: frozenset[str] = frozenset()
    apart: frozenset[Unit] = frozenset()


def recipe_key(recipe: Recipe) -> str:
    """Return a key of the settings that states of a class rest on."""
    windows = recipe.windows
    rules = windows.by, windows.normalise, windows.aggregate
    return content_key(recipe.points, rules, ring_days(windows), VERSION)


def write_unit_states(
    path: AnyPath, file: StateFile, recipes: Mapping[str, Recipe]
) -> None:
    """Write the states of a partition, whole or not at all."""
    facts: StoredFacts = {
        "version": VERSION,
        "parts": sorted(file.parts),
        "recipes": {name: recipe_key(recipes[name]) for name in file.classes},
        "apart": sorted(map(list, file.apart)),
    }
    tables = [
        _table(name, states) for name, states in file.classes.items() if len(states)
    ]
    table = pa.concat_tables(tables) if tables else SCHEMA.empty_table()
    table = table.replace_schema_metadata({FACTS: json.dumps(facts)})
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with (
        writing(path) as stream,
        pa.ipc.new_file(stream, table.schema, options=options) as writer,
    ):
        writer.write_table(table)


def read_unit_states(path: AnyPath, recipes: Mapping[str, Recipe]) -> StateFile | None:
    """Read the states of a partition; None where there are none that fit the settings.

    Args:
        path: of the file.
        recipes: of all classes that are scored.
    """
    if not path.exists():
        return None
    try:
        with path.open("rb") as stream:
            table = pa.ipc.open_file(stream).read_all()
        facts: StoredFacts = json.loads(table.schema.metadata[FACTS])
        if facts["version"] != VERSION:
            return None
        for name, key in facts["recipes"].items():
            if name not in recipes or recipe_key(recipes[name]) != key:
                return None
        classes = {}
        for name in facts["recipes"]:
            rows = table.filter(pa.compute.equal(table["class"], name)).combine_chunks()
            classes[name] = _states(rows, recipes[name])
        apart = frozenset(Unit(*names) for names in facts["apart"])
        return StateFile(classes, frozenset(facts["parts"]), apart)
    except DAMAGE:
        return None


_NUMBERS, _DAYS = pa.large_list(pa.float64()), pa.large_list(pa.int32())
_FITS: Final = {
    **dict.fromkeys(("seen_UC", "ready_UC", "gap_known_UC"), _DAYS),
    **dict.fromkeys(("centre_UC", "spread_UC", "gap_UC"), _NUMBERS),
}
_RESIDUAL_FIT: Final = {
    **dict.fromkeys(("centre_UC", "weight_UCC", "spread_UC"), _NUMBERS),
    "ready_UC": _DAYS,
}
SCHEMA: Final = pa.schema(
    [
        *[
            (name, pa.string())
            for name in ("class", "facility_id", "equipment_id", "point_id")
        ],
        ("first_day", pa.int32()),
        ("last_day", pa.int32()),
        ("counts", pa.large_list(pa.int64())),
        *_FITS.items(),
        *[(f"residual_{name}", kind) for name, kind in _RESIDUAL_FIT.items()],
        ("values", _NUMBERS),
        ("known", _DAYS),
        ("lower", _NUMBERS),
        ("upper", _NUMBERS),
    ]
)


def _table(class_name: str, states: UnitStates) -> pa.Table:
    """Return states as rows, one for each unit (or point)."""
    fits, residual_fit = states.fits, states.residual_fit
    columns: dict[str, Any] = {
        "class": [class_name] * len(states),
        "facility_id": [unit.facility_id for unit in states.unit_U],
        "equipment_id": [unit.equipment_id for unit in states.unit_U],
        "point_id": list(states.point_U),
        "first_day": fits.start_U,
        "last_day": states.last_day_U,
        "counts": _lists(states.count_UC),
        **{name: _lists(getattr(fits, name)) for name in _FITS},
        **{
            f"residual_{name}": _lists(getattr(residual_fit, name))
            for name in _RESIDUAL_FIT
        },
        "values": _lists(states.value_UCR),
        "known": _lists(states.known_UCR, absent_U=(states.known_UCR == ALWAYS_KNOWN)),
        "lower": _lists(states.lower_UCR, absent_U=np.isnan(states.lower_UCR)),
        "upper": _lists(states.upper_UCR, absent_U=np.isnan(states.upper_UCR)),
    }
    arrays = [pa.array(columns[field.name], field.type) for field in SCHEMA]
    return pa.table(arrays, schema=SCHEMA)


def _lists(array_U: AnyArray, absent_U: AnyArray | None = None) -> pa.Array:
    """Return a list for each unit; null where all of it is absent."""
    flat_UN = np.ascontiguousarray(array_U).reshape(len(array_U), -1)
    ends = np.arange(len(flat_UN) + 1, dtype=np.int64) * flat_UN.shape[1]
    values = pa.array(flat_UN.ravel())
    if absent_U is None:
        return pa.LargeListArray.from_arrays(ends, values)
    there_U = ~absent_U.reshape(len(absent_U), -1).all(axis=1)
    ends = np.concatenate([[0], np.cumsum(there_U)]).astype(np.int64) * flat_UN.shape[1]
    values = pa.array(flat_UN[there_U].ravel())
    return pa.LargeListArray.from_arrays(
        pa.array(ends), values, mask=pa.array(~there_U)
    )


def _states(rows: pa.Table, recipe: Recipe) -> UnitStates:
    """Return the states that `_table` made rows of."""
    if not rows.num_rows:
        return UnitStates.none(recipe)
    points = recipe.width
    ring = (points, ring_days(recipe.windows))
    widths = {"weight_UCC": (points, points)}
    facility, equipment = (
        rows["facility_id"].to_pylist(),
        rows["equipment_id"].to_pylist(),
    )
    point_U = tuple(rows["point_id"].to_pylist())
    points_U = tuple(recipe.points if point is None else (point,) for point in point_U)
    fits = {name: _array(rows[name], (points,)) for name in _FITS}
    residual_fit = {
        name: _array(rows[f"residual_{name}"], widths.get(name, (points,)))
        for name in _RESIDUAL_FIT
    }
    return UnitStates(
        unit_U=tuple(map(Unit, facility, equipment)),
        point_U=point_U,
        points_U=points_U,
        last_day_U=rows["last_day"].to_numpy().astype(np.int32),
        count_UC=_array(rows["counts"], (points,)),
        value_UCR=_array(rows["values"], ring),
        known_UCR=_array(rows["known"], ring, absent=int(ALWAYS_KNOWN)),
        lower_UCR=_array(rows["lower"], ring, absent=np.nan),
        upper_UCR=_array(rows["upper"], ring, absent=np.nan),
        fits=UnitFits(start_U=rows["first_day"].to_numpy().astype(np.int32), **fits),
        residual_fit=ResidualFit(**residual_fit),
    )


def _array(
    column: pa.ChunkedArray, shape: tuple[int, ...], absent: float | None = None
) -> AnyArray:
    """Return the lists of a column as one array, `absent` in place of null."""
    lists = column.combine_chunks()
    values = lists.flatten().to_numpy(zero_copy_only=False)
    if absent is None or not lists.null_count:
        return np.ascontiguousarray(values.reshape(len(lists), *shape))
    array = np.full((len(lists), *shape), absent, dtype=values.dtype)
    array[lists.is_valid().to_numpy(zero_copy_only=False)] = values.reshape(-1, *shape)
    return array


def all_units(file: StateFile) -> dict[Unit, str]:
    """Return the class of every unit that has a state."""
    return {
        unit: name for name, states in file.classes.items() for unit in states.unit_U
    }
