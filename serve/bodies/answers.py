"""What the API answers: models of the bodies, and how they are made of rows of `latest.parquet`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, Field

from hvac.explain.reason import reason_of
from hvac.explain.wording import reason_sentence
from hvac.scoring.latest_rows import DoubtRow, LatestRow, StoredReason


class ReasonText(BaseModel):
    """A reason as a sentence, in both languages."""

    en: str
    ja: str


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
        description="the alarm is not sure enough, or too few machines are like this one",
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
        low = row["forecast_low"]
        high = row["forecast_high"]
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
        risk_low=row.get("risk_low"),
        risk_high=row.get("risk_high"),
        needs_look=row.get("needs_look"),
        forecast=forecast,
        reasons=_reasons(row.get("reasons")),
    )


def _reasons(plain: Sequence[StoredReason] | None) -> list[RiskReason] | None:
    if plain is None:
        return None
    return [
        RiskReason(
            player=reason.player,
            log_odds=reason.log_odds,
            since=reason.since,
            now=reason.now,
            usual=reason.usual,
            over_peers=reason.over_peers,
            text=ReasonText(en=reason_sentence(reason, "en"), ja=reason_sentence(reason, "ja")),
        )
        for reason in map(reason_of, plain)
    ]


def _cases(row: LatestRow) -> list[SimilarCase] | None:
    cases = row.get("cases")
    if cases is None:
        return None
    similar = []
    for case in cases:
        here = case.facility_id == row["facility_id"]
        similar.append(
            SimilarCase(
                facility_id=case.facility_id if here else None,
                equipment_id=case.equipment_id if here else None,
                end_date=case.end_date,
                anomaly_within_days=case.within_days,
                distance=case.distance,
            )
        )
    return similar


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
        similar_units=first.get("similar_units"),
        model=first["model"],
        bundle_id=first["bundle_id"],
        horizons=[risk_row(row) for row in rows],
        past_cases=_cases(first),
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
