"""What the API answers: models of the bodies, and how they are made of rows of `latest.parquet`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, Field

from hvac.scoring.latest_rows import DoubtRow, LatestRow


class PointForecast(BaseModel):
    """Where a value is heading on the last day of the horizon, in the point's physical unit, with a
    90 % band.
    """

    point_id: str
    value: float
    low: float | None
    high: float | None
    crossing_probability: float | None = Field(
        description="highest daily probability of being outside its limits; null: no limit"
    )


class HorizonRisk(BaseModel):
    """The probability that an anomaly begins within so many days, and whether that is enough for a
    visit.
    """

    days: int
    risk: float | None = Field(
        description="calibrated probability, 0 to 1; never falls with the days"
    )
    threshold: float
    alarm: bool | None
    forecast: PointForecast | None


class PointDoubt(BaseModel):
    """What is odd about one point: it stands still, jumped alone, or holds a mark that means no
    value.
    """

    point_id: str
    kind: Literal["flat", "jump", "sentinel"]


class UnitPrediction(BaseModel):
    """The prediction for one piece of equipment (for one of its points, where bundles score points
    alone).
    """

    facility_id: str
    equipment_id: str
    point_id: str | None
    equipment_class: str = Field(serialization_alias="class")
    end_date: dt.date
    status: Literal["ok", "learning", "insufficient_data"]
    learning_days_left: int | None
    observed_share: float = Field(description="share of the 90 days × points that were measured")
    quality: Literal["A", "B", "C", "D"] | None = Field(
        description=(
            "A: ≥ 90 % observed, B: ≥ 70 %, C: ≥ 50 % or a doubt, D: less, no score; null while"
            " learning"
        )
    )
    doubts: list[PointDoubt] = Field(
        description="what is odd about the readings: check these before walking there"
    )
    driving_point: str | None = Field(
        description="the point that has moved furthest from its baseline"
    )
    model: str
    bundle_id: str
    horizons: list[HorizonRisk]


class Predictions(BaseModel):
    """Answers in the order of the units asked."""

    predictions: list[UnitPrediction]


class DailyForecast(BaseModel):
    """A point's forecast for days 1…horizon after `end_date`."""

    point_id: str
    horizon: int
    values: list[float]
    low: list[float | None]
    high: list[float | None]
    crossing_probability: float | None


class Forecasts(BaseModel):
    """Forecasts of every point and horizon; empty with a status that says why there is none."""

    facility_id: str
    equipment_id: str
    end_date: dt.date
    status: str
    forecasts: list[DailyForecast]


class UnknownPoint(BaseModel):
    """A point that no bundle of the equipment's class looks at: its readings are kept, and change
    no risk.
    """

    facility_id: str
    equipment_id: str
    point_id: str
    readings: int


class Stored(BaseModel):
    """What a push did."""

    units: int
    readings: int
    events: int
    to_be_scored: int = Field(
        description="pieces of equipment (of your facilities) that now wait to be scored again"
    )
    unknown_points: list[UnknownPoint] = Field(
        default=[],
        description="points that no bundle of the class looks at: check how they are spelt",
    )


class Problem(BaseModel):
    """Why a request was refused: one sentence for a person."""

    error: str


def risk_row(row: LatestRow) -> HorizonRisk:
    """Return one horizon's risk out of a row of `latest.parquet`."""
    forecast = None
    if row["forecast"]:
        low, high = row["forecast_low"], row["forecast_high"]
        forecast = PointForecast(
            point_id=row["driving_point"],
            value=row["forecast"][-1],
            low=None if low is None else _number(low[-1]),
            high=None if high is None else _number(high[-1]),
            crossing_probability=row["crossing_probability"],
        )
    return HorizonRisk(
        days=row["horizon"],
        risk=row["risk"],
        threshold=row["threshold"],
        alarm=row["alarm"],
        forecast=forecast,
    )


def _number(value: float | None) -> float | None:
    return None if value is None or value != value else value


def unit_predictions(rows: list[LatestRow]) -> list[UnitPrediction]:
    """Return units' predictions out of rows of `latest.parquet`, a row per unit and horizon."""
    rows_of_unit: dict[tuple[int | str | None, ...], list[LatestRow]] = {}
    for row in rows:
        key = (row.get("ask"), row["facility_id"], row["equipment_id"], row["point_id"])
        rows_of_unit.setdefault(key, []).append(row)
    return [_unit_prediction(unit_rows) for unit_rows in rows_of_unit.values()]


def _unit_prediction(rows: list[LatestRow]) -> UnitPrediction:
    first = rows[0]
    return UnitPrediction(
        facility_id=first["facility_id"],
        equipment_id=first["equipment_id"],
        point_id=first["point_id"],
        end_date=first["end_date"],
        status=first["status"],
        learning_days_left=first["learning_days_left"],
        observed_share=first["observed_share"],
        equipment_class=first["class"],
        quality=grade(first["observed_share"], first["status"], first.get("doubts")),
        doubts=first.get("doubts") or [],
        driving_point=first["driving_point"],
        model=first["model"],
        bundle_id=first["bundle_id"],
        horizons=[risk_row(row) for row in rows],
    )


def grade(
    observed_share: float, status: str, doubts: Sequence[DoubtRow] | None = None
) -> Literal["A", "B", "C", "D"] | None:
    """Grade the data quality of a window in one letter; None while learning, when points without a
    baseline do not count.

    A doubt about a point's readings makes it C at best.

    >>> grade(0.95, "ok"), grade(0.3, "insufficient_data"), grade(0.9, "learning")
    ('A', 'D', None)
    >>> grade(0.95, "ok", [{"point_id": "flow", "kind": "flat"}])
    'C'
    """
    if status == "learning":
        return None
    if status == "insufficient_data" or observed_share < 0.5:
        return "D"
    if doubts:
        return "C"
    return "A" if observed_share >= 0.9 else "B" if observed_share >= 0.7 else "C"
