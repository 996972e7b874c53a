"""The pages a facility manager reads: fleet → facility → equipment; no script, nothing from
outside.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse

from hvac.monitor.monitor_findings import read_findings
from hvac.panel.grid import Unit
from hvac.scoring.latest_rows import RankedUnit
from hvac.scoring.worklist import ranking_csv
from serve.bodies.shadow_bodies import by_horizon
from serve.http.case_pages import add_case_pages
from serve.http.case_view import unit_case
from serve.http.door import Door
from serve.http.equipment_charts import equipment_charts
from serve.http.equipment_view import (
    equipment_view,
    reasons_view,
    threshold_move,
)
from serve.http.form_tokens import FormTokens
from serve.http.list_view import Asked, alarm_counts, chosen_rows, list_view, unit_of
from serve.http.rendering import FOLDER, language_of, page_words, render
from serve.ids import SentId
from serve.keys import Caller
from serve.memory.store import FLEET
from serve.memory.watched_bundles import model_changes, watched_bundles
from serve.service import Service
from serve.work.trends import Trend

Text = Annotated[str, Query(max_length=128)]
Horizon = Annotated[int, Query(ge=0, le=10_000)]
Place = Annotated[int, Query(ge=1, le=10_000_000)]
Flag = Annotated[str, Query(pattern="^(1|)$")]


def asked_list(
    q: Text = "",
    kind: Text = "",
    alarms: Flag = "",
    new: Flag = "",
    by: Horizon = 0,
    first: Place = 1,
) -> Asked:
    """Return what the address asks of a list."""
    return Asked(q, kind, alarms, new, by, first)


AskedList = Annotated[Asked, Depends(asked_list)]


def make_pages(service: Service, door: Door) -> APIRouter:
    """Build the routes of the pages."""
    routes = APIRouter(include_in_schema=False)
    tokens = FormTokens(service.store)
    read = Depends(door.may("read"))
    _add_lists(routes, service, door)
    _add_equipment(routes, service, door, tokens)
    add_case_pages(routes, service, door, tokens)

    @routes.get("/monitors")
    async def monitors(request: Request, caller: Caller = read) -> HTMLResponse:
        door.check_fleet(caller)
        folder = service.config.monitor_folder
        findings = await asyncio.to_thread(read_findings, folder)
        sums = await asyncio.to_thread(service.store.shadow_summary)
        watched = await asyncio.to_thread(service.choice.challengers)
        known = await asyncio.to_thread(watched_bundles, service.store)
        changes = await asyncio.to_thread(model_changes, service.config.workspace)
        words = page_words(request, service.config.language)
        return render(
            request,
            "monitors.html.j2",
            default=service.config.language,
            findings=findings,
            challengers=by_horizon(sums, watched),
            is_watched=bool(watched),
            speaks_in=[words.named("facility", name) for name in known.speaks_in],
            speaks_since=known.speaks_since,
            changes=changes,
        )

    @routes.get("/static/app.css")
    async def css() -> Response:
        text = (FOLDER / "app.css").read_text(encoding="utf-8")
        return Response(
            text, media_type="text/css", headers={"Cache-Control": "max-age=3600"}
        )

    return routes


def _add_lists(routes: APIRouter, service: Service, door: Door) -> None:
    """Add the pages that list equipment: the fleet, all equipment, a facility, and the CSV."""
    read = Depends(door.may("read"))
    default = service.config.language

    async def seen_by(
        caller: Caller, facility_id: str | None = None
    ) -> tuple[list[RankedUnit], dict[Unit, Trend]]:
        entries = await asyncio.to_thread(service.ranking, facility_id)
        seen = [entry for entry in entries if caller.sees(entry["facility_id"])]
        return seen, await asyncio.to_thread(service.trends, facility_id)

    @routes.get("/")
    async def fleet(request: Request, caller: Caller = read) -> HTMLResponse:
        facilities = await asyncio.to_thread(service.facilities, caller.sees)
        entries, trends = await seen_by(caller)
        rows = chosen_rows(entries, trends, Asked(alarms="1"))
        quiet = await asyncio.to_thread(service.casework.quiet_units)
        to_visit = [row for row in rows if unit_of(row.entry) not in quiet]
        return render(
            request,
            "fleet.html.j2",
            default=default,
            today=dt.datetime.now(dt.UTC).date(),
            facilities=facilities,
            rows=to_visit[: service.config.visits_a_day],
            put_off=len(rows) - len(to_visit),
            whole_fleet=caller.facility_id == FLEET,
            **alarm_counts(entries, trends),
        )

    @routes.get("/equipment")
    async def everything(
        request: Request, asked: AskedList, caller: Caller = read
    ) -> HTMLResponse:
        view = list_view(None, *await seen_by(caller), asked)
        return render(request, "ranking.html.j2", default=default, **view)

    @routes.get("/facility/{facility_id}")
    async def facility(
        request: Request,
        facility_id: SentId,
        asked: AskedList,
        caller: Caller = read,
    ) -> HTMLResponse:
        door.check(caller, facility_id)
        entries, trends = await seen_by(caller, facility_id)
        if not entries and not await asyncio.to_thread(
            service.store.units, facility_id
        ):
            raise door.unknown(facility_id)
        view = list_view(facility_id, entries, trends, asked)
        return render(request, "ranking.html.j2", default=default, **view)

    @routes.get("/ranking.csv")
    async def csv(
        request: Request,
        asked: AskedList,
        caller: Caller = read,
        facility_id: Annotated[str | None, Query(max_length=128)] = None,
    ) -> Response:
        if facility_id is not None:
            door.check(caller, facility_id)
        rows = chosen_rows(*await seen_by(caller, facility_id), asked)
        text = ranking_csv(
            [row.entry for row in rows],
            language_of(request, default),
            request.app.state.names,
        )
        headers = {"Content-Disposition": 'attachment; filename="ranking.csv"'}
        return Response(
            text.encode(), media_type="text/csv; charset=utf-8", headers=headers
        )


def _add_equipment(
    routes: APIRouter, service: Service, door: Door, tokens: FormTokens
) -> None:
    """Add the page of one piece of equipment."""
    read = Depends(door.may("read"))
    default = service.config.language

    @routes.get("/equipment/{facility_id}/{equipment_id:path}")
    async def equipment(
        request: Request,
        facility_id: SentId,
        equipment_id: SentId,
        caller: Caller = read,
    ) -> HTMLResponse:
        door.check(caller, facility_id)
        words = page_words(request, default)
        unit = Unit(facility_id, equipment_id)
        view = await asyncio.to_thread(equipment_view, service, unit, words)
        why = await reasons_view(service, unit, view["rows"], words)
        charts = equipment_charts(
            view["readings"], view["rows"], view["logged"], words, why
        )
        may_write = caller.may("push")
        token = await asyncio.to_thread(tokens.token, caller) if may_write else ""
        return render(
            request,
            "equipment.html.j2",
            default=default,
            case=await asyncio.to_thread(unit_case, service, unit, words),
            moved=await threshold_move(service, unit, view["best"]),
            may_write=may_write,
            token=token,
            **view,
            why=why,
            charts=charts,
        )
