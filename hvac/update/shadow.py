"""Both risks of every newest window while a challenger is watched: nobody acts on its own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from scipy.special import expit, logit

from hvac.update.bends import STRAIGHT, Bend

COLUMNS = (
    "facility_id",
    "equipment_id",
    "point_id",
    "class",
    "end_date",
    "horizon",
    "risk",
)


def paired_by_line(latest: pa.Table, bends: Mapping[str, Bend]) -> pa.Table:
    """Return the newest risks with the challenger's beside them (`challenger_risk`).

    Args:
        latest: rows of `latest.parquet` with `COLUMNS`.
        bends: the challenger's line of each class; other classes keep their risks.
    """
    risk_N = latest["risk"].to_numpy().astype(np.float64)
    lines = [bends.get(name, STRAIGHT) for name in latest["class"].to_pylist()]
    slope_N = np.array([line.slope for line in lines])
    intercept_N = np.array([line.intercept for line in lines])
    new_N = expit(slope_N * logit(risk_N) + intercept_N)
    return latest.append_column("challenger_risk", pa.array(new_N, from_pandas=True))


def paired_by_row(latest: pa.Table, other: pa.Table) -> pa.Table:
    """Return the newest risks with those of another workspace's `latest.parquet` beside them."""
    keys = [name for name in COLUMNS if name not in ("risk", "class")]
    risk_of = {
        tuple(row[key] for key in keys): row["risk"] for row in other.to_pylist()
    }
    new = [risk_of.get(tuple(row[key] for key in keys)) for row in latest.to_pylist()]
    return latest.append_column("challenger_risk", pa.array(new, pa.float64()))
