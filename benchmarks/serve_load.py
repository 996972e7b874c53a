"""What the benchmarks of the service share: bodies to send, how, whether it is ready, how much memory it takes."""

import asyncio
import datetime
import io
import json
import socket
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq

BULK_ROWS, DAYS = (
    512,
    120,
)  # of a record with gaps, so that the 90 observed days of the baseline are there


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def bodies(workspace: Path) -> tuple[bytes, bytes]:
    """One unit's window as JSON, and 512 windows as an Arrow stream, from the workspace's own tables."""
    readings = pads.dataset(workspace / "panel" / "readings")
    name = "F001-AHU-001"
    rows = readings.to_table(filter=pads.field("equipment_id") == name).to_pylist()
    last = max(row["date"] for row in rows)
    values: dict[str, list[float | None]] = {}
    for row in rows:
        if (last - row["date"]).days < DAYS:
            values.setdefault(row["point_id"], [None] * DAYS)[
                DAYS - 1 - (last - row["date"]).days
            ] = row["value"]
    unit = {
        "facility_id": "new",
        "equipment_id": "one",
        "class": "ahu",
        "window": {"end_date": str(last), "values": values},
    }
    parts = sorted((workspace / "windows").glob("class=ahu/*.parquet")) or sorted(
        (workspace / "windows").rglob("*ahu*.parquet")
    )
    table = pads.dataset(parts).head(
        BULK_ROWS,
        columns=["facility_id", "equipment_id", "class", "end_date", "values"],
    )
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return json.dumps({"units": [unit]}).encode(), sink.getvalue()


def stored_bodies(workspace: Path) -> dict[str, bytes]:
    """Requests for a stored machine: by its ids alone, and so that it is predicted anew."""
    units = pq.read_table(workspace / "latest.parquet").filter(
        pc.field("status") == "ok"
    )
    (unit,) = (
        units.select(["facility_id", "equipment_id", "class"]).slice(0, 1).to_pylist()
    )
    name = unit.pop("class")
    kinds = {"unchanged": unit, "anew": {**unit, "class": name}}
    return {
        kind: json.dumps({"units": [body]}).encode() for kind, body in kinds.items()
    }


def pushed_days(workspace: Path, count: int) -> list[bytes]:
    """Pushes of a further day of machines of the workspace, day after day, machine after machine."""
    readings = pads.dataset(workspace / "panel" / "readings").to_table(
        columns=["facility_id", "equipment_id", "point_id", "date", "value"]
    )
    ids = ["facility_id", "equipment_id"]
    last = readings.group_by([*ids, "point_id"]).aggregate(
        [("date", "max"), ("value", "mean")]
    )
    points: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in last.to_pylist():
        points.setdefault((row[ids[0]], row[ids[1]]), []).append(row)
    bodies_made = []
    for number in range(count):
        machine = list(points)[number % len(points)]
        day = datetime.timedelta(days=1 + number // len(points))
        new = [
            {
                "point_id": row["point_id"],
                "date": str(row["date_max"] + day),
                "value": row["value_mean"],
            }
            for row in points[machine]
        ]
        unit = {**dict(zip(ids, machine, strict=True)), "readings": new}
        bodies_made.append(json.dumps({"units": [unit]}).encode())
    return bodies_made


class Lines:
    """Kept connections to a port of this machine, over which a request goes whose bytes were made once.

    The client shares the cores with what it measures: an HTTP library would take a good part of them for itself. So
    this one reads no more of an answer than its status and its length.
    """

    def __init__(self, port: int, path: str, body: bytes, kind: str) -> None:
        self.port, self._idle = (
            port,
            list[tuple[asyncio.StreamReader, asyncio.StreamWriter]](),
        )
        head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: {kind}\r\n"
        self.request = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body

    async def ask(self) -> int:
        """The status of the answer, when all of it is there. Raises OSError where there is none."""
        self._idle = [
            line for line in self._idle if not line[0].at_eof()
        ]  # the server ends those that rest long
        line = (
            self._idle.pop()
            if self._idle
            else await asyncio.open_connection("127.0.0.1", self.port)
        )
        try:
            line[1].write(self.request)
            head = (await line[0].readuntil(b"\r\n\r\n")).lower()
            await line[0].readexactly(
                int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            )
        except asyncio.IncompleteReadError as error:
            line[1].close()
            raise ConnectionError(
                "the connection ended before the answer did"
            ) from error
        self._idle.append(line)
        return int(head.split(None, 2)[1])

    def close(self) -> None:
        """End all connections."""
        for _, writer in self._idle:
            writer.close()


async def ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


def memory_mb(pid: int) -> int:
    """Private memory of a process and all it started."""
    parent = psutil.Process(pid)
    total = 0
    for process in (parent, *parent.children(recursive=True)):
        try:
            total += process.memory_full_info().uss
        except psutil.Error:
            continue
    return round(total / 2**20)
