"""Whether the bands and the promise on false alarms hold, on many small simulated fleets.

    python benchmarks/certainty.py [--workspace runs/demo]

Every fleet has 30 units, a year of weekly windows, a hazard of its own, and scores that are bent by
a slope and an intercept of its own. Calibration, thresholds (F1), bands and the rule for alarms are
fitted on it; 400 fresh units of the same fleet tell what is true.

- promise: of the fleets and horizons where a budget of 1 false alarm a unit-year is promised (90 %),
  in how many the alarms that are kept hold it.
- bands: of the deciles of risk of fresh windows, in how many the true rate lies inside the mean band.
- unfamiliar (with a workspace): how often "needs a look" is said of test windows of a class, and of
  windows of other classes with as many points, which its bundle has never seen.
- share withheld, and the Brier score of all windows and of the 85 % with the narrowest bands.

Writes results/certainty.json.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from support import Row, machine, parser, record  # isort: skip

import numpy as np

from hvac.certainty.certainty import fit_certainty
from hvac.certainty.withholding import false_alarms
from hvac.decision.abstain_config import AbstainConfig
from hvac.decision.fit_decisions import DecisionConfig, fit_decisions
from hvac.decision.thresholds import alarms
from hvac.explain.past_cases import LOOKED_AT
from hvac.scoring.bundle import Bundle
from hvac.storage import place
from ray_jobs.tables.windows_table import load_recipes, read_windows, table_columns
from tests.certainty.fleets_example import HORIZONS, facts_of, fleet

UNITS, FRESH = 30, 400
MANY = 10_000  # similar units: familiarity plays no part here


def main() -> None:
    """Simulate, fit, compare, and write the file."""
    command = parser(__doc__)
    command.add_argument("--fleets", type=int, default=200)
    command.add_argument("--workspace", type=Path, default=Path("runs/demo"))
    asked = command.parse_args()
    rows = [_one(seed) for seed in range(20 if asked.quick else asked.fleets)]
    promises = [held for row in rows for held in row["held"]]
    inside = [part for row in rows for part in row["inside"]]
    gains = np.array([row["gain"] for row in rows])
    results = {
        "fleets": len(rows),
        "promises": len(promises),
        "promised_share": len(promises) / (len(rows) * len(HORIZONS)),
        "promises_held": float(np.mean(promises)),
        "deciles_inside": float(np.mean(inside)),
        "withheld": float(np.mean([row["withheld"] for row in rows])),
        "brier_gain_at_85_percent": {
            "value": float(gains.mean()),
            "low": float(np.percentile(gains, 2.5)),
            "high": float(np.percentile(gains, 97.5)),
        },
    }
    if (asked.workspace / "bundles").exists():
        results["unfamiliar"] = _unfamiliar(asked.workspace)
    shown = _shown(results)
    record(
        "certainty", machine(("numpy", "scipy"), cores=1), shown, results, asked.quick
    )


def _shown(results: dict[str, Any]) -> list[Row]:
    """Return the figures beside their bars."""
    held, inside = results["promises_held"], results["deciles_inside"]
    gain = results["brier_gain_at_85_percent"]
    fleets = f"{results['fleets']} simulated fleets of {UNITS} units"
    promised = f"{results['promises']} promises, in {results['promised_share']:.0%} of the cases"
    shown_gain = f"{gain['value']:.4f} [{gain['low']:.4f}, {gain['high']:.4f}]"
    rows = [
        Row("promises on false alarms that hold", "≥ 90 %", f"{held:.1%}", promised, held >= 0.9),
        Row("deciles whose rate lies in the band", "≥ 90 %", f"{inside:.1%}", fleets, inside >= 0.9),
        Row("Brier falls on the surest 85 %", "> 0", shown_gain, fleets, gain["low"] > 0),
    ]  # fmt: skip
    if "unfamiliar" in results:
        met = results["unfamiliar"]
        times = f"{met['times']:.1f}×"
        both = f"{met['own_class']:.1%} of its own class, {met['other_class']:.1%} of others"
        rows.append(
            Row("needs a look: strangers", "≥ 3×", times, both, met["times"] >= 3)
        )
    return rows


def _one(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    facts = facts_of(rng)
    seen, fresh = fleet(facts, UNITS, rng), fleet(facts, FRESH, rng)
    config = DecisionConfig()
    decision = fit_decisions(
        {"ahu": seen}, horizons=HORIZONS, config=config, log_odds=True
    )["ahu"]
    certainty = fit_certainty(seen, decision, AbstainConfig(), HORIZONS)
    risk_BH = decision.risk(fresh.score_BH)
    threshold_BH = np.tile(decision.threshold_H, (len(risk_BH), 1))
    sure = certainty.of(risk_BH, threshold_BH, np.full(len(risk_BH), MANY))
    alarm_BH = alarms(risk_BH, threshold_BH)
    kept_BH = alarm_BH & ~sure.needs_look_BH
    y_BH, _ = fresh.windows.labels
    held = []
    for h, days in enumerate(HORIZONS):
        if certainty.rule.promised_H[h]:
            counts = false_alarms(
                kept_BH[:, h],
                y_BH[:, h],
                units_B=fresh.windows.units,
                end_day_B=fresh.windows.end_day_B,
                horizon=days,
            )
            held.append(counts.false_U.sum() / counts.years_U.sum() <= 1.0)
    error_BH = (risk_BH - y_BH) ** 2
    width_B = (sure.high_BH - sure.low_BH)[:, 0]
    narrow_B = width_B <= np.quantile(width_B, 0.85)
    return {
        "held": held,
        "inside": _inside(risk_BH, y_BH, sure.low_BH, sure.high_BH),
        "withheld": float(sure.needs_look_BH.mean()),
        "gain": float(error_BH[:, 0].mean() - error_BH[narrow_B, 0].mean()),
    }


def _unfamiliar(workspace: Path) -> dict[str, float]:
    """Return the share of windows that need a look: of the bundle's class, and of other classes."""
    recipes = load_recipes(place(workspace / "windows"))
    bundles = {
        name: Bundle.load(next((workspace / "bundles").glob(f"{name}-*")))
        for name in recipes
    }
    own, others = [], []
    for name, bundle in bundles.items():
        for other, recipe in recipes.items():
            if recipe.width != bundle.recipe.width:
                continue
            needs = tuple(sorted(set(bundle.needs) | set(LOOKED_AT) | {"values"}))
            columns = tuple(
                sorted(table_columns(place(workspace / "windows"), recipe) & {*needs})
            )
            windows = read_windows(
                place(workspace / "windows"), recipe, ("test",), columns
            )
            windows = bundle.prepared(replace(windows, points=None))
            risk_BH = bundle.predict(windows).risk_BH
            sure = bundle.sureness(windows, risk_BH)
            assert sure is not None, "the workspace's bundles hold bands"
            (own if other == name else others).append(
                float(sure.needs_look_BH[:, 0].mean())
            )
    return {
        "own_class": float(np.mean(own)),
        "other_class": float(np.mean(others)),
        "times": float(np.mean(others) / max(np.mean(own), 1e-9)),
    }


def _inside(risk_BH: Any, y_BH: Any, low_BH: Any, high_BH: Any) -> list[bool]:
    """Tell for every horizon and decile of risk whether its rate lies inside the mean band."""
    inside = []
    for h in range(risk_BH.shape[1]):
        for rows in np.array_split(np.argsort(risk_BH[:, h]), 10):
            rate = y_BH[rows, h].mean()
            inside.append(
                bool(low_BH[rows, h].mean() <= rate <= high_BH[rows, h].mean())
            )
    return inside


if __name__ == "__main__":
    main()
