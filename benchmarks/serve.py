"""Load on the service: open loop at 20 requests/s, closed loop of 8 clients, bulk; beside plain uvicorn.

    python benchmarks/serve.py [--workspace runs/demo] [--seconds 10] [--only graph fused …]
                               [--before CODE WORKSPACE]

Every layout is started in a process of its own on a free port of 127.0.0.1, loaded, and stopped; the client runs on the
same machine and takes its share of it. A single request is one unit of 5 points with 120 days in its body:
JSON in, 28 statistics, embedding, risk and forecast, JSON out. A bulk request is an Arrow stream of 512 such windows.
A stored machine is asked by its ids alone, which an unchanged one is answered
from the store for, and by its ids and class, which makes it be predicted anew from its stored record.
Pushes come first, one after another, right after the service says it is ready: a day of 5 points of
a stored machine each, with `wait=true`, so that the answer holds the new risks.
With `--before`, plain uvicorn is loaded with the code of another commit too (`CODE`: a checkout of it, `WORKSPACE`:
made by it), as `uvicorn before`: the bar for requests a second is set beside that.
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
    stored_bodies,
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
BEFORE = "uvicorn before"
STORED = {
    "unchanged": "unchanged since it was scored",
    "anew": "predicted anew",
}
BAR_PUSH_P99_MS, BAR_GRAPH_P50_MS, BAR_GRAPH_P99_MS = 150, 12, 100
BAR_FAST_PER_S, BAR_FAST_TO_BEFORE, BAR_BULK = 500, 2.5, 4_000
PUSHED = "/v1/readings?wait=true"
JSON, ARROW = "application/json", "application/vnd.apache.arrow.stream"


def main() -> None:
    command = parser(__doc__)
    command.add_argument("--workspace", type=Path, default=Path("runs/demo"))
    command.add_argument("--seconds", type=float, default=10.0, help="of every load")
    command.add_argument("--only", nargs="+", choices=LAYOUTS, default=list(LAYOUTS))
    command.add_argument(
        "--before",
        type=Path,
        nargs=2,
        metavar=("CODE", "WORKSPACE"),
        help="another commit's checkout, and a workspace that it made",
    )
    given = command.parse_args()
    where = machine(["ray", "fastapi", "uvicorn", "torch", "granite-tsfm"], 2)
    single, bulk = bodies(given.workspace.resolve())
    stored = stored_bodies(given.workspace.resolve())
    pushes = pushed_days(given.workspace.resolve(), 12 if given.quick else PUSHES)
    seconds = 2.0 if given.quick else given.seconds
    found = {
        name: measure(
            name,
            given.workspace.resolve(),
            single,
            bulk,
            pushes,
            seconds,
            stored=stored,
        )
        for name in given.only
    }
    if given.before:
        code, workspace = (path.resolve() for path in given.before)
        older = bodies(workspace)
        found[BEFORE] = measure(
            "uvicorn", workspace, *older, pushes, seconds, root=code
        )
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
    *,
    stored: dict[str, bytes] | None = None,
    root: Path = ROOT,
) -> dict[str, Any]:
    """Start a layout, load it, stop it; `root` is the checkout whose code runs."""
    port = free_port()
    peer = [str(root / "benchmarks" / "serve_plain.py"), str(port), str(workspace)]
    ours = [
        "-m",
        "serve",
        "--port",
        str(port),
        f"workspace={workspace}",
        *LAYOUTS[name],
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": str(root),
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "0",
    }
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *(ours if name != "uvicorn" else peer)], cwd=root, env=environment,
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
                (stored or {}) if name != "uvicorn" else {},
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
    stored: dict[str, bytes],
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
    for kind, body in stored.items():
        lines = Lines(port, "/v1/predict", body, JSON)
        await closed(sender(lines), CLIENTS, 0.5)
        facts[kind] = summary(await opened(sender(lines), RATE, seconds), seconds)
        lines.close()
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
    """The rows of every layout of ours, each beside plain uvicorn."""
    ours = {name: facts for name, facts in found.items() if "uvicorn" not in name}
    return [
        row for name, facts in ours.items() for row in layout_rows(name, facts, found)
    ]


def layout_rows(
    name: str, facts: dict[str, Any], found: dict[str, dict[str, Any]]
) -> list[Row]:
    peer = found.get("uvicorn")

    def beside(load_name: str, key: str, unit: str) -> str:
        return f"plain uvicorn: {peer[load_name][key]} {unit}" if peer else ""

    push, first, bulk = facts["push"], facts["open_20"], facts["bulk"]
    graph = "graph" in name  # three stages, each a deployment of its own
    windows = bulk["windows_per_s"]
    return [
        Row(
            f"push with wait=true, {name}, right after the start",
            f"p99 ≤ {BAR_PUSH_P99_MS} ms",
            waits(push),
            "",
            push["p99_ms"] <= BAR_PUSH_P99_MS and not push["errors"],
        ),
        Row(
            f"predict, {name}, {RATE} requests/s",
            f"p50 ≤ {BAR_GRAPH_P50_MS} ms, p99 ≤ {BAR_GRAPH_P99_MS} ms"
            if graph
            else "",
            waits(first),
            beside("open_20", "p50_ms", "ms"),
            first["p50_ms"] <= BAR_GRAPH_P50_MS and first["p99_ms"] <= BAR_GRAPH_P99_MS
            if graph
            else None,
        ),
        *(
            Row(
                f"predict of a stored machine, {STORED[kind]}, {name}, {RATE} requests/s",
                f"p50 ≤ {BAR_GRAPH_P50_MS} ms" if graph else "",
                waits(facts[kind]),
                "",
                facts[kind]["p50_ms"] <= BAR_GRAPH_P50_MS if graph else None,
            )
            for kind in STORED
            if kind in facts
        ),
        *many_rows(name, facts["closed_8"], found),
        Row(
            f"bulk, {name}",
            f"≥ {BAR_BULK:,} windows/s",
            f"{windows} windows/s of 5 points",
            beside("bulk", "windows_per_s", "windows/s"),
            windows >= BAR_BULK,
        ),
    ]


def waits(load_facts: dict[str, Any]) -> str:
    p50, p99, errors = (load_facts[key] for key in ("p50_ms", "p99_ms", "errors"))
    return f"p50 {p50} ms, p99 {p99} ms, {errors} errors"


def many_rows(
    name: str, many: dict[str, Any], found: dict[str, dict[str, Any]]
) -> list[Row]:
    """Requests a second of 8 clients, beside plain uvicorn with the code of now and of before."""
    fast, per_s = name == "fast fused", many["per_s"]
    peer = found.get("uvicorn")
    beside = f"plain uvicorn: {peer['closed_8']['per_s']} requests/s" if peer else ""
    rows = [
        Row(
            f"predict, {name}, {CLIENTS} clients",
            f"≥ {BAR_FAST_PER_S} requests/s" if fast else "",
            f"{per_s} requests/s, {waits(many)}",
            beside,
            per_s >= BAR_FAST_PER_S if fast else None,
        )
    ]
    if fast and BEFORE in found:
        before = found[BEFORE]["closed_8"]["per_s"]
        rows.append(
            Row(
                f"the same, {name} (2 processes, clients on the same 2 cores)",
                f"≥ {BAR_FAST_TO_BEFORE}× plain uvicorn (1 process) before",
                f"{per_s / before:.2f}×",
                f"plain uvicorn before: {before} requests/s",
                per_s >= BAR_FAST_TO_BEFORE * before,
            )
        )
    return rows


if __name__ == "__main__":
    main()
