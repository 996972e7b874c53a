"""The predictions table: one row per window and horizon (design §3)."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from hvac.arrays import AnyFloats
from hvac.decision.thresholds import alarms
from hvac.features.table import Windows

SCHEMA = pa.schema(
    [
        (name, pa.string())
        for name in ("facility_id", "equipment_id", "point_id", "class")
    ]
    + [
        ("end_date", pa.date32()),
        ("horizon", pa.int32()),
        ("risk", pa.float64()),
        ("threshold", pa.float64()),
    ]
    + [
        ("alarm", pa.bool_()),
        ("split", pa.string()),
        ("label", pa.bool_()),
        ("observed", pa.bool_()),
    ]
    + [("model", pa.string()), ("bundle_id", pa.string())]
)


def predictions_table(
    windows: Windows,
    risk_BH: AnyFloats,
    threshold_BH: AnyFloats,
    *,
    horizons: tuple[int, ...],
    model: str,
    bundle_id: str,
) -> pa.Table:
    """Return rows in the order of the windows, horizons within.

    `label` is null where it is not `observed` (known). `alarm` follows
    `hvac.decision.thresholds.alarms`: an alarm at a horizon is one at the longer horizons.

    Args:
        windows: the windows.
        risk_BH: their risks.
        threshold_BH: of each window, or one per horizon for all of them.
        horizons: days ahead.
        model: the model's name.
        bundle_id: the bundle's id.
    """
    rows = np.repeat(np.arange(len(windows)), len(horizons))
    count = len(windows) * len(horizons)
    keys = windows.keys.select(
        ["facility_id", "equipment_id", "point_id", "class", "end_date", "split"]
    )
    keys = keys.take(pa.array(rows))
    known = np.zeros(count, bool)
    if windows.known_BH is not None:
        known = windows.known_BH.ravel()
    label = np.zeros(count, bool)
    if windows.y_BH is not None:
        label = windows.y_BH.ravel()
    risk = risk_BH.ravel()
    threshold = np.broadcast_to(threshold_BH, risk_BH.shape).ravel()
    alarm_BH = alarms(
        np.asarray(risk_BH, np.float64), np.asarray(threshold_BH, np.float64)
    )
    columns = {
        **{name: keys[name] for name in keys.column_names},
        "horizon": pa.array(np.tile(np.array(horizons, dtype=np.int32), len(windows))),
        "risk": pa.array(risk, mask=np.isnan(risk)),
        "threshold": pa.array(threshold),
        "alarm": pa.array(alarm_BH.ravel(), mask=np.isnan(risk)),
        "label": pa.array(label, mask=~known),
        "observed": pa.array(known),
        "model": pa.array([model] * count, pa.string()),
        "bundle_id": pa.array([bundle_id] * count, pa.string()),
    }
    return pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)
