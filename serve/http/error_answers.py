"""Every error as an answer: one sentence with the right status, JSON or a page; nothing internal is
shown.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from hvac.errors import HvacError
from serve.bodies.problems import Refused, is_passing
from serve.bodies.schemas import UNKNOWN_FIELD
from serve.http.rendering import render, wants_page
from serve.memory.store import CaseConflictError, StoreError

log = logging.getLogger(__name__)
STORE_AWAY = "the store cannot take or give data now; nothing was changed; try again"
NOBODY_FREE = "no worker is free now; try again soon"
SENTENCES_OF_STATUS = (401, 403, 404, 405, 409, 422, 429, 500, 503, 504)
REALM = 'Basic realm="hvac-foresight", charset="UTF-8"'


def install_handlers(api: FastAPI, language: str) -> None:
    """Answer every error with a sentence and the right status: JSON, or a page for a browser."""

    async def handle(request: Request, error: Exception) -> Response:
        return answer_to(request, error, language)

    for kind in (HvacError, RequestValidationError, HTTPException, Exception):
        api.add_exception_handler(kind, handle)


def answer_to(request: Request, error: Exception, language: str) -> Response:
    """Return the answer to a request that ended in an error."""
    status, sentence, headers = _answer_parts(error)
    if status == 401:
        headers["WWW-Authenticate"] = REALM
    if wants_page(request):
        known = status in SENTENCES_OF_STATUS
        page = render(
            request,
            "error.html.j2",
            default=language,
            status=status,
            answer=status,
            sentence=sentence,
            known=known,
        )
        page.headers.update(headers)
        return page
    content = json.dumps({"error": sentence}, ensure_ascii=False).replace(
        "<", "\\u003c"
    )  # nobody takes it for a page
    return Response(
        content, status_code=status, headers=headers, media_type="application/json"
    )


def _answer_parts(error: Exception) -> tuple[int, str, dict[str, str]]:
    """Return status, sentence and headers."""
    if isinstance(error, Refused):
        return error.status, str(error), _retry(error.retry_after)
    if isinstance(error, CaseConflictError):
        return 409, str(error), {}
    if isinstance(error, StoreError):
        log.error("%s", error)
        return 503, STORE_AWAY, _retry(5)
    if isinstance(error, RequestValidationError):
        return 422, _sentence(error), {}
    if isinstance(error, HTTPException):
        return error.status_code, str(error.detail), _allow(error.headers or {})
    if is_passing(error):
        return 503, NOBODY_FREE, _retry(2)
    if isinstance(error, HvacError):
        return 422, str(error), {}
    number = uuid.uuid4().hex[:8]
    log.error("error %s", number, exc_info=error)
    return 500, f"something is wrong on our side (number {number} in the log)", {}


def _retry(seconds: int | None) -> dict[str, str]:
    return {} if seconds is None else {"Retry-After": str(seconds)}


def _allow(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the methods of a route as a header, HEAD with GET."""
    allowed = headers.get("Allow", headers.get("allow"))
    if allowed is None:
        return {}
    methods = {method.strip() for method in allowed.split(",")}
    if "GET" in methods:
        methods = methods | {"HEAD"}
    return {"Allow": ", ".join(sorted(methods))}


def _sentence(error: RequestValidationError) -> str:
    """Describe the first fault in words (where and what) and count the others."""
    faults = error.errors()
    first = faults[0]
    where = (
        ".".join(
            str(part) for part in first["loc"] if part not in ("body", "query", "path")
        )
        or "body"
    )
    where = "".join(letter if letter.isprintable() else "?" for letter in where)
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    message = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == UNKNOWN_FIELD:
        return f"unknown field {first['ctx']['field']!r} in {where[:200]}: {message[:300]}{more}"
    if first["type"] == "model_attributes_type" and where == "body":
        message = (
            "expected a JSON object (with the header content-type: application/json)"
        )
    return f"{where[:200]}: {message[:300]}{more}".encode(errors="replace").decode()
