"""What the monitors of a workspace found last: declared and measured rates, and the newest alerts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict

from hvac.json_values import Json, JsonObject, branch
from hvac.monitor.alerts import alert_sentence
from hvac.storage import AnyPath, read_mark, read_parquet
from hvac.words import LANGUAGES

SHOWN: Final = 20


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class MonitorFacts(_Frozen):
    """One monitor: alerts that it declares and gave, per year of the whole fleet.

    `explained` alerts are about machines that failed or alarmed; `measured_per_year` counts the
    others, and is None until it has watched. `waits` says by language why it cannot look yet.
    """

    name: str
    declared_per_year: float
    alerts: int
    watched_years: float
    measured_per_year: float | None
    waits: dict[str, str] | None
    explained: int = 0


class FoundAlert(_Frozen):
    """An alert in words, by language; `facility_id` is None where it is about the fleet."""

    monitor: str
    day: str
    facility_id: str | None
    equipment_id: str | None
    words: dict[str, str]


class Findings(_Frozen):
    """What was found since a day, until the week that begins on `last_week`."""

    since: str
    last_week: str
    monitors: tuple[MonitorFacts, ...]
    alerts: tuple[FoundAlert, ...]


def read_findings(folder: AnyPath, most: int = SHOWN) -> Findings | None:
    """Read what the monitors wrote; None where they have not run.

    Args:
        folder: `monitor` of a workspace.
        most: newest alerts that are returned; with 0 their table is not read.
    """
    summary = read_mark(folder / "summary.json")
    if not summary:
        return None
    declared = float(str(summary["alerts_per_year"]))
    monitors = [
        _facts(name, branch(facts), declared)
        for name, facts in branch(summary, "monitors").items()
    ]
    return Findings(
        since=str(summary["since"]),
        last_week=str(summary["last_week"]),
        monitors=tuple(monitors),
        alerts=_newest(folder, most) if most else (),
    )


def _facts(name: str, facts: JsonObject, declared: float) -> MonitorFacts:
    charts = branch(facts, "charts").values()
    years = max((float(str(branch(c)["watched_years"])) for c in charts), default=0.0)
    alerts = int(str(facts["alerts"]))
    explained = int(str(facts.get("explained", 0)))
    waits = facts["waits"]
    return MonitorFacts(
        name=name,
        declared_per_year=declared,
        alerts=alerts,
        explained=explained,
        watched_years=years,
        measured_per_year=(alerts - explained) / years if years else None,
        waits=_by_language(waits) if waits else None,
    )


def _by_language(waits: Json) -> dict[str, str]:
    """Return a sentence by language; summaries of earlier versions hold it in one."""
    if isinstance(waits, Mapping):
        return {language: str(waits[language]) for language in LANGUAGES}
    return dict.fromkeys(LANGUAGES, str(waits))


def _newest(folder: AnyPath, most: int) -> tuple[FoundAlert, ...]:
    """Return the newest alerts, those first whose machine neither failed nor alarmed.

    The table holds the newest first.
    """
    table = read_parquet(folder / "alerts.parquet")
    alerts = table.filter(table["alert"]).to_pylist()
    rows = sorted(alerts, key=lambda row: row.get("cause") is not None)[:most]
    return tuple(
        FoundAlert(
            monitor=row["monitor"],
            day=row["day"].isoformat(),
            facility_id=row["facility_id"] or None,
            equipment_id=row["equipment_id"] or None,
            words={language: alert_sentence(row, language) for language in LANGUAGES},
        )
        for row in rows
    )
