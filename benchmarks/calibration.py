"""What pooling the calibration over classes is worth: python benchmarks/calibration.py [--workspace runs/demo]

Families are fitted on *train* (stopped on *tune*). The equipment of *cal* is cut at random, eight times: on two thirds
the calibrators are fitted, each class alone (Platt) or all together (`hvac.decision.pooling`), on the last third risks
of all classes are judged together: PR-AUC and log-loss. The test part is not read.
"""

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score
from support import Row, machine, parser, record

from hvac.decision.calibrator_fit import fit_calibrator
from hvac.decision.pooling import CalPart, fit_calibrators
from hvac.features.encoder import EncoderConfig, load_encoder
from hvac.models.families import config_of, fit
from hvac.models.family import Fitting, loaded_once
from ray_jobs.tables.windows_table import load_recipes, prepared_windows

FAMILIES, CUTS, SHARE = ("gbdt_full", "gbdt_context", "hybrid"), 8, 2 / 3


def main() -> None:
    command = parser(__doc__)
    command.add_argument("--workspace", type=Path, default=Path("runs/demo"))
    given = command.parse_args()
    where = machine(["scikit-learn", "torch"], 1)
    encoder = loaded_once(lambda: load_encoder(EncoderConfig()))
    found = {
        family: judged(given.workspace / "windows", family, encoder)
        for family in FAMILIES[: 1 if given.quick else 3]
    }
    record(
        "calibration",
        where,
        rows(found),
        {"workspace": given.workspace.name, "families": found},
        given.quick,
    )


def judged(folder: Path, family: str, encoder: Any) -> dict[str, Any]:
    """Mean over cuts of PR-AUC and log-loss of each horizon, for both ways."""
    config = config_of(family)
    cal: dict[str, tuple[Any, ...]] = {}
    for name, recipe in load_recipes(folder).items():
        train, tune, held = (
            prepared_windows(folder, recipe, s, config.needs, encoder)
            for s in ("train", "tune", "cal")
        )
        model = fit(train, tune, config, Fitting(encoder))
        cal[name] = (model.score(held).astype(float), *held.labels, held.units)
    horizons = next(iter(cal.values()))[1].shape[1]
    told: dict[str, Any] = {
        way: {"pr_auc": [], "log_loss": []} for way in ("alone", "pooled")
    }
    for h in range(horizons):
        seen = [cut(cal, h, seed) for seed in range(CUTS)]
        for way in told:
            for figure in ("pr_auc", "log_loss"):
                told[way][figure].append(
                    round(float(np.mean([each[way][figure] for each in seen])), 4)
                )
    return told


def cut(
    cal: dict[str, tuple[Any, ...]], h: int, seed: int
) -> dict[str, dict[str, float]]:
    """Both ways on one cut of the equipment."""
    parts, held = {}, {}
    for name, (score_BH, y_BH, known_BH, units_B) in cal.items():
        units = np.unique(units_B)
        inside = np.random.default_rng(seed).permutation(units)[
            : int(SHARE * len(units))
        ]
        fit_B, known_B = np.isin(units_B, inside), known_BH[:, h]
        parts[name] = CalPart(
            score_BH[fit_B & known_B, h],
            y_BH[fit_B & known_B, h],
            units_B[fit_B & known_B],
        )
        held[name] = (score_BH[~fit_B & known_B, h], y_BH[~fit_B & known_B, h])
    alone = {
        name: fit_calibrator(part.score_B, part.y_B, groups_B=part.groups_B)
        for name, part in parts.items()
    }
    y_B = np.concatenate([y for _, y in held.values()]).astype(float)
    found = {}
    for way, calibrators in (("alone", alone), ("pooled", fit_calibrators(parts))):
        risk_B = np.concatenate(
            [calibrators[name].transform(score) for name, (score, _) in held.items()]
        )
        loss = -float(np.mean(y_B * np.log(risk_B) + (1 - y_B) * np.log1p(-risk_B)))
        found[way] = {
            "pr_auc": float(average_precision_score(y_B, risk_B)),
            "log_loss": loss,
        }
    return found


def rows(found: dict[str, Any]) -> list[Row]:
    def said(way: dict[str, Any]) -> str:
        figures = (f"{name} {' / '.join(f'{v:.3f}' for v in way[key])}" for name, key in
                   (("PR-AUC", "pr_auc"), ("log-loss", "log_loss")))  # fmt: skip
        return ", ".join(figures)

    return [
        Row(f"calibration pooled over classes, {family}, 30 / 60 / 90 days", "", said(each["pooled"]),
            f"each class alone: {said(each['alone'])}", None)
        for family, each in found.items()
    ]  # fmt: skip


if __name__ == "__main__":
    main()
