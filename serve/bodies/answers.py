"""What the API answers: models of the bodies."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel, Field

Aspect = Literal["level", "trend", "spread", "shape", "pattern", "excursions", "peers", "residuals"]


class ReasonText(BaseModel):
    """A reason as a sentence, in both languages."""

    en: str
    ja: str


class ReasonAspect(BaseModel):
    """One side of a point's behaviour, and what it adds; a point's aspects sum to its reason."""

    aspect: Aspect
    log_odds: float


class ReasonDays(BaseModel):
    """A week of a point, and how much the log-odds would fall at its usual level."""

    first: dt.date
    last: dt.date
    log_odds: float


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
    now: float | None = Field(description="mean of the last 14 days, in the point's unit")
    usual: float | None = Field(description="usual level, in the point's unit")
    over_peers: float | None = Field(description="how far above its peers, in the point's unit")
    text: ReasonText
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

    facility_id: str | None
    equipment_id: str | None
    end_date: dt.date
    anomaly_within_days: int | None = Field(
        description="shortest horizon within which an anomaly began; null: none in the longest"
    )
    distance: float = Field(description="the smaller, the more alike")


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
    method: str | None = Field(
        description="how it is forecast; last_value: no method was better on validation units"
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
    risk_low: float | None = Field(
        default=None, description="90 % of the draws of units lie between risk_low and risk_high"
    )
    risk_high: float | None = None
    needs_look: bool | None = Field(
        default=None,
        description="an alarm is not sure enough, or there is none and no machine is like this",
    )
    forecast: PointForecast | None
    reasons: list[RiskReason] | None = Field(
        default=None, description="with explain=true: up to 3 for, then up to 3 against"
    )


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
    similar_units: int | None = Field(
        default=None, description="other machines in training that looked alike"
    )
    model: str
    bundle_id: str
    horizons: list[HorizonRisk]
    past_cases: list[SimilarCase] | None = Field(
        default=None, description="with explain=true: what became of machines that looked alike"
    )


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
    method: str | None = Field(
        description="how it is forecast; last_value: no method was better on validation units"
    )


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
