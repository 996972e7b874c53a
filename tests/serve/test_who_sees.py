"""Who sees what: a matrix of routes and callers, hosts and origins, slow bodies, methods, files and passwords."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import stat
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi.testclient import TestClient

from hvac.errors import ConfigError
from serve import keys as key_commands
from serve.bodies.bulk import ARROW
from serve.http import listening
from serve.http.api import make_api
from serve.http.door import Door
from serve.keys import make_key
from serve.memory.database import StoreError
from serve.memory.redact import without_secrets
from serve.memory.store import FLEET, Store
from serve.service import Service
from serve.settings import ServeConfig
from tests.models.models_example import bundle
from tests.serve.bulk_bodies import stream, windows
from tests.serve.serve_example import (
    UNITS,
    body_readings,
    client_of,
    reading_rows,
    scored,
    service_of,
)
from tests.serve.test_graph import free_port

SECRET = "secretclass"  # of F2 only: nothing of it may reach F1
CALLERS = ("none", "wrong", "read F1", "read F2", "push F1", "admin F1", "admin fleet")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    own = service_of(tmp_path_factory.mktemp("who"))
    name = bundle(seed=6).save(own.config.bundle_folder).name
    own.store.assign({("F2", SECRET): name})
    unit = ("F2", "hidden")
    own.store.add(units=[(*unit, SECRET, None), ("F2", "stuck", "nobody judges it", None)],
                  readings=[(*unit, *row[2:]) for row in reading_rows(UNITS[0])])  # fmt: skip
    return scored(own)


@pytest.fixture(scope="module")
def headers(service: Service) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {
        "none": {},
        "wrong": {"x-api-key": "hvac_wrong"},
    }
    for name in CALLERS[2:]:
        role, _, facility = name.partition(" ")
        key = make_key(
            service.store,
            name,
            facility_id=FLEET if facility == "fleet" else facility,
            role=role,
        )
        found[name] = {"x-api-key": key}
    return found


@pytest.fixture(scope="module")
def locked(service: Service, headers: Any) -> Iterator[TestClient]:
    with client_of(service, keys=True) as client:
        yield client


def requests_of(facility: str) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Every route, asked about a facility, with the role it needs."""
    asked = {"facility_id": facility, "equipment_id": "E1"}
    table = stream(windows(facility_id=[facility]))
    return {
        "predict": ("read", "POST /v1/predict", {"json": {"units": [asked]}}),
        "bulk": (
            "read",
            "POST /v1/predict/bulk",
            {"content": table, "headers": {"content-type": ARROW}},
        ),
        "forecast": ("read", "POST /v1/forecast", {"json": asked}),
        "readings": (
            "push",
            "POST /v1/readings",
            {"json": {"units": [{**asked, "readings": []}]}},
        ),
        "ranking": ("read", f"GET /v1/facilities/{facility}/ranking", {}),
        "csv": ("read", f"GET /v1/facilities/{facility}/ranking?format=csv", {}),
        "equipment": ("read", f"GET /v1/equipment/{facility}/E1", {}),
        "promote": (
            "admin",
            "POST /v1/models/nothing/promote",
            {"json": {"facility_id": facility}},
        ),
        "page of a facility": ("read", f"GET /facility/{facility}", {}),
        "page of equipment": ("read", f"GET /equipment/{facility}/E1", {}),
    }


OF_ALL = (
    "/",
    "/equipment",
    "/ranking.csv",
    "/v1/facilities",
    "/v1/models",
    "/readyz",
    "/metrics",
)
OPEN = ("/readyz", "/healthz", "/openapi.json", "/docs", "/static/app.css")
ROLES = ("read", "push", "admin")


def expected(caller: str, role: str, facility: str) -> set[int]:
    if caller in ("none", "wrong"):
        return {401}
    own, _, place = caller.partition(" ")
    if ROLES.index(own) < ROLES.index(role):
        return {403}
    return {200, 202} if place in ("fleet", facility) else {404}


def ask(
    client: TestClient, what: str, more: dict[str, Any], headers: dict[str, str]
) -> Any:
    method, path = what.split(" ", 1)
    return client.request(
        method, path, **{**more, "headers": {**more.get("headers", {}), **headers}}
    )


@pytest.mark.parametrize("caller", CALLERS)
def test_key_opens_what_it_says_and_no_more(
    locked: TestClient, headers: Any, caller: str
) -> None:
    wrong = {}
    for facility in ("F1", "F2"):
        for name, (role, what, more) in requests_of(facility).items():
            told = ask(locked, what, more, headers[caller])
            wanted = expected(caller, role, facility)
            if name == "promote" and wanted == {200, 202}:
                wanted = {404}  # there is no such bundle
            if told.status_code not in wanted:
                wrong[name, facility] = (told.status_code, wanted, told.text[:200])
    assert not wrong


@pytest.mark.parametrize("caller", CALLERS)
def test_nothing_of_another_facility_reaches_a_key(
    locked: TestClient, headers: Any, caller: str
) -> None:
    """Neither its name nor its equipment, classes, bundles, counts."""
    sees = {
        "F1": "F1" in caller or "fleet" in caller,
        "F2": "F2" in caller or "fleet" in caller,
    }
    paths = [
        *OF_ALL,
        *OPEN,
        "/nothing",
        "/v1/facilities/F9/ranking",
        "/v1/equipment/F1/nothing",
    ]
    texts = [locked.get(path, headers=headers[caller]).text for path in paths]
    for body in ({"class": "no such class"}, {}):
        unit = {
            "facility_id": "F1",
            "equipment_id": "new",
            "readings": body_readings(UNITS[0], 3),
            **body,
        }
        texts += [locked.post(path, json={"units": [unit]}, headers=headers[caller]).text
                  for path in ("/v1/predict", "/v1/readings")]  # fmt: skip
    joined = "\n".join(texts)
    for word in ("F2", SECRET, "hidden", "stuck", "nobody judges it"):
        assert (word in joined) <= sees["F2"], f"{word} reached {caller}"
    if not sees["F1"]:
        assert "E2" not in locked.get("/v1/facilities", headers=headers[caller]).text


def test_models_ready_and_counts_are_those_of_the_callers_facility(
    locked: TestClient, headers: Any
) -> None:
    names = {who: {m["bundle_id"] for m in locked.get("/v1/models", headers=headers[who]).json()["models"]}
             for who in ("read F1", "admin fleet")}  # fmt: skip
    assert len(names["read F1"]) == 1
    assert len(names["admin fleet"]) == 2
    ready = {
        who: locked.get("/readyz", headers=headers[who]).json()
        for who in ("read F1", "read F2", "admin fleet")
    }
    assert [ready[who]["bundles"] for who in ready] == [1, 2, 2]
    assert [len(ready[who]["set_aside"]) for who in ready] == [0, 1, 1]
    assert locked.get("/metrics", headers=headers["admin F1"]).status_code == 403


# Before the body


def messages(body: bytes = b"") -> tuple[list[str], Any]:
    """What was received of a body, and the function that gives it."""
    taken: list[str] = []

    async def receive() -> dict[str, Any]:
        taken.append("body")
        return {"type": "http.request", "body": body, "more_body": False}

    return taken, receive


def asgi(
    api: Any, path: str, headers: dict[str, str], receive: Any, method: str = "POST"
) -> tuple[int, dict[str, str]]:
    told: list[Any] = []

    async def send(message: Any) -> None:
        told.append(message)

    pairs = [
        (name.encode(), value.encode())
        for name, value in {"host": "127.0.0.1", **headers}.items()
    ]
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"",
             "headers": pairs, "scheme": "http", "server": ("127.0.0.1", 80), "http_version": "1.1"}  # fmt: skip
    asyncio.run(api(scope, receive, send))
    start = next(
        message for message in told if message["type"] == "http.response.start"
    )
    return start["status"], {
        name.decode(): value.decode() for name, value in start["headers"]
    }


@pytest.mark.parametrize(
    "path",
    [
        "/v1/predict",
        "/v1/predict/bulk",
        "/v1/readings",
        "/v1/models/x/promote",
        "/nothing",
    ],
)
def test_strangers_and_low_roles_are_refused_before_a_byte_of_the_body_is_read(
    service: Service, headers: Any, path: str
) -> None:
    api = make_api(service, Door(service.store, keys=True))
    for caller, status in (("none", 401), ("wrong", 401), ("read F1", 403)):
        if caller == "read F1" and path not in ("/v1/readings", "/v1/models/x/promote"):
            continue
        taken, receive = messages()
        assert asgi(api, path, headers[caller], receive)[0] == status
        assert taken == []


@contextmanager
def served(service: Service, *, keys: bool) -> Iterator[int]:
    """The port of a real server."""
    port = free_port()
    api = make_api(service, Door(service.store, keys=keys))
    server = uvicorn.Server(
        uvicorn.Config(api, host="127.0.0.1", port=port, log_level="error")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield port
    server.should_exit = True
    server.force_exit = True
    thread.join(20)


def slow_body(stack: ExitStack, port: int, header: str = "") -> socket.socket:
    """A request whose body never comes."""
    caller = stack.enter_context(
        socket.create_connection(("127.0.0.1", port), timeout=20)
    )
    head = f"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 1000\r\n{header}\r\n"
    caller.sendall(head.encode() + b"{")
    return caller


@pytest.mark.parametrize("keys", [True, False])
def test_slow_bodies_shut_nobody_out(
    service: Service, headers: Any, keys: bool
) -> None:
    with served(service, keys=keys) as port, ExitStack() as stack:
        for _ in range(100):
            slow_body(stack, port)
        time.sleep(0.3)
        body = b'{"units": [{"facility_id": "F1", "equipment_id": "E1"}]}'
        url = f"http://127.0.0.1:{port}/v1/predict"
        own = {
            "content-type": "application/json",
            **(headers["read F1"] if keys else {}),
        }
        with urllib.request.urlopen(
            urllib.request.Request(url, body, own), timeout=20
        ) as told:
            assert told.status == 200


def test_body_that_does_not_come_in_time_is_given_up(tmp_path: Path) -> None:
    own = service_of(tmp_path, limits={"timeout_s": 0.3})
    with served(own, keys=False) as port, ExitStack() as stack:
        assert slow_body(stack, port).recv(100).startswith(b"HTTP/1.1 408")


# Without keys: this machine only


@pytest.fixture(scope="module")
def unlocked(service: Service) -> Iterator[TestClient]:
    with client_of(service) as client:
        yield client


HOSTS = {"127.0.0.1": 200, "127.0.0.1:8000": 200, "localhost": 200, "LOCALHOST:1": 200, "[::1]": 200, "[::1]:8000": 200,
         "evil.example": 421, "127.0.0.1.evil.example": 421, "evil.example:8000": 421, "localhost.": 421, "": 421,
         "127.0.0.1@evil.example": 421, "0.0.0.0": 421, "127.0.0.1:8000:1": 421, "[::1": 421}  # fmt: skip


@pytest.mark.parametrize(("host", "status"), HOSTS.items())
def test_without_keys_only_this_machine_is_answered(
    unlocked: TestClient, host: str, status: int
) -> None:
    for path in ("/", "/v1/facilities", "/readyz", "/metrics"):
        told = unlocked.get(path, headers={"host": host})
        assert told.status_code == status
        assert "E1" not in told.text or status == 200


ORIGINS = {"http://127.0.0.1": 202, "https://127.0.0.1": 202, "null": 403, "http://evil.example": 403,
           "http://127.0.0.1:81": 403, "http://127.0.0.1.evil.example": 403, "": 403,
           "ftp://127.0.0.1": 403}  # fmt: skip


@pytest.mark.parametrize(("origin", "status"), ORIGINS.items())
def test_without_keys_other_sites_pages_write_nothing(
    unlocked: TestClient, origin: str, status: int
) -> None:
    body = {"units": [{"facility_id": "F1", "equipment_id": "E1", "readings": []}]}
    assert (
        unlocked.post("/v1/readings", json=body, headers={"origin": origin}).status_code
        == status
    )
    assert unlocked.post("/v1/readings", json=body).status_code == 202


def test_proxy_serves_under_the_names_it_was_given(tmp_path: Path) -> None:
    own = service_of(tmp_path, hosts=["hvac.plant.test"])
    with client_of(own) as client:
        assert (
            client.get(
                "/v1/facilities", headers={"host": "hvac.plant.test"}
            ).status_code
            == 200
        )
        assert (
            client.get(
                "/v1/facilities", headers={"host": "other.plant.test"}
            ).status_code
            == 421
        )


@pytest.mark.parametrize(
    "path",
    [
        "/v1/facilities/",
        "/equipment/",
        "/facility/F1/",
        "//evil.example/",
        "/v1/models/",
    ],
)
def test_no_answer_sends_a_browser_to_the_host_that_a_request_named(
    locked: TestClient, headers: Any, path: str
) -> None:
    own = {
        **headers["read F1"],
        "host": "evil.example",
        "x-forwarded-host": "evil.example",
    }
    told = locked.get(path, headers=own, follow_redirects=False)
    assert told.status_code in (200, 404)
    assert "evil.example" not in str(dict(told.headers))
    page = locked.get(
        path, headers={**own, "accept": "text/html"}, follow_redirects=False
    )
    assert 'href="//' not in page.text
    assert "http://evil.example" not in page.text


# Methods


@pytest.mark.parametrize("path", [*OF_ALL, *OPEN, "/facility/F1", "/equipment/F1/E1", "/v1/equipment/F1/E1",
                                  "/v1/facilities/F1/ranking"])  # fmt: skip
def test_head_is_answered_like_get_without_a_body(
    unlocked: TestClient, path: str
) -> None:
    got, head = unlocked.get(path), unlocked.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-type"] == got.headers["content-type"]


@pytest.mark.parametrize(("path", "allowed"), {"/": "GET, HEAD", "/v1/predict": "POST", "/facility/F1": "GET, HEAD",
                                               "/v1/models/x/promote": "POST"}.items())  # fmt: skip
def test_method_that_is_not_there_is_told_those_that_are(
    unlocked: TestClient, path: str, allowed: str
) -> None:
    told = unlocked.request("DELETE", path)
    assert (told.status_code, told.headers["allow"]) == (405, allowed)


# Keys, files, passwords


@pytest.mark.parametrize("facility", ["", " ", "nan", "a\x01"])
def test_key_for_no_facility_is_an_error_and_not_one_for_all(
    tmp_path: Path, facility: str
) -> None:
    with pytest.raises(SystemExit):
        key_commands.main(
            ["add", "me", "--facility", facility, "--store", str(tmp_path / "s.sqlite")]
        )
    assert not (tmp_path / "s.sqlite").exists()


def test_store_and_its_files_are_for_their_owner_only(tmp_path: Path) -> None:
    before = os.umask(0o000)
    try:
        store = Store.open(str(tmp_path / "s.sqlite"))
        store.add(readings=reading_rows(UNITS[0], 3))
        files = list(tmp_path.iterdir())
    finally:
        os.umask(before)
    assert len(files) >= 2
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_store_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    Store.open(str(tmp_path / "s.sqlite")).close()
    (tmp_path / "s.sqlite").chmod(0o644)
    Store.open(str(tmp_path / "s.sqlite"))
    assert stat.S_IMODE((tmp_path / "s.sqlite").stat().st_mode) == 0o600


URLS = (
    "postgresql://me:s3cr3t@127.0.0.1:1/db", "postgres://me:s3cr3t@127.0.0.1:1/db", "postgresql://:s3cr3t@127.0.0.1:1/db",
    "postgresql://127.0.0.1:1/db?user=me&password=s3cr3t", "postgresql:///db?host=127.0.0.1&port=1&password=s3cr3t",
    "postgresql://me:s3cr3t@127.0.0.1:x/db", "postgresql://me:s3cr3t%zz@127.0.0.1:1/db",
    "postgresql://me:a@s3cr3t@127.0.0.1:1/db", "postgresql://me:s3cr3t/b@127.0.0.1:1/db",
    "postgresql://127.0.0.1:1/db?password=s3cr3t&nothing=1", "postgresql://127.0.0.1:1/db?sslpassword=s3cr3t",
    "postgresql+psycopg://me:s3cr3t@h/db", "mysql://me:s3cr3t@h/db", "sqlite:///x?password=s3cr3t",
    "POSTGRESQL://me:s3cr3t@h/db",
)  # fmt: skip


@pytest.mark.parametrize("url", URLS)
def test_password_of_the_store_is_told_nowhere(
    url: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises((StoreError, ConfigError)) as told:
        Store.open(url)
    config = ServeConfig(workspace=tmp_path, store=url)
    with pytest.raises(ConfigError) as wanted:
        listening.check_keys(Store.open(str(tmp_path / "s.sqlite")), config)
    key_commands.main(["list", "--store", url])
    shown = [
        str(told.value),
        repr(told.value),
        str(wanted.value),
        repr(config),
        str(config),
        caplog.text,
        *capfd.readouterr(),
    ]
    assert "s3cr3t" not in " ".join(shown)
    assert "s3cr3t" not in without_secrets(f"cannot reach {url} (try again)")
