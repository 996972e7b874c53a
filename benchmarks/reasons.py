"""What the reasons of a simulated run are worth: do they name the point that was made to fail?

    python benchmarks/reasons.py runs/demo

Reads the bundles, windows and predictions of a workspace that `ray_jobs.pipeline` made of simulated
data, and simulates the same fleet again to learn which points each failure moved.

- planted: true alarms (30 days) whose failure begins within 14 days. Share of windows whose first
  reason is a point that the failure moved; whose first is the one it moved most; and the same among
  points alone.
- deletion: of all alarms of the test part, how far the risk falls where one player's columns are
  those of healthy windows: the first reason, one at random, and the one that is most important over
  the class (mean absolute contribution). Intervals over machines.
- sum: the largest distance between the sum of contributions and the log-odds.
- milliseconds of CPU a window for three horizons, beside a million additions.

Writes results/reasons.json.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from support import Row, machine, parser, record  # isort: skip

import numpy as np
import pandas as pd
import torch

from hvac.evaluation.bootstrap import unit_weights
from hvac.explain.background import nearest_in_year
from hvac.explain.explainer import Contributions
from hvac.features.table import Windows, concat
from hvac.models.family import NEEDS, prepared
from hvac.scoring.bundle import Bundle
from hvac.simulate.catalogue import KINDS
from hvac.simulate.fleet import simulate
from hvac.simulate.simulate_config import SimulateConfig
from hvac.storage import place
from ray_jobs.tables.windows_table import load_recipes, read_windows, table_columns

GROWN_DAYS = 14
MOST_ALARMS = 200  # of a class


def main() -> None:
    """Measure every class, and write the file."""
    command = parser(__doc__)
    command.add_argument("workspace", type=Path)
    asked = command.parse_args()
    torch.set_num_threads(1)
    failures = _failures(SimulateConfig(facilities=4, equipment_per_class=12, days=1095, seed=7))
    parts = []
    times = []
    gaps = []
    for name, recipe in load_recipes(place(asked.workspace / "windows")).items():
        folder = next((asked.workspace / "bundles").glob(f"{name}-*"))
        bundle = Bundle.load(folder)
        windows = _alarms(asked.workspace, bundle, recipe)
        if not len(windows):
            continue
        bundle.contributions(windows.take(np.arange(1)))  # compiled, and the background sent down
        start = time.process_time()
        explained = bundle.contributions(windows)
        times.append((time.process_time() - start) / len(windows))
        score_BH = bundle.model.score(windows)
        total_BH = explained.added_BPH.sum(axis=1) + explained.usual_BH
        gaps.append(float(np.abs(total_BH - score_BH).max()))
        parts.append(_rows(bundle, windows, explained, failures, score_BH))
    table = pd.concat(parts)
    start = time.process_time()
    sum(range(10**6))
    additions = time.process_time() - start
    planted = _planted(table)
    deleted = _deleted(table)
    results = {
        "alarms": len(table),
        "planted": planted,
        "deletion": deleted,
        "largest_gap_of_the_sum": max(gaps),
        "milliseconds_a_window": 1e3 * float(np.mean(times)),
        "milliseconds_a_million_additions": 1e3 * additions,
    }
    rows = [Row(name, "", f"{value}", "reasons", None) for name, value in results.items()]
    record("reasons", machine(("numpy", "numba"), cores=1), rows, results, asked.quick)


def _failures(config: SimulateConfig) -> pd.DataFrame:
    events = simulate(config).events.to_pandas()
    return events[events["kind"] == "failure"]


def _alarms(workspace: Path, bundle: Bundle, recipe: Any) -> Windows:
    """Return the test windows that alarm within the shortest horizon, of which some at random."""
    folder = place(workspace / "windows")
    needs = (*bundle.model.config.needs, "values")
    columns = tuple(sorted(table_columns(folder, recipe) & {*needs}))
    windows = read_windows(folder, recipe, ("test",), columns)
    windows = prepared(windows, bundle.model.config.needs, lambda: bundle.encoder)
    rows = np.flatnonzero(bundle.predict(windows).alarm_BH[:, 0])
    rng = np.random.default_rng(0)
    if len(rows) > MOST_ALARMS:
        rows = np.sort(rng.choice(rows, MOST_ALARMS, replace=False))
    return windows.take(rows)


def _rows(
    bundle: Bundle,
    windows: Windows,
    explained: Contributions,
    failures: pd.DataFrame,
    score_BH: Any,
) -> pd.DataFrame:
    players = explained.players
    points = len(bundle.recipe.points)
    added_BP = explained.added_BPH[:, :, 0]
    first_B = added_BP.argmax(axis=1)
    usual_first = int(np.abs(added_BP).mean(axis=0).argmax())
    rng = np.random.default_rng(1)
    random_B = rng.integers(0, len(players), len(windows))
    facility_B = windows.column("facility_id")
    risk_B = bundle.decision.risk(score_BH, facility_B)[:, 0]
    falls = {}
    for name, which_B in (
        ("first", first_B),
        ("random", random_B),
        ("important", np.full(len(windows), usual_first)),
    ):
        without_B = np.empty(len(windows))
        for b in range(len(windows)):
            without_B[b] = _risk_without(bundle, windows, b, int(which_B[b]))
        falls[name] = risk_B - without_B
    rows = []
    modes = {mode.name: mode.shifts for mode in KINDS[bundle.recipe.class_name].modes}
    units = failures.groupby("equipment_id")
    for b in range(len(windows)):
        unit = str(windows.column("equipment_id")[b])
        shifts = _mode(units, unit, int(windows.end_day_B[b]), modes)
        first = players[first_B[b]]
        first_point = players[int(added_BP[b, :points].argmax())]
        most = max(shifts, key=lambda point: abs(shifts[point])) if shifts else None
        rows.append(
            {
                "class": bundle.recipe.class_name,
                "unit": f"{facility_B[b]} {unit}",
                "grown": bool(shifts),
                "planted_first": first in shifts,
                "most_first": first == most,
                "planted_first_point": first_point in shifts,
                "most_first_point": first_point == most,
                **{f"fall_{name}": float(fall_B[b]) for name, fall_B in falls.items()},
            }
        )
    return pd.DataFrame(rows)


def _mode(units: Any, unit: str, end_day: int, modes: dict[str, Any]) -> dict[str, float]:
    """Return what the failure that begins within 14 days moved; nothing where none does."""
    if unit not in units.groups:
        return {}
    own = units.get_group(unit)
    day = pd.to_datetime(own["start"]).to_numpy().astype("datetime64[D]").astype(int)
    soon = own[(day > end_day) & (day <= end_day + GROWN_DAYS)]
    return dict(modes.get(str(soon.iloc[0]["mode"]), {})) if len(soon) else {}


def _risk_without(bundle: Bundle, windows: Windows, b: int, player: int) -> float:
    """Return the mean risk where one player's columns are those of the healthy windows."""
    background = bundle.background
    assert background is not None, "the workspace's bundles hold reasons"
    (chosen,) = nearest_in_year(windows.end_day_B[b : b + 1], background.end_day_B)
    behind = background.take(np.flatnonzero([chosen >> w & 1 for w in range(len(background))]))
    mixed = concat([windows.take(np.array([b]))] * len(behind))
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
    from dataclasses import replace

    score_WH = bundle.model.score(replace(mixed, **arrays)).mean(axis=0, keepdims=True)
    return float(bundle.decision.risk(score_WH, windows.column("facility_id")[b : b + 1])[0, 0])


def _planted(table: pd.DataFrame) -> dict[str, Any]:
    grown = table[table["grown"]]
    names = ("planted_first", "most_first", "planted_first_point", "most_first_point")
    found: dict[str, Any] = {"windows": len(grown), "units": int(grown["unit"].nunique())}
    for name in names:
        found[name] = _interval(grown[name].to_numpy(float), grown["unit"].to_numpy(str))
    found["by_class"] = grown.groupby("class")["planted_first"].mean().round(3).to_dict()
    return found


def _deleted(table: pd.DataFrame) -> dict[str, Any]:
    units = table["unit"].to_numpy(str)
    first = table["fall_first"].to_numpy()
    return {
        "first": _interval(first, units),
        "first_minus_random": _interval(first - table["fall_random"].to_numpy(), units),
        "first_minus_important": _interval(first - table["fall_important"].to_numpy(), units),
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
