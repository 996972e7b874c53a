"""How much of a run's calibration error chance alone would make, with the machines that were tested.

    python benchmarks/calibration_chance.py runs/demo …

Reads predictions.parquet of every given workspace (`ray_jobs.evaluate`). The windows of one machine fail together, so a
few lucky or unlucky machines open a gap between shown and true rates in every bin, whatever the model. To see how far,
each machine's surplus over its bins' mean gap gets a random sign (2,000 times): that keeps how far machines scatter,
and takes away any gap that they share. Beside it stands the slope of the labels' log-odds on the shown ones (1 where
risks are neither too bold nor too timid), with its interval over machines. Writes results/calibration_chance.json.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support import Row, machine, parser, record  # isort: skip

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import logit

BINS, DRAWS, RESAMPLES = 10, 2_000, 200


def main() -> None:
    """Every workspace, the file."""
    command = parser(__doc__)
    command.add_argument("workspaces", nargs="+", type=Path)
    asked = command.parse_args()
    rows: list[Row] = []
    found: dict[str, Any] = {}
    for workspace in asked.workspaces:
        table = pd.read_parquet(workspace / "predictions.parquet")
        own = table[(table["split"] == "test") & table["observed"]]
        for days, windows in own.groupby("horizon"):
            told = judged(windows)
            found.setdefault(workspace.name, {})[str(days)] = told
            measured = (
                "error {ece:.3f}; by chance {mean:.3f} on average, at most {most:.3f} in 95 of 100; "
                "slope {slope:.2f} [{slope_low:.2f}, {slope_high:.2f}]"
            ).format(**told)
            rows.append(
                Row(
                    f"{workspace.name}, {days} days, {told['units']} machines",
                    "",
                    measured,
                    "chance",
                    None,
                )
            )
    record(
        "calibration_chance",
        machine(("numpy",), cores=1),
        rows,
        {"found": found},
        asked.quick,
    )


def judged(windows: pd.DataFrame) -> dict[str, float]:
    """Calibration error over ten bins of equal mass, and what random signs of the machines' surplus make of it."""
    risk_B, y_B = (windows[name].to_numpy(float) for name in ("risk", "label"))
    unit_B = windows.groupby(["facility_id", "equipment_id"]).ngroup().to_numpy()
    bin_B = np.empty(len(risk_B), dtype=int)
    for number, place in enumerate(
        np.array_split(np.argsort(risk_B, kind="stable"), BINS)
    ):
        bin_B[place] = number
    shape = BINS, int(unit_B.max()) + 1
    count_KU, surplus_KU = np.zeros(shape), np.zeros(shape)
    np.add.at(count_KU, (bin_B, unit_B), 1.0)
    np.add.at(surplus_KU, (bin_B, unit_B), risk_B - y_B)
    gap_K = surplus_KU.sum(axis=1) / count_KU.sum(axis=1)
    scatter_KU = surplus_KU - gap_K[:, None] * count_KU
    sign_UD = np.random.default_rng(0).choice([-1.0, 1.0], (shape[1], DRAWS))
    chance_D = np.abs(scatter_KU @ sign_UD).sum(axis=0) / len(risk_B)
    return {
        "units": shape[1],
        "ece": float(np.abs(surplus_KU.sum(axis=1)).sum() / len(risk_B)),
        "mean": float(chance_D.mean()),
        "most": float(np.quantile(chance_D, 0.95)),
        **slopes(risk_B, y_B, unit_B),
    }


def slopes(risk_B: Any, y_B: Any, unit_B: Any) -> dict[str, float]:
    """The slope of a logistic line on the shown log-odds, and its 95 % interval by bootstrap over machines."""
    odds_B, rng = logit(np.clip(risk_B, 1e-6, 1 - 1e-6)), np.random.default_rng(0)
    units = int(unit_B.max()) + 1
    drawn = [
        rng.multinomial(units, np.full(units, 1 / units))[unit_B]
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(
        [slope(odds_B, y_B, weight_B) for weight_B in drawn], [0.025, 0.975]
    )
    return {
        "slope": slope(odds_B, y_B, np.ones(len(y_B))),
        "slope_low": float(low),
        "slope_high": float(high),
    }


def slope(odds_B: Any, y_B: Any, weight_B: Any) -> float:
    """The slope of one fit."""

    def loss(line: Any) -> float:
        logit_B = line[0] + line[1] * odds_B
        return float(
            np.average(np.logaddexp(0, logit_B) - y_B * logit_B, weights=weight_B)
        )

    return float(minimize(loss, [0.0, 1.0]).x[1])


if __name__ == "__main__":
    main()
