"""Rows of `latest.parquet` in the service: soundness, and the summary of a facility."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Sequence
from typing import TypedDict, TypeVar

from hvac.days import EPOCH
from hvac.panel.windows import OK
from hvac.scoring.latest_rows import RankedUnit, StoredRow
from hvac.scoring.worklist import is_sure_alarm, ranking
from serve.bodies.problems import Refused
from serve.graph.rows import ExplainedRow, Rows

AnyRow = TypeVar("AnyRow", bound=StoredRow)


class FacilitySummary(TypedDict):
    """Counts of a facility's equipment: in alarm (by horizon too), not scored; the newest day."""

    facility_id: str
    equipment: int
    in_alarm: int
    alarms: dict[str, int]
    not_scored: int
    end_date: dt.date | None


def is_sound(row: StoredRow) -> bool:
    """Tell whether the risk of a scored row is a probability, and its forecast finite numbers."""
    risk = row["risk"]
    forecast = row["forecast"] or ()
    is_probability = row["status"] != OK or (risk is not None and 0 <= risk <= 1)
    return is_probability and all(map(math.isfinite, forecast))


def checked_rows(rows: list[AnyRow]) -> list[AnyRow]:
    """Return the rows. Raise Refused where one is not sound: its bundle is damaged."""
    for row in rows:
        if not is_sound(row):
            raise Refused(_no_probability(row["bundle_id"]))
    return rows


def check_risks(risks: Sequence[float | None], bundles: Iterable[str]) -> None:
    """Raise Refused where a risk is no probability; `bundles` holds each risk's bundle."""
    for risk, bundle in zip(risks, bundles, strict=True):
        if risk is None or not 0 <= risk <= 1:
            raise Refused(_no_probability(bundle))


def _no_probability(bundle: str) -> str:
    return (
        f"bundle {bundle} gave a risk that is no probability, or a forecast that is no number:"
        " promote another"
    )


def with_reasons(rows: Rows, explained: Sequence[ExplainedRow]) -> Rows:
    """Return rows with the reasons of their horizon, their details, and their window's past cases.

    Those that could not be scored have None.
    """
    of_window = {(row["ask"], row["point_id"]): row for row in explained}
    joined: Rows = []
    for row in rows:
        window = of_window.get((row["ask"], row["point_id"]))
        reasons = window["reasons"][row["horizon"]] if window else None
        cases = window["cases"] if window else None
        details = window["details"].get(row["horizon"]) if window else None
        joined.append({**row, "reasons": reasons, "cases": cases, "details": details})
    return joined


def ranked_units(rows: Rows) -> list[RankedUnit]:
    """Rank the equipment of prediction rows, the highest risk first."""
    last_day = max((row["end_date"] for row in rows), default=EPOCH)
    return ranking(rows, last_day=last_day)


def facility_summary(name: str, units: int, rows: Rows) -> FacilitySummary:
    """Count a facility's equipment, its alarms by horizon, and what was not scored."""
    entries = ranked_units(rows)
    alarms = {}
    for horizon in sorted({row["horizon"] for row in rows}):
        alarms[str(horizon)] = sum(is_sure_alarm(entry, horizon) for entry in entries)
    scored = {row["equipment_id"] for row in rows if row["status"] == OK}
    return {
        "facility_id": name,
        "equipment": units,
        "in_alarm": sum(
            any(is_sure_alarm(entry, horizon) for horizon in entry["alarms"])
            for entry in entries
        ),
        "alarms": alarms,
        "not_scored": units - len(scored),
        "end_date": max((row["end_date"] for row in rows), default=None),
    }
