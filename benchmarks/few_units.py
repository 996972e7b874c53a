"""What calibration on a few units does to risks that were right: 200 simulated splits with five *cal* units each.

    python benchmarks/few_units.py [--quick]

Units have a rate of their own around the fleet's; scores are log-odds that are right up to noise. Compared on units
that no fit has seen: calibration on the five *cal* units alone (as it was until 2026-11-29), on the cross-fitted scores
of all units that are not tested (as it is), and none. Writes benchmarks/results/few_units.json.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from support import Row, machine, parser, record  # isort: skip

import numpy as np
import pyarrow as pa
from scipy.special import expit

from hvac.decision.calibrator_fit import fit_calibrator
from hvac.decision.decision import Scored
from hvac.decision.fit_decisions import DecisionConfig, fit_decisions
from hvac.features.table import KEY_SCHEMA, Windows

UNITS, CAL, TESTED, WINDOWS = 60, 5, 40, 30
RATES = {"rare": -3.2, "usual": -2.2, "often": -0.5}


def fleet(seed: int, level: float) -> tuple[Any, Windows]:
    """Scores [B, 1] and labelled windows; the first units train, five calibrate, the last are tested."""
    rng = np.random.default_rng(seed)
    units = UNITS + TESTED
    odds_B = np.repeat(level + rng.normal(0, 0.8, units), WINDOWS) + np.repeat(
        rng.normal(0, 0.5, units * 5), WINDOWS // 5
    )
    failing_B = np.repeat(rng.random(units * 5), WINDOWS // 5) < expit(
        odds_B
    )  # windows overlap: labels come in runs
    score_B = odds_B + rng.normal(0, 0.3, len(odds_B))
    unit_B = np.repeat(np.arange(units), WINDOWS)
    split_B = np.where(
        unit_B >= UNITS, "test", np.where(unit_B >= UNITS - CAL, "cal", "train")
    )
    day_B = np.tile(np.arange(WINDOWS), units) * 7
    columns = {
        "facility_id": ["F"] * len(unit_B), "equipment_id": [f"E{u:03d}" for u in unit_B],
        "point_id": [None] * len(unit_B), "class": ["ahu"] * len(unit_B),
        "end_date": [dt.date(2024, 1, 1) + dt.timedelta(days=int(day)) for day in day_B],
        "split": split_B.tolist(), "status": ["ok"] * len(unit_B),
    }  # fmt: skip
    keys = pa.table(
        {field.name: columns[field.name] for field in KEY_SCHEMA}, schema=KEY_SCHEMA
    )
    windows = Windows(keys=keys, observed_B=np.ones(len(unit_B), np.float32), y_BH=failing_B[:, None],
                      known_BH=np.ones((len(unit_B), 1), bool))  # fmt: skip
    return score_B[:, None], windows


def shown(seed: int, level: float) -> dict[str, float]:
    """Mean risk shown on the tested units by each calibration, as a share of their expected rate."""
    score_BH, windows = fleet(seed, level)
    split_B = windows.column("split")
    test_B, cal_B = split_B == "test", split_B == "cal"
    rate = float(
        np.mean(
            [fleet(10_000 + seed * 20 + k, level)[1].labels[0].mean() for k in range(5)]
        )
    )
    five = fit_calibrator(
        score_BH[cal_B, 0], windows.labels[0][cal_B, 0], groups_B=windows.units[cal_B]
    )
    learned = Scored(score_BH, windows).where(~test_B)
    everyone = fit_decisions(
        {"ahu": learned}, horizons=(30,), config=DecisionConfig(), log_odds=True
    )["ahu"]
    risks = {
        "five_cal_units": five.transform(score_BH[test_B, 0]),
        "cross_fitted": everyone.risk(score_BH[test_B])[:, 0],
        "none": expit(score_BH[test_B, 0]),
    }
    return {name: float(risk_B.mean() / rate) for name, risk_B in risks.items()}


def main() -> None:
    asked = parser(__doc__).parse_args()
    splits = 10 if asked.quick else 200
    found: dict[str, Any] = {
        "splits": splits,
        "units": UNITS,
        "cal_units": CAL,
        "true_rate": {},
        "rates": {},
    }
    rows = []
    for name, level in RATES.items():
        ratios = [shown(seed, level) for seed in range(splits)]
        found["rates"][name] = {
            method: summary([each[method] for each in ratios]) for method in ratios[0]
        }
        found["true_rate"][name] = round(
            float(
                np.mean(
                    [fleet(seed, level)[1].labels[0].mean() for seed in range(splits)]
                )
            ),
            3,
        )
        ours, before = (
            found["rates"][name][method]
            for method in ("cross_fitted", "five_cal_units")
        )
        bar = "0.8 to 1.2"
        told, peer = (
            f"{each['mean']} ({each['from_5_to_95_percent']})"
            for each in (ours, before)
        )
        rows.append(
            Row(
                f"shown mean risk / true rate, {name}",
                bar,
                told,
                peer,
                0.8 <= ours["mean"] <= 1.2,
            )
        )
    record("few_units", machine(["numpy", "scipy"], 1), rows, found, asked.quick)


def summary(ratios: list[float]) -> dict[str, Any]:
    return {
        "mean": round(float(np.mean(ratios)), 3),
        "from_5_to_95_percent": np.quantile(ratios, (0.05, 0.95)).round(3).tolist(),
        "share_within_20_percent": round(
            float(np.mean(np.abs(np.array(ratios) - 1) <= 0.2)), 3
        ),
        "share_off_by_2_or_more": round(
            float(np.mean([not 0.5 <= ratio <= 2 for ratio in ratios])), 3
        ),
    }


if __name__ == "__main__":
    main()
