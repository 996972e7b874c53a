"""Kill workers, nodes and drivers in every step, run it again, and compare with a run that nobody disturbed.

    make chaos        (python benchmarks/chaos.py [--kills 4] [--steps featurize,train] [--seed 0])

A small fleet goes through ingest, featurize, train, a sweep, evaluate and score on three nodes of this machine. In
each step `--kills` things are killed at random moments, in turn: a worker process, a node (another one joins), the
driver (the same job is submitted again). Afterwards every window must be in the table exactly once and every number
of metrics.json must be that of the undisturbed run. `results/chaos.json` keeps what happened.
"""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import pyarrow.dataset as pads
import yaml
from nodes import Nodes, nodes
from support import Row, machine, parser, record

ROOT = Path(__file__).resolve().parents[1]
STEPS = ("ingest", "featurize", "train", "tune", "evaluate", "score")
KINDS = ("worker", "node", "driver")
OUTPUTS = {"ingest": ("panel",), "featurize": ("windows",), "train": ("bundles", "ray_train"), "tune": ("sweeps",),
           "evaluate": (), "score": ("scores",)}  # fmt: skip
RUN: dict[str, Any] = {
    "name": "chaos",
    "simulate": {
        "facilities": 3,
        "equipment_per_class": 8,
        "classes": ["pump", "chiller"],
        "days": 1000,
        "seed": 3,
    },
    "windows": {"train_stride": 7, "evaluation_stride": 7},
    "model": {"family": "hybrid", "epochs": 12},
    "train": {"workers": 1, "checkpoint_every": 1, "max_failures": 8},
    "evaluate": {"replicates": 200, "forecast_windows": 40},
    "featurize": {"buckets": 4},
    "tune": {
        "trials": 4,
        "concurrent": 2,
        "space": {"dropout": {"uniform": [0.1, 0.6]}},
    },
}
UNLIKE = (
    "created",
    "seconds",
    "command",
    "workspace",
    "config_hash",
    "config",
    "bundles",
    "id",
)
LONGEST_STEP_S, LEAST_KILLS = 900, 20
NOT_OURS = (
    "IDLE",
    "DashboardAgent",
    "RuntimeEnvAgent",
    "_StatsActor",
    "ActorLocationTracker",
    "Coordinator",
)


def main() -> None:
    """Both runs, the comparison, the file."""
    command = parser(__doc__)
    command.add_argument("--kills", type=int, default=4, help="per step")
    command.add_argument(
        "--steps", default=",".join(STEPS), help="those in which there are kills"
    )
    command.add_argument("--seed", type=int, default=0)
    asked = command.parse_args()
    where = machine(("ray", "torch"), cores=3)
    chance, started = random.Random(asked.seed), time.monotonic()
    kills: list[dict[str, str]] = []
    took: dict[str, float] = {}
    with (
        tempfile.TemporaryDirectory(prefix="chaos-") as folder,
        nodes(workers=2) as cluster,
    ):
        quiet, wild = (settings_file(Path(folder), name) for name in ("quiet", "wild"))
        for step in STEPS:
            began = time.monotonic()
            finish(start(step, quiet, cluster), step, quiet)
            took[step] = time.monotonic() - began
            print(f"{step}: undisturbed run done in {took[step]:.0f} s", flush=True)
        for step in STEPS:
            wanted = (
                (1 if asked.quick else asked.kills)
                if step in asked.steps.split(",")
                else 0
            )
            kills += disturbed(step, wild, cluster, wanted, chance, took[step])
        found = compare(Path(folder) / "quiet", Path(folder) / "wild")
    told = {"kills": len(kills), "by_kind": count(kills, "kind"), "by_step": count(kills, "step"), **found,
            "seconds": round(time.monotonic() - started)}  # fmt: skip
    print(json.dumps(told, indent=1))
    rows = summary(told)
    record("chaos", where, rows, told, asked.quick)
    sys.exit(0 if rows[0].met else 1)


def summary(told: dict[str, Any]) -> list[Row]:
    """One line: what was killed, lost, doubled and different."""
    kinds = ", ".join(f"{count} {kind}s" for kind, count in told["by_kind"].items())
    right = not (
        told["windows_lost"] or told["windows_doubled"] or told["numbers_unlike"]
    )
    return [
        Row(
            what=f"all steps on three nodes with {told['kills']} kills ({kinds})",
            bar="no window lost or doubled, numbers equal",
            measured=f"{told['windows_lost']} lost, {told['windows_doubled']} doubled of {told['windows']:,} windows; "
            f"{len(told['numbers_unlike'])} of {told['numbers_compared']:,} numbers unlike",
            peer="the same run, undisturbed",
            met=right
            and told["kills"] >= LEAST_KILLS
            and told["sweep_trials_once_each"],
        )
    ]


def settings_file(folder: Path, name: str) -> Path:
    """A run file of that workspace."""
    path = folder / f"{name}.yaml"
    path.write_text(
        yaml.safe_dump({**RUN, "workspace": str(folder / name)}), encoding="utf-8"
    )
    return path


def start(step: str, config: Path, cluster: Nodes) -> psutil.Popen:
    """Submit a step, its log beside the workspace."""
    with config.with_suffix(f".{step}.log").open("ab") as log:
        command = [sys.executable, "-m", f"ray_jobs.{step}", "--config", str(config)]
        return psutil.Popen(
            command, cwd=ROOT, env=cluster.environment, stdout=log, stderr=log
        )


def finish(job: psutil.Popen, step: str, config: Path) -> None:
    """Wait for a job that must end well."""
    if job.wait(LONGEST_STEP_S) != 0:
        raise failed(step, config, job.returncode)


def failed(step: str, config: Path, status: int | None) -> SystemExit:
    """What a job that did not end well said last."""
    told = (
        config.with_suffix(f".{step}.log")
        .read_text(encoding="utf-8", errors="replace")
        .splitlines()
    )
    return SystemExit("\n".join([*told[-60:], f"{step} ended with status {status}"]))


def disturbed(
    step: str, config: Path, cluster: Nodes, wanted: int, chance: random.Random, quiet_s: float
) -> list[dict[str, str]]:  # fmt: skip
    """Run a step to its end with `wanted` kills on the way; where it ends before, its outputs go and it starts anew."""
    kills: list[dict[str, str]] = []
    job = start(step, config, cluster)
    while len(kills) < wanted:
        try:
            if job.wait(chance.uniform(0.2, 0.8) * quiet_s) != 0:
                raise failed(step, config, job.returncode)
            forget(step, Path(config.with_suffix("")))
            job = start(step, config, cluster)
            continue
        except (psutil.TimeoutExpired, subprocess.TimeoutExpired):
            pass
        kind = KINDS[len(kills) % len(KINDS)]
        if kind == "worker" and not kill_worker(cluster, chance):
            continue
        if kind == "node":
            cluster.lose()
            cluster.join()
        if kind == "driver":
            job.kill()
            job.wait()
            job = start(step, config, cluster)
        kills.append({"step": step, "kind": kind})
        print(f"{step}: killed a {kind} ({len(kills)} of {wanted})", flush=True)
    finish(job, step, config)
    return kills


def kill_worker(cluster: Nodes, chance: random.Random) -> bool:
    """Kill a process that runs a task or an actor of ours (Ray's agents go with their node)."""
    found = []
    for process in psutil.Process(cluster.process.pid).children(recursive=True):
        try:
            name = " ".join(process.cmdline())
            if name.startswith("ray::") and not any(each in name for each in NOT_OURS):
                found.append(process)
        except psutil.Error:
            continue
    if not found:
        return False
    chance.choice(found).kill()
    return True


def forget(step: str, workspace: Path) -> None:
    """Remove what a step made, so that it does its work again."""
    import shutil

    for name in OUTPUTS[step]:
        shutil.rmtree(workspace / name, ignore_errors=True)
    for done in (workspace / "steps").glob(
        f"{step}*.json"
    ):  # a sweep's name goes on with its key
        done.unlink()


def compare(quiet: Path, wild: Path) -> dict[str, Any]:
    """Windows lost or doubled, parts that differ, numbers that differ."""
    keys = [sorted(map(str, window_keys(folder))) for folder in (quiet, wild)]
    parts = [
        {
            p.relative_to(f): p.read_bytes()
            for p in (f / "windows").glob("class=*/part-*")
        }
        for f in (quiet, wild)
    ]
    metrics = [
        json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        for folder in (quiet, wild)
    ]
    sweeps = [
        sorted(trial["trial"] for trial in sweep(folder)["trials"])
        for folder in (quiet, wild)
    ]
    return {
        "windows": len(keys[0]),
        "windows_lost": len(set(keys[0]) - set(keys[1])),
        "windows_doubled": len(keys[1]) - len(set(keys[1])),
        "parts_equal_byte_by_byte": parts[0] == parts[1],
        "sweep_trials_once_each": sweeps[0] == sweeps[1],
        "numbers_compared": sum(1 for _ in numbers(metrics[0])),
        "numbers_unlike": unlike(metrics[0], metrics[1]),
        "latest_equal": (quiet / "latest_ranking.csv").read_bytes()
        == (wild / "latest_ranking.csv").read_bytes(),
    }


def window_keys(folder: Path) -> list[tuple[Any, ...]]:
    """What names each window of the table."""
    names = ["facility_id", "equipment_id", "point_id", "end_date"]
    table = pads.dataset(
        sorted(map(str, (folder / "windows").glob("class=*/part-*")))
    ).to_table(columns=names)
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


def sweep(folder: Path) -> dict[str, Any]:
    """The record of the sweep."""
    (path,) = (folder / "sweeps").glob("*/sweep.json")
    return dict(json.loads(path.read_text(encoding="utf-8")))


def numbers(content: Any, path: str = "") -> Any:
    """Every number of a JSON document with its path, leaving out what differs between any two runs."""
    if isinstance(content, dict):
        for key, each in content.items():
            if key not in UNLIKE:
                yield from numbers(each, f"{path}.{key}")
    elif isinstance(content, list):
        for i, each in enumerate(content):
            yield from numbers(each, f"{path}[{i}]")
    elif isinstance(content, int | float) and not isinstance(content, bool):
        yield path, float(content)


def unlike(first: Any, second: Any) -> list[str]:
    """Paths whose numbers differ by more than floating point does."""
    found, other = dict(numbers(first)), dict(numbers(second))
    paths = sorted(set(found) | set(other))
    return [
        p for p in paths
        if p not in found or p not in other or not math.isclose(found[p], other[p], rel_tol=1e-6, abs_tol=1e-9)
    ]  # fmt: skip


def count(kills: list[dict[str, str]], name: str) -> dict[str, int]:
    """How many of each."""
    return {
        value: sum(each[name] == value for each in kills)
        for value in sorted({each[name] for each in kills})
    }


if __name__ == "__main__":
    main()
