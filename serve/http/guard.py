"""Middleware before the routes: host, key, sizes, requests at once, headers; every error becomes
one sentence.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve import service_metrics
from serve.bodies.problems import BadLength, Busy, Gone, TooLate, TooMuch, WrongKind
from serve.http.door import Door, check_host
from serve.http.error_answers import answer_to
from serve.ids import sent_path
from serve.settings import Limits, ServeConfig

ALIVE = "/healthz"
BULK = "/v1/predict/bulk"
STREAM = "/v1/stream"
AT_ONCE = 4096  # bodies of all callers that may be on their way
AT_ONCE_EACH = 1024  # bodies of one caller that may be on their way
BODIES = 6  # times the largest body that the bodies of all callers may hold
BODIES_EACH = 2  # times the largest body that the bodies of one caller may hold
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # no-referrer would make the Origin of our forms null
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri"
        " 'none'; frame-ancestors 'none'"
    ),
}


class Guard:
    """Middleware: host, key, then the body, then the place among the requests in flight; headers,
    counts and times.
    """

    def __init__(self, app: ASGIApp, door: Door, config: ServeConfig) -> None:
        self.app = app
        self.door = door
        self.config = config
        self.in_flight = 0
        self.bodies = Bodies(config.limits)

    @property
    def limits(self) -> Limits:
        """Return the limits of a request."""
        return self.config.limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        answer = Answer(send, head=scope["method"] == "HEAD")
        scope = _as_sent(scope)
        try:
            await self._handle(scope, receive, answer)
        except Gone:
            pass
        except Exception as error:
            if answer.status is not None:
                raise  # half an answer is out: the connection must break
            request = Request(scope)
            await answer_to(request, error, self.config.language)(
                scope, receive, answer
            )
        finally:
            route = _route(scope)
            service_metrics.REQUESTS.labels(route, str(answer.status or 499)).inc()
            service_metrics.REQUEST_SECONDS.labels(route).observe(
                time.perf_counter() - started
            )

    async def _handle(self, scope: Scope, receive: Receive, answer: Answer) -> None:
        headers = _headers(scope)
        if not self.door.keys and scope["path"] != ALIVE:
            check_host(
                headers.get("host", []), headers.get("origin", []), self.config.hosts
            )
        first = {name: values[0] for name, values in headers.items()}
        caller = await self.door.enter(scope, first)
        scope["state"] = {**scope.get("state", {}), "caller": caller}
        limit = (
            self.limits.bulk_bytes if scope["path"] == BULK else self.limits.body_bytes
        )
        _check_headers(first, limit)
        if scope["method"] == "POST":
            self._check_free()
            receive = await self.bodies.read(
                receive, limit, caller.name if caller else ""
            )
            self._check_free()
        if scope["path"] == STREAM:  # it stays open, and works on nothing
            await self.app(scope, receive, answer)
            return
        self.in_flight += 1
        service_metrics.IN_FLIGHT.set(self.in_flight)
        try:
            await self.app(scope, receive, answer)
        finally:
            self.in_flight -= 1
            service_metrics.IN_FLIGHT.set(self.in_flight)

    def _check_free(self) -> None:
        if self.in_flight >= self.limits.in_flight:
            sentence = (
                f"{self.in_flight} requests are being worked on already; try again soon"
            )
            raise Busy(sentence, retry_after=self.limits.retry_after_s)


class Answer:
    """Pass an answer on, with the headers that all answers have; a HEAD request gets no body."""

    def __init__(self, send: Send, *, head: bool) -> None:
        self._send = send
        self._head = head
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        """Pass one message on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            extra = [
                (name.lower().encode(), value.encode())
                for name, value in HEADERS.items()
            ]
            message = {**message, "headers": [*message.get("headers", []), *extra]}
        elif self._head and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)


@dataclass
class Load:
    """Bodies on their way, and the bytes they hold."""

    count: int = 0
    held: int = 0


class Bodies:
    """Bodies on their way, limited in time, number and size, in all and per caller; none counts as
    a request in flight.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._all = Load()
        self._each = dict[str, Load]()

    async def read(self, receive: Receive, limit: int, caller: str) -> Receive:
        """Read a body whole and return a `receive` that replays it. Raise TooMuch, TooLate, Busy or
        Gone.
        """
        load = self._each.setdefault(caller, Load())
        if self._all.count >= AT_ONCE or load.count >= AT_ONCE_EACH:
            raise Busy(
                f"{load.count} bodies of this caller are on their way already; try again soon",
                retry_after=1,
            )
        parts: list[bytes] = []
        self._add(load, count=1)
        try:
            async with asyncio.timeout(self.limits.timeout_s):
                await self._collect(receive, limit, parts, load)
        except TimeoutError as error:
            seconds = f"{self.limits.timeout_s:g} s"
            raise TooLate(
                f"the body did not come within {seconds}; send it faster, or in parts"
            ) from error
        finally:
            self._add(load, count=-1, held=-sum(map(len, parts)))
            if not load.count:
                self._each.pop(caller, None)
        return _replay(b"".join(parts), receive)

    def _add(self, load: Load, *, count: int = 0, held: int = 0) -> None:
        for each_load in (self._all, load):
            each_load.count += count
            each_load.held += held

    async def _collect(
        self, receive: Receive, limit: int, parts: list[bytes], load: Load
    ) -> None:
        size = 0
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Gone("the caller has gone")
            part = message.get("body", b"")
            size += len(part)
            self._add(load, held=len(part))
            parts.append(part)
            if size > limit:
                raise _too_large(limit)
            if (
                self._all.held > BODIES * self.limits.bulk_bytes
                or load.held > BODIES_EACH * self.limits.bulk_bytes
            ):
                raise Busy(
                    "too many large bodies are on their way already; try again soon",
                    retry_after=1,
                )
            more = message.get("more_body", False)


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _as_sent(scope: Scope) -> Scope:
    """Return the request with its address as it was sent (`serve.ids`), and HEAD as the GET that it
    asks about.
    """
    path = sent_path(scope["path"], scope.get("raw_path"))
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    return {**scope, "path": path, "method": method}


def _headers(scope: Scope) -> dict[str, list[str]]:
    headers: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        headers.setdefault(key, []).append(value.decode("latin-1"))
    return headers


def _check_headers(headers: dict[str, str], limit: int) -> None:
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise BadLength("content-length is not a number")
    if len(length) > 18 or int(length) > limit:
        raise _too_large(limit)
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise WrongKind("compressed bodies are not read: send the body as it is")


def _too_large(limit: int) -> TooMuch:
    return TooMuch(f"the body is larger than the {limit} bytes allowed")


def _route(scope: Scope) -> str:
    """Return the route's pattern, so that ids do not multiply the series."""
    return str(getattr(scope.get("route"), "path", "other"))
