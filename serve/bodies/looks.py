"""Answers of the routes that show what is stored, as types."""

from __future__ import annotations

import datetime as dt
from typing import TypedDict

from hvac.json_values import JsonObject

_Class = TypedDict("_Class", {"class": str})


class RankedEquipment(_Class):
    """One piece of equipment in the ranking of a facility; risks and alarms are by horizon.

    `needs_look` holds the horizons at which an alarm is withheld, or silence cannot be trusted.
    """

    rank: int
    facility_id: str
    equipment_id: str
    end_date: dt.date
    days_behind: int
    status: str
    learning_days_left: int | None
    observed_share: float
    point_id: str | None
    risks: dict[int, float]
    alarms: dict[int, bool]
    needs_look: list[int]


class RankedAnswer(TypedDict):
    """The ranking of a facility, the highest risk first."""

    facility_id: str
    ranking: list[RankedEquipment]


class KnownReading(TypedDict):
    """One reading of a point, with its limits; None where a number is unknown."""

    point_id: str
    date: dt.date
    value: float | None
    lower_limit: float | None
    upper_limit: float | None


class KnownEvent(TypedDict):
    """One event; it has no end while it goes on."""

    kind: str
    start: str | None
    end: str | None
    point_id: str | None


class PastAlarm(TypedDict):
    """An alarm that a window gave, and its horizon in days."""

    end_date: str | None
    point_id: str | None
    days: int
    risk: float | None


class EquipmentAnswer(_Class):
    """Everything stored of one piece of equipment."""

    facility_id: str
    equipment_id: str
    install_date: str | None
    set_aside: str | None
    predictions: list[JsonObject]
    readings: list[KnownReading]
    events: list[KnownEvent]
    alarms: list[PastAlarm]
