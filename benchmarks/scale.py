"""How time and memory grow with the number of windows.

    python benchmarks/scale.py [--quick] [--largest 1000000] [--cpus 2 1]

Simulated facilities (ten units each, one point) are written shard by shard, never all in memory; then the jobs
themselves run, each size in a process and a Ray of its own: 583 windows a unit through ingest, featurize (every
window, Parquet → Parquet) and score of every window (`score.days`). Peak memory is sampled every 0.1 s over the
driver, Ray's processes and the workers; spilled bytes are what Ray's store says. Sizes that were measured are kept in
build/benchmarks/scale_windows.jsonl and not measured again. What a day of a fleet costs is measured by daily.py.

The model of cost is a line through what was measured with most CPUs: CPU seconds = start + windows · cost.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from support import QUICK_RESULTS, Row, machine, parser, record, timed

import numpy as np  # isort: skip  (after the thread limits that support sets)
from featurize import WINDOWS_A_UNIT, run_config, sampled  # isort: skip
from ray_jobs.run.records import FeaturizeRecord, ScoreRecord

from ray_jobs.run.run_config import RunConfig  # isort: skip
from ray_jobs.run.workspace import workspace_of  # isort: skip

SIZES, QUICK_SIZES = (1_000, 10_000, 100_000, 1_000_000), (1_000, 8_000)
EVERY_DAY, LEAST_UNITS = 100_000, 10  # fewer units cannot be split
KEPT = QUICK_RESULTS / "scale_windows.jsonl"
BAR_MEMORY = 1.2
STEPS = ("featurize", "score_every_window")
Case = tuple[int, int]


def main() -> None:
    command = parser(__doc__)
    command.add_argument("--largest", type=int, default=SIZES[-1])
    command.add_argument("--cpus", type=int, nargs="+", default=[2, 1])
    command.add_argument(
        "--measure",
        nargs=3,
        metavar=("SIZE", "CPUS", "BUNDLES"),
        help="one, in this process",
    )
    asked = command.parse_args()
    if asked.measure:
        size, cpus, bundles = asked.measure
        print(json.dumps(measure(int(size), int(cpus), Path(bundles))))
        return
    sizes = [
        size
        for size in (QUICK_SIZES if asked.quick else SIZES)
        if size <= asked.largest
    ]
    most = max(asked.cpus)
    wanted: list[Case] = [
        (size, n) for n in asked.cpus for size in (sizes if n == most else sizes[:3])
    ]
    where = machine(("ray", "torch", "pyarrow", "numpy"), most)
    runs = {case: run for run in kept_runs() if (case := case_of(run)) in wanted}
    todo = [case for case in wanted if case not in runs]
    with tempfile.TemporaryDirectory(prefix="hvac-scale-") as folder:
        if todo:
            trained(Path(folder))
        for case in todo:
            runs[case] = in_own_process(case, Path(folder))
            keep_run(runs[case])
    windows = list(runs.values())
    found = {"windows": windows, "model": model(windows, most)}
    record("scale", where, summary(windows, found["model"]), found, asked.quick)


def case_of(run: dict[str, Any]) -> Case:
    return run["asked"], run["cpus"]


def kept_runs() -> list[dict[str, Any]]:
    """What was measured before: a killed benchmark goes on where it was."""
    return (
        [json.loads(line) for line in KEPT.read_text().splitlines()]
        if KEPT.exists()
        else []
    )


def keep_run(run: dict[str, Any]) -> None:
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    with KEPT.open("a") as file:
        file.write(json.dumps(run) + "\n")
    print(json.dumps(run), flush=True)


def trained(folder: Path) -> None:
    """Bundles that score, made of the smallest fleet."""
    from ray_jobs import featurize, ingest, train
    from ray_jobs.run.runtime import RayConfig, ray_session

    config = settings(folder / "small", 30 * WINDOWS_A_UNIT)
    with ray_session(RayConfig(num_cpus=2)):
        for step in (ingest, featurize, train):
            step.run(config)
    for name in ("bundles", "steps"):
        shutil.copytree(folder / "small" / "workspace" / name, folder / name)


def settings(folder: Path, windows: int) -> RunConfig:
    folder.mkdir(parents=True, exist_ok=True)
    config = run_config(folder, max(windows, LEAST_UNITS * WINDOWS_A_UNIT), None)
    return config.replace(
        model={"family": "hybrid", "epochs": 1},
        train={"workers": 0},
        labels={"events": ["failure"]},
    )


def in_own_process(case: Case, bundles: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--measure", *map(str, case), str(bundles)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(size: int, cpus: int, bundles: Path) -> dict[str, Any]:
    from ray_jobs import featurize, ingest, score
    from ray_jobs.run.runtime import RayConfig, ray_session

    with tempfile.TemporaryDirectory(prefix="hvac-scale-") as folder:
        config = settings(Path(folder), size)
        workspace = workspace_of(config)
        root = Path(str(workspace.root))
        shutil.copytree(bundles / "bundles", root / "bundles")
        (root / "steps").mkdir()
        shutil.copy(bundles / "steps" / "train.json", root / "steps")
        seconds: dict[str, float] = {}
        memory: dict[str, Any] = {}
        with ray_session(RayConfig(num_cpus=cpus)), sampled(memory):
            seconds["ingest"] = timed(lambda: ingest.run(config))
            every = config.replace(score={"days": EVERY_DAY})
            seconds["featurize"] = timed(lambda: featurize.run(config))
            seconds["score_every_window"] = timed(lambda: score.run(every))
            spilled = spilled_bytes()
        units = sum(workspace.record(ScoreRecord).units.values())
        made = workspace.record(FeaturizeRecord).windows
        rows = sum(part.windows for each in made.values() for part in each.values())
        stored = {
            name: folder_bytes(root / name) for name in ("panel", "windows", "scores")
        }
    return {"asked": size, "cpus": cpus, "windows": rows, "units": units,
            "seconds": {name: round(s, 1) for name, s in seconds.items()}, "spilled_bytes": spilled, "bytes": stored,
            "memory_mb": memory}  # fmt: skip


def spilled_bytes() -> int:
    """What Ray's object store wrote to disk for lack of room."""
    import ray
    from ray._private.internal_api import memory_summary

    told = memory_summary(ray.get_runtime_context().gcs_address, stats_only=True)
    line = next((text for text in told.splitlines() if "Spilled" in text), "")
    return int(float(line.split()[1]) * 2**20) if line else 0


def folder_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def model(windows: list[dict[str, Any]], cpus: int) -> dict[str, Any]:
    """Lines through what was measured, and how straight they are."""
    own = sorted(
        (run for run in windows if run["cpus"] == cpus), key=lambda run: run["windows"]
    )
    return {
        "lines": {step: line(own, step) for step in STEPS},
        "efficiency": {step: efficiency(windows, step, cpus) for step in STEPS},
    }


def line(runs: list[dict[str, Any]], step: str) -> dict[str, float]:
    """Start and cost of one more; and how the cost of the last step in size compares with the one before."""
    amounts, cpu_seconds = (
        [run["windows"] for run in runs],
        [run["seconds"][step] * run["cpus"] for run in runs],
    )
    slope, start = np.polyfit(amounts, cpu_seconds, 1)
    steps = np.diff(cpu_seconds) / np.diff(amounts)
    growth = (
        {"cost_of_last_step_to_the_one_before": round(float(steps[-1] / steps[-2]), 2)}
        if len(steps) > 1
        else {}
    )
    return {
        "cpu_seconds_to_start": round(float(start), 1),
        "cpu_seconds_each": float(slope),
        **growth,
    }


def efficiency(runs: list[dict[str, Any]], step: str, cpus: int) -> dict[str, float]:
    """Speed-up over one CPU, divided by the CPUs."""
    one = {run["windows"]: run["seconds"][step] for run in runs if run["cpus"] == 1}
    return {
        str(run["windows"]): round(one[run["windows"]] / run["seconds"][step] / cpus, 2)
        for run in runs
        if run["cpus"] == cpus and cpus > 1 and run["windows"] in one
    }


def summary(windows: list[dict[str, Any]], found: dict[str, Any]) -> list[Row]:
    most = max(run["cpus"] for run in windows)
    own = sorted(
        (run for run in windows if run["cpus"] == most), key=lambda run: run["windows"]
    )
    small, large = own[-2:]
    peaks = [run["memory_mb"]["all"]["private"] for run in (small, large)]
    grown, seconds = peaks[1] / peaks[0], large["seconds"]
    costs = {
        step: each["cpu_seconds_each"] * 1e6 for step, each in found["lines"].items()
    }
    return [
        Row(
            what=f"{large['windows']:,} windows featurized and scored on {most} CPUs: peak memory",
            bar=f"≤ {BAR_MEMORY:g}× that of {small['windows']:,}",
            measured=f"{grown:.2f}× ({peaks[0]:,} → {peaks[1]:,} MB private, {large['spilled_bytes']:,} bytes spilled)",
            peer=f"featurize {seconds['featurize']:.0f} s, score {seconds['score_every_window']:.0f} s",
            met=grown <= BAR_MEMORY,
        ),
        Row(
            what="CPU time of a further window (slope of the line through all sizes)",
            bar="",
            measured=", ".join(
                f"{step} {cost:,.0f} µs" for step, cost in costs.items()
            ),
            peer="",
            met=None,
        ),
    ]


if __name__ == "__main__":
    main()
