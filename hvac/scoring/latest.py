"""The newest window of every unit: windows, then risks, then forecasts, as a table.

This is done in one call, or stage by stage (serving, `hvac.scoring.latest_records`). Legend: B
windows (one per unit), C points, H horizons, L lookback days, D days ahead, N series.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pyarrow as pa

from hvac.arrays import AnyFloats, Bools, DayNumbers, Floats
from hvac.certainty.certainty import Sureness
from hvac.decision.thresholds import alarms
from hvac.explain.reason import REASON
from hvac.features.describing import describe_units
from hvac.features.scene import Scene
from hvac.features.table import Windows
from hvac.features.unit_grids import UnitGrids
from hvac.panel.windows import OK
from hvac.scoring.bundle import Bundle
from hvac.scoring.explanations import Explanation, explain_newest
from hvac.scoring.newest_windows import Newest, newest
from hvac.scoring.outlooks import DrivingOutlooks, driving_outlooks
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
    *(
        "driving_point",
        "forecast",
        "forecast_low",
        "forecast_high",
        "crossing_probability",
    ),
    "forecast_method",
)
LATEST = pa.schema([*SCHEMA, *zip(EXTRA, _KINDS, strict=True)])
PAST = SCHEMA.append(pa.field("status", pa.string()))
SCORED_TOGETHER = 4096


def newest_risks(bundle: Bundle, windows: Windows) -> Floats:
    """Return the risks of the windows that can be scored, nan for the others: [B, H]."""
    ok_B = np.asarray(windows.column("status") == OK)
    risk_BH = np.full((len(windows), len(bundle.horizons)), np.nan)
    if ok_B.any():
        risk_BH[ok_B] = bundle.predict(windows.take(ok_B)).risk_BH
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
    return latest_table(newest(scenes, bundle.recipe), bundle, explain=explain)


def latest_table(
    newest_windows: Newest, bundle: Bundle, *, explain: Explained = "none"
) -> pa.Table:
    """Return the rows of `latest_rows` of windows that are cut already."""
    windows = newest_windows.windows
    risk_BH = newest_risks(bundle, windows)
    explained = asked_explanations(bundle, newest_windows, risk_BH, explain)
    threshold_BH = bundle.decision.threshold_BH(windows.column("facility_id"))
    rows = predictions_table(
        windows,
        risk_BH,
        threshold_BH,
        horizons=bundle.horizons,
        model=bundle.family,
        bundle_id=bundle.name,
    )
    doubted = [[doubt._asdict() for doubt in odd] for odd in newest_windows.doubts]
    of_window = {
        "status": windows.keys["status"].combine_chunks(),
        "learning_days_left": pa.array(newest_windows.learning_left, pa.int32()),
        "observed_share": pa.array(windows.observed_B.astype(np.float64)),
        "doubts": pa.array(doubted, _DOUBTS),
    }
    row_R = pa.array(np.repeat(np.arange(len(windows)), len(bundle.horizons)))
    columns = {name: column.take(row_R) for name, column in of_window.items()}
    driving = driving_outlooks(bundle, newest_windows)
    columns |= _forecast_columns(driving, newest_windows.ok_B, len(bundle.horizons))
    columns["reasons"] = _reasons_column(explained, len(bundle.horizons))
    columns |= _sure_columns(newest_windows, risk_BH, bundle)
    for name in EXTRA:
        rows = rows.append_column(
            LATEST.field(name), columns[name].cast(LATEST.field(name).type)
        )
    return rows


def asked_explanations(
    bundle: Bundle, newest_windows: Newest, risk_BH: Floats, explain: Explained
) -> list[Explanation | None]:
    """Explain the windows that are asked for; None for the others."""
    if explain == "none" or bundle.background is None:
        return [None] * len(risk_BH)
    facility_B = newest_windows.windows.column("facility_id")
    alarm_BH = alarms(risk_BH, bundle.decision.threshold_BH(facility_B))
    rows_B = np.asarray(alarm_BH.any(axis=1)) if explain == "alarms" else None
    return explain_newest(bundle, newest_windows, rows_B)


def known_sureness(
    newest_windows: Newest, risk_BH: Floats, bundle: Bundle
) -> Sureness | None:
    """Tell how sure the risks of the windows that can be scored are; None where it is not known."""
    ok_B = newest_windows.ok_B
    if not ok_B.any():
        return None
    return bundle.sureness(newest_windows.windows.take(ok_B), risk_BH[ok_B])


def _sure_columns(
    newest_windows: Newest, risk_BH: Floats, bundle: Bundle
) -> dict[str, pa.Array]:
    """Return the columns that tell how sure each risk is, null where that is not known."""
    sure = known_sureness(newest_windows, risk_BH, bundle)
    names = ("risk_low", "risk_high", "needs_look", "similar_units")
    if sure is None:
        return {name: pa.nulls(risk_BH.size) for name in names}
    ok_B = newest_windows.ok_B
    similar_BH = np.repeat(sure.similar_B[:, None], risk_BH.shape[1], axis=1)
    columns = {}
    parts = (sure.low_BH, sure.high_BH, sure.needs_look_BH, similar_BH)
    for name, known_BH in zip(names, parts, strict=True):
        every_BH = np.zeros(risk_BH.shape, dtype=known_BH.dtype)
        every_BH[ok_B] = known_BH
        unknown_BH = np.repeat(~ok_B[:, None], risk_BH.shape[1], axis=1)
        columns[name] = pa.array(every_BH.ravel(), mask=unknown_BH.ravel())
    return columns


def _reasons_column(explained: Sequence[Explanation | None], horizons: int) -> pa.Array:
    """Return the reasons of every window and horizon, null where there are none."""
    if not any(explained):
        return pa.nulls(len(explained) * horizons, pa.list_(REASON))
    reasons = []
    for explanation in explained:
        for h in range(horizons):
            of_horizon = explanation.reasons_H[h] if explanation else None
            reasons.append(of_horizon and [reason._asdict() for reason in of_horizon])
    return pa.array(reasons, pa.list_(REASON))


def _forecast_columns(
    driving: DrivingOutlooks, ok_B: Bools, horizons: int
) -> dict[str, pa.Array]:
    """Return the columns of the driving points' forecasts, null where there is none."""
    if not driving.headings:
        return {name: pa.nulls(len(ok_B) * horizons) for name in FORECAST}
    of_horizons: dict[str, list[pa.Array]] = defaultdict(list)
    for heading in driving.headings.values():
        paths = heading.value_ND, heading.low_ND, heading.high_ND
        for name, path_ND in zip(FORECAST[1:4], paths, strict=True):
            of_horizons[name].append(_lists(path_ND, ok_B))
        unknown_N = np.isnan(heading.crossing_N)
        crossing = pa.array(heading.crossing_N, mask=unknown_N)
        of_horizons["crossing_probability"].append(crossing.take(_places(ok_B)))
        of_horizons["driving_point"].append(
            pa.array(driving.point_N).take(_places(ok_B))
        )
        methods = pa.array([driving.method] * len(driving.point_N))
        of_horizons["forecast_method"].append(methods.take(_places(ok_B)))
    row_BH = np.arange(len(ok_B))[:, None] + len(ok_B) * np.arange(horizons)
    order = pa.array(row_BH.ravel())
    return {
        name: pa.concat_arrays(parts).take(order) for name, parts in of_horizons.items()
    }


def _places(ok_B: Bools) -> pa.Array:
    """Return where each window stands among those that can be scored, null for the others."""
    return pa.array(np.cumsum(ok_B) - 1, mask=~ok_B)


def _lists(path_ND: AnyFloats, ok_B: Bools) -> pa.Array:
    """Return a list for each window that can be scored, null for the others."""
    ends = np.concatenate([[0], np.cumsum(ok_B)]) * path_ND.shape[1]
    values = pa.array(path_ND.astype(np.float32).ravel())
    return pa.ListArray.from_arrays(
        pa.array(ends, pa.int32()), values, mask=pa.array(~ok_B)
    )


def past_rows(bundle: Bundle, grids: UnitGrids, days: Sequence[DayNumbers]) -> pa.Table:
    """Return predictions for given end days of each unit of one class, with `status`.

    There is a row per window and horizon.

    Args:
        bundle: of the class.
        grids: the units, with the lookback of all windows.
        days: end days of each unit, inside its record; none for some of them.
    """
    tables = [PAST.empty_table()]
    most = max(map(len, days), default=0)
    together = max(SCORED_TOGETHER // max(most, 1), 1)
    for start in range(0, len(grids) if most else 0, together):
        rows = np.arange(start, min(start + together, len(grids)))
        some = days[start : start + together]
        end_UD = np.repeat(grids.last_day_U[rows, None], most, axis=1)
        asked_UD = np.zeros(end_UD.shape, dtype=np.bool_)
        for end_D, asked_D, day_D in zip(end_UD, asked_UD, some, strict=True):
            end_D[: len(day_D)] = day_D
            asked_D[: len(day_D)] = True
        every = describe_units(grids.take(rows), end_UD, bundle.recipe)
        windows = every.take(asked_UD.ravel())
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
