"""What the stages give, as types: predictions, forecasts of points, facts of a bundle."""

from __future__ import annotations

from typing import TypedDict

from hvac.scoring.latest_rows import LatestRow

Rows = list[LatestRow]
_Class = TypedDict("_Class", {"class": str})


class OutlookRow(TypedDict):
    """One point's forecast at one horizon, in physical units, day by day.

    Bounds are nan where the band could not be calibrated, `crossing` where there are no limits.
    """

    horizon: int
    point: str
    value_D: list[float]
    low_D: list[float]
    high_D: list[float]
    crossing: float


class BundleFacts(_Class):
    """What a bundle is for; thresholds are by horizon."""

    bundle_id: str
    family: str
    by: str
    points: list[str]
    lookback_days: int
    horizons_days: list[int]
    thresholds: dict[str, float]
    event_kinds: list[str]
