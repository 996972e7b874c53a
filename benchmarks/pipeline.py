"""Where the time of the whole demo run goes, step by step, beside an earlier commit of this repository.

    python benchmarks/pipeline.py [--before REVISION] [--set key=value …]

Both run `python -m ray_jobs.pipeline --config ray_jobs/configs/demo.yaml` on a copy of their own files (git archive) in
a new workspace, one after the other, on as many CPUs as there are. The seconds of a step are those it records itself
(`steps/*.json`). The first report is there when evaluate ends. CPU seconds are those of all processes of the run (the
job, Ray's own, the workers), looked at twice a second, so that a busy machine can be told from a slow program: on two
quiet cores a run takes at least half of them. A million additions are timed every few seconds beside the run.
"""

import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from support import ROOT, Row, machine, parser, record, timed

STEPS = ("ingest", "featurize", "train", "evaluate", "score")
QUICK = [
    "simulate.equipment_per_class=6",
    "model.family=hybrid",
    "model.epochs=2",
    "evaluate.replicates=100",
    "simulate.classes=[pump,ahu]",
]
STAMP = r"^(\d+-\d+-\d+ \d+:\d+:\d+),(\d+)"
BAR_SECONDS = 120.0
LOOK_EVERY_S, PACE_EVERY_S = 0.5, 5.0


def main() -> None:
    command = parser(__doc__)
    command.add_argument(
        "--before", default="0f9196c", help="revision to compare with; none: none"
    )
    command.add_argument("--set", nargs="+", default=[], help="settings of both runs")
    asked = command.parse_args()
    where = machine(("ray", "torch", "scikit-learn"), cores=os.cpu_count() or 1)
    revisions = {} if asked.before == "none" else {"before": asked.before}
    settings = [*QUICK * asked.quick, *asked.set]
    with tempfile.TemporaryDirectory(prefix="pipeline-") as folder:
        found = {
            name: run(Path(folder) / name, revision, settings)
            for name, revision in {**revisions, "now": "HEAD"}.items()
        }
    record("pipeline", where, rows(found), {"settings": settings, **found}, asked.quick)


def run(folder: Path, revision: str, settings: list[str]) -> dict[str, Any]:
    """A whole run of a revision: wall and CPU seconds, in all and until the first report."""
    packed = subprocess.run(
        ["git", "archive", revision], cwd=ROOT, check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as files:
        files.extractall(folder, filter="data")
    command = [sys.executable, "-m", "ray_jobs.pipeline"]
    command += ["--config", "ray_jobs/configs/demo.yaml", *settings]
    log = folder / "log.txt"
    started = time.time()
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder)},
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        looks, pace = watched(process)
    lines = log.read_text(encoding="utf-8").splitlines()
    if process.returncode:
        raise SystemExit(
            f"{revision} ended with {process.returncode}:\n" + "\n".join(lines[-30:])
        )
    states = {
        name: json.loads(
            (folder / "runs" / "demo" / "steps" / f"{name}.json").read_text()
        )
        for name in STEPS
    }
    report = next(at(line) for line in lines if "evaluate: done" in line)
    return {
        "revision": revision,
        "seconds": round(looks[-1][0] - started, 1),
        "cpu_seconds": round(looks[-1][1], 1),
        "first_report_seconds": round(report - started, 1),
        "first_report_cpu_seconds": round(
            max(cpu for when, cpu in looks if when <= report), 1
        ),
        "million_additions_ms": round(1000 * median(pace), 1),
        "steps": {name: state["seconds"] for name, state in states.items()},
    }


def watched(
    process: subprocess.Popen[bytes],
) -> tuple[list[tuple[float, float]], list[float]]:
    """CPU seconds of the process and all below it, by time; and how long a million additions take."""
    used: dict[tuple[int, float], float] = {}
    looks, pace = [], []
    while process.poll() is None:
        used |= cpu_below(process.pid)
        looks.append((time.time(), sum(used.values())))
        if len(looks) % round(PACE_EVERY_S / LOOK_EVERY_S) == 1:
            pace.append(timed(lambda: sum(range(10**6))))
        time.sleep(LOOK_EVERY_S)
    return looks, pace


def cpu_below(pid: int) -> dict[tuple[int, float], float]:
    """CPU seconds of every process of a tree, by its id and start."""
    used = {}
    try:
        top = psutil.Process(pid)
        tree = [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return {}
    for each in tree:
        try:
            times = each.cpu_times()
            used[each.pid, each.create_time()] = times.user + times.system
        except psutil.NoSuchProcess:
            continue
    return used


def at(line: str) -> float:
    """The time of a line of the log."""
    found = re.match(STAMP, line)
    assert found, line
    return datetime.fromisoformat(found[1]).timestamp() + int(found[2]) / 1000


def rows(found: dict[str, Any]) -> list[Row]:
    """The whole, the first report, and the steps."""
    one, other = found["now"], found.get("before")
    first, cpu = one["first_report_seconds"], one["first_report_cpu_seconds"]
    told = [
        Row(
            "first report of the demo (`make demo` after set-up), 2 cores",
            f"≤ {BAR_SECONDS:g} s",
            f"{first:.0f} s ({cpu:.0f} CPU seconds: {cpu / 2:.0f} s at least on two quiet cores;"
            f" a million additions {one['million_additions_ms']:g} ms)",
            compared(other, "first_report_seconds", "first_report_cpu_seconds"),
            first <= BAR_SECONDS,
        ),
        Row(
            "whole demo run, 2 cores",
            "",
            f"{one['seconds']:.0f} s ({one['cpu_seconds']:.0f} CPU seconds)",
            compared(other, "seconds", "cpu_seconds"),
            None,
        ),
    ]
    for name in STEPS:
        peer = f"{other['steps'][name]:.1f} s" if other else ""
        told.append(
            Row(f"– of it {name}", "", f"{one['steps'][name]:.1f} s", peer, None)
        )
    return told


def compared(other: dict[str, Any] | None, wall: str, cpu: str) -> str:
    if other is None:
        return ""
    return f"commit {other['revision']}: {other[wall]:.0f} s ({other[cpu]:.0f} CPU seconds)"


if __name__ == "__main__":
    main()
