"""Answers of the routes that show what is stored: models of the bodies."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, Field, field_validator

from serve.bodies.answers import EQUIPMENT, FACILITY, UnitPrediction

CLASS = "class of the equipment, as in the register"
LAST_DAY = "last of the days that the risk was made from"
BUNDLE_ID = "id of the bundle: the trained models of a class"
SERVES = "ids of the facilities that it serves; `fleet`: all without one of their own"


class FacilityCounts(BaseModel):
    """One facility: how much of its equipment is in alarm, and how new its record is."""

    facility_id: str = Field(description=FACILITY)
    equipment: int = Field(description="number of pieces of equipment")
    in_alarm: int = Field(
        description="number of pieces with a sure alarm at any horizon"
    )
    alarms: dict[str, int] = Field(
        description="number of pieces with a sure alarm, by horizon (days)"
    )
    not_scored: int = Field(description="number of pieces without a risk")
    end_date: dt.date | None = Field(
        description="newest day scored; null: nothing is scored"
    )


class FacilitiesAnswer(BaseModel):
    """Every facility that the key may see, in the order of their ids."""

    facilities: list[FacilityCounts] = Field(description="one entry per facility")


class RankedEquipment(BaseModel):
    """One piece of equipment in the ranking of a facility."""

    rank: int = Field(description="place in the ranking, from 1")
    facility_id: str = Field(description=FACILITY)
    equipment_id: str = Field(description=EQUIPMENT)
    equipment_class: str = Field(serialization_alias="class", description=CLASS)
    end_date: dt.date = Field(description=LAST_DAY)
    days_behind: int = Field(
        description="days that its record ends before the newest of all"
    )
    status: str = Field(description="ok, learning or insufficient_data")
    learning_days_left: int | None = Field(
        description="observed days until its first risk; null: it is not learning"
    )
    observed_share: float = Field(
        description="share of the 90 days × points that were measured, 0 to 1"
    )
    point_id: str | None = Field(
        description="the point with the highest risk, or that moved furthest; null: none"
    )
    risks: dict[int, float] = Field(
        description="probability (0 to 1) that an anomaly begins, by horizon (days)"
    )
    thresholds: dict[int, float] = Field(
        description="probability (0 to 1) from which a risk is an alarm, by horizon (days)"
    )
    alarms: dict[int, bool] = Field(
        description="whether there is an alarm, by horizon (days)"
    )
    needs_look: list[int] = Field(
        description="horizons (days) at which an alarm is withheld, or silence cannot be trusted"
    )


class RankedAnswer(BaseModel):
    """The ranking of a facility, the highest risk first."""

    facility_id: str = Field(description=FACILITY)
    ranking: list[RankedEquipment] = Field(
        description="one entry per piece of equipment"
    )


class DisplayName(BaseModel):
    """What people call one thing; texts are empty where nothing is known."""

    of: str = Field(description="facility, equipment, point, class or event")
    id: str = Field(description="its id, as in all other answers")
    facility_id: str = Field(description="of equipment: its facility; empty: any")
    en: str = Field(description="its English name")
    ja: str = Field(description="its Japanese name")
    unit: str = Field(description="of a point: its physical unit")
    location: str = Field(description="where it stands")
    criticality: str = Field(
        description="how much depends on it, in the plant's own words"
    )


class NamesAnswer(BaseModel):
    """All display names that the key may see."""

    names: list[DisplayName] = Field(description="one entry per name")


class KnownReading(BaseModel):
    """One reading of a point, with its limits."""

    point_id: str = Field(description="the point")
    date: dt.date = Field(description="calendar day of the reading")
    value: float | None = Field(
        description="in the point's own physical unit; null: unknown"
    )
    lower_limit: float | None = Field(
        description="lowest value in order, in the unit of value; null: no limit"
    )
    upper_limit: float | None = Field(
        description="highest value in order, in the unit of value; null: no limit"
    )


class KnownEvent(BaseModel):
    """One event of the equipment's record."""

    kind: str = Field(description="what happened: failure, maintenance, …")
    start: dt.date | None = Field(description="first day")
    end: dt.date | None = Field(description="last day; null: it goes on")
    point_id: str | None = Field(
        description="the point it is about; null or empty: all"
    )


class PastAlarm(BaseModel):
    """An alarm that a window gave."""

    end_date: dt.date | None = Field(description=LAST_DAY)
    point_id: str | None = Field(
        description="the point, where points are scored alone; null: the equipment"
    )
    days: int = Field(description="horizon in days")
    risk: float | None = Field(description="probability that an anomaly begins, 0 to 1")


class EquipmentAnswer(BaseModel):
    """Everything stored of one piece of equipment."""

    facility_id: str = Field(description=FACILITY)
    equipment_id: str = Field(description=EQUIPMENT)
    equipment_class: str = Field(serialization_alias="class", description=CLASS)
    install_date: dt.date | None = Field(
        description="day of installation; null: unknown"
    )
    set_aside: str | None = Field(description="why it cannot be scored; null: it can")
    predictions: list[UnitPrediction] = Field(description="newest predictions")
    readings: list[KnownReading] = Field(description="readings of the last 90 days")
    events: list[KnownEvent] = Field(description="events, the oldest first")
    alarms: list[PastAlarm] = Field(description="alarms so far, the oldest first")


class ThresholdMoveAnswer(BaseModel):
    """How a facility's thresholds were moved last; one value per horizon, the shortest first."""

    date: dt.date = Field(description="last day of the record when they were moved")
    before: list[float] = Field(description="thresholds (0 to 1) before")
    after: list[float] = Field(description="thresholds (0 to 1) since")
    why: str = Field(description="too_many or too_few alarms")
    rate: float = Field(
        description="alarm episodes per machine and year, counted before"
    )
    declared: float = Field(
        description="alarm episodes per machine and year that are declared"
    )


class BundleAnswer(BaseModel):
    """What a bundle is for."""

    bundle_id: str = Field(description=BUNDLE_ID)
    equipment_class: str = Field(
        alias="class", description=f"{CLASS}; `all`: every class"
    )
    family: str = Field(description="kind of model, as `model.family` of a run file")
    by: Literal["equipment", "point"] = Field(
        description="whether equipment is scored whole, or each of its points alone"
    )
    points: list[str] = Field(description="ids of the points it looks at")
    lookback_days: int = Field(description="days of readings that a risk is made from")
    horizons_days: list[int] = Field(description="days ahead for which it gives risks")
    thresholds: dict[str, float] = Field(
        description="risk (0 to 1) from which there is an alarm, by horizon (days)"
    )
    event_kinds: list[str] = Field(description="kinds of events that it predicts")
    thresholds_moved: dict[str, ThresholdMoveAnswer] = Field(
        description="how thresholds were moved last, by facility; empty: never"
    )


class ServedBundleAnswer(BundleAnswer):
    """A bundle, and whom it serves."""

    serves: list[str] = Field(description=SERVES)


class DamagedBundleAnswer(BaseModel):
    """A bundle that cannot be read."""

    bundle_id: str = Field(description=BUNDLE_ID)
    serves: list[str] = Field(description=SERVES)
    damaged: str = Field(description="what is wrong with it, in a sentence")


class ModelsAnswer(BaseModel):
    """All bundles of the workspace, in the order of their ids."""

    models: list[ServedBundleAnswer | DamagedBundleAnswer] = Field(
        description="one entry per bundle"
    )


class PromotionAnswer(BaseModel):
    """Which bundle serves now, where, and which one did before."""

    promoted: BundleAnswer = Field(description="the bundle that serves now")
    facility_id: str | None = Field(
        description="the facility it serves; null: the whole fleet"
    )
    before: str | None = Field(
        description="id of the bundle that served before; null: none"
    )


class MonitorAnswer(BaseModel):
    """One monitor of the batch jobs, with alerts per year of the whole fleet."""

    name: str = Field(description="data, inputs, scores or calibration")
    declared_per_year: float = Field(
        description="alerts a year that are declared where nothing changes"
    )
    alerts: int = Field(description="alerts since it watches")
    explained: int = Field(
        description="those of machines that are known to have failed or alarmed"
    )
    watched_years: float = Field(description="years that it has watched")
    measured_per_year: float | None = Field(
        description="other alerts a year so far; null: it has not watched yet"
    )
    waits: str | None = Field(description="what it waits for; null: nothing")

    @field_validator("waits", mode="before")
    @classmethod
    def _in_english(cls, waits: object) -> object:
        """Take the English sentence of those by language."""
        return waits["en"] if isinstance(waits, Mapping) else waits


class MonitorAlertAnswer(BaseModel):
    """An alert of a monitor."""

    monitor: str = Field(description="data, inputs, scores or calibration")
    day: dt.date = Field(description="last day that was looked at")
    facility_id: str | None = Field(description=f"{FACILITY}; null: of the fleet")
    equipment_id: str | None = Field(description=f"{EQUIPMENT}; null: of no single one")
    words: dict[str, str] = Field(description="the alert as a sentence, by language")


class MonitorsAnswer(BaseModel):
    """What the monitors of the batch jobs found last, the newest alerts first."""

    since: dt.date | None = Field(description="first day watched; null: they never ran")
    last_week: dt.date | None = Field(description="first day of the last week watched")
    monitors: list[MonitorAnswer] = Field(description="one entry per monitor")
    alerts: list[MonitorAlertAnswer] = Field(description="the newest alerts")
