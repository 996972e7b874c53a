"""`Windows`: everything the models see, as arrays; and its Arrow form, one row per window.

Legend: B windows, C points, L lookback days, F statistics, P patches, E embedding, A activity
features, K context features, S summaries of the last days, H horizons.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa

from hvac.arrays import AnyArray, Bools, DayNumbers, Float32s, Strings
from hvac.errors import InputError

KEYS = (
    "facility_id",
    "equipment_id",
    "point_id",
    "class",
    "end_date",
    "split",
    "status",
)
KEY_SCHEMA = pa.schema([(key, pa.string()) for key in KEYS])
KEY_SCHEMA = KEY_SCHEMA.set(KEYS.index("end_date"), pa.field("end_date", pa.date32()))
VECTORS = {
    "values": ("x_BCL", pa.float32()),
    "features": ("f_BCF", pa.float32()),
    "embedding": ("z_BCE", pa.float32()),
    "untrained": ("u_BCE", pa.float32()),
    "context": ("k_BK", pa.float32()),
    "recent": ("n_BCS", pa.float32()),
    "raw": ("r_BCS", pa.float32()),
    "peers": ("d_BCS", pa.float32()),
    "residuals": ("e_BCS", pa.float32()),
    "labels": ("y_BH", pa.bool_()),
    "known": ("known_BH", pa.bool_()),
    "weights": ("w_BH", pa.float32()),
}
LABELS = ("labels", "known", "weights")
NO_ARRAYS = ("keys", "points")  # fields of `Windows` that are no arrays of windows
SCALARS = {"observed": "observed_B", "persistence": "persistence_B"}


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Windows of one class: keys beside arrays; arrays that were not made or not read are None.

    `observed_B` is the observed share of each window; `persistence_B` what the persistence baseline
    looks at; `u_BCE` the embedding of an untrained encoder, for the ablation only. `n_BCS`,
    `r_BCS`, `d_BCS` and `e_BCS` summarise the last days of normalised values, of values as they
    are, of deviations from peers, and of residuals. `w_BH` is how many windows each label stands
    for (None: one each; read it through `weights`). Patch tokens `p_BCPE` and activity `a_BCA` are
    made from values where they are needed, and never stored.
    """

    keys: pa.Table
    points: tuple[str, ...] | None = None
    observed_B: Float32s
    persistence_B: Float32s | None = None
    x_BCL: Float32s | None = None
    f_BCF: Float32s | None = None
    z_BCE: Float32s | None = None
    u_BCE: Float32s | None = None
    p_BCPE: Float32s | None = None
    a_BCA: Float32s | None = None
    k_BK: Float32s | None = None
    n_BCS: Float32s | None = None
    r_BCS: Float32s | None = None
    d_BCS: Float32s | None = None
    e_BCS: Float32s | None = None
    y_BH: Bools | None = None
    known_BH: Bools | None = None
    w_BH: Float32s | None = None

    def __len__(self) -> int:
        return int(self.keys.num_rows)

    def take(self, rows: AnyArray) -> Self:
        """Return some of the windows, by positions or by a mask; all of them as they are."""
        if rows.dtype == bool:
            if rows.all():
                return self
            rows = np.flatnonzero(rows)
        arrays: dict[str, Any] = {}
        for name in _array_names(self):
            arrays[name] = getattr(self, name)[rows]
        return replace(self, keys=self.keys.take(pa.array(rows)), **arrays)

    def split(self, name: str) -> Self:
        """Return the windows of one split."""
        return self.take(self.column("split") == name)

    @property
    def units(self) -> Strings:
        """Return one text per window that names its equipment: the unit of every bootstrap."""
        pairs = zip(
            self.column("facility_id"), self.column("equipment_id"), strict=True
        )
        return np.array(list(map("\x1f".join, pairs)), dtype=np.str_)

    @property
    def labels(self) -> tuple[Bools, Bools]:
        """Return `y_BH` and `known_BH` of labelled windows."""
        assert self.y_BH is not None, "these windows carry no labels"
        assert self.known_BH is not None, "these windows carry no labels"
        return self.y_BH, self.known_BH

    @property
    def weights(self) -> Float32s:
        """Return how many windows each label stands for [B, H], 0 where the label is unknown."""
        _, known_BH = self.labels
        w_BH = self.w_BH
        if w_BH is None:
            w_BH = np.ones(known_BH.shape, np.float32)
        return np.where(known_BH, w_BH, np.float32(0))

    @property
    def end_day_B(self) -> DayNumbers:
        """Return the last day of each window, in days since 1970-01-01 [B]."""
        days = self.keys["end_date"].cast(pa.int32())
        return np.asarray(days.to_numpy(), dtype=np.int32)

    def column(self, name: str) -> AnyArray:
        """Return a key column as an array of objects [B]."""
        return np.asarray(self.keys[name].to_numpy(zero_copy_only=False))


def _array_names(windows: Windows) -> list[str]:
    """Return the names of the arrays that windows have."""
    names = [field.name for field in fields(windows) if field.name not in NO_ARRAYS]
    return [name for name in names if getattr(windows, name) is not None]


def concat(parts: Sequence[Windows]) -> Windows:
    """Lay windows one after another; all parts must have the same arrays."""
    if len(parts) == 1:
        return parts[0]
    arrays = {}
    for name in _array_names(parts[0]):
        arrays[name] = np.concatenate([getattr(part, name) for part in parts])
    keys = pa.concat_tables([part.keys for part in parts])
    same_points = len({part.points for part in parts}) == 1
    return Windows(keys=keys, points=parts[0].points if same_points else None, **arrays)


def labels_only(windows: Windows) -> Windows:
    """Return the same windows with keys and labels alone.

    Windows of several classes can then be joined.
    """
    kept = {"observed_B", *(VECTORS[name][0] for name in LABELS)}
    dropped: dict[str, Any] = dict.fromkeys(set(_array_names(windows)) - kept)
    return replace(windows, points=None, **dropped)


def to_arrow(windows: Windows, *, fixed: bool = True) -> pa.Table:
    """Return windows as a table: vectors as fixed-size lists (as stored), or as plain lists.

    The schema of plain lists is the same whatever C is.
    """
    table = windows.keys
    for name, attribute in SCALARS.items():
        array = getattr(windows, attribute)
        if array is not None:
            table = table.append_column(name, pa.array(array))
    for name, (attribute, kind) in VECTORS.items():
        array = getattr(windows, attribute)
        if array is not None:
            table = table.append_column(name, lists(flat(array), kind, fixed=fixed))
    return table


def flat(array_BX: AnyArray) -> AnyArray:
    """Return an array with all axes but the first as one, also where there are no rows."""
    return array_BX.reshape(len(array_BX), math.prod(array_BX.shape[1:]))


def lists(array_BN: AnyArray, kind: pa.DataType, *, fixed: bool) -> pa.Array:
    """Return one list per row."""
    flat = pa.array(np.ascontiguousarray(array_BN).ravel(), type=kind)
    if fixed:
        return pa.FixedSizeListArray.from_arrays(flat, array_BN.shape[1])
    offsets = np.arange(len(array_BN) + 1, dtype=np.int32) * array_BN.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), flat)


def matrix(column: pa.ChunkedArray) -> AnyArray:
    """Return a list column as an array [B, N].

    Raises InputError where its rows are not equally long.
    """
    if len(column) == 0:
        return np.empty((0, getattr(column.type, "list_size", 0)))
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    if len(flat) % len(column):
        raise InputError(
            f"a column of lists has {len(flat)} values in {len(column)} rows: rows are not equally"
            " long"
        )
    return np.asarray(flat).reshape(len(column), -1)


def from_arrow(table: pa.Table, *, points: int) -> Windows:
    """Return the windows in a table of one class with `points` points (C)."""
    arrays: dict[str, Any] = {}
    for name, attribute in SCALARS.items():
        if name in table.column_names:
            arrays[attribute] = np.asarray(table[name].to_numpy(), dtype=np.float32)
    for name, (attribute, kind) in VECTORS.items():
        if name in table.column_names:
            array = matrix(table[name])
            array = array.astype(
                bool if pa.types.is_boolean(kind) else np.float32, copy=False
            )
            if attribute[-2] == "C":
                array = array.reshape(len(table), points, array.shape[1] // points)
            arrays[attribute] = array
    keys = [key for key in KEYS if key in table.column_names]
    return Windows(keys=table.select(keys), **arrays)
