"""What the API answers: models of the bodies."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel, Field

FACILITY = "id of the facility"
EQUIPMENT = "id of the equipment, unique within its facility"
HORIZON = "days ahead"
CROSSING = (
    "highest daily probability (0 to 1) of being outside its limits; null: no limit"
)
METHOD = "how it is forecast; last_value: no method was better on validation units"
Aspect = Literal[
    "level", "trend", "spread", "shape", "pattern", "excursions", "peers", "residuals"
]


class ReasonText(BaseModel):
    """A reason as a sentence, in both languages."""

    en: str = Field(description="the sentence in English")
    ja: str = Field(description="the sentence in Japanese")


class ReasonAspect(BaseModel):
    """One side of a point's behaviour, and what it adds; a point's aspects sum to its reason."""

    aspect: Aspect = Field(description="side of the point's behaviour")
    log_odds: float = Field(description="what it adds to the log-odds of the risk")


class ReasonDays(BaseModel):
    """A week of a point, and how much the log-odds would fall at its usual level."""

    first: dt.date = Field(description="first day of the week")
    last: dt.date = Field(description="last day of the week")
    log_odds: float = Field(
        description="how much the log-odds would fall at the usual level"
    )


class RiskReason(BaseModel):
    """What speaks for an anomaly (log_odds above 0) or against it; never a cause.

    All log_odds of a horizon together, also those too small to be listed, are how far the window
    lies from healthy ones.
    """

    player: str = Field(
        description="a point, or history, season_and_age, limits, coverage (of the record)"
    )
    log_odds: float = Field(description="what it adds to the log-odds of the risk")
    since: dt.date | None = Field(description="day on which the point's level changed")
    now: float | None = Field(
        description="mean of the last 14 days, in the point's unit"
    )
    usual: float | None = Field(description="usual level, in the point's unit")
    over_peers: float | None = Field(
        description="how far above its peers, in the point's unit"
    )
    text: ReasonText = Field(description="the reason as a sentence")
    aspects: list[ReasonAspect] | None = Field(
        default=None, description="with detail=true, of a point: its aspects"
    )
    days: list[ReasonDays] | None = Field(
        default=None,
        description="with detail=true, of the strongest reason about a point: its weeks",
    )


class SimilarCase(BaseModel):
    """A past window of another machine that looked alike, and what became of it.

    Machines of other facilities than the one asked about stay unnamed.
    """

    facility_id: str | None = Field(description=f"{FACILITY}; null: another facility")
    equipment_id: str | None = Field(
        description=f"{EQUIPMENT}; null: of another facility"
    )
    end_date: dt.date = Field(description="last day of the past window")
    anomaly_within_days: int | None = Field(
        description="shortest horizon (days) within which an anomaly began; null: none in the longest"
    )
    distance: float = Field(description="the smaller, the more alike")


class PointForecast(BaseModel):
    """Where a value is heading on the last day of the horizon, in the point's physical unit, with a
    90 % band.
    """

    point_id: str = Field(
        description="the point that has moved furthest from its baseline"
    )
    value: float = Field(description="forecast value, in the point's own physical unit")
    low: float | None = Field(
        description="lower end of the 90 % band, in the point's unit; null: unknown"
    )
    high: float | None = Field(
        description="upper end of the 90 % band, in the point's unit; null: unknown"
    )
    crossing_probability: float | None = Field(description=CROSSING)
    method: str | None = Field(description=METHOD)


class HorizonRisk(BaseModel):
    """The probability that an anomaly begins within so many days, and whether that is enough for a
    visit.
    """

    days: int = Field(description="horizon in days")
    risk: float | None = Field(
        description="calibrated probability, 0 to 1; never falls with the days"
    )
    threshold: float = Field(description="risk (0 to 1) from which there is an alarm")
    alarm: bool | None = Field(
        description="whether a visit is worth it at this or a shorter horizon; null: no risk"
    )
    risk_low: float | None = Field(
        default=None,
        description="lower end of the band of the risk, 0 to 1: 90 % of the draws of units lie in it",
    )
    risk_high: float | None = Field(
        default=None, description="upper end of the band of the risk, 0 to 1"
    )
    needs_look: bool | None = Field(
        default=None,
        description="an alarm is not sure enough, or there is none and no machine is like this",
    )
    forecast: PointForecast | None = Field(
        description="where the driving point is heading; null: no forecast"
    )
    reasons: list[RiskReason] | None = Field(
        default=None, description="with explain=true: up to 3 for, then up to 3 against"
    )


class PointDoubt(BaseModel):
    """What is odd about one point: it stood still, jumped alone, or holds a mark that means no
    value.
    """

    point_id: str = Field(description="the point")
    kind: Literal["flat", "jump", "sentinel"] = Field(
        description=(
            "flat: stood still for 14 readings or more; jump: jumped alone; sentinel: a mark that"
            " means no value"
        )
    )


class UnitPrediction(BaseModel):
    """The prediction for one piece of equipment (for one of its points, where bundles score points
    alone).
    """

    facility_id: str = Field(description=FACILITY)
    equipment_id: str = Field(description=EQUIPMENT)
    point_id: str | None = Field(
        description="the point, where points are scored alone; null: the whole equipment"
    )
    equipment_class: str = Field(
        serialization_alias="class",
        description="class of the equipment, as in the register",
    )
    end_date: dt.date = Field(description="last of the 90 days that were looked at")
    status: Literal["ok", "learning", "insufficient_data"] = Field(
        description="ok: scored; learning: its baseline is not full; insufficient_data: gaps"
    )
    learning_days_left: int | None = Field(
        description="observed days until its first risk; null: it is not learning"
    )
    observed_share: float = Field(
        description="share of the 90 days × points that were measured, 0 to 1"
    )
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
    similar_units: int | None = Field(
        default=None, description="other machines in training that looked alike"
    )
    model: str = Field(description="kind of model, as `model.family` of a run file")
    bundle_id: str = Field(description="id of the bundle that gave the risks")
    horizons: list[HorizonRisk] = Field(
        description="one entry per horizon, the shortest first"
    )
    past_cases: list[SimilarCase] | None = Field(
        default=None,
        description="with explain=true: what became of machines that looked alike",
    )


class Predictions(BaseModel):
    """Answers in the order of the units asked."""

    predictions: list[UnitPrediction] = Field(
        description="one entry per unit, or per point of it where points are scored alone"
    )


class DailyForecast(BaseModel):
    """A point's forecast for days 1…horizon after `end_date`."""

    point_id: str = Field(description="the point")
    horizon: int = Field(description=HORIZON)
    values: list[float] = Field(
        description="one value per day, in the point's own physical unit"
    )
    low: list[float | None] = Field(
        description="lower end of the 90 % band per day, in the point's unit; null: unknown"
    )
    high: list[float | None] = Field(
        description="upper end of the 90 % band per day, in the point's unit; null: unknown"
    )
    crossing_probability: float | None = Field(description=CROSSING)
    method: str | None = Field(description=METHOD)


class Forecasts(BaseModel):
    """Forecasts of every point and horizon; empty with a status that says why there is none."""

    facility_id: str = Field(description=FACILITY)
    equipment_id: str = Field(description=EQUIPMENT)
    end_date: dt.date = Field(
        description="last day of the record; forecasts begin on the next"
    )
    status: str = Field(description="ok, learning or insufficient_data")
    forecasts: list[DailyForecast] = Field(
        description="one entry per point and horizon"
    )


class UnknownPoint(BaseModel):
    """A point that no bundle of the equipment's class looks at: its readings are kept, and change
    no risk.
    """

    facility_id: str = Field(description=FACILITY)
    equipment_id: str = Field(description=EQUIPMENT)
    point_id: str = Field(description="the point that no bundle looks at")
    readings: int = Field(description="number of its readings in this push")
    nearest: str | None = Field(
        default=None,
        description="the point of the bundle that it may be; null: none is near",
    )


class UnscoredUnit(BaseModel):
    """Equipment that cannot be scored, and why."""

    facility_id: str = Field(description=FACILITY)
    equipment_id: str = Field(description=EQUIPMENT)
    reason: str = Field(description="one sentence")


class Stored(BaseModel):
    """What a push did."""

    units: int = Field(description="number of pieces of equipment")
    readings: int = Field(description="number of readings that were kept")
    events: int = Field(description="number of events that were kept")
    to_be_scored: int = Field(
        description="pieces of equipment (of your facilities) that now wait to be scored again"
    )
    unknown_points: list[UnknownPoint] = Field(
        default=[],
        description="points that no bundle of the class looks at: check how they are spelt",
    )

    predictions: list[UnitPrediction] | None = Field(
        default=None,
        description="the new risks, with wait=true; null: they were not waited for",
    )
    set_aside: list[UnscoredUnit] = Field(
        default=[],
        description="with wait=true: equipment that cannot be scored, and why",
    )


class AlarmEvent(BaseModel):
    """One event of the stream: an alarm that is there, has begun, or has ended."""

    facility_id: str = Field(description=FACILITY)
    equipment_id: str = Field(description=EQUIPMENT)
    point_id: str | None = Field(description="the point, where points are scored alone")
    days: int = Field(description="horizon in days")
    change: Literal["present", "began", "ended"] = Field(
        description="present: it was there when you began to listen"
    )
    end_date: dt.date = Field(
        description="last of the days that the risk was made from"
    )
    risk: float | None = Field(
        description="probability (0 to 1) that an anomaly begins"
    )
    threshold: float = Field(
        description="probability (0 to 1) from which a risk is an alarm"
    )
    needs_look: bool | None = Field(
        description="true: not sure enough to be told as an alarm; null: not known"
    )


class Problem(BaseModel):
    """Why a request was refused: one sentence for a person."""

    error: str = Field(description="what is wrong, and what to change")
