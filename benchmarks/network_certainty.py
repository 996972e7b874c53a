"""Whether MC dropout or a deep ensemble tells better than the band how sure a network's risks are.

    python benchmarks/network_certainty.py [--workspace runs/demo]

The predecessor planned both. `hybrid` with 10 members is fitted on folds of the units that are not
tested; every window is scored by members that never saw its unit. Calibration and bands are fitted
on those scores, as for every bundle. Three widths of the same risk are compared, shortest horizon:

- band: the bundle's (50 draws of units, calibrated once more);
- ensemble: 90 % of ten members' risks, moved so that their mean log-odds is the risk's;
- dropout: the same of 50 passes with dropout on.

By two measures: the fall of the Brier score on the 85 % of windows with the narrowest range (and its
difference from the band's, intervals over units), and the share of deciles of risk whose rate lies in
the mean range. Writes results/network_certainty.json.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support import Row, machine, parser, record  # isort: skip

import numpy as np
import torch
from scipy.special import expit, logit

from hvac.certainty.bands import fit_risk_bands
from hvac.decision.calibration import RISK_FLOOR
from hvac.decision.decision import Scored
from hvac.decision.fit_decisions import DecisionConfig, fit_decisions
from hvac.features.encoder import load_encoder
from hvac.features.table import Windows
from hvac.models.families import config_of, fit
from hvac.models.family import Fitting
from hvac.models.folds import unit_folds
from hvac.models.hybrid import Hybrid
from hvac.scoring.bundle import Bundle
from hvac.storage import place
from ray_jobs.tables.windows_table import fit_windows, load_recipes

MEMBERS, PASSES, FOLDS, KEPT = 10, 50, 4, 0.85
REPLICATES = 500
WAYS = ("band", "ensemble", "dropout")


def main() -> None:
    """Fit, score, compare, and write the file."""
    command = parser(__doc__)
    command.add_argument("--workspace", type=Path, default=Path("runs/demo"))
    asked = command.parse_args()
    torch.set_num_threads(1)
    folder = place(str(asked.workspace)) / "windows"
    recipes = load_recipes(folder)
    config = config_of(
        "hybrid", members=MEMBERS, **({"epochs": 2} if asked.quick else {})
    )
    parts = []
    for path in sorted((asked.workspace / "bundles").iterdir()):
        bundle = Bundle.load(str(path))
        recipe = recipes[bundle.recipe.class_name]
        encoder = load_encoder(bundle.encoder_config)
        windows = fit_windows(folder, recipe, config, lambda encoder=encoder: encoder)
        parts.append(_class(windows, config, encoder, recipe.windows.horizons))
    results = _compared(
        {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    )
    record(
        "network_certainty",
        machine(("numpy", "torch"), cores=1),
        _shown(results),
        results,
        asked.quick,
    )


def _class(
    windows: Windows, config: Any, encoder: Any, horizons: tuple[int, ...]
) -> dict[str, Any]:
    """Return risks, labels, units and the three ranges of one class's windows."""
    score_BH = np.zeros((len(windows), len(horizons)))
    drawn = {
        "ensemble": np.zeros((MEMBERS, len(windows))),
        "dropout": np.zeros((PASSES, len(windows))),
    }
    for others_B, own_B in unit_folds(windows, folds=FOLDS, seed=0).parts:
        train, stop = _for_stopping(windows.take(others_B))
        model = fit(train, stop, config, Fitting(lambda: encoder))
        own = windows.take(own_B)
        score_BH[own_B] = model.score(own)
        drawn["ensemble"][:, own_B] = _members(model, own)
        drawn["dropout"][:, own_B] = np.stack(list(_passes(model, own)))
    scored = Scored(score_BH, windows)
    name = str(windows.column("class")[0])
    decision = fit_decisions(
        {name: scored}, horizons=horizons, config=DecisionConfig(), log_odds=True
    )[name]
    risk_BH = decision.risk(score_BH, windows.column("facility_id"))
    low_BH, high_BH = fit_risk_bands(scored, decision).around(risk_BH)
    y_BH, known_BH = windows.labels
    known_B = known_BH[:, 0]
    found = {"risk": risk_BH[:, 0], "y": y_BH[:, 0], "unit": windows.units}
    found["weight"] = windows.weights[:, 0]
    found |= {"band_low": low_BH[:, 0], "band_high": high_BH[:, 0]}
    odds_B = logit(np.clip(risk_BH[:, 0], RISK_FLOOR, 1 - RISK_FLOOR))
    for way, logit_DB in drawn.items():
        risk_DB = expit(logit_DB - logit_DB.mean(axis=0) + odds_B)
        found[f"{way}_low"], found[f"{way}_high"] = np.percentile(
            risk_DB, [5, 95], axis=0
        )
    return {key: column[known_B] for key, column in found.items()}


def _for_stopping(windows: Windows) -> tuple[Windows, Windows]:
    """Divide units into those to learn from, and one fold of five that ends the fit."""
    others_B, own_B = next(iter(unit_folds(windows, folds=5, seed=1).parts))
    return windows.take(others_B), windows.take(own_B)


def _members(model: Hybrid, windows: Windows) -> np.ndarray:
    """Return every member's logits at the shortest horizon: [M, B]."""
    (scaled,) = model._scaled(windows)
    with torch.inference_mode():
        logit_MHB = model.network(torch.from_numpy(scaled))
    return np.asarray(logit_MHB[:, 0].double().numpy())


def _passes(model: Hybrid, windows: Windows) -> Iterator[np.ndarray]:
    """Yield the mean logits of passes with dropout on, shortest horizon: [B] each."""
    torch.manual_seed(0)
    model.network.train()
    for _ in range(PASSES):
        yield _members(model, windows).mean(axis=0)
    model.network.eval()


def _compared(found: dict[str, Any]) -> dict[str, Any]:
    error_B = (found["risk"] - found["y"]) ** 2
    _, unit_B = np.unique(found["unit"], return_inverse=True)
    units = int(unit_B.max()) + 1
    rng = np.random.default_rng(0)
    drawn_RU = rng.multinomial(units, np.full(units, 1 / units), size=REPLICATES)
    weight_RB = np.concatenate([np.ones((1, len(unit_B))), drawn_RU[:, unit_B]])
    weight_RB = weight_RB * found["weight"]
    gains = {}
    for way in WAYS:
        width_B = found[f"{way}_high"] - found[f"{way}_low"]
        kept_B = width_B <= np.quantile(width_B, KEPT)
        kept_R = (weight_RB[:, kept_B] @ error_B[kept_B]) / weight_RB[:, kept_B].sum(
            axis=1
        )
        gains[way] = (weight_RB @ error_B) / weight_RB.sum(axis=1) - kept_R
    return {
        "windows": len(error_B),
        "units": units,
        "brier": float(np.average(error_B, weights=found["weight"])),
        "gain": {way: _interval(gain_R) for way, gain_R in gains.items()},
        "gain_over_band": {
            way: _interval(gains[way] - gains["band"]) for way in WAYS[1:]
        },
        "deciles_inside": {way: _deciles_inside(found, way) for way in WAYS},
        "mean_width": {
            way: float((found[f"{way}_high"] - found[f"{way}_low"]).mean())
            for way in WAYS
        },
    }


def _interval(value_R: np.ndarray) -> dict[str, float]:
    low, high = np.percentile(value_R[1:], [2.5, 97.5])
    return {"value": float(value_R[0]), "low": float(low), "high": float(high)}


def _deciles_inside(found: dict[str, Any], way: str) -> float:
    """Return the share of tenths, ordered by risk, whose rate lies in the mean range."""
    inside = []
    for rows in np.array_split(np.argsort(found["risk"], kind="stable"), 10):
        weight = found["weight"][rows]
        rate, low, high = (
            np.average(found[name][rows], weights=weight)
            for name in ("y", f"{way}_low", f"{way}_high")
        )
        inside.append(low <= rate <= high)
    return float(np.mean(inside))


def _shown(results: dict[str, Any]) -> list[Row]:
    rows = []
    for way in WAYS:
        gain, inside = results["gain"][way], results["deciles_inside"][way]
        over = results["gain_over_band"].get(way)
        beside = (
            f"minus the band's: {_range(over)}" if over else f"{results['units']} units"
        )
        measured = f"{_range(gain)}; deciles inside {inside:.0%}"
        rows.append(
            Row(
                f"Brier falls on the surest 85 %, by {way}", "–", measured, beside, None
            )
        )
    return rows


def _range(found: dict[str, float]) -> str:
    return f"{found['value']:.4f} [{found['low']:.4f}, {found['high']:.4f}]"


if __name__ == "__main__":
    main()
