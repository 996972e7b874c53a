"""A battery of what nobody should send: `make hostile` prints counts and ends with 1 on any 5xx or leak.

Hostile requests, damaged bundles, bodies that unfold, slow bodies, and every route with every key. Small versions of
each are in the tests beside this file; here all of it runs, in about two minutes.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi.testclient import TestClient

from serve.service import Service
from tests.models.models_example import bundle
from tests.serve import test_who_sees as who
from tests.serve.bulk_bodies import UNFOLDING, stream, windows
from tests.serve.damaged_bundles import ODD, changed, damaged, damages, ways
from tests.serve.serve_example import (
    UNITS,
    body_readings,
    client_of,
    scored,
    service_of,
)

INSIDE = re.compile(
    r"Traceback|/work\b|/tmp\b|/root\b|site-packages|File \"|\.py\b|object at 0x|sqlite|psycopg"
)
MORE: dict[str, Any] = {**ODD, "long": "x" * 200, "blank": " ", "nan text": "nan", "old": "0001-01-01",
                        "inf": float("inf"), "seconds": 1709251200, "digits": 10**400, "control": "a\x00b",
                        "surrogate": "\ud800"}  # fmt: skip
PATHS = ["/", "/equipment", "/facility/{}", "/equipment/{}/E1", "/equipment/F1/{}", "/v1/facilities/{}/ranking",
         "/v1/equipment/{}/E1", "/v1/equipment/F1/{}", "/static/{}", "/v1/models/{}", "/{}", "/ranking.csv?lang={}",
         "/equipment?q={}", "/facility/F1?alarms={}", "/v1/facilities/F1/ranking?format={}"]  # fmt: skip
NAMES = ["%00", "%ff", "%2e%2e", "%2F..%2F", "..%2f..%2fetc%2fpasswd", "nan", quote("日" * 128), "%ed%a0%80", "'\"<i>",
         "%25", "x" * 5000]  # fmt: skip
HEADERS = [{"host": "evil.example"}, {"host": "["}, {"origin": "http://evil.example"}, {"content-length": "-1"},
           {"content-length": "9" * 5000}, {"content-encoding": "gzip"}, {"cookie": "lang=" + "x" * 4000},
           {"accept-language": ",;q=," * 500}, {"content-type": "multipart/form-data"}, {"range": "bytes=9-1"},
           {"x-forwarded-host": "evil.example"}, {"content-type": "application/json; charset=utf-16"}]  # fmt: skip


def bodies() -> Iterator[tuple[str, bytes]]:
    """Sound bodies with every value in turn replaced by every odd one."""
    readings = body_readings(UNITS[0], 3)
    events = [{"kind": "failure", "start": "2024-01-01", "end": "2024-01-02"}]
    unit = {"facility_id": "F1", "equipment_id": "E1", "class": "ahu", "install_date": "2020-01-01",
            "readings": readings, "events": events}  # fmt: skip
    window = {"end_date": "2024-01-01", "values": {"p": [1.0, None]}}
    asked = {
        "facility_id": "F1",
        "equipment_id": "E1",
        "class": "ahu",
        "window": window,
        "horizons": [30],
    }
    for path, body in (
        ("/v1/readings", {"units": [unit]}),
        ("/v1/predict", {"units": [unit]}),
        ("/v1/forecast", asked),
    ):
        for number, way in enumerate(ways(body, depth=5)):
            for place, value in enumerate(MORE.values()):
                if (number + place) % 3 == 0:
                    yield path, json.dumps(changed(body, way, value)).encode()


def hostile_requests(client: TestClient) -> Iterator[tuple[str, Any]]:
    """Answers to all of them."""
    for path, body in bodies():
        told = client.post(
            path, content=body, headers={"content-type": "application/json"}
        )
        yield f"POST {path} {body[:80]!r}", told
    for path in PATHS:
        for name in NAMES:
            for browser in ({}, {"accept": "text/html"}):
                yield (
                    f"GET {path} {name[:40]}",
                    client.get(path.format(name), headers=browser),
                )
    for more in HEADERS:
        for path in ("/", "/v1/predict", "/v1/predict/bulk"):
            yield (
                f"POST {path} {str(more)[:60]}",
                client.post(path, content=b"{}", headers=more),
            )
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "HEAD"):
        for path in ("/", "/v1/predict", "/v1/models/x/promote", "/equipment/F1/E1"):
            yield f"{method} {path}", client.request(method, path, content=b"{}")


class Count:
    """Counts answers of one part; remembers the wrong ones."""

    def __init__(self, part: str) -> None:
        self.part, self.statuses, self.wrong = part, Counter[int](), list[str]()
        self.started = time.monotonic()

    def add(
        self, what: str, status: int, text: str, wanted: set[int] | None = None
    ) -> None:
        """Count one answer."""
        self.statuses[status] += 1
        inside = INSIDE.search(text) if wanted is None or status not in wanted else None
        if status >= 500 or inside or (wanted is not None and status not in wanted):
            self.wrong.append(f"{what}: {status} {text[:200]}")

    def told(self) -> bool:
        """Print the counts; whether all was well."""
        counts = ", ".join(
            f"{status}: {n}" for status, n in sorted(self.statuses.items())
        )
        seconds = time.monotonic() - self.started
        sys.stdout.write(
            f"{self.part}: {sum(self.statuses.values())} in {seconds:.0f} s ({counts}); wrong: {len(self.wrong)}\n"
        )
        sys.stdout.writelines(f"  {line}\n" for line in self.wrong[:10])
        sys.stdout.flush()
        return not self.wrong


def requests_part(service: Service) -> Count:
    count = Count("hostile requests")
    good = {
        "units": [
            {
                "facility_id": "good",
                "equipment_id": "E",
                "class": "ahu",
                "readings": body_readings(UNITS[1]),
            }
        ]
    }
    with client_of(service) as client:
        before = client.post("/v1/predict", json=good).text
        for what, told in hostile_requests(client):
            count.add(what, told.status_code, told.text)
        scored(service)
        if (
            client.post("/v1/predict", json=good).text != before
            or client.get("/readyz").json()["waiting"]
        ):
            count.wrong.append(
                "a good request is answered otherwise, or equipment waits, after the storm"
            )
    return count


def bundles_part(service: Service) -> Count:
    count, (sound,) = (
        Count("damaged bundles"),
        service.config.bundle_folder.glob("ahu-*"),
    )
    with client_of(service) as client:
        every = damages(
            Path(sound),
            {"another seed": bundle(seed=5), "two points": bundle(("a", "b"))},
        )
        for name, change in every.items():
            folder = damaged(Path(sound), change)
            told = client.post(f"/v1/models/{folder.name}/promote")
            count.add(name, told.status_code, told.text, {404, 422})
            if str(sound.parent) in told.text:
                count.wrong.append(f"{name} tells where the bundles lie")
    return count


def unfolding_part(service: Service) -> Count:
    count = Count("bodies that unfold")
    with client_of(service) as client:
        for name, (make, kind) in UNFOLDING.items():
            told = client.post(
                "/v1/predict/bulk", content=make(), headers={"content-type": kind}
            )
            count.add(name, told.status_code, told.text, {413, 422})
        told = client.post(
            "/v1/predict/bulk",
            content=stream(windows()),
            headers={"content-type": who.ARROW},
        )
        count.add("a sound one after them", told.status_code, "", {200})
    return count


def slow_part(service: Service) -> Count:
    count = Count("slow bodies, then a good one")
    body = b'{"units": [{"facility_id": "F1", "equipment_id": "E1"}]}'
    with who.served(service, keys=False) as port, ExitStack() as stack:
        for _ in range(200):
            who.slow_body(stack, port)
        time.sleep(0.5)
        caller = stack.enter_context(
            who.socket.create_connection(("127.0.0.1", port), timeout=20)
        )
        head = f"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        caller.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        count.add(
            "beside 200 slow bodies", int(caller.recv(4096).split()[1]), "", {200}
        )
    return count


def keys_part(service: Service) -> Count:
    count, headers = (
        Count("routes and keys"),
        {"none": {}, "wrong": {"x-api-key": "hvac_wrong"}},
    )
    for name in who.CALLERS[2:]:
        role, _, place = name.partition(" ")
        facility = "" if place == "fleet" else place
        headers[name] = {
            "x-api-key": who.make_key(
                service.store, name, facility_id=facility, role=role
            )
        }
    with client_of(service, keys=True) as client:
        for caller in who.CALLERS:
            for facility in ("F1", "F2"):
                for name, (role, what, more) in who.requests_of(facility).items():
                    told = who.ask(client, what, more, headers[caller])
                    wanted = who.expected(caller, role, facility)
                    wanted = {404} if name == "promote" and 200 in wanted else wanted
                    count.add(
                        f"{caller}: {name} of {facility}",
                        told.status_code,
                        told.text,
                        wanted,
                    )
            for path in who.OF_ALL:
                told = client.get(path, headers=headers[caller])
                count.add(f"{caller}: {path}", told.status_code, "")
                if "F1" in caller and "F2" in told.text:
                    count.wrong.append(f"{caller}: {path} tells of F2")
    return count


def main() -> int:
    """Run all parts, each on a service of its own."""
    well = True
    for part in (requests_part, bundles_part, unfolding_part, slow_part, keys_part):
        with tempfile.TemporaryDirectory(
            prefix="hvac-hostile-", ignore_cleanup_errors=True
        ) as folder:
            well &= part(scored(service_of(Path(folder)))).told()
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
