"""What HTTP bodies look like: checked once, here; every field says its unit and its limits."""

from __future__ import annotations

import datetime as dt
import re
from functools import cache
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from hvac.days import EPOCH
from hvac.errors import nearest
from hvac.panel.grid import Unit
from hvac.readings.accepted import LARGEST_VALUE, newest_day
from serve.ids import Id

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def parsed_day(given: Any) -> Any:
    """Take a text such as 2024-03-01, and nothing else: a number would be read as seconds since
    1970.
    """
    if isinstance(given, dt.date) and not isinstance(given, dt.datetime):
        return given
    if not isinstance(given, str) or not DAY.fullmatch(given):
        raise ValueError(
            f"expected a date such as 2024-03-01, found {str(given)[:40]!r}"
        )
    return given


Day = Annotated[
    dt.date,
    BeforeValidator(parsed_day),
    Field(ge=EPOCH, description="calendar day, e.g. 2024-03-01; not in the future"),
]
FacilityId = Annotated[Id, Field(description="id of the facility")]
EquipmentId = Annotated[
    Id, Field(description="id of the equipment, unique within its facility")
]
PointId = Annotated[Id, Field(description="id of the point (sensor or checked item)")]
Value = Annotated[
    float,
    Field(
        strict=True,
        allow_inf_nan=False,
        ge=-LARGEST_VALUE,
        le=LARGEST_VALUE,
        description="in the point's own physical unit",
    ),
]
Whole = Annotated[int, Field(strict=True, ge=1, le=365)]


# the kind of a fault: a field that no body of this kind has
UNKNOWN_FIELD = "unknown_field"
MOST_KEYS = 32  # of one object: with more, all that is wrong would fill gigabytes
MOST_POINTS = 512
Item = TypeVar("Item")
Items = Annotated[
    list[Item], Field(fail_fast=True)
]  # the first fault is enough: eight million of them fill gigabytes


def _few_points(given: Any) -> Any:
    if isinstance(given, dict) and len(given) > MOST_POINTS:
        raise ValueError(f"expected at most {MOST_POINTS} points, found {len(given)}")
    return given


class Body(BaseModel):
    """Base of all bodies: unknown fields are errors; texts and booleans are no numbers, numbers no
    dates.
    """

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _known_fields(cls, given: Any) -> Any:
        known = _field_names(cls)
        if not isinstance(given, dict) or given.keys() <= known.keys():
            return given
        if len(given) > MOST_KEYS:
            names = ", ".join(known)
            raise ValueError(
                f"expected no other fields than {names}, found {len(given)} fields"
            )
        wrong = next(name for name in given if name not in known)
        near = nearest(str(wrong), known)
        hint = (
            f"did you mean {near!r}?" if near else f"known fields: {', '.join(known)}"
        )
        raise PydanticCustomError(
            UNKNOWN_FIELD, "{hint}", {"field": str(wrong)[:64], "hint": hint}
        )


@cache
def _field_names(body: type[Body]) -> dict[str, None]:
    """Return the names of a body's fields as they are sent, in their order."""
    return {info.alias or name: None for name, info in body.model_fields.items()}


def not_in_the_future(name: str, day: dt.date | None) -> None:
    newest = newest_day()
    if day is not None and day > newest:
        raise ValueError(
            f"{name} {day} lies in the future (today is {newest - dt.timedelta(days=1)})"
        )


class Reading(Body):
    """One measured value of one point on one day; a day without a value is simply not sent (or sent
    as null).
    """

    point_id: PointId
    date: Day
    value: Value | None = Field(
        description="in the point's own physical unit; null: measured, but no value"
    )
    lower_limit: Value | None = Field(
        default=None, description="lowest value that is in order; same unit as value"
    )
    upper_limit: Value | None = Field(
        default=None, description="highest value that is in order; same unit as value"
    )
    known_at: Day | None = Field(
        default=None, description="day on which the value became known, where later"
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        not_in_the_future("date", self.date)
        not_in_the_future("known_at", self.known_at)
        if (
            self.lower_limit is not None
            and self.upper_limit is not None
            and self.lower_limit > self.upper_limit
        ):
            raise ValueError(
                f"lower_limit {self.lower_limit} is above upper_limit {self.upper_limit}"
            )
        return self


class Event(Body):
    """Something that happened to the equipment: a failure, a maintenance, …"""

    kind: Id = Field(description="what happened: failure, maintenance, replacement, …")
    start: Day = Field(
        description="first calendar day, e.g. 2024-03-01; not in the future"
    )
    end: Day | None = Field(
        default=None, description="last calendar day; default: the first"
    )
    point_id: Id | None = Field(
        default=None, description="the point it is about; default: all"
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        not_in_the_future("start", self.start)
        if self.end is not None and self.end < self.start:
            raise ValueError(f"end {self.end} is before start {self.start}")
        return self


class Window(Body):
    """A ready window in physical units: per point one value a day, oldest first, null where none
    was measured.
    """

    end_date: Day = Field(
        description="calendar day of the last value; not in the future"
    )
    values: Annotated[
        dict[Id, Annotated[Items[Value | None], Field(min_length=1, max_length=3660)]],
        BeforeValidator(_few_points),
    ] = Field(
        min_length=1,
        max_length=MOST_POINTS,
        description="per point the values of consecutive days, in its physical unit, the last on end_date",
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        not_in_the_future("end_date", self.end_date)
        return self


class UnitId(Body):
    """One piece of equipment. In addresses ids are percent-encoded, a slash too."""

    facility_id: FacilityId
    equipment_id: EquipmentId

    @property
    def unit(self) -> Unit:
        """Return the key of the equipment."""
        return Unit(self.facility_id, self.equipment_id)


class AskedUnit(UnitId):
    """A piece of equipment to be scored by readings, by a ready window, or, with neither, by its
    stored record.

    By its ids alone, equipment that has not changed since it was scored is answered from the
    store.

    Readings given here join the stored record for this answer only; nothing is kept. Where fewer
    than 90 observed days are known in all, the answer is `learning`.
    """

    equipment_class: Id | None = Field(
        default=None, alias="class", description="needed where it is not stored"
    )
    readings: Items[Reading] | None = Field(
        default=None, description="readings that join the stored ones for this answer"
    )
    window: Window | None = Field(
        default=None, description="a ready window in place of readings"
    )
    events: Items[Event] = Field(
        default=[], max_length=10_000, description="events that join the stored ones"
    )
    install_date: Day | None = Field(
        default=None, description="day of installation; default: the stored one"
    )
    end_date: Day | None = Field(
        default=None,
        description="last day of the 90 that are looked at; default: the newest",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.readings is not None and self.window is not None:
            raise ValueError("give either readings or a window, not both")
        if self.readings is not None and not self.readings:
            raise ValueError("readings is empty: leave it out to use the stored record")
        _contradictions(self.readings or [])
        return self


def _contradictions(readings: Items[Reading]) -> None:
    """Raise ValueError where one point has two different values on one day."""
    seen: dict[tuple[str, dt.date], float | None] = {}
    for reading in readings:
        key = (reading.point_id, reading.date)
        if key in seen and seen[key] != reading.value:
            raise ValueError(
                f"point {reading.point_id} has two values on {reading.date}: {seen[key]} and"
                f" {reading.value}"
            )
        seen[key] = reading.value


PREDICT_EXAMPLE: dict[str, Any] = {
    "units": [
        {
            "facility_id": "F001",
            "equipment_id": "F001-PUMP-001",
            "class": "pump",
            "readings": [
                {
                    "point_id": "vibration",
                    "date": "2024-03-30",
                    "value": 2.41,
                    "upper_limit": 4.5,
                }
            ],
        }
    ]
}


class PredictBody(Body):
    """Equipment to be scored."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": PREDICT_EXAMPLE}
    )
    units: Items[AskedUnit] = Field(
        min_length=1, description="the equipment to be scored"
    )


class ForecastBody(AskedUnit):
    """One piece of equipment whose values are to be forecast."""

    horizons: Items[Whole] | None = Field(
        default=None,
        min_length=1,
        max_length=10,
        description="days ahead; default: the bundle's (30, 60, 90)",
    )


class PushedUnit(UnitId):
    """New or corrected readings and events of one piece of equipment."""

    equipment_class: Id | None = Field(
        default=None, alias="class", description="needed where the equipment is new"
    )
    install_date: Day | None = Field(default=None, description="day of installation")
    readings: Items[Reading] = Field(
        default=[], description="new or corrected readings"
    )
    events: Items[Event] = Field(
        default=[], max_length=10_000, description="new or corrected events"
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        _contradictions(self.readings)
        return self


class PushBody(Body):
    """Readings to be kept; sending them twice is the same as once, and later values replace earlier
    ones.
    """

    units: Items[PushedUnit] = Field(
        min_length=1,
        description="the equipment whose readings and events are to be kept",
    )
    only_known_points: bool = Field(
        default=False,
        description="true: nothing is kept where a point is none that a bundle of the class looks"
        " at; false: such readings are kept, and the answer names them",
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        """Raise ValueError where two parts of a body name one unit and contradict each other."""
        parts: dict[Unit, list[PushedUnit]] = {}
        for part in self.units:
            parts.setdefault(part.unit, []).append(part)
        for unit, named in parts.items():
            if len(named) > 1:
                _one_unit(unit, named)
        return self


def _one_unit(unit: Unit, parts: list[PushedUnit]) -> None:
    sentence_start = (
        f"{unit.facility_id} {unit.equipment_id} is named {len(parts)} times"
    )
    for name in ("equipment_class", "install_date"):
        values = {getattr(part, name) for part in parts} - {None}
        if len(values) > 1:
            raise ValueError(
                f"{sentence_start}, with {' and '.join(sorted(map(str, values)))} as {name}"
            )
    try:
        _contradictions([reading for part in parts for reading in part.readings])
    except ValueError as error:
        raise ValueError(f"{sentence_start}: {error}") from None


class PromoteBody(Body):
    """For whom a bundle is to serve: a facility, or (null) the whole fleet."""

    facility_id: Id | None = Field(
        default=None, description="the facility it is to serve; null: the whole fleet"
    )
