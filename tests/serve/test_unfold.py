"""Bulk bodies that unfold: refused, in time, and with the memory of the service as it was."""

from __future__ import annotations

import asyncio
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel, ValidationError

from hvac.errors import InputError
from serve.bodies import unfold
from serve.bodies.bulk import ARROW, PARQUET
from serve.bodies.problems import TooMuch
from serve.bodies.schemas import PredictBody, PushBody
from serve.settings import Limits
from tests.serve.bulk_bodies import UNFOLDING, stream, windows

ROOT = Path(__file__).parents[2]
MEASURED = """
import resource, sys, tempfile
from pathlib import Path
from tests.serve.serve_example import client_of, service_of
from tests.serve.bulk_bodies import ARROW, stream, windows

def peaks():
    return [resource.getrusage(who).ru_maxrss // 1024 for who in (resource.RUSAGE_SELF,)] + [children()]

def children():
    own = Path("/proc/self/task")
    pids = [pid for task in own.iterdir() for pid in (task / "children").read_text().split()]
    status = [Path(f"/proc/{pid}/status").read_text() for pid in pids]
    return max((int(text.split("VmHWM:")[1].split()[0]) // 1024 for text in status), default=0)

with tempfile.TemporaryDirectory() as folder, client_of(service_of(Path(folder))) as client:
    def send(content, kind):
        told = client.post("/v1/predict/bulk", content=content, headers={"content-type": kind})
        return told.status_code, told.json() if told.status_code != 200 else {}
    assert send(stream(windows()), ARROW)[0] == 200
    before = peaks()
    given = sys.stdin.buffer
    while head := given.readline():
        kind, size = head.decode().split()
        status, told = send(given.read(int(size)), kind)
        print("ANSWER", status, told, flush=True)
    assert send(stream(windows()), ARROW)[0] == 200
    print("GROWN", *[after - b for after, b in zip(peaks(), before)])
"""


@pytest.fixture(scope="module")
def bodies() -> dict[str, tuple[bytes, str]]:
    return {name: (make(), kind) for name, (make, kind) in UNFOLDING.items()}


def test_small_bodies_that_unfold_to_gigabytes_are_refused_and_leave_memory_as_it_was(
    bodies: dict[str, tuple[bytes, str]],
) -> None:
    given = b"".join(
        b"%s %d\n%s" % (kind.encode(), len(body), body)
        for body, kind in bodies.values()
    )
    told = subprocess.run([sys.executable, "-c", MEASURED], cwd=ROOT, input=given, capture_output=True, timeout=240,
                          check=False, env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    lines = told.stdout.decode().splitlines()
    answers = [line.split(" ", 2) for line in lines if line.startswith("ANSWER ")]
    assert [line[1] in ("413", "422") for line in answers] == [True] * len(bodies), (
        told.stderr.decode()[-2000:]
    )
    (grown,) = [line.split()[1:] for line in lines if line.startswith("GROWN ")]
    assert max(map(int, grown)) < 200, (
        f"MiB of the service and of the process that unfolds: {grown}"
    )


def run(content: bytes, kind: str, **limits: Any) -> pa.Table:
    return asyncio.run(unfold.unfold_windows(content, kind, Limits(**limits)))


def test_sound_bodies_come_back_as_they_were(tmp_path: Path) -> None:
    pq.write_table(windows(3), tmp_path / "w.parquet")
    for content, kind in (
        (stream(windows(3)), ARROW),
        ((tmp_path / "w.parquet").read_bytes(), PARQUET),
    ):
        found = run(content, kind)
        assert found.num_rows == 3
        assert found["values"].to_pylist() == windows(3)["values"].to_pylist()


def test_ids_are_trimmed_and_those_that_are_none_refused() -> None:
    assert run(stream(windows(facility_id=["  本社/北館 "])), ARROW)[
        "facility_id"
    ].to_pylist() == ["本社/北館"]
    for wrong in ("nan", "NULL", " ", "a\x85b", "x" * 129):
        with pytest.raises(InputError, match="facility_id"):
            run(stream(windows(facility_id=[wrong])), ARROW)


def test_column_that_is_not_looked_at_is_not_unfolded() -> None:
    zeros = pa.ListArray.from_arrays(
        pa.array([0, 1000], pa.int32()), pa.nulls(1000, pa.float64())
    )
    assert (
        "split"
        not in run(stream(windows(split=["train"], features=zeros)), ARROW).column_names
    )


def test_body_that_takes_too_long_is_given_up_and_the_next_is_read() -> None:
    with pytest.raises(TooMuch, match="within"):
        run(stream(windows(20_000)), ARROW, timeout_s=1e-6)
    assert run(stream(windows()), ARROW).num_rows == 1


def test_lying_head_ends_no_more_than_the_process_that_unfolds() -> None:
    body = stream(windows(3))
    damaged = body.replace(
        struct.pack("<4i", 0, 90, 180, 270), struct.pack("<4i", 0, 90, 180, 2**31 - 1)
    )
    with pytest.raises((InputError, TooMuch)):
        run(damaged, ARROW)
    assert run(body, ARROW).num_rows == 3


MANY = 300_000
READINGS = {"facility_id": "F1", "equipment_id": "E1", "readings": []}
JSON_BODIES = {
    "numbers as units": {"units": [1] * MANY},
    "empty units": {"units": [{}] * MANY},
    "empty readings": {"units": [{**READINGS, "readings": [{}] * MANY}]},
    "empty events": {"units": [{**READINGS, "events": [{}] * 10_000}]},
    "fields that are not there": {
        "units": [{**READINGS, **{f"k{n}": 1 for n in range(MANY)}}]
    },
    "points that are not there": {
        "units": [{"window": {"values": {f"k{n}": 1 for n in range(MANY)}}}]
    },
    "texts as values": {"units": [{"window": {"values": {"p": ["a"] * MANY}}}]},
    "fields of a body": {f"k{n}": 1 for n in range(MANY)},
}


@pytest.mark.parametrize("name", JSON_BODIES)
@pytest.mark.parametrize("kind", [PredictBody, PushBody])
def test_faults_of_a_json_body_are_not_all_told(
    name: str, kind: type[BaseModel]
) -> None:
    """Eight megabytes of them made eleven gigabytes of errors, and took a minute."""
    with pytest.raises(ValidationError) as told:
        kind.model_validate(JSON_BODIES[name])
    assert told.value.error_count() < 100
