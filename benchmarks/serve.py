"""Load on the service: open loop at 20 requests/s, closed loop of 8 clients, bulk; beside plain uvicorn.

    python benchmarks/serve.py [--workspace runs/demo] [--seconds 10] [--only graph fused …]

Every layout is started in a process of its own on a free port of 127.0.0.1, loaded, and stopped; the client runs on the
same machine and takes its share of it. A single request is one unit of 5 points with 120 days in its body:
JSON in, 28 statistics, embedding, risk and forecast, JSON out. A bulk request is an Arrow stream of 512 such windows.
Pushes come first, one after another, right after the service says it is ready: a day of 5 points of
a stored machine each, with `wait=true`, so that the answer holds the new risks.
Memory is the private memory of all processes of the layout, as it was before the load and at the end of it.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from serve_load import (
    BULK_ROWS,
    Lines,
    bodies,
    free_port,
    memory_mb,
    pushed_days,
    ready,
)
from support import ROOT, Row, machine, parser, record

LAYOUTS: dict[str, list[str]] = {
    "uvicorn": [],
    "graph": ["replicas=1"],
    "fused": ["layout=fused", "replicas=2"],
    "fast graph": ["--fast", "replicas=1"],
    "fast fused": ["--fast", "layout=fused", "replicas=2"],
}
RATE, CLIENTS, BULK_CLIENTS, PUSHES = 20, 8, 2, 120
PUSHED = "/v1/readings?wait=true"
JSON, ARROW = "application/json", "application/vnd.apache.arrow.stream"


def main() -> None:
    command = parser(__doc__)
    command.add_argument("--workspace", type=Path, default=Path("runs/demo"))
    command.add_argument("--seconds", type=float, default=10.0, help="of every load")
    command.add_argument("--only", nargs="+", choices=LAYOUTS, default=list(LAYOUTS))
    given = command.parse_args()
    where = machine(["ray", "fastapi", "uvicorn", "torch", "granite-tsfm"], 2)
    single, bulk = bodies(given.workspace.resolve())
    pushes = pushed_days(given.workspace.resolve(), 12 if given.quick else PUSHES)
    seconds = 2.0 if given.quick else given.seconds
    found = {
        name: measure(name, given.workspace.resolve(), single, bulk, pushes, seconds)
        for name in given.only
    }
    record(
        "serve", where, rows(found), {"layouts": found, "seconds": seconds}, given.quick
    )


def measure(
    name: str,
    workspace: Path,
    single: bytes,
    bulk: bytes,
    pushes: list[bytes],
    seconds: float,
) -> dict[str, Any]:
    """Start a layout, load it, stop it."""
    port = free_port()
    peer = [str(ROOT / "benchmarks" / "serve_plain.py"), str(port), str(workspace)]
    ours = [
        "-m",
        "serve",
        "--port",
        str(port),
        f"workspace={workspace}",
        *LAYOUTS[name],
    ]
    environment = {**os.environ, "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "0"}
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *(ours if name != "uvicorn" else peer)], cwd=ROOT, env=environment,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        return asyncio.run(
            load(
                port,
                process,
                single,
                bulk,
                pushes if name != "uvicorn" else [],
                seconds,
                started,
            )
        )
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(90)


async def load(
    port: int,
    process: Any,
    single: bytes,
    bulk: bytes,
    pushes: list[bytes],
    seconds: float,
    started: float,
) -> dict[str, Any]:
    async with aiohttp.ClientSession() as session:
        while not await ready(session, f"http://127.0.0.1:{port}"):
            assert process.poll() is None, (
                f"{process.args} ended with {process.returncode}"
            )
            await asyncio.sleep(0.3)
    facts: dict[str, Any] = {"ready_s": round(time.perf_counter() - started, 1)}
    if pushes:
        took = [await sender(Lines(port, PUSHED, body, JSON))() for body in pushes]
        facts["push"] = summary(took, sum(ms for ms in took if ms == ms) / 1e3)
    one, many = (
        Lines(port, "/v1/predict", single, JSON),
        Lines(port, "/v1/predict/bulk", bulk, ARROW),
    )
    ask, send = sender(one), sender(many)
    for _ in range(5):
        await closed(ask, CLIENTS, 0.5)
    facts["memory_mb_before"] = memory_mb(process.pid)
    facts["open_20"] = summary(await opened(ask, RATE, seconds), seconds)
    facts["closed_8"] = summary(await closed(ask, CLIENTS, seconds), seconds)
    found = summary(await closed(send, BULK_CLIENTS, seconds), seconds)
    facts["bulk"] = found | {"windows_per_s": round(found["per_s"] * BULK_ROWS)}
    facts["memory_mb_after"] = memory_mb(process.pid)
    one.close()
    many.close()
    return facts


def sender(lines: Lines) -> Callable[[], Awaitable[float]]:
    async def send() -> float:
        """Milliseconds until the whole answer is there; nan where it is no answer."""
        start = time.perf_counter()
        try:
            right = await lines.ask() in (200, 202)  # 202: a push
        except OSError:
            right = False
        return (time.perf_counter() - start) * 1e3 if right else float("nan")

    return send


async def opened(
    send: Callable[[], Awaitable[float]], rate: float, seconds: float
) -> list[float]:
    """Requests at a fixed rate, whatever the answers take."""
    start, tasks = time.perf_counter(), []
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, start + number / rate - time.perf_counter()))
        tasks.append(asyncio.ensure_future(send()))
    return list(await asyncio.gather(*tasks))


async def closed(
    send: Callable[[], Awaitable[float]], clients: int, seconds: float
) -> list[float]:
    """Clients that ask again as soon as they are answered."""
    found: list[float] = []
    stop = time.perf_counter() + seconds

    async def client() -> None:
        while time.perf_counter() < stop:
            found.append(await send())

    await asyncio.gather(*(client() for _ in range(clients)))
    return found


def summary(took: list[float], seconds: float) -> dict[str, Any]:
    right = np.array([ms for ms in took if ms == ms])
    told = (
        np.percentile(right, (50, 95, 99)).round(1).tolist()
        if len(right)
        else [None] * 3
    )
    return {"per_s": round(len(right) / seconds, 1), "errors": len(took) - len(right), "requests": len(took),
            **dict(zip(("p50_ms", "p95_ms", "p99_ms"), told, strict=True))}  # fmt: skip


def rows(found: dict[str, dict[str, Any]]) -> list[Row]:
    peer = found.get("uvicorn")

    def beside(load_name: str, key: str) -> str:
        return f"plain uvicorn: {peer[load_name][key]}" if peer else ""

    made = []
    for name, facts in found.items():
        if name == "uvicorn":
            continue
        push = facts["push"]
        told = (
            f"p50 {push['p50_ms']} ms, p99 {push['p99_ms']} ms, {push['errors']} errors"
        )
        made.append(
            Row(
                f"push with wait=true, {name}, right after the start",
                "p99 ≤ 150 ms",
                told,
                "",
                push["p99_ms"] <= 150 and not push["errors"],
            )
        )
        first, many, bulk = facts["open_20"], facts["closed_8"], facts["bulk"]
        told = f"p50 {first['p50_ms']} ms, p99 {first['p99_ms']} ms, {first['errors']} errors"
        three = "graph" in name  # stages, each a deployment of its own
        met = first["p50_ms"] <= 25 and first["p99_ms"] <= 100 if three else None
        bar = "p50 ≤ 25 ms, p99 ≤ 100 ms" if three else ""
        made.append(
            Row(
                f"predict, {name}, 20 requests/s",
                bar,
                told,
                f"{beside('open_20', 'p50_ms')} ms",
                met,
            )
        )
        fast = name == "fast fused"
        ratio = (
            f" ({many['per_s'] / peer['closed_8']['per_s']:.2f}× plain uvicorn)"
            if peer
            else ""
        )
        told = f"{many['per_s']} requests/s{ratio}, p50 {many['p50_ms']} ms, p99 {many['p99_ms']} ms"
        told += f", {many['errors']} errors"
        bar, met = ("≥ 250 requests/s", many["per_s"] >= 250) if fast else ("", None)
        made.append(
            Row(
                f"predict, {name}, 8 clients",
                bar,
                told,
                f"{beside('closed_8', 'per_s')} requests/s",
                met,
            )
        )
        told = f"{bulk['windows_per_s']} windows/s of 5 points"
        made.append(Row(f"bulk, {name}", "≥ 1,500 windows/s", told, f"{beside('bulk', 'windows_per_s')} windows/s",
                        bulk["windows_per_s"] >= 1500))  # fmt: skip
    return made


if __name__ == "__main__":
    main()
