"""Windows that come ready, as values of the featurized table: what a bulk request sends.

Legend: B windows, C points, L lookback days, K context features, S summaries of the last days.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hvac.arrays import Float32s, Floats
from hvac.errors import InputError
from hvac.features.recent import RECENT_NAMES, recent_of_windows
from hvac.features.statistics import statistics
from hvac.features.table import KEY_SCHEMA, Windows, matrix
from hvac.models.family import prepared
from hvac.scoring.bundle import Bundle
from hvac.scoring.predictions import predictions_table

SUMMARIES = ("recent", "raw", "peers", "residuals")


def ready_windows(bundle: Bundle, table: pa.Table) -> Windows:
    """Make windows of a table with a list column `values`: C·L normalised values, point after
    point, as in `windows/`.

    `context`, `raw`, `peers` and `residuals` are taken where given and unknown (nan) otherwise;
    `recent` is taken where given and made from the values otherwise.

    Raises:
        InputError: a row has another number of values, one of `values` that is not a finite number,
            or an infinite summary.
    """
    width = bundle.recipe.width
    lookback = bundle.recipe.windows.lookback
    named = f"class {bundle.recipe.class_name}"
    expected = f"expected {width} points × {lookback} days = {width * lookback} values per row of {named}"
    _check_lengths("values", table["values"], width * lookback, expected)
    values = matrix(table["values"])
    x_BCL = values.astype(np.float32).reshape(len(table), width, lookback)
    broken_B = ~np.isfinite(x_BCL).all(axis=(1, 2))
    if broken_B.any():
        row = int(np.flatnonzero(broken_B)[0])
        raise InputError(
            f"{expected}, found values that are not finite numbers in row {row}"
        )
    summaries = _summaries(table, x_BCL)
    windows = Windows(
        keys=_ready_keys(table, bundle),
        observed_B=np.ones(len(table), dtype=np.float32),
        persistence_B=np.zeros(len(table), dtype=np.float32),
        x_BCL=x_BCL,
        f_BCF=statistics(x_BCL.astype(np.float64)).astype(np.float32),
        k_BK=_context(table, len(bundle.recipe.context.names)),
        n_BCS=summaries["recent"],
        r_BCS=summaries["raw"],
        d_BCS=summaries["peers"],
        e_BCS=summaries["residuals"],
    )
    return prepared(windows, bundle.needs, lambda: bundle.encoder)


def _context(table: pa.Table, length: int) -> Float32s:
    if "context" not in table.column_names:
        return np.full((len(table), length), np.nan, np.float32)
    _check_lengths(
        "context", table["context"], length, f"expected {length} context values per row"
    )
    return np.asarray(matrix(table["context"]), np.float32)


def _summaries(table: pa.Table, x_BCL: Float32s) -> dict[str, Float32s]:
    """Read the summaries of the last days that are given; make `recent` of the values, and the
    others unknown.
    """
    shape = (*x_BCL.shape[:2], len(RECENT_NAMES))
    summaries: dict[str, Float32s] = {}
    for name in SUMMARIES:
        if name in table.column_names:
            summaries[name] = _summary(name, table[name], shape)
        else:
            summaries[name] = (
                recent_of_windows(x_BCL).astype(np.float32)
                if name == "recent"
                else np.full(shape, np.nan, np.float32)
            )
    return summaries


def _summary(name: str, column: pa.ChunkedArray, shape: tuple[int, ...]) -> Float32s:
    _, points, per_point = shape
    expected = f"expected {points} points × {per_point} summaries = {points * per_point} values per row"
    _check_lengths(name, column, points * per_point, expected)
    with np.errstate(over="ignore"):
        values = np.asarray(matrix(column), np.float32)
    infinite_B = np.isinf(values).any(axis=1)
    if infinite_B.any():
        raise InputError(
            f"{name}: {expected}, found infinite ones in row {int(np.flatnonzero(infinite_B)[0])}"
        )
    return values.reshape(shape)


def _check_lengths(
    name: str, column: pa.ChunkedArray, length: int, expected: str
) -> None:
    wrong_B = pc.fill_null(
        pc.not_equal(pc.list_value_length(column), length), True
    ).to_numpy(zero_copy_only=False)
    if wrong_B.any():
        row = int(np.flatnonzero(wrong_B)[0])
        given = pc.list_value_length(column)[row].as_py() or 0
        raise InputError(f"{name}: {expected}, found {given} in row {row}")


def _ready_keys(table: pa.Table, bundle: Bundle) -> pa.Table:
    given: dict[str, pa.Array] = {
        "class": pa.array([bundle.recipe.class_name] * len(table)),
        "status": pa.array(["ok"] * len(table)),
    }
    names = set(table.column_names)
    columns = [
        (
            given[field.name]
            if field.name in given
            else (
                table[field.name].cast(field.type)
                if field.name in names
                else pa.nulls(len(table), field.type)
            )
        )
        for field in KEY_SCHEMA
    ]
    return pa.table(columns, schema=KEY_SCHEMA)


def ready_rows(bundle: Bundle, windows: Windows, risk_BH: Floats) -> pa.Table:
    """Return the predictions table of ready windows: a row per window and horizon."""
    threshold_BH = bundle.decision.threshold_BH(windows.column("facility_id"))
    names = {"model": bundle.family, "bundle_id": bundle.name}
    return predictions_table(
        windows, risk_BH, threshold_BH, horizons=bundle.horizons, **names
    )
