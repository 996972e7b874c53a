"""Mixed load with a replica killed every minute: no wrong answer, no lost reading, errors counted, memory flat.

    python benchmarks/serve_chaos.py [--workspace runs/demo] [--minutes 10]

Six clients ask for risks of a fixed window (and compare every answer with the first one), one pushes readings of a unit
of its own (each value unique, sent again until it is taken), one reads pages. Every minute another process is killed:
a replica of each deployment in turn, and Serve's proxy. At the end every reading that was taken must be in the store.
"""

import asyncio
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from serve_load import bodies, free_port, memory_mb, ready
from support import ROOT, Row, machine, parser, record

VICTIMS = ("RiskModel", "Features", "Forecast", "Ingress", "ProxyActor")
UNIT = {"facility_id": "F900", "equipment_id": "chaos", "class": "ahu"}
FIRST_DAY = 18_000


class Seen:
    """What the clients saw."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.wrong, self.taken, self.longest_gap_s = 0, dict[int, float](), 0.0
        self.last_right = time.monotonic()

    def right(self) -> None:
        now = time.monotonic()
        self.longest_gap_s = max(self.longest_gap_s, now - self.last_right)
        self.last_right = now


def main() -> None:
    command = parser(__doc__)
    command.add_argument("--workspace", type=Path, default=Path("runs/demo"))
    command.add_argument("--minutes", type=float, default=10.0)
    given = command.parse_args()
    where = machine(["ray", "fastapi", "torch"], 2)
    minutes = 1.0 if given.quick else given.minutes
    facts = run(given.workspace.resolve(), minutes)
    bad = facts["wrong_answers"] + facts["readings_lost"]
    told = (
        f"{facts['kills']} kills in {minutes:g} min: {facts['wrong_answers']} wrong answers, "
        f"{facts['readings_lost']} of {facts['readings_taken']} readings lost, "
        f"{facts['errors']} of {facts['requests']} requests failed "
        f"({facts['statuses']}), longest gap {facts['longest_gap_s']} s, memory {facts['memory_mb']} MB"
    )
    row = Row(
        "mixed load, a process killed every minute, 2 replicas",
        "0 wrong, 0 lost",
        told,
        "",
        bad == 0,
    )
    record("serve_chaos", where, [row], facts, given.quick)


def run(workspace: Path, minutes: float) -> dict[str, Any]:
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "serve",
        "--port",
        str(port),
        f"workspace={workspace}",
        "replicas=2",
    ]
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled"}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        return asyncio.run(
            storm(f"http://127.0.0.1:{port}", process.pid, workspace, minutes)
        )
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(90)


async def storm(url: str, pid: int, workspace: Path, minutes: float) -> dict[str, Any]:
    seen, body = Seen(), bodies(workspace)[0]
    timeout = aiohttp.ClientTimeout(total=40)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while not await ready(session, url):
            await asyncio.sleep(0.5)
        expected = risks(
            json.loads(
                await (
                    await session.post(f"{url}/v1/predict", data=body, headers=JSON)
                ).text()
            )
        )
        seen.last_right, end = time.monotonic(), time.monotonic() + 60 * minutes
        clients = [asker(session, url, body, expected, seen, end) for _ in range(6)]
        killing = killer(pid, end)
        _, _, kills, memory, *_ = await asyncio.gather(
            pusher(session, url, seen, end),
            reader(session, url, seen, end),
            killing,
            watch(pid, end),
            *clients,
        )
        await asyncio.sleep(10)
        while not await ready(session, url):
            await asyncio.sleep(0.5)
        lost = lost_readings(workspace, seen)
    failed = sum(
        n for status, n in seen.statuses.items() if status not in ("200", "202")
    )
    return {
        "kills": len(kills), "killed": kills, "wrong_answers": seen.wrong, "readings_taken": len(seen.taken),
        "readings_lost": lost, "requests": sum(seen.statuses.values()), "errors": failed,
        "statuses": dict(seen.statuses), "longest_gap_s": round(seen.longest_gap_s, 1), "memory_mb": memory,
    }  # fmt: skip


JSON = {"content-type": "application/json"}


def risks(answer: dict[str, Any]) -> list[float]:
    return [each["risk"] for unit in answer["predictions"] for each in unit["horizons"]]


async def send(
    session: aiohttp.ClientSession, seen: Seen, method: str, url: str, **more: Any
) -> tuple[str, str]:
    try:
        async with session.request(method, url, **more) as answer:
            text, status = await answer.text(), str(answer.status)
    except (aiohttp.ClientError, TimeoutError) as error:
        text, status = "", type(error).__name__
    seen.statuses[status] += 1
    return status, text


async def asker(
    session: aiohttp.ClientSession, url: str, body: bytes, expected: list[float], seen: Seen, end: float
) -> None:  # fmt: skip
    while time.monotonic() < end:
        status, text = await send(
            session, seen, "POST", f"{url}/v1/predict", data=body, headers=JSON
        )
        if status == "200":
            found = risks(json.loads(text))
            seen.wrong += any(
                abs(a - b) > 1e-6 for a, b in zip(found, expected, strict=True)
            )
            seen.right()
        await asyncio.sleep(random.random() * 0.2)


async def pusher(
    session: aiohttp.ClientSession, url: str, seen: Seen, end: float
) -> None:
    number = 0
    while time.monotonic() < end:
        day = FIRST_DAY + number % 1500
        value = round(1 + number * 0.001, 3)
        date = time.strftime("%Y-%m-%d", time.gmtime(day * 86_400))
        reading = {"point_id": "fan_current", "date": date, "value": value}
        body = json.dumps({"units": [{**UNIT, "readings": [reading]}]})
        status, _ = await send(
            session, seen, "POST", f"{url}/v1/readings", data=body, headers=JSON
        )
        if status == "202":
            seen.taken[day] = value
            number += 1
        await asyncio.sleep(0.1)


async def reader(
    session: aiohttp.ClientSession, url: str, seen: Seen, end: float
) -> None:
    pages = [
        "/",
        "/facility/F001",
        "/equipment/F001/F001-AHU-001",
        "/v1/facilities",
        "/metrics",
    ]
    while time.monotonic() < end:
        await send(session, seen, "GET", f"{url}{random.choice(pages)}")
        await asyncio.sleep(0.5)


async def killer(pid: int, end: float) -> list[str]:
    killed: list[str] = []
    while time.monotonic() + 60 < end + 1:
        await asyncio.sleep(60 if killed else 20)
        name = VICTIMS[len(killed) % len(VICTIMS)]
        found = [
            p
            for p in psutil.Process(pid).children(recursive=True)
            if name in " ".join(p.cmdline())
        ]
        if found:
            random.choice(found).kill()
            killed.append(name)
    return killed


async def watch(pid: int, end: float) -> list[int]:
    """Private memory of all processes, ten times."""
    found, step = [], (end - time.monotonic()) / 10
    while time.monotonic() < end:
        found.append(await asyncio.to_thread(memory_mb, pid))
        await asyncio.sleep(step)
    return found


def lost_readings(workspace: Path, seen: Seen) -> int:
    """Readings that were taken and are not what the store holds."""
    with sqlite3.connect(workspace / "serve" / "store.sqlite") as store:
        held = dict(
            store.execute(
                "SELECT day, value FROM readings WHERE facility_id = 'F900'"
            ).fetchall()
        )
    return sum(held.get(day) != value for day, value in seen.taken.items())


if __name__ == "__main__":
    main()
