"""At the door: keys, sizes, how many at once, headers; and errors as one sentence that tells nothing of the inside."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hvac.errors import HvacError
from serve import metrics
from serve.keys import ANYONE, Caller, given_key, hash_key
from serve.problems import Forbidden, NoKey, Refused, Unknown
from serve.rendering import render, wants_page
from serve.settings import Limits
from serve.store import FLEET, Store, StoreError

log = logging.getLogger(__name__)
KEYS_FOR_S = 2.0
NOBODY_FREE = {  # Ray's errors, by name: this module knows no Ray
    "ActorDiedError", "ActorUnavailableError", "BackPressureError", "DeploymentUnavailableError", "RayActorError",
    "ReplicaUnavailableError",
}  # fmt: skip
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
}


class Door:
    """Who may come in: anyone where keys are off (loopback only), else whoever has a key of the store."""

    def __init__(self, store: Store, *, keys: bool) -> None:
        self.store, self.keys = store, keys
        self._known: tuple[float, dict[str, Caller]] = (0.0, {})

    def may(self, role: str) -> Callable[[Request], Any]:
        """A dependency that gives the caller. Raises NoKey, Forbidden."""

        async def caller(request: Request) -> Caller:
            if not self.keys:
                return ANYONE
            key = given_key(dict(request.headers), browser=request.method in ("GET", "HEAD"))
            if key is None:
                raise NoKey("an API key is needed: send it as X-API-Key")
            found = (await asyncio.to_thread(self._callers)).get(hash_key(key))
            if found is None:
                raise NoKey("this API key is not known")
            if not found.may(role):
                raise Forbidden(f"this API key may {found.role}; {role} is needed")
            return found

        return caller

    def _callers(self) -> dict[str, Caller]:
        since, known = self._known
        if time.monotonic() - since > KEYS_FOR_S:
            known = {row.hashed: Caller(row.name, row.facility_id, row.role) for row in self.store.api_keys()}
            self._known = (time.monotonic(), known)
        return known

    def check(self, caller: Caller, *facilities: str) -> None:
        """Raise Unknown for a facility that is not the caller's: it learns not even whether there is one."""
        for facility in facilities:
            if not caller.sees(facility):
                raise self.unknown(facility)

    def check_promote(self, caller: Caller, facility_id: str | None) -> None:
        """Only a key of the whole fleet changes what the fleet is judged by."""
        if facility_id is None:
            self.check_fleet(caller)
        else:
            self.check(caller, facility_id)

    def check_fleet(self, caller: Caller) -> None:
        """Raise Forbidden where the key is one facility's."""
        if caller.facility_id != FLEET:
            raise Forbidden("this API key is one facility's; a key of the whole fleet is needed")

    def unknown(self, facility_id: str) -> Unknown:
        """What is said of a facility that is not there, or not for this caller."""
        return Unknown(f"facility {facility_id[:128]!r} is not known here")


class Guard:
    """Middleware: body size, content encoding, requests in flight, security headers, counts and times."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app, self.limits, self.in_flight = app, limits, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, told = time.perf_counter(), {"status": 500}

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                told["status"] = message["status"]
                extra = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", []), *extra]}
            await send(message)

        refusal = self._refusal(scope)
        self.in_flight += 1
        metrics.IN_FLIGHT.set(self.in_flight)
        try:
            if refusal is not None:
                await refusal(scope, receive, answer)
            else:
                await self._pass_on(scope, receive, answer)
        finally:
            self.in_flight -= 1
            metrics.IN_FLIGHT.set(self.in_flight)
            route = _route(scope)
            metrics.REQUESTS.labels(route, str(told["status"])).inc()
            metrics.REQUEST_SECONDS.labels(route).observe(time.perf_counter() - started)

    def _limit(self, scope: Scope) -> int:
        return self.limits.bulk_bytes if scope["path"] == "/v1/predict/bulk" else self.limits.body_bytes

    def _refusal(self, scope: Scope) -> Response | None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            return problem(400, "content-length is not a number")
        if len(length) > 18 or int(length) > self._limit(scope):
            return self._too_large(scope)
        if headers.get("content-encoding", "identity").lower() != "identity":
            return problem(415, "compressed bodies are not read: send the body as it is")
        if scope["method"] == "POST" and self.in_flight >= self.limits.in_flight:
            sentence = f"{self.in_flight} requests are being worked on already; try again soon"
            return problem(429, sentence, retry_after=self.limits.retry_after_s)
        return None

    def _too_large(self, scope: Scope) -> Response:
        return problem(413, f"the body is larger than the {self._limit(scope)} bytes allowed")

    async def _pass_on(self, scope: Scope, receive: Receive, answer: Send) -> None:
        seen, begun = 0, False

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._limit(scope):
                raise OSError("the body is larger than it said")
            return message

        async def noticed(message: Message) -> None:
            """Whatever the application makes of a cut body, the client is told that it was too large."""
            nonlocal begun
            if seen <= self._limit(scope):
                await answer(message)
            elif not begun:
                begun = True
                await self._too_large(scope)(scope, receive, answer)

        await self.app(scope, counted, noticed)


def _route(scope: Scope) -> str:
    """The route's pattern, so that ids do not multiply the series."""
    return str(getattr(scope.get("route"), "path", "other"))


def problem(status: int, sentence: str, *, retry_after: int | None = None) -> JSONResponse:
    """An error as JSON."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    if status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="hvac-foresight", charset="UTF-8"'
    return JSONResponse({"error": sentence}, status_code=status, headers=headers)


def install_handlers(api: FastAPI, language: str) -> None:
    """Turn every error into a sentence with the right status: JSON, or a page where a browser asks."""

    def say(request: Request, status: int, sentence: str, *, retry_after: int | None = None) -> Response:
        told = problem(status, sentence, retry_after=retry_after)
        if not wants_page(request):
            return told
        page = render(request, "error.html.j2", default=language, status=status, sentence=sentence)
        page.headers.update(
            {name: told.headers[name] for name in ("retry-after", "www-authenticate") if name in told.headers}
        )
        return page

    @api.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        return say(request, error.status, str(error), retry_after=error.retry_after)

    @api.exception_handler(StoreError)
    async def store(request: Request, error: StoreError) -> Response:
        log.error("%s", error)
        sentence = "the store cannot take or give data now; nothing was changed; try again"
        return say(request, 503, sentence, retry_after=5)

    @api.exception_handler(HvacError)
    async def wrong(request: Request, error: HvacError) -> Response:
        return say(request, 422, str(error))

    @api.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return say(request, 422, _sentence(error))

    @api.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        return say(request, error.status_code, str(error.detail))

    @api.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> Response:
        if {type(error).__name__, type(getattr(error, "cause", None)).__name__} & NOBODY_FREE:
            return say(request, 503, "no worker is free now; try again soon", retry_after=2)
        number = uuid.uuid4().hex[:8]
        log.error("error %s", number, exc_info=error)
        return say(request, 500, f"something is wrong on our side (number {number} in the log)")


def _sentence(error: RequestValidationError) -> str:
    """The first offender in words: where, what; and how many more."""
    found = error.errors()
    first = found[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path")) or "body"
    where = "".join(letter if letter.isprintable() else "?" for letter in where)
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    said = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "model_attributes_type" and where == "body":
        said = "expected a JSON object (with the header content-type: application/json)"
    return f"{where[:200]}: {said[:300]}{more}".encode(errors="replace").decode()
