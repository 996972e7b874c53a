"""Both risks of every newest window while a challenger is watched: nobody acts on its own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hvac.decision.thresholds import alarms
from hvac.features.table import Windows
from hvac.scoring.bundle import Bundle
from hvac.scoring.latest import newest_risks
from hvac.update.matured import sure_log_odds

OURS = (
    *("facility_id", "equipment_id", "point_id", "class", "end_date"),
    *("horizon", "risk", "threshold", "alarm", "bundle_id"),
)


class ShadowFigures(NamedTuple):
    """Pairs of risks; the mean difference in log-odds, and alarms that only one of the two gives."""

    pairs: int
    higher: float
    alarms_added: int
    alarms_dropped: int


def paired_rows(latest: pa.Table, challenger: Bundle, windows: Windows) -> pa.Table:
    """Return the newest rows with the challenger's risk, threshold and alarm beside them.

    Args:
        latest: rows of `latest_table`, a row per window and horizon.
        challenger: of the same class and horizons.
        windows: of these rows.
    """
    risk_BH = newest_risks(challenger, windows)
    threshold_BH = challenger.decision.threshold_BH(windows.column("facility_id"))
    alarm_BH = alarms(np.nan_to_num(risk_BH, nan=-1), threshold_BH)
    unknown_N = np.isnan(risk_BH).ravel()
    rows = latest.select(OURS)
    columns = {
        "challenger_risk": pa.array(risk_BH.ravel(), from_pandas=True),
        "challenger_threshold": pa.array(threshold_BH.ravel()),
        "challenger_alarm": pa.array(alarm_BH.ravel(), mask=unknown_N),
        "challenger_id": pa.array([challenger.name] * len(latest), pa.string()),
    }
    for name, column in columns.items():
        rows = rows.append_column(name, column)
    return rows


def with_roles_changed(pairs: pa.Table) -> pa.Table:
    """Return rows of `paired_rows` of windows that the challenger answered, with the roles told right."""
    ours = ("risk", "threshold", "alarm", "bundle_id")
    theirs = tuple(f"challenger_{name}" for name in (*ours[:3], "id"))
    new = dict(zip((*ours, *theirs), (*theirs, *ours), strict=True))
    renamed = pairs.rename_columns([new.get(name, name) for name in pairs.column_names])
    return renamed.select(pairs.column_names)


def shadow_figures(pairs: pa.Table) -> ShadowFigures:
    """Count pairs of risks, and compare them.

    Args:
        pairs: rows of `paired_rows`.
    """
    both = pairs.filter(
        pc.and_(pc.is_valid(pairs["risk"]), pc.is_valid(pairs["challenger_risk"]))
    )
    if not len(both):
        return ShadowFigures(0, 0.0, 0, 0)
    ours_N, theirs_N = (
        sure_log_odds(both[name].to_numpy()) for name in ("risk", "challenger_risk")
    )
    alarm_N, their_alarm_N = (
        np.asarray(both[name].to_numpy(), bool)
        for name in ("alarm", "challenger_alarm")
    )
    return ShadowFigures(
        pairs=len(both),
        higher=float((theirs_N - ours_N).mean()),
        alarms_added=int((their_alarm_N & ~alarm_N).sum()),
        alarms_dropped=int((alarm_N & ~their_alarm_N).sum()),
    )
