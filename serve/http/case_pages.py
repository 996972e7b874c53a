"""The page of all cases, and the forms by which people change cases and tell outcomes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import TypeAdapter, ValidationError

from hvac.casework.outcome_table import RefusedRow
from hvac.errors import InputError
from hvac.panel.grid import Unit
from hvac.sentences import translated
from serve.bodies.case_bodies import CaseChangeBody, Listed, OutcomeBody
from serve.http.case_routes import STATES_OF, CaseId
from serve.http.case_view import case_lines
from serve.http.door import Door
from serve.http.form_tokens import FormTokens
from serve.http.page_words import PageWords
from serve.http.rendering import page_words, render
from serve.http.uploads import read_upload
from serve.ids import segment
from serve.keys import Caller
from serve.service import Service
from serve.work.outcome_tables import TakenTable, take_table

SHOWN = 200
Which = Annotated[Listed, Query(alias="state")]
_VERSION: TypeAdapter[int] = TypeAdapter(int)


def add_case_pages(
    routes: APIRouter, service: Service, door: Door, tokens: FormTokens
) -> None:
    """Add the list of cases, and what the forms of the pages send."""
    read = Depends(door.may("read"))
    push = Depends(door.may("push"))
    default = service.config.language

    async def shown(
        request: Request,
        caller: Caller,
        listed: Listed = "open",
        *,
        table: TakenTable | None = None,
        failed: str = "",
    ) -> HTMLResponse:
        """Return the list of cases; after a table of outcomes was sent, with what became of it."""
        words = page_words(request, default)
        rows = await asyncio.to_thread(service.store.cases, states=STATES_OF[listed])
        seen = [row for row in rows if caller.sees(row.facility_id)]
        entries = await asyncio.to_thread(service.ranking)
        ranked = {
            Unit(entry["facility_id"], entry["equipment_id"]): entry
            for entry in entries
        }
        lines = case_lines(seen, ranked, words)
        return render(
            request,
            "cases.html.j2",
            default=default,
            listed=listed,
            cases=lines[:SHOWN],
            more=len(lines[SHOWN:]),
            token=await asyncio.to_thread(tokens.token, caller)
            if caller.may("push")
            else "",
            table=table,
            refused=[_in_words(row, words) for row in table.refused[:SHOWN]]
            if table
            else [],
            failed=translated(failed, words.language),
            status=422 if failed else 200,
        )

    @routes.get("/cases")
    async def cases(
        request: Request, caller: Caller = read, listed: Which = "open"
    ) -> HTMLResponse:
        return await shown(request, caller, listed)

    @routes.post("/outcomes/table")
    async def outcome_table(request: Request, caller: Caller = push) -> HTMLResponse:
        kind = request.headers.get("content-type", "")
        parts = await asyncio.to_thread(read_upload, kind, await request.body())
        token = parts.get("token", b"").decode(errors="replace")
        await asyncio.to_thread(tokens.check, caller, token)
        content = parts.get("table", b"")
        try:
            table = await asyncio.to_thread(
                take_table, service.casework, content, None, caller
            )
        except InputError as error:
            return await shown(request, caller, failed=str(error))
        return await shown(request, caller, table=table)

    @routes.post("/cases/{case_id}")
    async def change(
        request: Request, case_id: CaseId, caller: Caller = push
    ) -> RedirectResponse:
        fields = await _fields(request, tokens, caller)
        fields["version"] = _whole(fields.pop("version", ""))
        for name in ("state", "due_date", "snooze_until"):
            fields[name] = fields.get(name) or None
        body = _checked(CaseChangeBody, fields)
        case = await asyncio.to_thread(service.casework.change, case_id, body, caller)
        return _back_to(case.unit)

    @routes.post("/outcomes")
    async def outcome(request: Request, caller: Caller = push) -> RedirectResponse:
        fields = await _fields(request, tokens, caller)
        fields["close_case"] = fields.pop("close_case", "") == "1"
        body = _checked(OutcomeBody, fields)
        await asyncio.to_thread(service.casework.record, [body], caller)
        return _back_to(body.unit)


async def _fields(
    request: Request, tokens: FormTokens, caller: Caller
) -> dict[str, Any]:
    """Return the fields of a form whose token is good. Raise OldForm where it is not."""
    text = (await request.body()).decode(errors="replace")
    fields: dict[str, Any] = dict(parse_qsl(text, keep_blank_values=True))
    await asyncio.to_thread(tokens.check, caller, fields.pop("token", ""))
    return fields


def _whole(text: str) -> Any:
    """Return a text as a whole number; as it is where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text


def _checked(kind: type[Any], fields: Mapping[str, Any]) -> Any:
    """Return a form as the body that the API would take. Raise RequestValidationError."""
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None


def _in_words(row: RefusedRow, words: PageWords) -> RefusedRow:
    """Return a refused row with the reason in the reader's language."""
    return row._replace(why=translated(row.why, words.language))


def _back_to(unit: Unit) -> RedirectResponse:
    """Return to the page of the machine."""
    address = f"/equipment/{segment(unit.facility_id)}/{segment(unit.equipment_id)}"
    return RedirectResponse(f"{address}#case", status_code=303)
