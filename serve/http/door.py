"""Who may come in: keys, hosts, other sites' pages; all is checked before a body is read."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Collection, Mapping

from fastapi import Request
from starlette.types import Scope

from serve.bodies.problems import BadHost, Forbidden, NoKey, Unknown
from serve.keys import ANYONE, Caller, given_key, hash_key
from serve.memory.store import FLEET, Store

KEYS_FOR_S = 2.0
OPEN = (  # shown without a key
    "/healthz",
    "/readyz",
    "/static/app.css",
    "/openapi.json",
    "/docs",
)
PUSHED = (
    *("/v1/readings", "/v1/outcomes", "/v1/outcomes/table", "/v1/maintenance"),
    *("/outcomes", "/outcomes/table"),
)
PUSHED_CASE = re.compile(r"(/v1)?/cases/[^/]+")
FORMS = re.compile(
    r"/outcomes(/table)?|/cases/[^/]+"
)  # sent by our pages, with a token
PROMOTE = re.compile(r"/v1/models/[^/]+/promote")
LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")
HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[^\s:/@?#\[\]]+)(:[0-9]{1,5})?")


class Door:
    """The check of who may come in: anyone of this machine where keys are off, else whoever has a
    key of the store.
    """

    def __init__(self, store: Store, *, keys: bool) -> None:
        self.store = store
        self.keys = keys
        self._known: tuple[float, dict[str, Caller]] = (0.0, {})

    async def enter(self, scope: Scope, headers: Mapping[str, str]) -> Caller | None:
        """Return the caller of a request; None for a stranger where no key is needed. Raise NoKey
        or Forbidden.
        """
        if not self.keys:
            return ANYONE
        path = scope["path"]
        method = scope["method"]
        is_form = method == "POST" and FORMS.fullmatch(path) is not None
        key = given_key(headers, browser=method in ("GET", "HEAD") or is_form)
        caller = (
            (await asyncio.to_thread(self._callers)).get(hash_key(key)) if key else None
        )
        if caller is None and path in OPEN:
            return None
        if caller is None:
            raise NoKey(
                "this API key is not known"
                if key
                else "an API key is needed: send it as X-API-Key"
            )
        return _allowed(caller, needed_role(method, path))

    def may(self, role: str) -> Callable[[Request], Awaitable[Caller]]:
        """Make a dependency that returns the caller whom the guard let in. It raises NoKey or
        Forbidden.
        """

        async def caller(request: Request) -> Caller:
            admitted = request.scope.get("state", {}).get("caller")
            if admitted is None:
                raise NoKey("an API key is needed: send it as X-API-Key")
            return _allowed(admitted, role)

        return caller

    def _callers(self) -> dict[str, Caller]:
        since, known = self._known
        if time.monotonic() - since > KEYS_FOR_S:
            known = {
                row.hashed: Caller(row.name, row.facility_id, row.role)
                for row in self.store.api_keys()
            }
            self._known = (time.monotonic(), known)
        return known

    def check(self, caller: Caller, *facilities: str) -> None:
        """Raise Unknown for a facility that is not the caller's, who does not even learn whether it
        exists.
        """
        for facility in facilities:
            if not caller.sees(facility):
                raise self.unknown(facility)

    def check_promote(self, caller: Caller, facility_id: str | None) -> None:
        """Let only a key of the whole fleet change which bundle serves the fleet. Raise Forbidden
        or Unknown.
        """
        if facility_id is None:
            self.check_fleet(caller)
        else:
            self.check(caller, facility_id)

    def check_fleet(self, caller: Caller) -> None:
        """Raise Forbidden where the key is one facility's."""
        if caller.facility_id != FLEET:
            raise Forbidden(
                "this API key is one facility's; a key of the whole fleet is needed"
            )

    def unknown(self, facility_id: str) -> Unknown:
        """Return the error for a facility that does not exist, or not for this caller."""
        return Unknown(f"facility {facility_id[:128]!r} is not known here")


def _allowed(caller: Caller, role: str) -> Caller:
    if not caller.may(role):
        raise Forbidden(f"this API key may {caller.role}; {role} is needed")
    return caller


def needed_role(method: str, path: str) -> str:
    """Return the role that a request needs, known before its body is read.

    >>> needed_role("POST", "/v1/readings"), needed_role("GET", "/")
    ('push', 'read')
    >>> needed_role("POST", "/cases/4f"), needed_role("GET", "/v1/cases/4f")
    ('push', 'read')
    >>> needed_role("POST", "/v1/models/a/promote")
    'admin'
    """
    if method == "POST" and (path in PUSHED or PUSHED_CASE.fullmatch(path)):
        return "push"
    return "admin" if method == "POST" and PROMOTE.fullmatch(path) else "read"


def check_host(hosts: list[str], origins: list[str], also: Collection[str]) -> None:
    """Refuse what another site's page can make a browser send to a service without keys.

    `hosts` and `origins` are the headers of a request; `also` are names under which a reverse proxy
    serves.

    Raises:
        BadHost: the request names another host (DNS rebinding). Forbidden: it comes from another
            site's page.
    """
    match = HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    name = match["name"].lower() if match else ""
    if name not in (*LOCAL_HOSTS, *(host.lower() for host in also)):
        served = ", ".join([*LOCAL_HOSTS, *also])
        raise BadHost(
            f"without API keys only requests to {served} are answered (setting: hosts); found"
            " another Host"
        )
    if not all(_is_same(origin, hosts[0]) for origin in origins):
        raise Forbidden(
            "without API keys requests from pages of another site are not answered (header Origin)"
        )


def _is_same(origin: str, host: str) -> bool:
    return origin.lower() in (f"http://{host}".lower(), f"https://{host}".lower())
