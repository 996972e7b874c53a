"""Kill the daily job while readings come, come late and are corrected; then compare with the whole record.

    python benchmarks/chaos_daily.py [--kills 24] [--seed 0]

Two fleets of 60 machines with 5 points, one read every day, one every week. Day after day a file comes: the newest
readings (some missing), some of the last months that were missing before, some that correct what an earlier file said,
and now and then a point that no model knows. `ray_jobs.daily` is killed at a random moment (its driver, or one of Ray's
processes), and run again to its end. At last `latest.parquet`, made from states that lived through all of it, is
compared with that of another workspace with the same bundles and files, and no state.
"""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from support import ROOT, Row, machine, parser, record

import numpy as np  # isort: skip  (after the thread limits that support sets)
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from daily import POINTS

MACHINES, DAYS = 60, 500
FIRST_DAY = 19_000
FLEETS = {"read every day": 1, "read every week": 7}
LONGEST_S = 300
BAR = 1e-6
SPREAD = 2.0


def main() -> None:
    command = parser(__doc__)
    command.add_argument("--kills", type=int, default=24, help="in all")
    command.add_argument("--seed", type=int, default=0)
    asked = command.parse_args()
    where = machine(("ray", "pyarrow"), 2)
    wanted = 2 if asked.quick else asked.kills // len(FLEETS)
    found = {
        name: fleet(every, wanted, random.Random(asked.seed + every))
        for name, every in FLEETS.items()
    }
    rows = [row(name, facts) for name, facts in found.items()]
    record("chaos_daily", where, rows, {"fleets": found}, asked.quick)
    sys.exit(0 if all(row.met for row in rows) else 1)


def row(name: str, facts: dict[str, Any]) -> Row:
    kills = ", ".join(f"{count} {kind}s" for kind, count in facts["kills"].items())
    return Row(
        f"latest.parquet from states after kills of the daily job, machines {name}",
        f"risks within {BAR:g} of those from the whole record, all else equal",
        f"{kills}; {facts['days']} days; largest difference {facts['largest']:.1g} of"
        f" {facts['rows']} rows; other columns unlike: {', '.join(facts['unlike']) or 'none'}",
        "the same files and bundles, no state",
        facts["largest"] <= BAR and not facts["unlike"],
    )


def fleet(every: int, wanted: int, chance: random.Random) -> dict[str, Any]:
    """Train, let days come with kills, and compare."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="hvac-chaos-") as name:
        folder = Path(name)
        files = Files(folder / "readings", every, chance.randrange(2**32))
        settings = run_file(folder, "wild")
        files.past()
        events(folder)
        for step in ("ingest", "featurize", "train", "evaluate", "score"):
            finish(start(step, settings))
        files.next_day()
        quiet_s = finish(start("daily", settings))
        kills = {"driver": 0, "worker": 0}
        while sum(kills.values()) < wanted:
            files.next_day()
            job = start("daily", settings)
            time.sleep(chance.uniform(0.2, 0.95) * quiet_s)
            kind = chance.choice(list(kills))
            if job.poll() is None and kill(job, kind, chance):
                kills[kind] += 1
                print(f"killed a {kind} ({kills})", flush=True)
            if kind == "worker" and job.poll() is None:
                job.wait(LONGEST_S)
            finish(start("daily", settings))
        anew = run_file(folder, "anew")
        copy_bundles(folder)
        finish(start("ingest", anew))
        finish(start("score", anew))
        return {
            "kills": kills,
            "days": files.days,
            **compared(folder / "wild", folder / "anew"),
        }


def run_file(folder: Path, name: str) -> Path:
    content = {
        "name": "chaos",
        "workspace": str(folder / name),
        "source": {
            "readings": str(folder / "readings"),
            "events": str(folder / "events.parquet"),
        },
        "labels": {"events": ["failure"]},
        "windows": {"class": "all", "train_stride": 7, "evaluation_stride": 7},
        "splits": {"kind": "equipment"},
        "featurize": {"buckets": 4},
        "train": {"workers": 0},
        "model": {"family": "gbdt_full"},
        "evaluate": {"replicates": 200, "forecast_windows": 20, "ablation": False},
        "score": {"days": 3, "trend_days": 0},
        "monitor": {"enabled": False},
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


class Files:
    """The files of readings that come, one a day."""

    def __init__(self, folder: Path, every: int, seed: int) -> None:
        self.folder, self.every, self.rng = folder, every, np.random.default_rng(seed)
        self.last, self.days, self.missing = FIRST_DAY + DAYS - 1, 0, list[Any]()
        folder.mkdir(parents=True)

    def past(self) -> None:
        """The record until now; a twentieth of it is missing."""
        days = np.arange(FIRST_DAY, self.last + 1, self.every)
        rows = self._all(days.tolist())
        self._write("0-past", self._with_gaps(rows, 0.05))

    def next_day(self) -> None:
        """The next readings, late ones, corrections, and a point that no model knows."""
        self.last, self.days = self.last + self.every, self.days + 1
        rows = self._with_gaps(self._all([self.last]), 0.1)
        recent = [
            row
            for row in self.missing
            if row[2] >= self.last - 60 and row[2] < self.last
        ]
        late = [recent[i] for i in self.rng.permutation(len(recent))[:20]]
        self.missing = [row for row in self.missing if row not in late]
        corrected = [
            (machine, point, self.last - int(back) * self.every)
            for machine, point, back in zip(
                self.rng.integers(0, MACHINES, 10).tolist(),
                self.rng.choice(POINTS, 10).tolist(),
                self.rng.integers(1, 10, 10).tolist(),
                strict=True,
            )
        ]
        if self.days % 5 == 0:
            rows.append((0, "unknown_point", self.last))
        self._write(f"1-{self.days:03d}", [*rows, *late, *corrected])

    def _all(self, days: list[int]) -> list[tuple[int, str, int]]:
        return [(m, p, day) for m in range(MACHINES) for p in POINTS for day in days]

    def _with_gaps(self, rows: list[Any], share: float) -> list[Any]:
        gone = self.rng.random(len(rows)) < share
        self.missing += [
            row for row, is_gone in zip(rows, gone, strict=True) if is_gone
        ]
        return [row for row, is_gone in zip(rows, gone, strict=True) if not is_gone]

    def _write(self, name: str, rows: list[tuple[int, str, int]]) -> None:
        rows = list(dict.fromkeys(rows))
        machines, points, days = zip(*rows, strict=True)
        table = pa.table(
            {
                "facility_id": [f"F{m % 2}" for m in machines],
                "equipment_id": [f"E{m:03d}" for m in machines],
                "point_id": list(points),
                "date": pa.array(days, pa.int32()).cast(pa.date32()),
                "value": self.rng.normal(20, SPREAD, len(rows)),
            }
        )
        pq.write_table(table, self.folder / f"{name}.parquet")


def events(folder: Path) -> None:
    """Failures of every second machine, twice."""
    ids = [m for m in range(0, MACHINES, 2) for _ in range(2)]
    start = [FIRST_DAY + 200 + 5 * (m % 30) + 120 * (n % 2) for n, m in enumerate(ids)]
    days = pa.array(start, pa.int32()).cast(pa.date32())
    columns = {
        "facility_id": [f"F{m % 2}" for m in ids],
        "equipment_id": [f"E{m:03d}" for m in ids],
        "kind": ["failure"] * len(ids),
        "start": days,
        "end": days,
    }
    pq.write_table(pa.table(columns), folder / "events.parquet")


def start(step: str, settings: Path) -> psutil.Popen:
    """Start a step in a session of its own, its log beside the run file."""
    with settings.with_suffix(f".{step}.log").open("ab") as log:
        command = [sys.executable, "-m", f"ray_jobs.{step}", "--config", str(settings)]
        return psutil.Popen(
            command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
        )


def finish(job: psutil.Popen) -> float:
    """Wait for a job that must end well; its seconds."""
    began = time.monotonic()
    if job.wait(LONGEST_S) != 0:
        step = job.args[2].rpartition(".")[2]
        log = Path(job.args[-1]).with_suffix(f".{step}.log")
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        raise SystemExit(
            "\n".join([*lines[-60:], f"{step} ended with {job.returncode}"])
        )
    return time.monotonic() - began


def kill(job: psutil.Popen, kind: str, chance: random.Random) -> bool:
    """Kill the driver with all it started, or one of Ray's processes that works; tell whether."""
    try:
        children = job.children(recursive=True)
        if kind == "driver":
            for process in (job, *children):
                process.send_signal(signal.SIGKILL)
            job.wait(30)
            return True
        workers = [
            process
            for process in children
            if process.cmdline() and process.cmdline()[0].startswith("ray::")
        ]
        if workers:
            chance.choice(workers).kill()
        return bool(workers)
    except (psutil.Error, subprocess.TimeoutExpired):
        return False


def copy_bundles(folder: Path) -> None:
    import shutil

    wild, anew = folder / "wild", folder / "anew"
    (anew / "steps").mkdir(parents=True)
    shutil.copytree(wild / "bundles", anew / "bundles")
    shutil.copy(wild / "steps" / "train.json", anew / "steps")


def compared(wild: Path, anew: Path) -> dict[str, Any]:
    """The largest difference of numbers computed, and the other columns that differ."""
    keys = ["facility_id", "equipment_id", "point_id", "horizon"]
    one, other = (
        pq.read_table(path / "latest.parquet").sort_by([(k, "ascending") for k in keys])
        for path in (wild, anew)
    )
    assert len(one) == len(other), f"{len(one)} rows instead of {len(other)}"
    gaps = {
        name: difference(*(table[name].combine_chunks() for table in (one, other)))
        for name in one.column_names
    }
    return {
        "rows": len(one),
        "largest": max(gap for gap in gaps.values() if gap is not None),
        "unlike": [name for name, gap in gaps.items() if gap is None],
    }


def difference(one: pa.Array, other: pa.Array) -> float | None:
    """The largest difference of the numbers of two columns; None where they differ in more."""
    if one.equals(other):
        return 0.0
    first, second = flat(one), flat(other)
    if first is None or second is None or first.shape != second.shape:
        return None
    if (np.isnan(first) != np.isnan(second)).any():
        return None
    return float(np.nanmax(np.abs(first - second)))


def flat(column: pa.Array) -> Any:
    """The numbers of a column, of its lists too; None where it holds none."""
    if pa.types.is_list(column.type):
        column = column.flatten()
    if not pa.types.is_floating(column.type):
        return None
    return column.to_numpy(zero_copy_only=False)


if __name__ == "__main__":
    main()
