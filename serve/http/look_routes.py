"""Routes that show what is known: facilities, alarms as they change, monitors, names, rankings, equipment."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi import Path as InPath
from fastapi.responses import StreamingResponse

from hvac.monitor.monitor_findings import read_findings
from hvac.panel.grid import Unit
from hvac.scoring.worklist import ranking_csv
from serve.bodies.answers import AlarmEvent
from serve.bodies.looks import (
    EquipmentAnswer,
    FacilitiesAnswer,
    MonitorsAnswer,
    NamesAnswer,
    RankedAnswer,
)
from serve.http.alarm_events import event_stream, lasts_s
from serve.http.api_answers import (
    csv_response,
    equipment_answer,
    names_answer,
    ranked_equipment,
)
from serve.http.door import Door
from serve.ids import SentId
from serve.keys import Caller
from serve.service import Service
from serve.work.risk_rows import FacilitySummary

FacilityId = Annotated[
    SentId, InPath(description="facility; a slash in it is sent as %2F")
]
EquipmentId = Annotated[
    SentId, InPath(description="equipment; percent-encoded like the facility")
]
Language = Annotated[
    Literal["en", "ja"] | None,
    Query(description="language of the CSV file; default: the service's"),
]
Form = Annotated[
    Literal["json", "csv"],
    Query(alias="format", description="json, or csv: a file that opens in Excel"),
]
EVENTS = "text/event-stream"
EVENTS_ANSWER = {
    "type": "string",
    "format": "event-stream",
    "description": "events whose data is JSON: " + ", ".join(AlarmEvent.model_fields),
}


def look_routes(service: Service, door: Door) -> APIRouter:
    """Build the routes that show what is known."""
    routes = APIRouter(prefix="/v1", tags=["look"])
    _fleet(routes, service, door)
    _ranking(routes, service, door)
    _equipment(routes, service, door)
    return routes


def _fleet(routes: APIRouter, service: Service, door: Door) -> None:
    read = Depends(door.may("read"))

    @routes.get("/facilities", response_model=FacilitiesAnswer)
    async def facilities(caller: Caller = read) -> dict[str, list[FacilitySummary]]:
        """List every facility with its equipment in alarm."""
        return {"facilities": await asyncio.to_thread(service.facilities, caller.sees)}

    @routes.get(
        "/stream",
        response_class=StreamingResponse,
        responses={200: {"content": {EVENTS: {"schema": EVENTS_ANSWER}}}},
    )
    async def alarms(caller: Caller = read) -> StreamingResponse:
        """Tell alarms as they change, as server-sent events: `present` for those that are there, one
        `listening`, then `began` and `ended`. The stream ends after some seconds: ask again, as
        browsers do; an alarm that is no longer `present` has ended in between.
        """
        service.alarm_watch.check_room()
        changes = service.alarm_watch.changes(caller.sees)
        seconds = lasts_s(service.config.limits)
        return StreamingResponse(event_stream(changes, seconds), media_type=EVENTS)

    @routes.get("/monitors", response_model=MonitorsAnswer)
    async def monitors(caller: Caller = read) -> MonitorsAnswer:
        """Tell what the monitors of the batch jobs found; with a key of the whole fleet."""
        door.check_fleet(caller)
        folder = service.config.monitor_folder
        findings = await asyncio.to_thread(read_findings, folder)
        if findings is None:
            return MonitorsAnswer(since=None, last_week=None, monitors=[], alerts=[])
        return MonitorsAnswer.model_validate(findings.model_dump())

    @routes.get("/names", response_model=NamesAnswer)
    async def names(request: Request, caller: Caller = read) -> NamesAnswer:
        """List what people call facilities, equipment, points, classes and events."""
        return names_answer(request.app.state.names, caller.sees)


def _ranking(routes: APIRouter, service: Service, door: Door) -> None:
    read = Depends(door.may("read"))

    @routes.get(
        "/facilities/{facility_id}/ranking",
        response_model=RankedAnswer,
        responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
    )
    async def ranked(
        facility_id: FacilityId,
        caller: Caller = read,
        form: Form = "json",
        language: Language = None,
    ) -> Response | RankedAnswer:
        """List the equipment of a facility, the highest risk first; `format=csv` opens in Excel."""
        door.check(caller, facility_id)
        entries = await asyncio.to_thread(service.ranking, facility_id)
        if not entries and not await asyncio.to_thread(
            service.store.units, facility_id
        ):
            raise door.unknown(facility_id)
        if form == "csv":
            return csv_response(
                ranking_csv(entries, language or service.config.language), facility_id
            )
        return RankedAnswer(
            facility_id=facility_id,
            ranking=[
                ranked_equipment(rank, entry) for rank, entry in enumerate(entries, 1)
            ],
        )


def _equipment(routes: APIRouter, service: Service, door: Door) -> None:
    read = Depends(door.may("read"))

    @routes.get(
        "/equipment/{facility_id}/{equipment_id:path}", response_model=EquipmentAnswer
    )
    async def equipment(
        facility_id: FacilityId, equipment_id: EquipmentId, caller: Caller = read
    ) -> EquipmentAnswer:
        """Show one piece of equipment: newest predictions, the last 90 days of readings, events,
        alarms so far.
        """
        door.check(caller, facility_id)
        unit = Unit(facility_id, equipment_id)
        stored, table, events = await asyncio.to_thread(service.record, unit)
        rows = await asyncio.to_thread(service.rows, facility_id, equipment_id)
        history = await asyncio.to_thread(service.store.recent, 0, *unit)
        aside = await asyncio.to_thread(service.store.aside, unit)
        return equipment_answer(
            stored, table, events, rows=rows, history=history, aside=aside.get(unit)
        )
