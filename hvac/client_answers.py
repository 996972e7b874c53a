"""What the service answers, as the types of `hvac.client`; `/docs` of a service describes each.

Days are texts such as `2024-03-01`; risks are probabilities (0 to 1); values are in each point's
physical unit.
"""

from __future__ import annotations

import datetime as dt
from typing import NotRequired, TypedDict

_Class = TypedDict("_Class", {"class": str})
_GivenClass = TypedDict("_GivenClass", {"class": str}, total=False)
Day = str | dt.date


class Reading(TypedDict):
    """One value of one point on one day, to be sent."""

    point_id: str
    date: Day
    value: float | None
    lower_limit: NotRequired[float | None]
    upper_limit: NotRequired[float | None]
    known_at: NotRequired[Day | None]


class Event(TypedDict):
    """Something that happened to the equipment, to be sent."""

    kind: str
    start: Day
    end: NotRequired[Day | None]
    point_id: NotRequired[str | None]


class GivenUnit(_GivenClass):
    """A piece of equipment with what is sent of it; `class` is needed where it is not stored."""

    facility_id: str
    equipment_id: str
    readings: NotRequired[list[Reading]]
    events: NotRequired[list[Event]]
    install_date: NotRequired[Day | None]
    end_date: NotRequired[Day | None]


class ReasonText(TypedDict):
    """A reason as a sentence."""

    en: str
    ja: str


class Reason(TypedDict):
    """What speaks for an anomaly (log_odds above 0) or against it."""

    player: str
    log_odds: float
    since: str | None
    now: float | None
    usual: float | None
    over_peers: float | None
    text: ReasonText
    aspects: list[dict[str, str | float]] | None
    days: list[dict[str, str | float]] | None


class PointForecast(TypedDict):
    """Where a value is heading on the last day of a horizon."""

    point_id: str
    value: float
    low: float | None
    high: float | None
    crossing_probability: float | None
    method: str | None


class HorizonRisk(TypedDict):
    """The risk of one horizon."""

    days: int
    risk: float | None
    threshold: float
    alarm: bool | None
    risk_low: float | None
    risk_high: float | None
    needs_look: bool | None
    forecast: PointForecast | None
    reasons: list[Reason] | None


class SimilarCase(TypedDict):
    """A past window of another machine that looked alike."""

    facility_id: str | None
    equipment_id: str | None
    end_date: str
    anomaly_within_days: int | None
    distance: float


class PointDoubt(TypedDict):
    """What is odd about one point's readings."""

    point_id: str
    kind: str


class Prediction(_Class):
    """The prediction for one piece of equipment, or one of its points."""

    facility_id: str
    equipment_id: str
    point_id: str | None
    end_date: str
    status: str
    learning_days_left: int | None
    observed_share: float
    quality: str | None
    doubts: list[PointDoubt]
    driving_point: str | None
    similar_units: int | None
    model: str
    bundle_id: str
    horizons: list[HorizonRisk]
    past_cases: list[SimilarCase] | None


class UnknownPoint(TypedDict):
    """A point that no bundle looks at; `nearest` is the one that it may be."""

    facility_id: str
    equipment_id: str
    point_id: str
    readings: int
    nearest: str | None


class UnscoredUnit(TypedDict):
    """Equipment that cannot be scored, and why."""

    facility_id: str
    equipment_id: str
    reason: str


class Stored(TypedDict):
    """What a push did; `predictions` are None where they were not waited for."""

    units: int
    readings: int
    events: int
    to_be_scored: int
    unknown_points: list[UnknownPoint]
    predictions: list[Prediction] | None
    set_aside: list[UnscoredUnit]


class FacilityCounts(TypedDict):
    """One facility, and how much of its equipment is in alarm; `alarms` is by horizon."""

    facility_id: str
    equipment: int
    in_alarm: int
    alarms: dict[str, int]
    not_scored: int
    end_date: str | None


class RankedEquipment(_Class):
    """One piece of equipment in a ranking; risks and alarms are by horizon, such as "30"."""

    rank: int
    facility_id: str
    equipment_id: str
    end_date: str
    days_behind: int
    status: str
    learning_days_left: int | None
    observed_share: float
    point_id: str | None
    risks: dict[str, float]
    thresholds: dict[str, float]
    alarms: dict[str, bool]
    needs_look: list[int]


class KnownReading(TypedDict):
    """One stored reading."""

    point_id: str
    date: str
    value: float | None
    lower_limit: float | None
    upper_limit: float | None


class KnownEvent(TypedDict):
    """One stored event; it has no end while it goes on."""

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


class Equipment(_Class):
    """Everything stored of one piece of equipment."""

    facility_id: str
    equipment_id: str
    install_date: str | None
    set_aside: str | None
    predictions: list[Prediction]
    readings: list[KnownReading]
    events: list[KnownEvent]
    alarms: list[PastAlarm]


class DailyForecast(TypedDict):
    """A point's forecast, a value per day."""

    point_id: str
    horizon: int
    values: list[float]
    low: list[float | None]
    high: list[float | None]
    crossing_probability: float | None
    method: str | None


class Forecasts(TypedDict):
    """Forecasts of every point and horizon of one piece of equipment."""

    facility_id: str
    equipment_id: str
    end_date: str
    status: str
    forecasts: list[DailyForecast]


Model = TypedDict(
    "Model",
    {
        "bundle_id": str,
        "serves": list[str],
        "damaged": NotRequired[str],
        "class": NotRequired[str],
        "family": NotRequired[str],
        "by": NotRequired[str],
        "points": NotRequired[list[str]],
        "lookback_days": NotRequired[int],
        "horizons_days": NotRequired[list[int]],
        "thresholds": NotRequired[dict[str, float]],
        "event_kinds": NotRequired[list[str]],
    },
)
"""A bundle and whom it serves; one with `damaged` cannot be read and has no more fields."""
