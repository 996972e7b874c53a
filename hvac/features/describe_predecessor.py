"""From the predecessor's ready windows (`values_sequence`) to what the models see.

They have no history: no baseline, no events. Nor have they peers or other points, so that of the
summaries of the last days only those of the values themselves are known.

Legend: B windows, L lookback days, S summaries of the last days, H horizons.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hvac.arrays import Bools, Floats, Strings
from hvac.features.context import ContextSpec
from hvac.features.recent import recent_of_windows
from hvac.features.recipe import Recipe
from hvac.features.statistics import statistics
from hvac.features.table import KEY_SCHEMA, Windows, matrix
from hvac.features.training_windows import with_split
from hvac.filling import fill_forward
from hvac.panel.grid import Unit
from hvac.panel.splits import Splitter
from hvac.panel.windows import INSUFFICIENT, OK
from hvac.readings.predecessor_csv import PredecessorBatch


def predecessor_table(batch: PredecessorBatch, *, first_row: int) -> pa.Table:
    """Return a batch of the predecessor's file as rows of ids, date, values, labels.

    A file without `end_date` gets one day per row, in file order: splits by equipment do not look
    at it.
    """
    rows = np.arange(first_row, first_row + len(batch.x_BL), dtype=np.int32)
    days = pa.array(rows).cast(pa.date32())
    columns = {
        name: batch.ids[name] for name in ("facility_id", "equipment_id", "point_id")
    }
    columns["date"] = pc.coalesce(batch.ids["end_date"].combine_chunks(), days)
    columns["values"] = pa.array(list(batch.x_BL))
    columns["labels"] = pa.array(list(batch.y_BH))
    return pa.table(columns)


def predecessor_windows(
    table: pa.Table, recipe: Recipe, splitter: Splitter
) -> tuple[Windows, Counter[str]]:
    """Return the windows of one bucket of the predecessor's rows, with statistics and labels.

    Returns also how many were left out, by reason.
    """
    raw_BL = matrix(table["values"]).astype(np.float64)
    label_BH = matrix(table["labels"]).astype(np.float64)
    observed_BL = np.isfinite(raw_BL)
    sparse_B = observed_BL.mean(axis=1) < recipe.windows.min_observed
    status_B = np.where(sparse_B, INSUFFICIENT, OK)
    x_BL = np.nan_to_num(fill_forward(raw_BL, observed_BL), nan=0.0)
    x_B1L = x_BL[:, None, :]
    recent_B1S = recent_of_windows(raw_BL[:, None, :]).astype(np.float32)
    unknown_B1S = np.full_like(recent_B1S, np.nan)
    windows = Windows(
        keys=_keys(table, recipe, status_B),
        observed_B=observed_BL.mean(axis=1).astype(np.float32),
        persistence_B=np.zeros(len(table), dtype=np.float32),
        x_BCL=x_B1L.astype(np.float32),
        f_BCF=statistics(x_B1L).astype(np.float32),
        k_BK=_context(table, observed_BL, recipe.context).astype(np.float32),
        n_BCS=recent_B1S,  # values come as they are: there is no baseline to normalise them by
        r_BCS=recent_B1S,
        d_BCS=unknown_B1S,
        e_BCS=unknown_B1S,
        y_BH=label_BH > 0.5,
        known_BH=np.isfinite(label_BH),
        w_BH=np.ones(label_BH.shape, np.float32),
    )
    ids = zip(
        windows.column("facility_id"), windows.column("equipment_id"), strict=True
    )
    end_day_1 = windows.end_day_B[:1]
    split_B = [splitter.assign(Unit(*unit), end_day_1)[0] for unit in ids]
    keep_B = status_B == OK
    left_out = Counter(status_B[~keep_B].tolist())
    split = np.array(split_B, dtype=np.str_)
    return with_split(windows, split).take(keep_B), left_out


def _keys(table: pa.Table, recipe: Recipe, status_B: Strings) -> pa.Table:
    columns = [table[name] for name in ("facility_id", "equipment_id", "point_id")]
    classes = [recipe.class_name] * len(table)
    columns.append(pa.array(classes, pa.string()))
    columns.append(table["date"])
    columns.append(pa.nulls(len(table), pa.string()))
    columns.append(pa.array(status_B.tolist(), pa.string()))
    return pa.table(columns, schema=KEY_SCHEMA)


def _context(table: pa.Table, observed_BL: Bools, spec: ContextSpec) -> Floats:
    """Return season and observed share; everything else is unknown (nan)."""
    days = table["date"].cast(pa.int32())
    day_B = np.asarray(days.to_numpy(), dtype=np.float64)
    angle_B = 2 * np.pi * (day_B % 365.25) / 365.25
    known = {
        "season_sin": np.sin(angle_B),
        "season_cos": np.cos(angle_B),
        "observed_share": observed_BL.mean(axis=1),
    }
    unknown_B = np.full(len(table), np.nan)
    return np.column_stack([known.get(name, unknown_B) for name in spec.names])
