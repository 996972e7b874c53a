"""What the service answers, as the dictionary types of `hvac.client`; `/docs` of a service describes each.

Days are texts such as `2024-03-01`; risks are probabilities (0 to 1); values are in each point's
physical unit.
"""

from __future__ import annotations

import datetime as dt
from typing import NotRequired, TypedDict

_Class = TypedDict("_Class", {"class": str})
_GivenClass = TypedDict("_GivenClass", {"class": str}, total=False)
Day = str | dt.date


class ReadingDict(TypedDict):
    """One value of one point on one day, to be sent."""

    point_id: str
    date: Day
    value: float | None
    lower_limit: NotRequired[float | None]
    upper_limit: NotRequired[float | None]
    known_at: NotRequired[Day | None]


class EventDict(TypedDict):
    """Something that happened to the equipment, to be sent."""

    kind: str
    start: Day
    end: NotRequired[Day | None]
    point_id: NotRequired[str | None]


class GivenUnitDict(_GivenClass):
    """A piece of equipment with what is sent of it; `class` is needed where it is not stored."""

    facility_id: str
    equipment_id: str
    readings: NotRequired[list[ReadingDict]]
    events: NotRequired[list[EventDict]]
    install_date: NotRequired[Day | None]
    end_date: NotRequired[Day | None]


class ReasonTextDict(TypedDict):
    """A reason as a sentence."""

    en: str
    ja: str


class ReasonDict(TypedDict):
    """What speaks for an anomaly (log_odds above 0) or against it."""

    player: str
    log_odds: float
    since: str | None
    now: float | None
    usual: float | None
    over_peers: float | None
    text: ReasonTextDict
    aspects: list[dict[str, str | float]] | None
    days: list[dict[str, str | float]] | None


class PointForecastDict(TypedDict):
    """Where a value is heading on the last day of a horizon."""

    point_id: str
    value: float
    low: float | None
    high: float | None
    crossing_probability: float | None
    method: str | None


class HorizonRiskDict(TypedDict):
    """The risk of one horizon."""

    days: int
    risk: float | None
    threshold: float
    alarm: bool | None
    risk_low: float | None
    risk_high: float | None
    needs_look: bool | None
    forecast: PointForecastDict | None
    reasons: list[ReasonDict] | None


class SimilarCaseDict(TypedDict):
    """A past window of another machine that looked alike."""

    facility_id: str | None
    equipment_id: str | None
    end_date: str
    anomaly_within_days: int | None
    distance: float


class PointDoubtDict(TypedDict):
    """What is odd about one point's readings."""

    point_id: str
    kind: str


class PredictionDict(_Class):
    """The prediction for one piece of equipment, or one of its points."""

    facility_id: str
    equipment_id: str
    point_id: str | None
    end_date: str
    status: str
    learning_days_left: int | None
    observed_share: float
    quality: str | None
    doubts: list[PointDoubtDict]
    driving_point: str | None
    similar_units: int | None
    model: str
    bundle_id: str
    horizons: list[HorizonRiskDict]
    past_cases: list[SimilarCaseDict] | None


class UnknownPointDict(TypedDict):
    """A point that no bundle looks at; `nearest` is the one that it may be."""

    facility_id: str
    equipment_id: str
    point_id: str
    readings: int
    nearest: str | None


class UnscoredUnitDict(TypedDict):
    """Equipment that cannot be scored, and why."""

    facility_id: str
    equipment_id: str
    reason: str


class StoredDict(TypedDict):
    """What a push did; `predictions` are None where they were not waited for."""

    units: int
    readings: int
    events: int
    to_be_scored: int
    unknown_points: list[UnknownPointDict]
    predictions: list[PredictionDict] | None
    set_aside: list[UnscoredUnitDict]


class FacilityCountsDict(TypedDict):
    """One facility, and how much of its equipment is in alarm; `alarms` is by horizon."""

    facility_id: str
    equipment: int
    in_alarm: int
    alarms: dict[str, int]
    not_scored: int
    end_date: str | None


class RankedEquipmentDict(_Class):
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


class KnownReadingDict(TypedDict):
    """One stored reading."""

    point_id: str
    date: str
    value: float | None
    lower_limit: float | None
    upper_limit: float | None


class KnownEventDict(TypedDict):
    """One stored event; it has no end while it goes on."""

    kind: str
    start: str | None
    end: str | None
    point_id: str | None


class PastAlarmDict(TypedDict):
    """An alarm that a window gave, and its horizon in days."""

    end_date: str | None
    point_id: str | None
    days: int
    risk: float | None


class EquipmentDict(_Class):
    """Everything stored of one piece of equipment."""

    facility_id: str
    equipment_id: str
    install_date: str | None
    set_aside: str | None
    predictions: list[PredictionDict]
    readings: list[KnownReadingDict]
    events: list[KnownEventDict]
    alarms: list[PastAlarmDict]


class DailyForecastDict(TypedDict):
    """A point's forecast, a value per day."""

    point_id: str
    horizon: int
    values: list[float]
    low: list[float | None]
    high: list[float | None]
    crossing_probability: float | None
    method: str | None


class ForecastsDict(TypedDict):
    """Forecasts of every point and horizon of one piece of equipment."""

    facility_id: str
    equipment_id: str
    end_date: str
    status: str
    forecasts: list[DailyForecastDict]


class CaseDict(TypedDict):
    """What is being done about one machine's alarm; risks and thresholds are by horizon."""

    case_id: str
    facility_id: str
    equipment_id: str
    opened: str
    alarm_date: str
    state: str
    assignee: str
    due_date: str | None
    snooze_until: str | None
    snooze_reason: str
    closed_date: str | None
    version: int
    point_id: str | None
    risks: dict[str, float]
    thresholds: dict[str, float]


class CaseChangeDict(TypedDict, total=False):
    """What is to be changed of a case, to be sent; what is left out stays as it is."""

    state: str
    assignee: str
    due_date: Day | None
    snooze_until: Day | None
    snooze_reason: str
    note: str


class OutcomeDict(TypedDict):
    """What became of an alarm, or what a visit found, to be sent."""

    facility_id: str
    equipment_id: str
    date: Day
    code: str
    note: NotRequired[str]
    who: NotRequired[str]
    case_id: NotRequired[str | None]
    close_case: NotRequired[bool]


class RefusedOutcomeDict(TypedDict):
    """A row of a table of outcomes that was not taken: the line of the file, and why."""

    line: int
    column: str
    found: str
    why: ReasonTextDict


class TakenOutcomesDict(TypedDict):
    """What became of the rows of a table of outcomes."""

    taken: int
    known: int
    refused: list[RefusedOutcomeDict]


class ThresholdMoveDict(TypedDict):
    """How a facility's thresholds were moved last, by horizon, the shortest first."""

    date: str
    before: list[float]
    after: list[float]
    why: str
    rate: float
    declared: float


ModelDict = TypedDict(
    "ModelDict",
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
        "thresholds_moved": NotRequired[dict[str, ThresholdMoveDict]],
    },
)
"""A bundle and whom it serves; one with `damaged` cannot be read and has no more fields."""
