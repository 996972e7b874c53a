"""The turn of each piece of equipment in the ranking, without a Python object for each row.

`hvac.scoring.worklist` says by what equipment is ordered; this says the same of a whole table, and
a test compares the two. Legend: N rows, U equipment, H horizons.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hvac.arrays import Bools, Floats, Ints
from hvac.panel.joins import unit_ids
from hvac.panel.windows import OK

TURNS: Final = pa.schema(
    [
        ("facility_id", pa.string()),
        ("equipment_id", pa.string()),
        ("status", pa.string()),
        ("learning_days_left", pa.int32()),
        ("turn", pa.list_(pa.float64())),
    ]
)


class _Cells(NamedTuple):
    """The highest risk of each piece of equipment at each horizon, nan where there is none."""

    risk_UH: Floats
    alarm_UH: Bools
    unsure_UH: Bools


def turns_table(latest: pa.Table) -> pa.Table:
    """Return the turn of each piece of equipment, and the status of its newest window: `TURNS`.

    Args:
        latest: rows of `latest.parquet`.
    """
    unit_N = unit_ids(latest).dictionary_encode().indices.to_numpy()
    ok_N = pc.equal(latest["status"], OK).to_numpy(zero_copy_only=False)
    order = np.lexsort((~ok_N, unit_N))
    first_U = order[np.flatnonzero(np.diff(unit_N[order], prepend=-1))]
    newest = latest.select(TURNS.names[:-1]).take(pa.array(first_U))
    turns = _turns(_cells(latest, unit_N, len(first_U)), _horizons(latest))
    return newest.append_column("turn", turns).cast(TURNS)


def _horizons(latest: pa.Table) -> Ints:
    return np.unique(latest["horizon"].to_numpy())


def _cells(latest: pa.Table, unit_N: Ints, units: int) -> _Cells:
    """Take of each piece of equipment at each horizon the row of the highest risk, or the first."""
    horizons = _horizons(latest)
    at_N = np.searchsorted(horizons, latest["horizon"].to_numpy())
    risk_N = pc.fill_null(latest["risk"], np.nan).to_numpy()
    flag_N = {
        name: pc.fill_null(latest[name], False).to_numpy(zero_copy_only=False)
        for name in ("alarm", "needs_look")
    }
    shape = (units, len(horizons))
    cells = _Cells(np.full(shape, np.nan), np.zeros(shape, bool), np.zeros(shape, bool))
    lowest_first = np.argsort(risk_N[::-1], kind="stable")
    rows = len(risk_N) - 1 - lowest_first  # of equal risks the first row comes last
    rows = rows[~np.isnan(risk_N[rows])]
    place = unit_N[rows], at_N[rows]
    cells.risk_UH[place] = risk_N[rows]
    cells.alarm_UH[place] = flag_N["alarm"][rows]
    cells.unsure_UH[place] = flag_N["needs_look"][rows]
    return cells


def _turns(cells: _Cells, horizons: Ints) -> pa.Array:
    """Return for each piece of equipment what `hvac.scoring.worklist.turn` returns."""
    there_UH = ~np.isnan(cells.risk_UH)
    nested_UH = np.maximum.accumulate(cells.alarm_UH, axis=1) & there_UH
    sure_UH = nested_UH & ~cells.unsure_UH
    states = [rows_UH.any(axis=1) for rows_UH in (sure_UH, cells.unsure_UH, there_UH)]
    state_U = np.select(states, [0.0, 1.0, 2.0], 3.0)
    first_U = np.where(sure_UH, horizons, np.inf).min(axis=1, initial=np.inf)
    turn_UW = np.column_stack([state_U, first_U, -cells.risk_UH])
    kept_UW = np.column_stack([np.ones((len(there_UH), 2), dtype=bool), there_UH])
    ends = np.concatenate([[0], np.cumsum(kept_UW.sum(axis=1))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(turn_UW[kept_UW]))
