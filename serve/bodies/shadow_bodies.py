"""Answers about a challenger that is watched beside the champion."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import NamedTuple

from pydantic import BaseModel, Field

from hvac.days import date_of
from serve.bodies.answers import EQUIPMENT, FACILITY
from serve.memory.store_shadow import ShadowRow, ShadowSummary


class ShadowSummaryAnswer(BaseModel):
    """Champion and challenger side by side, at one horizon."""

    champion: str = Field(description="id of the bundle whose risks are answered")
    challenger: str = Field(description="id of the bundle that is watched beside it")
    watched: bool = Field(description="whether it is watched now; else it was earlier")
    days: int = Field(description="horizon in days")
    pairs: int = Field(description="windows that both have scored")
    equipment: int = Field(description="pieces of equipment among them")
    first_date: dt.date = Field(description="last day of the earliest window")
    last_date: dt.date = Field(description="last day of the newest window")
    mean_log_odds_difference: float = Field(
        description="mean log-odds of the challenger's risk less the champion's (no unit)"
    )
    champion_only: int = Field(description="alarms by the champion alone")
    challenger_only: int = Field(description="alarms by the challenger alone")
    both: int = Field(description="alarms by both")


class ShadowPair(BaseModel):
    """The risks of one window by champion and challenger; only the champion's is answered."""

    facility_id: str = Field(description=FACILITY)
    equipment_id: str = Field(description=EQUIPMENT)
    point_id: str | None = Field(
        description="the point, where points are scored alone; null: the equipment"
    )
    end_date: dt.date = Field(description="last day of the window")
    days: int = Field(description="horizon in days")
    champion_risk: float = Field(description="risk (0 to 1) by the champion")
    challenger_risk: float = Field(description="risk (0 to 1) by the challenger")
    champion_alarm: bool = Field(description="whether the champion alarms")
    challenger_alarm: bool = Field(description="whether the challenger would alarm")
    champion: str = Field(description="id of the champion's bundle")
    challenger: str = Field(description="id of the challenger's bundle")


class ShadowAnswer(BaseModel):
    """What is known of a challenger so far."""

    summary: list[ShadowSummaryAnswer] = Field(
        description="one entry per challenger and horizon, those watched now first"
    )
    pairs: list[ShadowPair] = Field(description="some pairs, the newest days first")
    speaks_in: list[str] = Field(
        description="facilities in which the challenger answers, before it may in all"
    )
    next: int | None = Field(description="`first` of the pairs that follow; null: none")


def shadow_summary(
    rows: Sequence[ShadowSummary], watched: Collection[str]
) -> list[ShadowSummaryAnswer]:
    """Return what is known of challengers by horizon; those that are `watched` now come first."""
    answers = [
        ShadowSummaryAnswer(
            champion=row.champion_id,
            challenger=row.challenger_id,
            watched=row.challenger_id in watched,
            days=row.horizon,
            pairs=row.pairs,
            equipment=row.units,
            first_date=date_of(row.first_day),
            last_date=date_of(row.last_day),
            mean_log_odds_difference=row.mean_shift,
            champion_only=row.champion_only,
            challenger_only=row.challenger_only,
            both=row.both,
        )
        for row in rows
    ]
    return sorted(answers, key=lambda answer: not answer.watched)


class HorizonPairs(NamedTuple):
    """Pairs of all challengers that are watched, at one horizon."""

    days: int
    pairs: int
    mean_shift: float
    champion_only: int
    challenger_only: int
    both: int


def by_horizon(
    rows: Sequence[ShadowSummary], watched: Collection[str]
) -> list[HorizonPairs]:
    """Sum up what is known of the challengers that are watched now, the shortest horizon first."""
    now = [row for row in rows if row.challenger_id in watched]
    sums = []
    for days in sorted({row.horizon for row in now}):
        of_days = [row for row in now if row.horizon == days]
        pairs = sum(row.pairs for row in of_days)
        shift = sum(row.pairs * row.mean_shift for row in of_days) / pairs
        counts = [
            sum(getattr(row, name) for row in of_days)
            for name in ("champion_only", "challenger_only", "both")
        ]
        sums.append(HorizonPairs(days, pairs, shift, *counts))
    return sums


def shadow_pair(row: ShadowRow) -> ShadowPair:
    """Return a stored pair of risks."""
    return ShadowPair(
        facility_id=row.facility_id,
        equipment_id=row.equipment_id,
        point_id=row.point_id or None,
        end_date=date_of(row.end_day),
        days=row.horizon,
        champion_risk=row.champion_risk,
        challenger_risk=row.challenger_risk,
        champion_alarm=bool(row.champion_alarm),
        challenger_alarm=bool(row.challenger_alarm),
        champion=row.champion_id,
        challenger=row.challenger_id,
    )
