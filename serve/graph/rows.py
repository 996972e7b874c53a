"""What the stages give, as types: predictions, forecasts of points, facts of a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from hvac.explain.reason import PastCase, Reason
from hvac.scoring.details import PointDetail
from hvac.scoring.latest_rows import LatestRow
from hvac.scoring.usual_levels import UsualLevel

Rows = list[LatestRow]
_Class = TypedDict("_Class", {"class": str})


class OutlookRow(TypedDict):
    """One point's forecast at one horizon, in physical units, day by day.

    Bounds are nan where the band could not be calibrated, `crossing` where there are no limits. `method` is
    how it is forecast.
    """

    horizon: int
    point: str
    value_D: list[float]
    low_D: list[float]
    high_D: list[float]
    crossing: float
    method: str


class ExplainedRow(TypedDict):
    """Why a window has its risks: reasons by horizon, and past cases that looked alike.

    `ask` numbers the asks; there is a point where points are scored alone. `details`, by horizon
    and point, and `usual`, by point, are empty where they were not asked for.
    """

    ask: int
    point_id: str | None
    reasons: dict[int, Sequence[Reason]]
    cases: Sequence[PastCase]
    details: dict[int, dict[str, PointDetail]]
    usual: dict[str, UsualLevel]


class ThresholdMove(TypedDict):
    """How the thresholds of a facility were moved last, by horizon, the shortest first.

    `rate` and `declared` are alarm episodes per machine and year.
    """

    date: str
    before: list[float]
    after: list[float]
    why: str
    rate: float
    declared: float


class BundleFacts(_Class):
    """What a bundle is for; thresholds are by horizon, `thresholds_moved` by facility."""

    bundle_id: str
    family: str
    by: str
    points: list[str]
    lookback_days: int
    horizons_days: list[int]
    thresholds: dict[str, float]
    event_kinds: list[str]
    thresholds_moved: dict[str, ThresholdMove]
