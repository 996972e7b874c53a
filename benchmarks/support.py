"""What all benchmarks share: thread limits, timing, the machine, the command line, the record of a run.

Import it before numpy and torch: it sets the thread limits they read when they load. Every script writes one JSON file
with the same head (command, date, machine) and a `summary` of rows; benchmarks/run.py makes RESULTS.md from those rows.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
QUICK_RESULTS = (
    ROOT / "build" / "benchmarks"
)  # ignored by git: smoke runs never overwrite measurements
THREAD_LIMITS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)

sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])
)
for _limit in THREAD_LIMITS:
    os.environ.setdefault(_limit, "1")


class Row(NamedTuple):
    """One line of RESULTS.md; `met` is None where there is no bar."""

    what: str
    bar: str
    measured: str
    peer: str
    met: bool | None


def parser(about: str | None) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument(
        "--quick",
        action="store_true",
        help="a smoke run: small, not a measurement, kept under build/",
    )
    return made


def timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def shortest(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Shortest wall time of each call, in seconds; the calls take turns, round after round."""
    found = [{name: timed(call) for name, call in calls.items()} for _ in range(rounds)]
    return {name: min(seconds[name] for seconds in found) for name in calls}


def machine(packages: Sequence[str], cores: int) -> dict[str, object]:
    return {
        "cpu": cpu_name(),
        "cpu_count": os.cpu_count(),
        "cores_used": cores,
        "load_average_before": round(os.getloadavg()[0], 2),
        "million_additions_ms": round(
            1000 * min(timed(lambda: sum(range(10**6))) for _ in range(5)), 1
        ),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


def cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")),
        platform.processor(),
    )


def version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def record(
    name: str,
    where: dict[str, object],
    rows: Sequence[Row],
    found: dict[str, Any],
    quick: bool,
) -> None:
    """Write the result of a script, and say where."""
    arguments = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    content = {
        "command": f"OMP_NUM_THREADS={os.environ['OMP_NUM_THREADS']} python benchmarks/{arguments}",
        "date": datetime.date.today().isoformat(),
        "quick": quick,
        "machine": where,
        "summary": [row._asdict() for row in rows],
        **found,
    }
    path = (QUICK_RESULTS if quick else RESULTS) / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    print_rows(rows)
    print(f"written to {path.relative_to(ROOT)}")


def print_rows(rows: Sequence[Row]) -> None:
    word = {True: "met", False: "MISSED", None: ""}
    for row in rows:
        print(
            f"{word[row.met]:<7} {row.what}: {row.measured} (bar: {row.bar or 'none'}; peer: {row.peer or 'none'})"
        )
