"""How time and memory grow with the number of windows, and what 10⁷ units a day would take.

    python benchmarks/scale.py [--quick] [--largest 1000000] [--cpus 1 2]

Simulated facilities (ten units each, one point, 583 windows a unit) are written shard by shard, never all in memory;
then the jobs themselves run, each size in a process and a Ray of its own: ingest, featurize (every window, Parquet →
Parquet), score of every window (`score.days`), and the daily score of the newest window of every unit with its
forecast. Peak memory is sampled every 0.1 s over the driver, Ray's processes and the workers; spilled bytes are what
Ray's object stores say.

The model of cost is a line through what was measured with most CPUs: seconds = start + windows · cost / CPUs. Its
figures for 10⁷ units a day are extrapolated and say so; everything else is measured.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from support import Row, machine, parser, record, timed

import numpy as np  # isort: skip  (after the thread limits that support sets)
from featurize import WINDOWS_A_UNIT, run_config, sampled  # isort: skip
from ray_jobs.run_config import RunConfig  # isort: skip
from ray_jobs.workspace import workspace_of  # isort: skip

SIZES, QUICK_SIZES = (1_000, 10_000, 100_000, 1_000_000), (1_000, 8_000)
EVERY_DAY, LEAST_UNITS = 100_000, 10  # fewer cannot be split
TARGET_UNITS, NODE_CPUS = 10_000_000, 16
BAR_MEMORY = 1.2


def main() -> None:
    command = parser(__doc__)
    command.add_argument("--largest", type=int, default=SIZES[-1])
    command.add_argument("--cpus", type=int, nargs="+", default=[2, 1])
    command.add_argument("--measure", nargs=3, metavar=("WINDOWS", "CPUS", "BUNDLES"), help="one size, in this process")
    asked = command.parse_args()
    if asked.measure:
        print(json.dumps(measure(int(asked.measure[0]), int(asked.measure[1]), Path(asked.measure[2]))))
        return
    sizes = [size for size in (QUICK_SIZES if asked.quick else SIZES) if size <= asked.largest]
    where = machine(("ray", "torch", "pyarrow", "numpy"), max(asked.cpus))
    runs = []
    with tempfile.TemporaryDirectory(prefix="hvac-scale-") as folder:
        trained(Path(folder))
        for cpus in asked.cpus:
            for size in sizes if cpus == max(asked.cpus) else sizes[:3]:
                runs.append(in_own_process(size, cpus, Path(folder)))
                print(json.dumps(runs[-1]), flush=True)
    found = {"runs": runs, "model": model(runs, max(asked.cpus))}
    record("scale", where, summary(runs, found["model"]), found, asked.quick)


def trained(folder: Path) -> None:
    """Bundles that score, made of the smallest fleet."""
    from ray_jobs import featurize, ingest, train
    from ray_jobs.runtime import RayConfig, ray_session

    config = settings(folder / "small", 30 * WINDOWS_A_UNIT)
    with ray_session(RayConfig(num_cpus=2)):
        for step in (ingest, featurize, train):
            step.run(config)
    for name in ("bundles", "steps"):
        shutil.copytree(folder / "small" / "workspace" / name, folder / name)


def settings(folder: Path, windows: int) -> RunConfig:
    folder.mkdir(parents=True, exist_ok=True)
    config = run_config(folder, max(windows, LEAST_UNITS * WINDOWS_A_UNIT), None)
    return config.replace(model={"epochs": 1}, train={"workers": 0}, labels={"events": ["failure"]})


def in_own_process(windows: int, cpus: int, bundles: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--measure", str(windows), str(cpus), str(bundles)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(windows: int, cpus: int, bundles: Path) -> dict[str, Any]:
    from ray_jobs import featurize, ingest, score
    from ray_jobs.runtime import RayConfig, ray_session

    with tempfile.TemporaryDirectory(prefix="hvac-scale-") as folder:
        config = settings(Path(folder), windows)
        workspace = workspace_of(config)
        root = Path(str(workspace.root))
        shutil.copytree(bundles / "bundles", root / "bundles")
        (root / "steps").mkdir()
        shutil.copy(bundles / "steps" / "train.json", root / "steps")
        every = config.replace(score={"days": EVERY_DAY})
        seconds: dict[str, float] = {}
        memory: dict[str, Any] = {}
        with ray_session(RayConfig(num_cpus=cpus)), sampled(memory):
            seconds["ingest"] = timed(lambda: ingest.run(config))
            seconds["featurize"] = timed(lambda: featurize.run(config))
            seconds["score_every_window"] = timed(lambda: score.run(every))
            seconds["score_newest"] = timed(lambda: score.run(config))
            spilled = spilled_bytes()
        made = workspace.finished("featurize")["windows"]
        rows = sum(part["windows"] for each in made.values() for part in each.values())
        units = sum(workspace.finished("score")["units"].values())
        size = {name: folder_bytes(root / name) for name in ("panel", "windows", "scores")}
    return {"windows": rows, "units": units, "cpus": cpus, "spilled_bytes": spilled, "bytes": size,
            "seconds": {name: round(s, 1) for name, s in seconds.items()}, "memory_mb": memory}  # fmt: skip


def spilled_bytes() -> int:
    """What Ray's object store wrote to disk for lack of room."""
    from ray._private.internal_api import memory_summary

    line = next((text for text in memory_summary(stats_only=True).splitlines() if "Spilled" in text), "")
    return int(float(line.split()[1]) * 2**20) if line else 0


def folder_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def model(runs: list[dict[str, Any]], cpus: int) -> dict[str, Any]:
    """Lines through what was measured, how straight they are, and what they say of 10⁷ units a day."""
    own = sorted((run for run in runs if run["cpus"] == cpus), key=lambda run: run["windows"])
    lines = {
        step: line([run["units" if step == "score_newest" else "windows"] for run in own],
                   [run["seconds"][step] * cpus for run in own])
        for step in own[0]["seconds"]
    }  # fmt: skip
    largest = own[-1]
    daily = TARGET_UNITS * lines["score_newest"]["cpu_seconds_each"] / 3600
    panel = largest["bytes"]["panel"] / (largest["units"] * (WINDOWS_A_UNIT + 97))
    return {
        "lines": lines,
        "efficiency": {
            step: efficiency(runs, step, cpus) for step in ("featurize", "score_every_window", "score_newest")
        },
        "extrapolated_to_units_a_day": {
            "units": TARGET_UNITS,
            "cpu_hours": round(daily, 1),
            "hours_on_one_node": round(daily / NODE_CPUS, 2),
            "node_cpus": NODE_CPUS,
            "panel_bytes_a_unit_year_and_point": round(panel * 365),
            "score_bytes_a_day": round(TARGET_UNITS * largest["bytes"]["scores"] / largest["windows"]),
        },
    }


def line(amounts: list[int], cpu_seconds: list[float]) -> dict[str, float]:
    """Start and cost of one more; and how the cost of the last step in size compares with the one before."""
    slope, start = np.polyfit(amounts, cpu_seconds, 1) if len(amounts) > 1 else (cpu_seconds[0] / amounts[0], 0.0)
    steps = np.diff(cpu_seconds) / np.diff(amounts)
    growth = float(steps[-1] / steps[-2]) if len(steps) > 1 and steps[-2] > 0 else 1.0
    return {"cpu_seconds_to_start": round(float(start), 1), "cpu_seconds_each": float(slope),
            "cost_of_last_step_to_the_one_before": round(growth, 2)}  # fmt: skip


def efficiency(runs: list[dict[str, Any]], step: str, cpus: int) -> dict[str, float]:
    """Speed-up over one CPU, divided by the CPUs."""
    one = {run["windows"]: run["seconds"][step] for run in runs if run["cpus"] == 1}
    return {
        str(run["windows"]): round(one[run["windows"]] / run["seconds"][step] / cpus, 2)
        for run in runs
        if run["cpus"] == cpus and cpus > 1 and run["windows"] in one
    }


def summary(runs: list[dict[str, Any]], found: dict[str, Any]) -> list[Row]:
    most = max(run["cpus"] for run in runs)
    own = sorted((run for run in runs if run["cpus"] == most), key=lambda run: run["windows"])
    large, small = own[-1], own[-2]
    peaks = [run["memory_mb"]["all"]["private"] for run in (small, large)]
    grown = peaks[1] / peaks[0]
    seconds = large["seconds"]
    each = {step: line["cost_of_last_step_to_the_one_before"] for step, line in found["lines"].items()}
    far = found["extrapolated_to_units_a_day"]
    return [
        Row(
            what=f"{large['windows']:,} windows featurized and scored on {most} CPUs: peak memory",
            bar=f"≤ {BAR_MEMORY:g}× that of {small['windows']:,}",
            measured=f"{grown:.2f}× ({peaks[0]:,} → {peaks[1]:,} MB private, {large['spilled_bytes']:,} bytes spilled)",
            peer=f"featurize {seconds['featurize']:.0f} s, score {seconds['score_every_window']:.0f} s",
            met=grown <= BAR_MEMORY,
        ),
        Row(
            what="cost of a further window or unit at the largest step in size, to the step before (1: linear)",
            bar="",
            measured=", ".join(f"{step} {ratio:.2f}" for step, ratio in each.items()),
            peer="",
            met=None,
        ),
        Row(
            what=f"{far['units']:,} units scored every day (extrapolated)",
            bar="",
            measured=f"{far['cpu_hours']:,.0f} CPU hours = {far['hours_on_one_node']:,.1f} h on a node of "
            f"{far['node_cpus']} CPUs",
            peer="",
            met=None,
        ),
    ]


if __name__ == "__main__":
    main()
