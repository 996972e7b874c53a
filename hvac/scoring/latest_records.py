"""The rows of `latest.parquet` as plain values: what the service answers with.

Legend: B windows (one per unit), H horizons.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict, cast

import numpy as np

from hvac.arrays import Floats
from hvac.decision.thresholds import alarms
from hvac.scoring.bundle import Bundle
from hvac.scoring.explanations import Explanation
from hvac.scoring.latest import FORECAST, known_sureness
from hvac.scoring.latest_rows import LatestRow
from hvac.scoring.newest_windows import Newest
from hvac.scoring.outlooks import DrivingOutlooks, PointOutlook


class SureColumns(TypedDict):
    """How sure a risk is: its band, whether it needs a look, and how many machines looked alike."""

    risk_low: float | None
    risk_high: float | None
    needs_look: bool | None
    similar_units: int | None


def latest_records(
    newest_windows: Newest,
    risk_BH: Floats,
    driving: DrivingOutlooks,
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
            record |= _forecast_columns(driving.of(b, horizon))
            explanation = explained_B[b] if explained_B else None
            reasons = explanation.reasons_H[h] if explanation else None
            record["reasons"] = reasons and [reason._asdict() for reason in reasons]
            record |= sure_B[b][h]
            records.append(cast(LatestRow, record))
    return records


def _sureness(
    newest_windows: Newest, risk_BH: Floats, bundle: Bundle
) -> list[list[SureColumns]]:
    """Return how sure each window's risks are, by horizon; None where that is not known."""
    unknown: SureColumns = {
        "risk_low": None,
        "risk_high": None,
        "needs_look": None,
        "similar_units": None,
    }
    columns_B = [[unknown] * len(bundle.horizons) for _ in risk_BH]
    sure = known_sureness(newest_windows, risk_BH, bundle)
    if sure is None:
        return columns_B
    for place, b in enumerate(np.flatnonzero(newest_windows.ok_B).tolist()):
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
        "crossing_probability": None
        if np.isnan(outlook.crossing)
        else outlook.crossing,
        "forecast_method": outlook.method,
    }
