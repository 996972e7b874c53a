"""What a day costs: one new day of a fleet of 5 points a unit is ingested and scored from states.

    python benchmarks/daily.py [--quick] [--units 1000 10000 100000] [--before COMMIT] [--also FILE]
    python benchmarks/daily.py --measure states 1000000 0 FOLDER > FILE    # FOLDER: of `trained`

`record`: units with 190 and with 1,900 days of record, ingested as they would be; then ten days' files come, and the
daily jobs of both run by turns. The day that cost least counts: Ray starts new processes when it pleases, and days of
one record differ by a tenth. With `--before`, 190 days are measured with the code of another commit, too, in a worktree
of its own. `states`: fleets whose record would not fit are ingested with two days of record, and the states of their
units, and the levels of their peers, are written directly as a long record would have left them; the day's run is the
real one. `kernels`: embedding, 28 statistics, summaries, classifier and forecast of as many windows at once, in this
process, is what a day cannot do without.

CPU time is that of all processes, Ray's own among them; memory is sampled every 0.1 s. Reasons are off: they cost by
the alarm, not by the unit (benchmarks/reasons.py). Figures for 10⁷ units are extrapolated and say so.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from support import QUICK_RESULTS, ROOT, Row, machine, parser, record, timed

import numpy as np  # isort: skip  (after the thread limits that support sets)
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from featurize import sampled

from ray_jobs.run.run_config import RunConfig

POINTS = ("p1", "p2", "p3", "p4", "p5")
A_FACILITY = 1000
FILES = 20  # a day comes in so many files, at most one a facility
FIRST_DAY, RECORD_DAYS = 17_000, (190, 1_900)
UNITS, QUICK_UNITS = (1_000, 10_000, 100_000), (200, 400)
RECORD_UNITS, QUICK_RECORD_UNITS = 1_000, 100
RECORD_ROUNDS = 10
TRAINED_UNITS, TRAINED_DAYS = 60, 500
KERNEL_UNITS = 2_048
TARGET_UNITS, NODE_CPUS = 10_000_000, 16
KEPT = QUICK_RESULTS / "daily_runs.jsonl"
MEGABYTE = 2**20
BAR_SCORE, BAR_INGEST_MS, BAR_FASTER, BAR_LENGTH = 1.5, 0.15, 15, 0.10
BAR_DRIVER_MB, BAR_PROCESS_MB = 1024, 2048


def main() -> None:
    asked = arguments()
    if asked.measure:
        kind, units, days, bundles = asked.measure
        lengths = [int(each) for each in days.split(",")]
        for run in measure(kind, int(units), lengths, Path(bundles)):
            print(json.dumps(run))
        return
    units = QUICK_UNITS if asked.quick else tuple(asked.units)
    record_units = QUICK_RECORD_UNITS if asked.quick else RECORD_UNITS
    where = machine(("ray", "torch", "pyarrow", "numpy"), 2)
    runs = []
    with tempfile.TemporaryDirectory(prefix="hvac-daily-") as folder:
        bundles = Path(folder) / "trained"
        trained(bundles)
        with worktree(asked.before) as before:
            both, short = (
                ",".join(map(str, days)) for days in (RECORD_DAYS, RECORD_DAYS[:1])
            )
            runs += in_own_process(("record", record_units, both), bundles)
            if before:
                runs += in_own_process(("record", record_units, short), bundles, before)
        for size in units:
            runs += in_own_process(("states", size, "0"), bundles)
        runs += [
            {**json.loads(file.read_text()), "code": "also"} for file in asked.also
        ]
        (kernels,) = in_own_process(("kernels", KERNEL_UNITS, "0"), bundles)
    facts = figures(runs, kernels)
    found = {"runs": runs, "kernels": kernels, "figures": facts}
    record("daily", where, summary(facts, asked.before), found, asked.quick)


def arguments() -> argparse.Namespace:
    command = parser(__doc__)
    command.add_argument("--units", type=int, nargs="+", default=UNITS)
    command.add_argument("--before", default="", help="a commit to compare with")
    command.add_argument(
        "--also",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="fleets that --measure measured before, and printed into a file",
    )
    command.add_argument(
        "--measure",
        nargs=4,
        metavar=("KIND", "UNITS", "DAYS[,DAYS]", "BUNDLES"),
        help="one, in this process",
    )
    return command.parse_args()


@contextlib.contextmanager
def worktree(commit: str) -> Iterator[Path | None]:
    """The code of another commit, with this file beside it."""
    if not commit:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="hvac-before-") as folder:
        code = Path(folder) / "code"
        subprocess.run(
            ["git", "worktree", "add", "--detach", str(code), commit],
            cwd=ROOT,
            check=True,
        )
        try:
            for name in ("daily.py", "support.py"):
                shutil.copy(ROOT / "benchmarks" / name, code / "benchmarks" / name)
            yield code
        finally:
            subprocess.run(
                ["git", "worktree", "remove", "--force", str(code)],
                cwd=ROOT,
                check=True,
            )


def in_own_process(
    case: tuple[str, int, str], bundles: Path, code: Path | None = None
) -> list[Any]:
    root = code or ROOT
    command = [sys.executable, str(root / "benchmarks" / "daily.py"), "--measure"]
    command += [*map(str, case), str(bundles)]
    done = subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
        cwd=root,
    )
    whose = {"code": "before" if code else "now"}
    lines = done.stdout.splitlines()[-len(case[2].split(",")) :]
    found = [json.loads(line) | whose for line in lines]
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    with KEPT.open("a") as file:
        file.writelines(json.dumps(run) + "\n" for run in found)
    print(*map(json.dumps, found), sep="\n", flush=True)
    return found


def config_of(folder: Path) -> RunConfig:
    return RunConfig(
        name="benchmark",
        workspace=folder / "workspace",
        source={
            "readings": str(folder / "readings"),
            "events": str(folder / "events.parquet"),
        },
        labels={"events": ["failure"]},
        windows={"class": "all", "train_stride": 3, "evaluation_stride": 7},
        featurize={"buckets": 1},
        splits={"kind": "equipment"},
        evaluate={"ablation": False},
        score={"reasons": "none"},
        train={"workers": 0},
    )


def write_readings(folder: Path, units: int, days: list[int], name: str) -> None:
    """Random readings of some days, at most `FILES` files."""
    (folder / "readings").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(days[0])
    facilities = -(-units // A_FACILITY)
    files = min(FILES, facilities)
    for number in range(files):
        path = folder / "readings" / f"{name}-{number:02d}.parquet"
        writer = None
        for facility in range(number, facilities, files):
            table = readings_of(
                rng, facility, min(A_FACILITY, units - facility * A_FACILITY), days
            )
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table)
        if writer:
            writer.close()


def readings_of(rng: Any, facility: int, units: int, days: list[int]) -> pa.Table:
    each = len(POINTS) * len(days)
    equipment = [f"E{facility * A_FACILITY + u:07d}" for u in range(units)]
    day_N = np.tile(np.repeat(days, len(POINTS)), units)
    return pa.table(
        {
            "facility_id": pa.array([f"F{facility:05d}"] * (units * each)),
            "equipment_id": pa.array(equipment).take(
                pa.array(np.repeat(np.arange(units), each))
            ),
            "point_id": pa.array(list(POINTS) * (units * len(days))),
            "date": pa.array(day_N, pa.int32()).cast(pa.date32()),
            "value": rng.normal(20, 2, units * each),
        }
    )


def write_events(folder: Path, units: int, day: int) -> None:
    """A failure of every second unit."""
    ids = range(0, units, 2)
    start = pa.array([day + 7 * (u % 20) for u in ids], pa.int32()).cast(pa.date32())
    columns = {
        "facility_id": [f"F{u // A_FACILITY:05d}" for u in ids],
        "equipment_id": [f"E{u:07d}" for u in ids],
        "kind": ["failure"] * len(ids),
        "start": start,
        "end": start,
    }
    pq.write_table(pa.table(columns), folder / "events.parquet")


def trained(folder: Path) -> None:
    """A bundle of the default family, of a small fleet."""
    from ray_jobs import featurize, ingest, train
    from ray_jobs.run.runtime import RayConfig, ray_session

    write_readings(
        folder, TRAINED_UNITS, list(range(FIRST_DAY, FIRST_DAY + TRAINED_DAYS)), "past"
    )
    write_events(folder, TRAINED_UNITS, FIRST_DAY + 200)
    with ray_session(RayConfig(num_cpus=2)):
        for step in (ingest, featurize, train):
            step.run(config_of(folder))


def measure(
    kind: str, units: int, lengths: list[int], bundles: Path
) -> list[dict[str, Any]]:
    if kind == "kernels":
        return [kernels_of(units, bundles)]
    with tempfile.TemporaryDirectory(prefix="hvac-daily-") as folder:
        return days_of(kind, units, lengths, bundles, Path(folder))


def days_of(
    kind: str, units: int, lengths: list[int], bundles: Path, folder: Path
) -> list[dict[str, Any]]:
    """Ingest records of some lengths, then measure the next days of each, by turns."""
    from ray_jobs import ingest, score
    from ray_jobs.run.runtime import RayConfig, ray_session

    folders = {days: folder / str(days) for days in lengths}
    rounds: dict[int, list[dict[str, float]]] = {days: [] for days in lengths}
    memory: dict[str, Any] = {}
    with ray_session(RayConfig(num_cpus=2)):
        for days, own in folders.items():
            ingested(kind, units, days, bundles, own)
        sizes = {
            days: [folder_bytes(own / "workspace")] for days, own in folders.items()
        }
        with sampled(memory):
            for number in range(RECORD_ROUNDS if kind == "record" else 1):
                for days, own in folders.items():
                    new = [last_day(days) + 1 + number]
                    write_readings(own, units, new, f"new-{number}")
                    steps = {"ingest": ingest, "score": score}
                    rounds[days].append(a_day(config_of(own), steps))
        for days, own in folders.items():
            sizes[days].append(folder_bytes(own / "workspace"))
    found = []
    for days in lengths:
        measured = {
            name: min(day[name] for day in rounds[days]) for name in rounds[days][0]
        }
        per_unit = {
            f"{n}_ms_cpu": 1e3 * measured[f"{n}_cpu_seconds"] / units
            for n in ("ingest", "score")
        }
        found.append({
            "kind": kind, "units": units, "days": days, **{n: round(s, 2) for n, s in measured.items()},
            **{n: round(ms, 4) for n, ms in per_unit.items()}, "memory_mb": memory,
            "workspace_bytes": sizes[days],
        })  # fmt: skip
    return found


def last_day(days: int) -> int:
    """Return the last day of a record; 0: of one that states stand for."""
    return FIRST_DAY + (days or RECORD_DAYS[0]) - 1


def ingested(kind: str, units: int, days: int, bundles: Path, folder: Path) -> None:
    """Ingest a record, and make its states."""
    from ray_jobs import ingest, score

    config, last = config_of(folder), last_day(days)
    root = Path(str(config.workspace))
    (root / "steps").mkdir(parents=True)
    shutil.copytree(bundles / "workspace" / "bundles", root / "bundles")
    shutil.copy(bundles / "workspace" / "steps" / "train.json", root / "steps")
    past = list(range(FIRST_DAY, last + 1)) if kind == "record" else [FIRST_DAY, last]
    write_readings(folder, units, past, "past")
    write_events(folder, units, FIRST_DAY + 20)
    ingest.run(config)
    if kind == "states":
        write_states_directly(config, last)
    else:
        score.run(config)


def a_day(config: RunConfig, steps: dict[str, Any]) -> dict[str, float]:
    """Run the daily jobs; wall and CPU seconds of each."""
    measured = {}
    for name, step in steps.items():
        before = cpu_seconds()
        measured[f"{name}_seconds"] = timed(lambda step=step: step.run(config))
        measured[f"{name}_cpu_seconds"] = cpu_seconds() - before
    return measured


def cpu_seconds() -> float:
    """What this process and all it started have used so far."""
    total = 0.0
    driver = psutil.Process()
    for process in (driver, *driver.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            used = process.cpu_times()
            total += used.user + used.system
    return total


def folder_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def write_states_directly(config: RunConfig, last: int) -> None:
    """States and levels as a record of 400 days would have left them."""
    from hvac.features.peers import level_to_arrow, peer_level
    from hvac.panel.registry import Registry
    from hvac.scoring.bundle import Bundle
    from hvac.state.peer_moves import series_of
    from hvac.state.state_files import StateFile, write_unit_states
    from hvac.storage import matching, write_json, write_parquet
    from ray_jobs.run.records import IngestRecord, TrainRecord
    from ray_jobs.run.workspace import workspace_of
    from ray_jobs.tables.state_paths import FOLDER, state_file, state_keys, state_mark

    workspace = workspace_of(config)
    ingested = workspace.record(IngestRecord)
    (name,) = workspace.record(TrainRecord).bundles.values()
    recipe = Bundle.load(workspace.bundles / name).recipe
    template = template_state(recipe, last)
    registry = Registry.load(workspace.panel)
    keys = state_keys(ingested.buckets, {recipe.class_name: recipe})
    marks = level_marks(workspace.root, registry, {recipe.class_name: recipe})
    folder = workspace.root / FOLDER
    rng = np.random.default_rng(0)
    for bucket, key in keys.items():
        facility = bucket.rpartition(".")[0]
        rows = Registry.load(workspace.panel, facility).units
        states = template.take(np.zeros(len(rows), dtype=np.int64))
        states = replace(
            states,
            unit_U=units_in(rows),
            value_UCR=rng.normal(20, 2, states.value_UCR.shape),
        )
        record_folder = workspace.panel / "readings" / f"facility_id={facility}"
        parts = matching(record_folder, "bucket-*/part-*.parquet")
        seen = frozenset(part.stem.removeprefix("part-") for part in parts)
        file = StateFile({recipe.class_name: states}, seen)
        write_unit_states(state_file(folder, bucket), file, {recipe.class_name: recipe})
        write_json(state_mark(folder, bucket), {"key": key})
        path, mark, members = marks[facility]
        sample = states.take(np.array([unit in members for unit in states.unit_U]))
        level = peer_level(recipe.points, list(series_of(sample)))
        assert level is not None, "a facility has at least 5 units"
        write_parquet(level_to_arrow(level), path)
        write_json(*mark)


def level_marks(root: Any, registry: Any, recipes: Any) -> dict[str, Any]:
    """By facility the file of its level, its mark, and the units in it.

    The mark says what a level was made of and no more: the next job moves it on.
    """
    from hvac.features.peer_files import level_path, mark_of
    from hvac.features.peer_groups import peer_groups
    from ray_jobs.tables.peer_levels import classes_of_kinds, level_rules

    class_of = classes_of_kinds(registry)
    marks = {}
    for (kind, facility), group in peer_groups(registry).items():
        if group.facility:
            path = level_path(root / "peers", kind, facility)
            rules = level_rules(group.units, recipes[class_of[kind]])
            mark = {"key": "", "rules": rules, "there": True}
            marks[facility] = path, (mark_of(path), mark), frozenset(group.units)
    return marks


def units_in(rows: pa.Table) -> Any:
    from hvac.panel.joins import units_of

    return tuple(units_of(rows))


def template_state(recipe: Any, last: int) -> Any:
    """The state of one unit with a record of 400 days."""
    from hvac.features.scene import UnitRecord, scenes
    from hvac.panel.grid import Unit, panels
    from hvac.state.unit_states import UnitStates

    table = readings_of(
        np.random.default_rng(1), 0, 1, list(range(last - 399, last + 1))
    )
    (panel,) = panels(table, {Unit("F00000", "E0000000"): recipe.points})
    return UnitStates.of(
        scenes(panel, recipe, UnitRecord(class_name=recipe.class_name)), recipe
    )


def kernels_of(units: int, bundles: Path) -> dict[str, Any]:
    """CPU milliseconds a unit of what no way of scoring can do without, in bulk."""
    import torch

    from hvac.features.recent import recent_of_units
    from hvac.features.statistics import statistics
    from hvac.scoring.bundle import Bundle
    from hvac.scoring.newest_windows import newest_of
    from hvac.scoring.outlooks import driving_outlooks
    from hvac.state.unit_states import UnitFacts

    torch.set_num_threads(1)
    (path,) = (bundles / "workspace" / "bundles").glob("all-*")
    bundle = Bundle.load(str(path))
    recipe = bundle.recipe
    states = template_state(recipe, FIRST_DAY + 400).take(
        np.zeros(units, dtype=np.int64)
    )
    rng = np.random.default_rng(0)
    states = replace(states, value_UCR=rng.normal(20, 2, states.value_UCR.shape))
    from hvac.panel.events import no_events

    grids = states.grids(recipe, [UnitFacts(no_events(), None, "all", None)] * units)
    newest = newest_of(grids, recipe, lambda rows: [])
    x_BCL = newest.windows.x_BCL
    ready = bundle.prepared(newest.windows)
    end_UD = grids.last_day_U[:, None]
    at = {"first_day_U": grids.first_day_U, "from_day_UC": grids.fits.ready_UC}
    work = {
        "embedding": lambda: bundle.encoder.embed(x_BCL),
        "statistics": lambda: statistics(x_BCL),
        "summaries": lambda: [recent_of_units(grids.value_UCT, grids.known_UCT, end_UD, **at) for _ in range(4)],
        "classifier": lambda: bundle.model.score(ready),
        "forecast": lambda: driving_outlooks(bundle, newest),
    }  # fmt: skip
    ms = {}
    for name, call in work.items():
        call()
        ms[name] = min(cpu_of(call) for _ in range(3)) * 1e3 / units
    return {
        "kind": "kernels",
        "units": units,
        "family": bundle.family,
        "ms_cpu": sum(ms.values()),
        "each": ms,
    }


def cpu_of(call: Any) -> float:
    before = time.process_time()
    call()
    return time.process_time() - before


def figures(runs: list[Any], kernels: Any) -> dict[str, Any]:
    states = sorted(
        (run for run in runs if run["kind"] == "states"), key=lambda run: run["units"]
    )
    now = {
        run["days"]: run
        for run in runs
        if run["kind"] == "record" and run["code"] == "now"
    }
    before = [run for run in runs if run["code"] == "before"]
    together = [run for run in states if run["code"] == "now"]
    small, large = together[0], together[-1]
    further = {}
    for name in ("ingest", "score"):
        grown = large[f"{name}_cpu_seconds"] - small[f"{name}_cpu_seconds"]
        further[name] = 1e3 * grown / (large["units"] - small["units"])
    day_ms = [
        run["ingest_ms_cpu"] + run["score_ms_cpu"]
        for run in (now[RECORD_DAYS[0]], now[RECORD_DAYS[1]])
    ]
    return {
        "further_unit_ms_cpu": further,
        "score_to_kernels": further["score"] / kernels["ms_cpu"],
        "long_record_to_short": day_ms[1] / day_ms[0],
        "before_to_now": [
            (run["ingest_ms_cpu"] + run["score_ms_cpu"]) / day_ms[0] for run in before
        ],
        "before_to_kernels": max(
            (
                (run["ingest_ms_cpu"] + run["score_ms_cpu"]) / kernels["ms_cpu"]
                for run in before
            ),
            default=None,
        ),
        "largest": states[-1],
        "extrapolated": {
            "units": TARGET_UNITS,
            "cpu_hours": TARGET_UNITS * sum(further.values()) / 3.6e6,
            "hours_on_one_node": TARGET_UNITS
            * sum(further.values())
            / 3.6e6
            / NODE_CPUS,
        },
    }


def summary(found: dict[str, Any], commit: str) -> list[Row]:
    large, further, far = (
        found["largest"],
        found["further_unit_ms_cpu"],
        found["extrapolated"],
    )
    memory = large["memory_mb"]
    driver = memory["driver"]["private"]
    process = max(driver, memory["largest_worker"]["private"])
    ratio, length = found["score_to_kernels"], found["long_record_to_short"]
    seconds = large["ingest_seconds"] + large["score_seconds"]
    rows = [
        Row(
            what="a further unit of 5 points: score from its state",
            bar=f"≤ {BAR_SCORE:g}× the bare kernels in bulk",
            measured=f"{ratio:.2f}× ({further['score']:.2f} ms CPU)",
            peer="",
            met=ratio <= BAR_SCORE,
        ),
        Row(
            what="a further unit: ingest of one new day",
            bar=f"≤ {BAR_INGEST_MS} ms",
            measured=f"{further['ingest']:.3f} ms CPU",
            peer="",
            met=further["ingest"] <= BAR_INGEST_MS,
        ),
        Row(
            what="a day of units with 1,900 days of record",
            bar="within 10 % of 190 days",
            measured=f"{length:.2f}×",
            peer="",
            met=abs(length - 1) <= BAR_LENGTH,
        ),
        Row(
            what=f"a day of {large['units']:,} units on 2 CPUs",
            bar="driver ≤ 1 GB, any process ≤ 2 GB",
            measured=f"{seconds:.0f} s; driver {driver:,} MB, largest process {process:,} MB",
            peer="",
            met=driver <= BAR_DRIVER_MB and process <= BAR_PROCESS_MB,
        ),
        Row(
            what=f"{far['units']:,} units a day (extrapolated, the driver in it)",
            bar="",
            measured=f"{far['cpu_hours']:,.1f} CPU hours, {far['hours_on_one_node']:.2f} h on {NODE_CPUS} CPUs",
            peer="",
            met=None,
        ),
    ]
    for times in found["before_to_now"]:
        rows.append(
            Row(
                what="a day of the same units before this code",
                bar=f"≥ {BAR_FASTER}× now",
                measured=f"{times:.1f}×",
                peer=f"commit {commit[:7]}; its day costs {found['before_to_kernels']:.1f} times"
                " the bare kernels of now",
                met=times >= BAR_FASTER,
            )
        )
    return rows


if __name__ == "__main__":
    main()
