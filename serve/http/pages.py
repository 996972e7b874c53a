"""The pages a facility manager reads: fleet → facility → equipment; no script, nothing from
outside.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Annotated, TypedDict

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse

from hvac.panel.grid import Unit
from hvac.scoring.latest_rows import RankedUnit
from hvac.scoring.worklist import is_sure_alarm, ranking_csv
from serve.http.door import Door
from serve.http.equipment_charts import equipment_charts
from serve.http.equipment_view import equipment_view, reasons_view
from serve.http.page_words import PageWords
from serve.http.rendering import FOLDER, language_of, render
from serve.ids import SentId
from serve.keys import Caller
from serve.service import Service

FIRST = 15
Text = Annotated[str, Query(max_length=128)]
Flag = Annotated[str, Query(pattern="^(1|)$")]


def make_pages(service: Service, door: Door) -> APIRouter:
    """Build the routes of the pages."""
    routes = APIRouter(include_in_schema=False)
    _add_lists(routes, service, door)
    _add_equipment(routes, service, door)

    @routes.get("/static/app.css")
    async def css() -> Response:
        text = (FOLDER / "app.css").read_text(encoding="utf-8")
        return Response(text, media_type="text/css", headers={"Cache-Control": "max-age=3600"})

    return routes


def _add_lists(routes: APIRouter, service: Service, door: Door) -> None:
    """Add the pages that list equipment: the fleet, all equipment, a facility, and the CSV."""
    read = Depends(door.may("read"))
    default = service.config.language

    async def seen_by(caller: Caller) -> list[RankedUnit]:
        entries = await asyncio.to_thread(service.ranking)
        return [entry for entry in entries if caller.sees(entry["facility_id"])]

    @routes.get("/")
    async def fleet(request: Request, caller: Caller = read) -> HTMLResponse:
        facilities = await asyncio.to_thread(service.facilities, caller.sees)
        entries = await seen_by(caller)
        return render(
            request,
            "fleet.html.j2",
            default=default,
            today=dt.datetime.now(dt.UTC).date(),
            facilities=facilities,
            entries=entries[:FIRST],
            **_summary(entries),
        )

    @routes.get("/equipment")
    async def everything(
        request: Request, caller: Caller = read, q: Text = "", kind: Text = "", alarms: Flag = ""
    ) -> HTMLResponse:
        view = ranking_view(None, await seen_by(caller), q=q, kind=kind, alarms=alarms)
        return render(request, "ranking.html.j2", default=default, **view)

    @routes.get("/facility/{facility_id}")
    async def facility(
        request: Request,
        facility_id: SentId,
        caller: Caller = read,
        q: Text = "",
        kind: Text = "",
        alarms: Flag = "",
    ) -> HTMLResponse:
        door.check(caller, facility_id)
        entries = await asyncio.to_thread(service.ranking, facility_id)
        if not entries and not await asyncio.to_thread(service.store.units, facility_id):
            raise door.unknown(facility_id)
        view = ranking_view(facility_id, entries, q=q, kind=kind, alarms=alarms)
        return render(request, "ranking.html.j2", default=default, **view)

    @routes.get("/ranking.csv")
    async def csv(request: Request, caller: Caller = read) -> Response:
        text = ranking_csv(await seen_by(caller), language_of(request, default))
        headers = {"Content-Disposition": 'attachment; filename="ranking.csv"'}
        return Response(text.encode(), media_type="text/csv; charset=utf-8", headers=headers)


def _add_equipment(routes: APIRouter, service: Service, door: Door) -> None:
    """Add the page of one piece of equipment."""
    read = Depends(door.may("read"))
    default = service.config.language

    @routes.get("/equipment/{facility_id}/{equipment_id:path}")
    async def equipment(
        request: Request, facility_id: SentId, equipment_id: SentId, caller: Caller = read
    ) -> HTMLResponse:
        door.check(caller, facility_id)
        words = PageWords(language_of(request, default))
        unit = Unit(facility_id, equipment_id)
        view = await asyncio.to_thread(equipment_view, service, unit, words)
        why = await reasons_view(service, unit, view["rows"], words)
        weeks = why.get("weeks", {}) if why else {}
        charts = equipment_charts(view["readings"], view["rows"], view["logged"], words, weeks)
        return render(request, "equipment.html.j2", default=default, **view, why=why, charts=charts)


class RankingView(TypedDict):
    """What a page of ranked equipment shows: (rank, equipment) of `all`, and what it was asked."""

    facility_id: str | None
    shown: list[tuple[int, RankedUnit]]
    all: int
    horizons: list[int]
    q: str
    kind: str
    alarms: str
    kinds: list[str]


class AlarmCount(TypedDict):
    """The horizons, and how much equipment has an alarm within the shortest."""

    horizons: list[int]
    in_alarm: int


def ranking_view(
    facility_id: str | None, entries: list[RankedUnit], *, q: str, kind: str, alarms: str
) -> RankingView:
    """Return what a page of ranked equipment shows, with the ranks before it is filtered."""
    shown = [(rank, e) for rank, e in enumerate(entries, 1) if _fits(e, q, kind, alarms)]
    return {
        "facility_id": facility_id,
        "shown": shown,
        "all": len(entries),
        "horizons": _horizons(entries),
        "q": q,
        "kind": kind,
        "alarms": alarms,
        "kinds": sorted({entry["class"] for entry in entries}),
    }


def _summary(entries: list[RankedUnit]) -> AlarmCount:
    horizons = _horizons(entries)
    return {
        "horizons": horizons,
        "in_alarm": sum(is_sure_alarm(e, horizons[0]) for e in entries) if horizons else 0,
    }


def _horizons(entries: list[RankedUnit]) -> list[int]:
    return sorted({h for entry in entries for h in entry["risks"]})


def _fits(entry: RankedUnit, q: str, kind: str, alarms: str) -> bool:
    names = f"{entry['facility_id']} {entry['equipment_id']} {entry.get('point') or ''}".casefold()
    return (
        q.strip().casefold() in names
        and (not kind or entry["class"] == kind)
        and (not alarms or any(entry["alarms"].values()))
    )
