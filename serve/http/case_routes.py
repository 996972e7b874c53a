"""Routes of the API for cases, outcomes of visits, maintenance, and what became of alarms."""

from __future__ import annotations

import asyncio
from email.message import Message
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi import Path as InPath

from hvac.casework.case_states import OPEN_STATES, STATES
from hvac.cells import csv_for_people
from hvac.panel.grid import Unit
from serve.bodies.case_bodies import (
    CaseChangeBody,
    CasesAnswer,
    EpisodeAnswer,
    EpisodesAnswer,
    KeptOutcomes,
    Listed,
    MaintenanceAnswer,
    MaintenanceBody,
    MaintenancesAnswer,
    OneCaseAnswer,
    OutcomeAnswer,
    OutcomesAnswer,
    OutcomesBody,
    TakenOutcomes,
)
from serve.bodies.case_rows import (
    case_answer,
    episode_answer,
    maintenance_answer,
    one_case_answer,
    outcome_answer,
    refused_outcome,
)
from serve.bodies.problems import WrongKind
from serve.http.door import Door
from serve.ids import Id, SentId
from serve.keys import Caller
from serve.service import Service
from serve.work.outcome_tables import take_table

Which = Annotated[Listed, Query(alias="state", description="open, closed or all")]
CaseId = Annotated[SentId, InPath(description="case")]
OfFacility = Annotated[Id | None, Query(description="only those of a facility")]
Form = Annotated[
    str,
    Query(
        alias="format",
        pattern="^(json|csv)$",
        description="json, or csv: a file that opens in Excel",
    ),
]
CSV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}}
}
TABLE_BODY = {
    "required": True,
    "description": "CSV with a header; the columns are told above",
    "content": {"text/csv": {"schema": {"type": "string"}}},
}
ENCODINGS = {
    **dict.fromkeys(("utf-8", "utf8", "utf-8-sig"), "utf-8-sig"),
    **dict.fromkeys(("cp932", "shift_jis", "shift-jis", "windows-31j"), "cp932"),
}
CLOSED = tuple(state for state in STATES if state not in OPEN_STATES)
STATES_OF: dict[Listed, tuple[str, ...]] = {
    "open": OPEN_STATES,
    "closed": CLOSED,
    "all": STATES,
}


def case_routes(service: Service, door: Door) -> APIRouter:
    """Return the routes of cases, outcomes, maintenance and episodes."""
    routes = APIRouter(prefix="/v1", tags=["cases"])
    _add_cases(routes, service, door)
    _add_outcomes(routes, service, door)
    _add_maintenance(routes, service, door)
    _add_episodes(routes, service, door)
    return routes


def _add_cases(routes: APIRouter, service: Service, door: Door) -> None:
    read = Depends(door.may("read"))
    push = Depends(door.may("push"))

    @routes.get("/cases", response_model=CasesAnswer)
    async def cases(
        caller: Caller = read, facility_id: OfFacility = None, listed: Which = "open"
    ) -> CasesAnswer:
        """List cases, the newest first."""
        rows = await asyncio.to_thread(
            lambda: service.store.cases(
                facility_id=facility_id, states=STATES_OF[listed]
            )
        )
        seen = [row for row in rows if caller.sees(row.facility_id)]
        return CasesAnswer(cases=[case_answer(row) for row in seen])

    @routes.get("/cases/{case_id}", response_model=OneCaseAnswer)
    async def case(case_id: CaseId, caller: Caller = read) -> OneCaseAnswer:
        """Show a case, its reasons on the day it was opened, and who changed what."""
        row = await asyncio.to_thread(service.casework.case, case_id, caller)
        changes = await asyncio.to_thread(service.store.case_changes, case_id)
        return one_case_answer(row, changes)

    @routes.post("/cases/{case_id}", response_model=OneCaseAnswer)
    async def change(
        case_id: CaseId, body: CaseChangeBody, caller: Caller = push
    ) -> OneCaseAnswer:
        """Change a case: its state, who sees to it, until when, whether it is snoozed.

        Whoever comes second with a change of the same version is answered 409.
        """
        row = await asyncio.to_thread(service.casework.change, case_id, body, caller)
        changes = await asyncio.to_thread(service.store.case_changes, case_id)
        return one_case_answer(row, changes)


def _add_outcomes(routes: APIRouter, service: Service, door: Door) -> None:
    read = Depends(door.may("read"))
    push = Depends(door.may("push"))

    @routes.post("/outcomes", response_model=KeptOutcomes, status_code=202)
    async def keep(body: OutcomesBody, caller: Caller = push) -> KeptOutcomes:
        """Tell what became of alarms, or what visits found, also in Japanese (的中, 空振り, 点検済, …).

        Sending an outcome twice is the same as once.
        """
        kept = await asyncio.to_thread(service.casework.record, body.outcomes, caller)
        return KeptOutcomes(kept=kept)

    @routes.post(
        "/outcomes/table",
        response_model=TakenOutcomes,
        status_code=202,
        openapi_extra={"requestBody": TABLE_BODY},
    )
    async def keep_table(request: Request, caller: Caller = push) -> TakenOutcomes:
        """Tell outcomes as a CSV table, as maintenance systems export it (UTF-8 or cp932, at most
        10,000 rows).

        Columns: facility_id (施設; not needed with a facility's own key), equipment_id (設備ID) or
        case_id (案件番号), code (結果), date (実施日), and, if there are, note (備考) and who (実施者).
        Each row is taken or refused by itself; sending a table twice is the same as once.
        """
        encoding = sent_encoding(request.headers.get("content-type", ""))
        content = await request.body()
        table = await asyncio.to_thread(
            take_table, service.casework, content, encoding, caller
        )
        refused = [refused_outcome(row) for row in table.refused]
        return TakenOutcomes(taken=table.taken, known=table.known, refused=refused)

    @routes.get("/outcomes", response_model=OutcomesAnswer, responses=CSV)
    async def outcomes(
        caller: Caller = read, facility_id: OfFacility = None, form: Form = "json"
    ) -> Response | OutcomesAnswer:
        """List outcomes, the oldest first."""
        rows = await asyncio.to_thread(
            lambda: service.store.outcomes(facility_id=facility_id)
        )
        seen = [outcome_answer(row) for row in rows if caller.sees(row.facility_id)]
        if form == "csv":
            return _csv(OutcomeAnswer, seen)
        return OutcomesAnswer(outcomes=seen)


def sent_encoding(content_type: str) -> str | None:
    """Return the encoding of a CSV body, None where it does not say. Raise WrongKind.

    >>> sent_encoding("text/csv; charset=Shift_JIS"), sent_encoding("text/csv")
    ('cp932', None)
    """
    message = Message()
    message["content-type"] = content_type
    charset = message.get_param("charset", "")
    name = str(charset).lower()
    if message.get_content_type() != "text/csv" or (name and name not in ENCODINGS):
        raise WrongKind(
            "expected a table as text/csv, in UTF-8 or cp932 (Shift_JIS), found"
            f" {content_type[:64]!r}"
        )
    return ENCODINGS.get(name)


def _add_maintenance(routes: APIRouter, service: Service, door: Door) -> None:
    read = Depends(door.may("read"))
    push = Depends(door.may("push"))

    @routes.post("/maintenance", response_model=MaintenanceAnswer, status_code=202)
    async def keep(body: MaintenanceBody, caller: Caller = push) -> MaintenanceAnswer:
        """Note days on which a machine, or a facility, opens no case and tells no alarm.

        One that begins on the same day replaces the earlier one.
        """
        row = await asyncio.to_thread(service.casework.maintain, body, caller)
        return maintenance_answer(row)

    @routes.get("/maintenance", response_model=MaintenancesAnswer)
    async def known(
        caller: Caller = read, facility_id: OfFacility = None
    ) -> MaintenancesAnswer:
        """List all known days of maintenance, the earliest first."""
        rows = await asyncio.to_thread(
            lambda: service.store.maintenance(facility_id=facility_id)
        )
        seen = [maintenance_answer(row) for row in rows if caller.sees(row.facility_id)]
        return MaintenancesAnswer(maintenance=seen)


def _add_episodes(routes: APIRouter, service: Service, door: Door) -> None:
    read = Depends(door.may("read"))

    @routes.get(
        "/facilities/{facility_id}/episodes",
        response_model=EpisodesAnswer,
        responses=CSV,
    )
    async def episodes(
        facility_id: Annotated[SentId, InPath(description="facility")],
        caller: Caller = read,
        form: Form = "json",
    ) -> Response | EpisodesAnswer:
        """Tell what became of the alarms of a facility: hits, false ones, visits that came first."""
        door.check(caller, facility_id)
        kinds = await service.choice.event_kinds(facility_id)
        episodes = await asyncio.to_thread(_episodes, service, facility_id, kinds)
        if form == "csv":
            return _csv(EpisodeAnswer, episodes)
        return EpisodesAnswer(episodes=episodes)


def _episodes(
    service: Service, facility_id: str, kinds: dict[str, tuple[str, ...]]
) -> list[EpisodeAnswer]:
    answers: list[EpisodeAnswer] = []
    for stored in service.store.units(facility_id):
        if stored.class_name not in kinds:
            continue
        unit = Unit(stored.facility_id, stored.equipment_id)
        of_unit = service.casework.episodes(unit, kinds[stored.class_name])
        for horizon, episodes in of_unit.items():
            answers += [episode_answer(unit, horizon, episode) for episode in episodes]
    return sorted(answers, key=lambda answer: (answer.first_date, answer.equipment_id))


def _csv(
    kind: type[OutcomeAnswer | EpisodeAnswer],
    answers: list[OutcomeAnswer] | list[EpisodeAnswer],
) -> Response:
    """Return answers as a table, one row each."""
    rows = [
        tuple("" if v is None else str(v) for v in answer.model_dump().values())
        for answer in answers
    ]
    text = csv_for_people([tuple(kind.model_fields), *rows])
    return Response(text.encode(), media_type="text/csv; charset=utf-8")
