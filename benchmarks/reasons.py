"""What the reasons of a simulated run are worth: do they name the point that was made to fail?

    python benchmarks/reasons.py [ray_jobs/configs/demo.yaml]

Takes a run of simulated data that `ray_jobs.pipeline` has finished, cuts up to 800 test windows with
an alarm (shortest horizon) anew, explains them as the service does, and reads from the simulated
events which points each failure moved.

- planted: true alarms whose failure begins within 14 days. Share of windows whose first reason
  names a point that the failure moved; the one it moved most; and the same among points alone.
- deletion: of all those alarms, how far the risk falls where one player's columns are
  those of healthy windows: the first reason, one at random, and the one that is most important over
  the class (mean absolute contribution). Intervals over machines.
- sum: the largest distance between the sum of contributions and the log-odds.
- milliseconds of CPU a window for three horizons, one by one and in bulk, beside a million additions.
- scoring: CPU of the newest windows without reasons, beside that of the same bundles as they were
  before reasons and bands (ratio).

Writes results/reasons.json.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from support import Row, machine, parser, record  # isort: skip

import numpy as np
import pandas as pd
import torch

from hvac.evaluation.bootstrap import unit_weights
from hvac.explain.background import nearest_in_year
from hvac.features.scene import Scene
from hvac.features.table import Windows, concat
from hvac.models.family import NEEDS
from hvac.panel.grid import Unit
from hvac.panel.registry import Registry
from hvac.scoring.bundle import Bundle
from hvac.scoring.explanations import explain_newest
from hvac.scoring.latest import latest_rows
from hvac.scoring.newest_windows import Newest, newest
from hvac.simulate.catalogue import KINDS
from hvac.storage import read_parquet
from ray_jobs.run.records import IngestRecord, TrainRecord
from ray_jobs.run.run_config import RunConfig, load_run
from ray_jobs.run.runtime import ray_session
from ray_jobs.run.workspace import Workspace, workspace_of
from ray_jobs.tables.buckets import BucketPlan, bucket_scenes, make_plan
from ray_jobs.tables.peer_levels import make_peers
from ray_jobs.tables.windows_table import load_recipes

DEMO = Path("ray_jobs/configs/demo.yaml")
GROWN_DAYS = 14
MOST_ALARMS = 800
SCORED_SCENES, ROUNDS = 24, 4


def main() -> None:
    """Measure every class, and write the file."""
    command = parser(__doc__)
    command.add_argument("config", type=Path, nargs="?", default=DEMO)
    asked = command.parse_args()
    config = load_run(str(asked.config))
    workspace = workspace_of(config)
    torch.set_num_threads(1)
    failures = _failures(workspace)
    days_of_unit = _alarm_days(workspace.root)
    with ray_session(config.ray):
        plan, buckets = _plan(config, workspace)
    folders = workspace.record(TrainRecord).bundles
    bundles = {
        name: Bundle.load(workspace.bundles / folder)
        for name, folder in folders.items()
    }
    seconds: list[float] = []
    gaps: list[float] = []
    rows = []
    scenes_of_class: dict[str, list[Scene]] = {}
    for bucket in buckets:
        for scene, recipe in bucket_scenes(plan, bucket):
            bundle = bundles[recipe.class_name]
            for day in days_of_unit.get(Unit(*scene.panel.unit), ()):
                latest = newest([scene], recipe, end_day=day)
                rows.append(_row(bundle, latest, failures, seconds, gaps))
            if len(scenes_of_class.setdefault(recipe.class_name, [])) < SCORED_SCENES:
                scenes_of_class[recipe.class_name].append(scene)
    table = pd.DataFrame(rows)
    start = time.process_time()
    sum(range(10**6))
    additions = time.process_time() - start
    results = {
        "alarms": len(table),
        "planted": _planted(table),
        "deletion": _deleted(table),
        "largest_gap_of_the_sum": max(gaps),
        "milliseconds_a_window": 1e3 * float(np.median(seconds)),
        "milliseconds_a_window_in_bulk": 1e3 * _bulk_seconds(bundles, scenes_of_class),
        "milliseconds_a_million_additions": 1e3 * additions,
        "scoring_without_reasons": _scoring_ratio(bundles, scenes_of_class),
    }
    record(
        "reasons",
        machine(("numpy", "numba"), cores=1),
        _shown(results),
        results,
        asked.quick,
    )


def _shown(results: dict[str, Any]) -> list[Row]:
    """Return the figures beside their bars."""
    planted, deletion = results["planted"], results["deletion"]
    named, single = planted["planted_first"], results["milliseconds_a_window"]
    counts = f"{planted['windows']} true alarms within 14 days of a failure"
    bulk, additions = (
        results["milliseconds_a_window_in_bulk"],
        results["milliseconds_a_million_additions"],
    )
    gap, ratio = results["largest_gap_of_the_sum"], results["scoring_without_reasons"]
    rows = [
        Row("first reason names a point that failed", "≥ 80 %", _range(named), counts,
            named["value"] >= 0.8),
        Row("reasons add up to the log-odds, largest gap", "≤ 1e-6", f"{gap:.1e}", "", gap <= 1e-6),
        Row("reasons of a window, 3 horizons, in bulk", "≤ 10 ms", f"{bulk:.1f} ms",
            f"a million additions: {additions:.1f} ms", bulk <= 10),
        Row("the same, an alarm alone", "≤ 10 ms", f"{single:.1f} ms", "", single <= 10),
        Row("scoring without reasons, beside before", "≤ 1.05×", f"{ratio:.3f}×", "", ratio <= 1.05),
    ]  # fmt: skip
    for other in ("random", "important"):
        fall = deletion[f"first_minus_{other}"]
        name = (
            f"risk falls by more without the first reason than without the {other} one"
        )
        rows.append(Row(name, "> 0", _range(fall), "", fall["low"] > 0))
    return rows


def _range(found: dict[str, float]) -> str:
    return f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"


def _plan(config: RunConfig, workspace: Workspace) -> tuple[BucketPlan, list[str]]:
    """Return the plan of the panel with its peers, and its buckets."""
    ingested = workspace.record(IngestRecord)
    plan = make_plan(config, workspace, load_recipes(workspace.windows))
    peers = make_peers(
        workspace.root,
        workspace.panel,
        Registry.load(workspace.panel),
        plan.recipes,
        ingested.buckets,
        each=ingested.buckets_each,
    )
    return replace(plan, peers=peers), sorted(ingested.buckets)


def _alarm_days(root: Any) -> dict[Unit, list[int]]:
    """Return the ends of some test windows that alarm within the shortest horizon, by unit."""
    table = pd.read_parquet(str(root / "predictions.parquet"))
    table = table[(table["split"] == "test") & table["alarm"]]
    table = table[table["horizon"] == table["horizon"].min()]
    table = table.sample(min(MOST_ALARMS, len(table)), random_state=0)
    day = (
        pd.to_datetime(table["end_date"]).to_numpy().astype("datetime64[D]").astype(int)
    )
    days_of_unit: dict[Unit, list[int]] = {}
    for facility, equipment, end_day in zip(
        table["facility_id"], table["equipment_id"], day.tolist(), strict=True
    ):
        days_of_unit.setdefault(Unit(facility, equipment), []).append(end_day)
    return days_of_unit


def _failures(workspace: Workspace) -> pd.DataFrame:
    """Return the failures of the simulated fleet with the mode of each: the truth."""
    events = read_parquet(workspace.root / "source" / "events.parquet").to_pandas()
    return events[events["kind"] == "failure"]


def _row(
    bundle: Bundle,
    latest: Newest,
    failures: pd.DataFrame,
    seconds: list[float],
    gaps: list[float],
) -> dict[str, Any]:
    """Explain one window, and see what its reasons name and what they are worth."""
    windows = bundle.prepared(latest.windows)
    start = time.process_time()
    explained = bundle.contributions(windows)
    seconds.append(time.process_time() - start)
    score_BH = bundle.model.score(windows)
    total_BH = explained.added_BPH.sum(axis=1) + explained.usual_BH
    gaps.append(float(np.abs(total_BH - score_BH).max()))
    (explanation,) = explain_newest(bundle, latest)
    assert explanation is not None, "an alarm has a risk"
    added_P = explained.added_BPH[0, :, 0]
    first = explanation.reasons_H[0][0]
    named = first.point or first.player
    first_point = explained.players[int(added_P[: len(bundle.recipe.points)].argmax())]
    modes = {mode.name: mode.shifts for mode in KINDS[bundle.recipe.class_name].modes}
    unit = str(windows.column("equipment_id")[0])
    shifts = _mode(
        failures.groupby("equipment_id"), unit, int(windows.end_day_B[0]), modes
    )
    most = max(shifts, key=lambda point: abs(shifts[point])) if shifts else None
    rng = np.random.default_rng(len(gaps))
    deleted = {
        "first": int(added_P.argmax()),
        "random": int(rng.integers(0, len(added_P))),
    }
    risk = float(bundle.decision.risk(score_BH, windows.column("facility_id"))[0, 0])
    falls = {}
    for name, player in deleted.items():
        falls[f"fall_{name}"] = risk - _risk_without(bundle, windows, player)
    return {
        "class": bundle.recipe.class_name,
        "unit": f"{windows.column('facility_id')[0]} {unit}",
        "grown": bool(shifts),
        "planted_first": named in shifts,
        "most_first": named == most,
        "planted_first_point": first_point in shifts,
        "most_first_point": first_point == most,
        "added_P": np.abs(added_P),
        "falls": [
            risk - _risk_without(bundle, windows, p) for p in range(len(added_P))
        ],
        **falls,
    }


def _bulk_seconds(bundles: dict[str, Bundle], scenes: dict[str, list[Scene]]) -> float:
    """Return the CPU seconds of one window where the windows of a class are explained together."""
    spent, count = 0.0, 0
    for name, bundle in bundles.items():
        windows = bundle.prepared(newest(scenes[name], bundle.recipe).windows)
        windows = windows.take(windows.column("status") == "ok")
        start = time.process_time()
        bundle.contributions(windows)
        spent += time.process_time() - start
        count += len(windows)
    return spent / count


def _scoring_ratio(bundles: dict[str, Bundle], scenes: dict[str, list[Scene]]) -> float:
    """Return how much longer scoring takes with bands, beside the bundle of before."""
    spent = {"now": 0.0, "before": 0.0}
    for name, bundle in bundles.items():
        before = replace(bundle, background=None, cases=None, certainty=None)
        latest_rows(scenes[name][:2], before)
        for label, scorer in (("before", before), ("now", bundle)) * ROUNDS:
            start = time.process_time()
            latest_rows(scenes[name], scorer)
            spent[label] += time.process_time() - start
    return spent["now"] / spent["before"]


def _mode(
    units: Any, unit: str, end_day: int, modes: dict[str, Any]
) -> dict[str, float]:
    """Return what the failure that begins within 14 days moved; nothing where none does."""
    if unit not in units.groups:
        return {}
    own = units.get_group(unit)
    day = pd.to_datetime(own["start"]).to_numpy().astype("datetime64[D]").astype(int)
    soon = own[(day > end_day) & (day <= end_day + GROWN_DAYS)]
    return dict(modes.get(str(soon.iloc[0]["mode"]), {})) if len(soon) else {}


def _risk_without(bundle: Bundle, windows: Windows, player: int) -> float:
    """Return the mean risk where one player's columns are those of the healthy windows."""
    background = bundle.background
    assert background is not None, "the workspace's bundles hold reasons"
    (chosen,) = nearest_in_year(windows.end_day_B, background.end_day_B)
    behind = background.take(
        np.flatnonzero([chosen >> w & 1 for w in range(len(background))])
    )
    mixed = concat([windows] * len(behind))
    players = bundle.explainer.players
    arrays = {}
    for need in bundle.model.config.needs:
        own = getattr(mixed, NEEDS[need])
        width = own.shape[1]
        of_player = (
            players.of_columns(mixed, ("context",)) == player
            if need == "context"
            else np.arange(width) == player
        )
        keep = of_player.reshape(1, -1, *[1] * (own.ndim - 2))
        arrays[NEEDS[need]] = np.where(keep, getattr(behind, NEEDS[need]), own)
    score_WH = bundle.model.score(replace(mixed, **arrays)).mean(axis=0, keepdims=True)
    return float(bundle.decision.risk(score_WH, windows.column("facility_id"))[0, 0])


def _planted(table: pd.DataFrame) -> dict[str, Any]:
    grown = table[table["grown"]]
    names = ("planted_first", "most_first", "planted_first_point", "most_first_point")
    found: dict[str, Any] = {
        "windows": len(grown),
        "units": int(grown["unit"].nunique()),
    }
    for name in names:
        found[name] = _interval(
            grown[name].to_numpy(float), grown["unit"].to_numpy(str)
        )
    found["by_class"] = (
        grown.groupby("class")["planted_first"].mean().round(3).to_dict()
    )
    return found


def _deleted(table: pd.DataFrame) -> dict[str, Any]:
    units = table["unit"].to_numpy(str)
    first = table["fall_first"].to_numpy()
    important = np.empty(len(table))
    for name, of_class in table.groupby("class"):
        player = int(np.stack(of_class["added_P"].to_list()).mean(axis=0).argmax())
        own_B = (table["class"] == name).to_numpy()
        important[own_B] = [falls[player] for falls in of_class["falls"]]
    return {
        "first": _interval(first, units),
        "first_minus_random": _interval(first - table["fall_random"].to_numpy(), units),
        "first_minus_important": _interval(first - important, units),
    }


def _interval(value_B: Any, units_B: Any) -> dict[str, float]:
    """Return a mean with its 95 % interval over machines."""
    weights = unit_weights(units_B, replicates=1000)
    count = weights.w_RU.shape[1]
    total_U = np.bincount(weights.unit_index_B, value_B, minlength=count)
    windows_U = np.bincount(weights.unit_index_B, minlength=count)
    mean_R = (weights.w_RU @ total_U) / (weights.w_RU @ windows_U)
    low, high = np.percentile(mean_R, [2.5, 97.5])
    return {"value": round(float(value_B.mean()), 4), "low": round(float(low), 4),
            "high": round(float(high), 4)}  # fmt: skip


if __name__ == "__main__":
    main()
