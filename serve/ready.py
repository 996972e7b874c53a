"""Windows that come ready, as values of the featurized table: what a bulk request sends.

Legend: B windows, C points, L lookback days.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hvac.errors import InputError
from hvac.features.statistics import statistics
from hvac.features.table import KEY_SCHEMA, Windows, matrix
from hvac.models.bundle import Bundle
from hvac.models.family import prepared
from hvac.models.predictions import predictions_table


def ready_windows(bundle: Bundle, table: pa.Table) -> Windows:
    """Windows from a table with a list column `values` (C·L normalised values, point after point, as in `windows/`).

    `context` is taken where given and unknown (nan) otherwise.

    Raises:
        InputError: a row has another number of values, or one that is not a finite number.
    """
    width, lookback = bundle.recipe.width, bundle.recipe.windows.lookback
    named = f"class {bundle.recipe.class_name}"
    expected = f"expected {width} points × {lookback} days = {width * lookback} values per row of {named}"
    _check_lengths("values", table["values"], width * lookback, expected)
    values = matrix(table["values"])
    x_BCL = values.astype(np.float32).reshape(len(table), width, lookback)
    broken_B = ~np.isfinite(x_BCL).all(axis=(1, 2))
    if broken_B.any():
        row = int(np.flatnonzero(broken_B)[0])
        raise InputError(f"{expected}, found values that are not finite numbers in row {row}")
    names = bundle.recipe.context.names
    if "context" in table.column_names:
        _check_lengths("context", table["context"], len(names), f"expected {len(names)} context values per row")
    context = matrix(table["context"]) if "context" in table.column_names else np.full((len(table), len(names)), np.nan)
    windows = Windows(
        keys=_ready_keys(table, bundle),
        observed_B=np.ones(len(table), dtype=np.float32),
        persistence_B=np.zeros(len(table), dtype=np.float32),
        x_BCL=x_BCL,
        f_BCF=statistics(x_BCL.astype(np.float64)).astype(np.float32),
        k_BK=context.astype(np.float32),
    )
    return prepared(windows, bundle.model.config.needs, lambda: bundle.encoder)


def _check_lengths(name: str, column: pa.ChunkedArray, length: int, expected: str) -> None:
    wrong_B = pc.fill_null(pc.not_equal(pc.list_value_length(column), length), True).to_numpy(zero_copy_only=False)
    if wrong_B.any():
        row = int(np.flatnonzero(wrong_B)[0])
        raise InputError(f"{name}: {expected}, found {len(column[row].as_py() or ())} in row {row}")


def _ready_keys(table: pa.Table, bundle: Bundle) -> pa.Table:
    given: dict[str, Any] = {
        "class": pa.array([bundle.recipe.class_name] * len(table)),
        "status": pa.array(["ok"] * len(table)),
    }
    names = set(table.column_names)
    columns = [
        given[field.name] if field.name in given
        else table[field.name].cast(field.type) if field.name in names
        else pa.nulls(len(table), field.type)
        for field in KEY_SCHEMA
    ]  # fmt: skip
    return pa.table(columns, schema=KEY_SCHEMA)


def ready_rows(bundle: Bundle, windows: Windows, risk_BH: npt.NDArray[np.float64]) -> pa.Table:
    """Predictions of ready windows."""
    threshold_BH = bundle.decision.threshold_BH(windows.column("facility_id"))
    names = {"model": bundle.family, "bundle_id": bundle.name}
    return predictions_table(windows, risk_BH, threshold_BH, horizons=bundle.horizons, **names)
