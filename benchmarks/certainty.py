"""Whether the bands and the promise on false alarms hold, on many small simulated fleets.

    python benchmarks/certainty.py

Every fleet has 30 units, a year of weekly windows, a hazard of its own, and scores that are bent by
a slope and an intercept of its own. Calibration, thresholds (F1), bands and the rule for alarms are
fitted on it; 400 fresh units of the same fleet tell what is true.

- promise: of the fleets and horizons where a budget of 1 false alarm a unit-year is promised (90 %),
  in how many the alarms that are kept hold it.
- bands: of the deciles of risk of fresh windows, in how many the true rate lies inside the mean band.
- share withheld, and the Brier score of all windows and of the 85 % with the narrowest bands.

Writes results/certainty.json.
"""

from __future__ import annotations

from typing import Any

from support import Row, machine, parser, record  # isort: skip

import numpy as np

from hvac.certainty.certainty import fit_certainty
from hvac.certainty.withholding import false_alarms
from hvac.decision.abstain_config import AbstainConfig
from hvac.decision.decision import DecisionConfig, fit_decisions
from hvac.decision.thresholds import alarms
from tests.certainty.fleets_example import HORIZONS, facts_of, fleet

UNITS, FRESH = 30, 400
MANY = 10_000  # similar units: familiarity plays no part here


def main() -> None:
    """Simulate, fit, compare, and write the file."""
    command = parser(__doc__)
    command.add_argument("--fleets", type=int, default=200)
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
    shown = [Row(name, "", f"{value}", "certainty", None) for name, value in results.items()]
    record("certainty", machine(("numpy", "scipy"), cores=1), shown, results, asked.quick)


def _one(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    facts = facts_of(rng)
    seen, fresh = fleet(facts, UNITS, rng), fleet(facts, FRESH, rng)
    config = DecisionConfig()
    decision = fit_decisions({"ahu": seen}, horizons=HORIZONS, config=config, log_odds=True)["ahu"]
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


def _inside(risk_BH: Any, y_BH: Any, low_BH: Any, high_BH: Any) -> list[bool]:
    """Tell for every horizon and decile of risk whether its rate lies inside the mean band."""
    inside = []
    for h in range(risk_BH.shape[1]):
        for rows in np.array_split(np.argsort(risk_BH[:, h]), 10):
            rate = y_BH[rows, h].mean()
            inside.append(bool(low_BH[rows, h].mean() <= rate <= high_BH[rows, h].mean()))
    return inside


if __name__ == "__main__":
    main()
