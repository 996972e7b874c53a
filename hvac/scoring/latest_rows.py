"""Rows of `latest.parquet`, and of the ranking made of them, as types."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NotRequired, TypedDict

from hvac.explain.reason import PastCase, Reason
from hvac.json_values import JsonObject
from hvac.scoring.details import PointDetail

_Class = TypedDict("_Class", {"class": str})


class DoubtRow(TypedDict):
    """What is odd about the readings of a point (`hvac.panel.quality.Doubt`)."""

    point_id: str
    kind: str


StoredReason = Reason | JsonObject
"""A reason, or what `plain_reason` or a table made of it."""


class StoredRow(_Class):
    """A row of `latest.parquet` but for the last day of its window.

    Rows stored by an earlier version lack doubts, reasons, bounds and `forecast_method`; cases and details are not
    stored. `ask` numbers the requests of the service.
    """

    facility_id: str
    equipment_id: str
    point_id: str | None
    horizon: int
    risk: float | None
    threshold: float
    alarm: bool | None
    model: str
    bundle_id: str
    status: str
    learning_days_left: int | None
    observed_share: float
    doubts: NotRequired[list[DoubtRow] | None]
    driving_point: str | None
    forecast: list[float] | None
    forecast_low: list[float] | None
    forecast_high: list[float] | None
    crossing_probability: float | None
    reasons: NotRequired[Sequence[StoredReason] | None]
    cases: NotRequired[Sequence[PastCase] | None]
    details: NotRequired[dict[str, PointDetail] | None]
    risk_low: NotRequired[float | None]
    risk_high: NotRequired[float | None]
    needs_look: NotRequired[bool | None]
    similar_units: NotRequired[int | None]
    forecast_method: NotRequired[str | None]
    ask: NotRequired[int]


class LatestRow(StoredRow):
    """A row of `latest.parquet`: the newest window of a unit, or of a point, at one horizon."""

    end_date: dt.date


class RankedUnit(LatestRow):
    """One piece of equipment in the ranking; risks and alarms are by horizon.

    `thresholds` are by horizon, too. `point` has the highest risk, or moved most; the reasons are those of the horizon
    `reasons_within` (inf: there is no alarm). `unsure` holds the horizons that need a look.
    """

    days_behind: int
    risks: dict[int, float]
    thresholds: dict[int, float]
    alarms: dict[int, bool]
    point: str | None
    reasons_within: float
    unsure: list[int]
