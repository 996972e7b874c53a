"""The newest window of every unit: windows, then risks, then forecasts.

This is done in one call, or stage by stage (serving). Legend: B windows (one per unit), C points, H
horizons, L lookback days, D days ahead, N series.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, TypedDict, cast

import numpy as np
import pyarrow as pa

from hvac.arrays import DayNumbers, Floats
from hvac.decision.thresholds import alarms
from hvac.explain.reason import REASON
from hvac.features.describe import Scene, describe
from hvac.features.table import Windows, concat
from hvac.panel.windows import OK
from hvac.scoring.bundle import Bundle
from hvac.scoring.explanations import Explanation, explain_newest
from hvac.scoring.latest_rows import LatestRow
from hvac.scoring.newest_windows import Newest, newest
from hvac.scoring.outlooks import PointOutlook, driving_outlooks
from hvac.scoring.predictions import SCHEMA, predictions_table

Explained = Literal["alarms", "all", "none"]
EXTRA = (
    "status",
    "learning_days_left",
    "observed_share",
    "doubts",
    "driving_point",
    "forecast",
    "forecast_low",
    "forecast_high",
    "crossing_probability",
    "reasons",
    "risk_low",
    "risk_high",
    "needs_look",
    "similar_units",
    "forecast_method",
)
_LISTS, _NUMBER = pa.list_(pa.float32()), pa.float64()
_DOUBTS = pa.list_(pa.struct([("point_id", pa.string()), ("kind", pa.string())]))
_KINDS = (
    pa.string(),
    pa.int32(),
    _NUMBER,
    _DOUBTS,
    pa.string(),
    _LISTS,
    _LISTS,
    _LISTS,
    _NUMBER,
    pa.list_(REASON),
    _NUMBER,
    _NUMBER,
    pa.bool_(),
    pa.int32(),
    pa.string(),
)
FORECAST = (
    *("driving_point", "forecast", "forecast_low", "forecast_high", "crossing_probability"),
    "forecast_method",
)
LATEST = pa.schema([*SCHEMA, *zip(EXTRA, _KINDS, strict=True)])
PAST = SCHEMA.append(pa.field("status", pa.string()))
SCORED_TOGETHER = 4096


class SureColumns(TypedDict):
    """How sure a risk is: its band, whether it needs a look, and how many machines looked alike."""

    risk_low: float | None
    risk_high: float | None
    needs_look: bool | None
    similar_units: int | None


def newest_risks(bundle: Bundle, windows: Windows) -> Floats:
    """Return the risks of the windows that can be scored, nan for the others: [B, H]."""
    ok_B = np.asarray(windows.column("status") == OK)
    risk_BH = np.full((len(windows), len(bundle.horizons)), np.nan)
    if ok_B.any():
        risk_BH[ok_B] = bundle.predict(windows if ok_B.all() else windows.take(ok_B)).risk_BH
    return risk_BH


def latest_rows(
    scenes: Sequence[Scene], bundle: Bundle, *, explain: Explained = "none"
) -> pa.Table:
    """Return predictions for the newest window of each unit of one class.

    There is a row per unit and horizon. Beside the predictions' columns it has: `status` (risk,
    alarm and forecast are null unless "ok"), days of learning left, observed share, doubts about
    its readings, and for the point that has moved furthest from its baseline the forecast on days
    1…h in physical units, its 90 % band, the probability of crossing a limit, and how it is
    forecast (`last_value`: no method was better); and reasons.

    Args:
        scenes: the units.
        bundle: of their class.
        explain: which windows get reasons: those with an alarm at any horizon, all, or none. A
            bundle that has no reasons gives none.
    """
    newest_windows = newest(scenes, bundle.recipe)
    risk_BH = newest_risks(bundle, newest_windows.windows)
    outlook_B = driving_outlooks(bundle, newest_windows)
    explained_B = _explanations(bundle, newest_windows, risk_BH, explain)
    records = latest_records(newest_windows, risk_BH, outlook_B, bundle, explained_B)
    return pa.Table.from_pylist(records, schema=LATEST)


def _explanations(
    bundle: Bundle, newest_windows: Newest, risk_BH: Floats, explain: Explained
) -> list[Explanation | None]:
    if explain == "none" or bundle.background is None:
        return [None] * len(risk_BH)
    facility_B = newest_windows.windows.column("facility_id")
    alarm_BH = alarms(risk_BH, bundle.decision.threshold_BH(facility_B))
    rows_B = np.asarray(alarm_BH.any(axis=1)) if explain == "alarms" else None
    return explain_newest(bundle, newest_windows, rows_B)


def past_rows(bundle: Bundle, scenes: Sequence[Scene], days: Sequence[DayNumbers]) -> pa.Table:
    """Return predictions for given end days of each unit of one class, with `status`.

    There is a row per window and horizon.

    Args:
        bundle: of the class.
        scenes: the units.
        days: end days of each scene, inside its record.
    """
    tables = [PAST.empty_table()]
    for group in _groups(list(zip(scenes, days, strict=True))):
        windows = concat([describe(scene, day_B, bundle.recipe) for scene, day_B in group])
        table = predictions_table(
            windows,
            newest_risks(bundle, windows),
            bundle.decision.threshold_BH(windows.column("facility_id")),
            horizons=bundle.horizons,
            model=bundle.family,
            bundle_id=bundle.name,
        )
        status = np.repeat(windows.column("status"), len(bundle.horizons)).tolist()
        tables.append(table.append_column("status", pa.array(status, pa.string())))
    return pa.concat_tables(tables)


def _groups(items: list[tuple[Scene, DayNumbers]]) -> Iterator[list[tuple[Scene, DayNumbers]]]:
    """Yield scenes whose windows are scored together.

    They are some thousands, so that memory does not grow with the record.
    """
    group: list[tuple[Scene, DayNumbers]] = []
    for item in items:
        group.append(item)
        if sum(len(day_B) for _, day_B in group) >= SCORED_TOGETHER:
            yield group
            group = []
    if group:
        yield group


def latest_records(
    newest_windows: Newest,
    risk_BH: Floats,
    outlook_B: Sequence[dict[int, PointOutlook]],
    bundle: Bundle,
    explained_B: Sequence[Explanation | None] | None = None,
) -> list[LatestRow]:
    """Return the rows of `latest_rows` from what each stage gave, as plain values."""
    windows = newest_windows.windows
    threshold_BH = bundle.decision.threshold_BH(windows.column("facility_id"))
    alarm_BH = alarms(risk_BH, threshold_BH)
    sure_B = _sureness(newest_windows, risk_BH, bundle)
    records: list[LatestRow] = []
    for b, keys in enumerate(windows.keys.to_pylist()):
        unit = {
            **keys,
            "split": None,
            "label": None,
            "observed": False,
            "model": bundle.family,
            "bundle_id": bundle.name,
            "learning_days_left": newest_windows.learning_left[b],
            "observed_share": float(windows.observed_B[b]),
            "doubts": [doubt._asdict() for doubt in newest_windows.doubts[b]],
        }
        for h, horizon in enumerate(bundle.horizons):
            known = not np.isnan(risk_BH[b, h])
            record = {
                **unit,
                "horizon": horizon,
                "threshold": float(threshold_BH[b, h]),
                "risk": float(risk_BH[b, h]) if known else None,
                "alarm": bool(alarm_BH[b, h]) if known else None,
            }
            record |= _forecast_columns(outlook_B[b].get(horizon))
            explanation = explained_B[b] if explained_B else None
            reasons = explanation.reasons_H[h] if explanation else None
            record["reasons"] = reasons and [reason._asdict() for reason in reasons]
            record |= sure_B[b][h]
            records.append(cast(LatestRow, record))
    return records


def _sureness(newest_windows: Newest, risk_BH: Floats, bundle: Bundle) -> list[list[SureColumns]]:
    """Return how sure each window's risks are, by horizon; None where that is not known."""
    unknown: SureColumns = {
        "risk_low": None,
        "risk_high": None,
        "needs_look": None,
        "similar_units": None,
    }
    columns_B = [[unknown] * len(bundle.horizons) for _ in risk_BH]
    rows = np.flatnonzero(newest_windows.ok_B)
    if not len(rows):
        return columns_B
    sure = bundle.sureness(newest_windows.windows.take(rows), risk_BH[rows])
    if sure is None:
        return columns_B
    for place, b in enumerate(rows.tolist()):
        columns_B[b] = [
            {
                "risk_low": float(sure.low_BH[place, h]),
                "risk_high": float(sure.high_BH[place, h]),
                "needs_look": bool(sure.needs_look_BH[place, h]),
                "similar_units": int(sure.similar_B[place]),
            }
            for h in range(len(bundle.horizons))
        ]
    return columns_B


def _forecast_columns(
    outlook: PointOutlook | None,
) -> dict[str, str | float | list[float] | None]:
    if outlook is None:
        return dict.fromkeys(FORECAST)
    return {
        "driving_point": outlook.point,
        "forecast": outlook.value_D.tolist(),
        "forecast_low": outlook.low_D.tolist(),
        "forecast_high": outlook.high_D.tolist(),
        "crossing_probability": None if np.isnan(outlook.crossing) else outlook.crossing,
        "forecast_method": outlook.method,
    }
