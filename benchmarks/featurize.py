"""How long the featurize job takes on Ray Data, beside the bare kernels on two processes; and how much memory it takes.

    python benchmarks/featurize.py [--quick] [--large]

The input is a simulated fleet that gives exactly 583 windows a unit (one point, no gaps, one failure): 10, 100 and
(with --large) 1,000 units, ingested before the clock starts. Parquet → Parquet, two CPUs, one torch thread a process.

- job: `ray_jobs.featurize.run`, on a Ray that is started.
- bare: the same functions (panel, windows, statistics, context, labels, embedding, Parquet) over the same buckets on a
  pool of two processes, without Ray.

Each process that embeds imports the encoder's library first, which takes seconds, in the job (its actors are new
processes in every run) as in the bare pool. So there are two ratios: of whole runs, both from the start of their
processes; and of what a further window costs, (a run of the largest size − a run of the size before it) of the one
over the other, in which starts and imports cancel out. `bare_kept` is the bare pool once its processes are warm. Job
and bare take turns, each keeps its shortest time.

Memory is the resident set of the processes that Ray started and of the driver, sampled every 0.1 s in the first round;
every size runs in a session of its own. Shared pages (libraries, object store) count in every process that has touched
them, so `private` (resident less shared) is there too.
"""

import datetime
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

from support import Row, machine, parser, record, timed

import numpy as np  # isort: skip  (after the thread limits that support sets)
import psutil  # isort: skip
import pyarrow as pa  # isort: skip
import pyarrow.parquet as pq  # isort: skip

from hvac.readings.gate import SourceConfig  # isort: skip
from ray_jobs.tables.buckets import BucketPlan, bucket_scenes  # isort: skip
from ray_jobs.tables.fitted_recipes import fit_recipes  # isort: skip
from ray_jobs.run.run_config import RunConfig  # isort: skip
from ray_jobs.run.workspace import Workspace, workspace_of  # isort: skip

Buckets = dict[str, str]
UNITS_A_FACILITY, WINDOWS_A_UNIT = 10, 583
DAYS, FAILURE_DAY = (
    WINDOWS_A_UNIT + 89 + 8,
    300,
)  # the first 89 days and 8 from the failure on end no window
SIZES, LARGE = (5_830, 58_300), 583_000
QUICK_SIZES = (5_830, 11_660)
PROCESSES, ROUNDS = 2, 3
SAMPLE_SECONDS, MEGABYTE = 0.1, 2**20
BAR_RATIO, FLAT = 1.6, 1.25  # flat: what may come on top when the input grows 10x
PACKAGES = ("ray", "numpy", "torch", "pyarrow", "numba", "granite-tsfm")

_encoder: Any = None  # of a process of the bare pool


def main() -> None:
    command = parser(__doc__)
    command.add_argument(
        "--large", action="store_true", help=f"{LARGE:,} windows too (minutes)"
    )
    command.add_argument(
        "--measure", type=int, help="(one size, in this process; for the script itself)"
    )
    command.add_argument("--rounds", type=int, default=ROUNDS)
    command.add_argument(
        "--buckets", type=int, help="of a facility, instead of the job's own choice"
    )
    arguments = command.parse_args()
    if arguments.measure:
        print(
            json.dumps(measure(arguments.measure, arguments.rounds, arguments.buckets))
        )
        return
    where = machine(PACKAGES, cores=PROCESSES)
    sizes = QUICK_SIZES if arguments.quick else SIZES
    rounds = dict.fromkeys(sizes, 1 if arguments.quick else arguments.rounds)
    rounds |= {LARGE: 1} if arguments.large else {}
    runs = {
        size: in_own_process(size, count, arguments.buckets)
        for size, count in rounds.items()
    }
    print_table(runs)
    found = {"sizes": {str(size): run for size, run in runs.items()}, **compare(runs)}
    record("featurize", where, summary(runs, found), found, arguments.quick)


def in_own_process(size: int, rounds: int, buckets: int | None) -> dict[str, Any]:
    """A Ray session and a driver of its own for every size, so that no memory is handed on."""
    command = [
        sys.executable,
        __file__,
        "--measure",
        str(size),
        "--rounds",
        str(rounds),
    ]
    command += ["--buckets", str(buckets)] if buckets else []
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(size: int, rounds: int, buckets: int | None) -> dict[str, Any]:
    from ray_jobs import ingest
    from ray_jobs.run.runtime import RayConfig, ray_session
    from ray_jobs.tables import windows_writer

    with tempfile.TemporaryDirectory(prefix="hvac-bench-") as folder:
        config = run_config(Path(folder), size, buckets)
        workspace = workspace_of(config)
        windows_writer.Embedder = noting(
            windows_writer.Embedder, Path(folder) / "actors"
        )
        with ray_session(RayConfig(num_cpus=PROCESSES)):
            count = ingest.run(config).buckets
            turns = [
                one_round(config, workspace, count, sample=turn == 0)
                for turn in range(rounds)
            ]
    names = ("job", "bare", "bare_kept")
    return {
        "windows": turns[0]["windows"],
        "buckets": len(count),
        "rounds": rounds,
        "seconds": {
            name: round(min(turn["seconds"][name] for turn in turns), 2)
            for name in names
        },
        "job_actors_ready_after": min(turns, key=lambda turn: turn["seconds"]["job"])[
            "actors"
        ],
        "memory_mb": turns[0]["memory"],
    }


def run_config(folder: Path, size: int, buckets: int | None) -> RunConfig:
    source = write_source(folder / "source", units=size // WINDOWS_A_UNIT)
    return RunConfig(
        name="benchmark",
        workspace=folder / "workspace",
        source=source,
        windows={"train_stride": 1, "evaluation_stride": 1},
        splits={"kind": "equipment"},
        featurize={"buckets": buckets},
        evaluate={"ablation": False},
    )


def write_source(folder: Path, units: int) -> SourceConfig:
    """Canonical tables: random walks with daily noise, one point a unit, every day observed, one failure."""
    (folder / "readings").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for facility in range(0, units, UNITS_A_FACILITY):
        count = min(UNITS_A_FACILITY, units - facility)
        value_UT = (
            20
            + 0.1 * rng.normal(size=(count, DAYS)).cumsum(axis=1)
            + rng.normal(size=(count, DAYS))
        )
        table = pa.table(
            {
                **keys_of(facility, count, DAYS),
                "point_id": ["value"] * (count * DAYS),
                "date": pa.array(
                    np.tile(first_day() + np.arange(DAYS), count), pa.int32()
                ).cast(pa.date32()),
                "value": value_UT.ravel(),
            }
        )
        pq.write_table(table, folder / "readings" / f"part-{facility:05d}.parquet")
    failed = first_day() + FAILURE_DAY
    start = pa.array(np.full(units, failed), pa.int32()).cast(pa.date32())
    events = [
        keys_of(f, min(UNITS_A_FACILITY, units - f), 1)
        for f in range(0, units, UNITS_A_FACILITY)
    ]
    keys = {name: [key for part in events for key in part[name]] for name in events[0]}
    pq.write_table(
        pa.table({**keys, "kind": ["failure"] * units, "start": start}),
        folder / "events.parquet",
    )
    return SourceConfig(
        readings=str(folder / "readings"), events=str(folder / "events.parquet")
    )


def keys_of(first: int, count: int, rows: int) -> dict[str, list[str]]:
    return {
        "facility_id": [f"F{first // UNITS_A_FACILITY:04d}"] * (count * rows),
        "equipment_id": [
            f"U{first + unit:05d}" for unit in range(count) for _ in range(rows)
        ],
    }


def first_day() -> int:
    return (datetime.date(2022, 1, 1) - datetime.date(1970, 1, 1)).days


def noting(embedder: type, folder: Path) -> type:
    """The job's actor, which writes down when it was ready."""
    folder.mkdir()

    class NotingEmbedder(embedder):  # type: ignore[misc]
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            (folder / f"{time.time()}").touch()

    return NotingEmbedder


def one_round(
    config: RunConfig, workspace: Workspace, buckets: Buckets, *, sample: bool
) -> dict[str, Any]:
    """The job, the bare pool from its start, and the same pool once more."""
    from ray_jobs import featurize

    plan = bare_plan(config, workspace, buckets)
    memory: dict[str, Any] = {}
    seconds: dict[str, float] = {}
    shutil.rmtree(workspace.windows, ignore_errors=True)
    workspace.record_file("featurize").unlink(missing_ok=True)
    began = time.time()
    with sampled(memory) if sample else without():
        seconds["job"] = timed(lambda: featurize.run(config))
    actors = sorted(
        float(mark.name) - began
        for mark in (workspace.root.parent / "actors").iterdir()
    )
    rows = sum(
        pq.read_metadata(part).num_rows
        for part in workspace.windows.glob("class=*/part-*.parquet")
    )
    start = time.perf_counter()
    with get_context("spawn").Pool(PROCESSES, bare_start, (config,)) as pool:
        written = bare_run(pool, plan, buckets)
        seconds["bare"] = time.perf_counter() - start
        seconds["bare_kept"] = timed(partial(bare_run, pool, plan, buckets))
    assert written == rows, f"the bare kernels made {written} windows, the job {rows}"
    ready = [round(after, 1) for after in actors if after > 0]
    return {"windows": rows, "seconds": seconds, "actors": ready, "memory": memory}


def bare_plan(config: RunConfig, workspace: Workspace, buckets: Buckets) -> BucketPlan:
    from hvac.panel.registry import Registry

    registry = Registry.load(workspace.panel)
    recipes, splitter = fit_recipes(config, registry, workspace, list(buckets))
    folder = workspace.root.parent / "bare"
    folder.mkdir(exist_ok=True)
    follow_up = registry.follow_up(config.labels.kinds)
    return BucketPlan(
        str(workspace.panel), str(folder), recipes, splitter, follow_up=follow_up
    )


def bare_start(config: RunConfig) -> None:
    """Start a process of the bare pool: what the job's actor does when it starts."""
    global _encoder
    import torch

    from hvac.features.encoder import load_encoder

    torch.set_num_threads(1)
    _encoder = load_encoder(config.encoder)


def bare_run(pool: Pool, plan: BucketPlan, buckets: Buckets) -> int:
    return sum(pool.imap_unordered(partial(bare_bucket, plan), buckets))


def bare_bucket(plan: BucketPlan, bucket: str) -> int:
    """One bucket, Parquet → Parquet; returns how many windows it wrote."""
    from hvac.features.table import concat, to_arrow
    from hvac.features.training_windows import training_windows

    assert plan.splitter is not None, "made by fit_recipes"
    made = [
        training_windows(scene, recipe, plan.splitter)[0]
        for scene, recipe in bucket_scenes(plan, bucket)
    ]
    if not made:
        return 0
    windows = concat(made)
    windows = replace(windows, z_BCE=_encoder.embed(windows.x_BCL), x_BCL=None)
    pq.write_table(
        to_arrow(windows), Path(plan.windows_folder) / f"part-{bucket}.parquet"
    )
    return len(windows)


@contextmanager
def without() -> Iterator[None]:
    yield


@contextmanager
def sampled(peaks: dict[str, Any]) -> Iterator[None]:
    """Peak resident memory of this process and of all it started, while the block runs."""
    done = threading.Event()
    watcher = threading.Thread(target=watch, args=(peaks, done))
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def watch(peaks: dict[str, Any], done: threading.Event) -> None:
    driver = psutil.Process()
    while not done.wait(SAMPLE_SECONDS):
        now = {
            "driver": memory_of(driver),
            "ray": (0.0, 0.0),
            "largest_worker": (0.0, 0.0),
        }
        workers = []
        for process in driver.children(recursive=True):
            try:
                is_worker = (process.cmdline() or [""])[0].startswith("ray::")
                used = memory_of(process)
            except psutil.Error:
                continue
            workers += [used] if is_worker else []
            now["ray"] = now["ray"] if is_worker else add(now["ray"], used)
        now["largest_worker"] = max(workers, default=(0.0, 0.0))
        now["workers"] = (
            sum(used[0] for used in workers),
            sum(used[1] for used in workers),
        )
        now["all"] = add(add(now["driver"], now["workers"]), now["ray"])
        for name, (resident, private) in now.items():
            peak = peaks.setdefault(name, {"resident": 0, "private": 0})
            peak["resident"] = max(peak["resident"], round(resident))
            peak["private"] = max(peak["private"], round(private))


def memory_of(process: psutil.Process) -> tuple[float, float]:
    """Resident and private megabytes."""
    found = process.memory_info()
    return found.rss / MEGABYTE, (found.rss - found.shared) / MEGABYTE


def add(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return one[0] + other[0], one[1] + other[1]


def compare(runs: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """Ratios of whole runs and of further windows; growth of memory from each size to the next."""
    sizes = sorted(runs)
    whole = {
        str(size): round(
            runs[size]["seconds"]["job"] / runs[size]["seconds"]["bare"], 2
        )
        for size in sizes
    }
    further, growth = {}, {}
    for small, large in pairwise(sizes):
        added = {
            n: runs[large]["seconds"][n] - runs[small]["seconds"][n]
            for n in runs[small]["seconds"]
        }
        windows = runs[large]["windows"] - runs[small]["windows"]
        each = {
            name: round(seconds / windows * 1e6, 1) for name, seconds in added.items()
        }
        name = f"{small} to {large}"
        ratios = {
            f"ratio_to_{peer}": round(each["job"] / each[peer], 2)
            for peer in ("bare", "bare_kept")
        }
        further[name] = {"microseconds_per_window": each, **ratios}
        peaks = (runs[size]["memory_mb"] for size in (large, small))
        after, before = (
            {part: peak["private"] for part, peak in found.items()} for found in peaks
        )
        growth[name] = {
            part: round(after[part] / before[part], 2)
            for part in before
            if before[part]
        }
    return {
        "ratio_of_whole_runs": whole,
        "further_windows": further,
        "growth_of_private_memory": growth,
    }


def summary(runs: dict[int, dict[str, Any]], found: dict[str, Any]) -> list[Row]:
    main_size = sorted(runs)[1]
    run = runs[main_size]
    seconds, whole = run["seconds"], found["ratio_of_whole_runs"][str(main_size)]
    step, further = list(found["further_windows"].items())[-1]
    each, marginal = further["microseconds_per_window"], further["ratio_to_bare_kept"]
    rows = [
        Row(
            what=f"featurize job, {run['windows']:,} windows, 2 CPUs, Ray started, library import on both sides",
            bar=f"≤ {BAR_RATIO:g}×",
            measured=f"{whole:.2f}× ({seconds['job']:.1f} s)",
            peer=f"bare kernels, 2 processes: {seconds['bare']:.1f} s; already warm {seconds['bare_kept']:.1f} s",
            met=whole <= BAR_RATIO,
        ),
        Row(
            what=f"featurize job, each further window ({step}; starts and imports cancel out)",
            bar=f"≤ {BAR_RATIO:g}×",
            measured=f"{marginal:.2f}× ({each['job']:.0f} µs)",
            peer=f"bare kernels, 2 warm processes: {each['bare_kept']:.0f} µs",
            met=marginal <= BAR_RATIO,
        ),
    ]
    for name, grown in found["growth_of_private_memory"].items():
        small, large = (runs[int(size)]["memory_mb"] for size in name.split(" to "))
        rows.append(
            Row(
                what=f"featurize job, peak memory, {name} windows",
                bar=f"flat (≤ {FLAT:g}×)",
                measured=f"{grown['all']:.2f}×: all processes {small['all']['private']:,} → "
                f"{large['all']['private']:,} MB private ({large['all']['resident']:,} MB resident)",
                peer=f"largest worker {small['largest_worker']['private']:,} → "
                f"{large['largest_worker']['private']:,} MB, driver {small['driver']['private']:,} → "
                f"{large['driver']['private']:,} MB",
                met=grown["all"] <= FLAT,
            )
        )
    return rows


def print_table(runs: dict[int, dict[str, Any]]) -> None:
    print(
        f"{'windows':>9}{'buckets':>9}{'job s':>9}{'bare s':>9}{'kept s':>9}{'all MB':>9}{'worker MB':>11}"
        "  actors ready after"
    )
    for run in runs.values():
        seconds, memory = run["seconds"], run["memory_mb"]
        print(
            f"{run['windows']:>9}{run['buckets']:>9}{seconds['job']:>9.1f}{seconds['bare']:>9.1f}"
            f"{seconds['bare_kept']:>9.1f}{memory['all']['private']:>9}{memory['largest_worker']['private']:>11}"
            f"  {run['job_actors_ready_after']} s"
        )


if __name__ == "__main__":
    main()
