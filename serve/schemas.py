"""What HTTP bodies look like: checked once, here; every field says its unit and its limits."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints, model_validator

from hvac.panel.grid import Unit

Id = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
FacilityId = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f/]+$")]
EARLIEST = dt.date(1970, 1, 1)
Day = Annotated[dt.date, Field(ge=EARLIEST, description="calendar day, e.g. 2024-03-01; not in the future")]
Value = Annotated[FiniteFloat, Field(ge=-1e15, le=1e15, description="in the point's own physical unit")]


class Body(BaseModel):
    """Unknown fields are errors; texts are not taken for numbers."""

    model_config = ConfigDict(extra="forbid")


def _not_in_the_future(name: str, day: dt.date | None) -> None:
    newest = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)  # somewhere it is already tomorrow
    if day is not None and day > newest:
        raise ValueError(f"{name} {day} lies in the future (today is {newest - dt.timedelta(days=1)})")


class Reading(Body):
    """One measured value of one point on one day; a day without a value is simply not sent (or sent as null)."""

    point_id: Id
    date: Day
    value: Value | None = Field(description="in the point's own physical unit; null: measured, but no value")
    lower_limit: Value | None = Field(default=None, description="lowest value that is in order; same unit as value")
    upper_limit: Value | None = Field(default=None, description="highest value that is in order; same unit as value")
    known_at: Day | None = Field(default=None, description="day on which the value became known, where later")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        _not_in_the_future("date", self.date)
        _not_in_the_future("known_at", self.known_at)
        if self.lower_limit is not None and self.upper_limit is not None and self.lower_limit > self.upper_limit:
            raise ValueError(f"lower_limit {self.lower_limit} is above upper_limit {self.upper_limit}")
        return self


class Event(Body):
    """Something that happened to the equipment: a failure, a maintenance, …"""

    kind: Id
    start: Day
    end: Day | None = None
    point_id: Id | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        _not_in_the_future("start", self.start)
        if self.end is not None and self.end < self.start:
            raise ValueError(f"end {self.end} is before start {self.start}")
        return self


class Window(Body):
    """A ready window in physical units: per point one value a day, oldest first, null where none was measured."""

    end_date: Day
    values: dict[Id, Annotated[list[Value | None], Field(min_length=1, max_length=3660)]] = Field(
        min_length=1, max_length=512, description="per point the values of consecutive days, the last on end_date"
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        _not_in_the_future("end_date", self.end_date)
        return self


class UnitId(Body):
    """One piece of equipment. A facility's id has no slash, as it is a part of addresses."""

    facility_id: FacilityId
    equipment_id: Id

    @property
    def unit(self) -> Unit:
        """Its key."""
        return Unit(self.facility_id, self.equipment_id)


class AskedUnit(UnitId):
    """A piece of equipment to be judged: by readings, by a ready window, or, with neither, by its stored record.

    Readings given here join the stored record for this answer only; nothing is kept. Where fewer than 90 observed days
    are known in all, the answer is `learning`.
    """

    equipment_class: Id | None = Field(default=None, alias="class", description="needed where it is not stored")
    readings: list[Reading] | None = None
    window: Window | None = None
    events: list[Event] = Field(default=[], max_length=10_000)
    install_date: Day | None = None
    end_date: Day | None = Field(default=None, description="last day of the 90 that are looked at; default: the newest")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.readings is not None and self.window is not None:
            raise ValueError("give either readings or a window, not both")
        if self.readings is not None and not self.readings:
            raise ValueError("readings is empty: leave it out to use the stored record")
        _contradictions(self.readings or [])
        return self


def _contradictions(readings: list[Reading]) -> None:
    """Two values for one point and day: which one holds?"""
    seen: dict[tuple[str, dt.date], float | None] = {}
    for reading in readings:
        key = (reading.point_id, reading.date)
        if key in seen and seen[key] != reading.value:
            raise ValueError(
                f"point {reading.point_id} has two values on {reading.date}: {seen[key]} and {reading.value}"
            )
        seen[key] = reading.value


PREDICT_EXAMPLE: dict[str, Any] = {
    "units": [
        {
            "facility_id": "F001",
            "equipment_id": "F001-PUMP-001",
            "class": "pump",
            "readings": [{"point_id": "vibration", "date": "2024-03-30", "value": 2.41, "upper_limit": 4.5}],
        }
    ]
}


class PredictBody(Body):
    """Equipment to be judged."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": PREDICT_EXAMPLE})
    units: list[AskedUnit] = Field(min_length=1)


class ForecastBody(AskedUnit):
    """One piece of equipment whose values are to be forecast."""

    horizons: list[Annotated[int, Field(ge=1, le=365)]] | None = Field(
        default=None, min_length=1, max_length=10, description="days ahead; default: the bundle's (30, 60, 90)"
    )


class PushedUnit(UnitId):
    """New or corrected readings and events of one piece of equipment."""

    equipment_class: Id | None = Field(default=None, alias="class")
    install_date: Day | None = None
    readings: list[Reading] = Field(default=[])
    events: list[Event] = Field(default=[], max_length=10_000)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        _contradictions(self.readings)
        return self


class PushBody(Body):
    """Readings to be kept; sending them twice is the same as once, and later values replace earlier ones."""

    units: list[PushedUnit] = Field(min_length=1)


class PromoteBody(Body):
    """For whom a bundle is to serve: a facility, or (null) the whole fleet."""

    facility_id: FacilityId | None = None


class PointForecast(BaseModel):
    """Where a value is heading on the last day of the horizon, in the point's physical unit, with a 90 % band."""

    point_id: str
    value: float
    low: float | None
    high: float | None
    crossing_probability: float | None = Field(
        description="highest daily probability of being outside its limits; null: no limit"
    )


class HorizonRisk(BaseModel):
    """The probability that an anomaly begins within so many days, and whether that is enough for a visit."""

    days: int
    risk: float | None = Field(description="calibrated probability, 0 to 1; never falls with the days")
    threshold: float
    alarm: bool | None
    forecast: PointForecast | None


class UnitPrediction(BaseModel):
    """What is said of one piece of equipment (or of one of its points, where bundles judge points alone)."""

    facility_id: str
    equipment_id: str
    point_id: str | None
    equipment_class: str = Field(serialization_alias="class")
    end_date: dt.date
    status: Literal["ok", "learning", "insufficient_data"]
    learning_days_left: int | None
    observed_share: float = Field(description="share of the 90 days × points that were measured")
    quality: Literal["A", "B", "C", "D"] | None = Field(
        description="A: ≥ 90 % observed, B: ≥ 70 %, C: ≥ 50 %, D: less, no score; null while learning"
    )
    driving_point: str | None = Field(description="the point that has moved furthest from its baseline")
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


class Stored(BaseModel):
    """What a push did."""

    units: int
    readings: int
    events: int
    to_be_scored: int = Field(description="pieces of equipment that now wait to be scored again")


class Problem(BaseModel):
    """Why a request was refused: one sentence for a person."""

    error: str


def risk_row(row: dict[str, Any]) -> HorizonRisk:
    """One horizon out of a row of `latest.parquet`."""
    forecast = None
    if row["forecast"]:
        ends = [None if row[name] is None else _number(row[name][-1]) for name in ("forecast_low", "forecast_high")]
        forecast = PointForecast(
            point_id=row["driving_point"], value=row["forecast"][-1], low=ends[0], high=ends[1],
            crossing_probability=row["crossing_probability"],
        )  # fmt: skip
    return HorizonRisk(
        days=row["horizon"], risk=row["risk"], threshold=row["threshold"], alarm=row["alarm"], forecast=forecast
    )


def _number(value: float | None) -> float | None:
    return None if value is None or value != value else value


def unit_predictions(rows: list[dict[str, Any]]) -> list[UnitPrediction]:
    """Rows of `latest.parquet` (horizons of a unit one after another) as answers."""
    found: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        key = (row.get("ask"), row["facility_id"], row["equipment_id"], row["point_id"])
        found.setdefault(key, []).append(row)
    return [_unit_prediction(own) for own in found.values()]


def _unit_prediction(rows: list[dict[str, Any]]) -> UnitPrediction:
    first = rows[0]
    same = ("facility_id", "equipment_id", "point_id", "end_date", "status", "learning_days_left", "observed_share")
    return UnitPrediction(
        **{name: first[name] for name in same},
        equipment_class=first["class"],
        quality=grade(first["observed_share"], first["status"]),
        driving_point=first["driving_point"],
        model=first["model"],
        bundle_id=first["bundle_id"],
        horizons=[risk_row(row) for row in rows],
    )


def grade(observed_share: float, status: str) -> Literal["A", "B", "C", "D"] | None:
    """Data quality of a window in one letter; none while learning, when points without a baseline do not count yet.

    >>> grade(0.95, "ok"), grade(0.3, "insufficient_data"), grade(0.9, "learning")
    ('A', 'D', None)
    """
    if status == "learning":
        return None
    if status == "insufficient_data" or observed_share < 0.5:
        return "D"
    return "A" if observed_share >= 0.9 else "B" if observed_share >= 0.7 else "C"
