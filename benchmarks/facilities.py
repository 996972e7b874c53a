"""What decisions by facility are worth: python benchmarks/facilities.py [--runs DIR] [--workspace runs/demo …]

On a simulated fleet whose facilities fail at the RATES, and on workspaces that are there already. Families are fitted
on *train* (stopped on *tune*). The equipment of *cal* is cut at random, CUTS times: on two thirds decisions are fitted,
by class alone or by facility too (`DecisionConfig.by_facility`), on the last third risks of all classes are judged
together: log-loss, Brier score, PR-AUC, and F1 at the thresholds. The test part is not read.
"""

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, f1_score
from support import Row, machine, parser, record

from hvac.decision.decision import Scored
from hvac.decision.fit_decisions import DecisionConfig, fit_decisions
from hvac.decision.thresholds import alarms
from hvac.features.encoder import EncoderConfig, load_encoder
from hvac.features.table import Windows
from hvac.models.families import config_of, fit
from hvac.models.family import Fitting, loaded_once
from hvac.simulate.fleet import simulate_facilities
from hvac.simulate.fleet_files import write_canonical
from hvac.simulate.simulate_config import SimulateConfig
from ray_jobs import featurize, ingest
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.runtime import ray_session
from ray_jobs.tables.windows_table import load_recipes, prepared_windows

RATES = (0.3, 0.7, 1.3, 2.0)  # failures per unit and year
CLASSES = ("ahu", "chiller", "pump")
CUTS, SHARE = 8, 2 / 3
FIGURES = ("log_loss", "brier", "pr_auc", "f1")
Cal = dict[str, tuple[Windows, Any]]


def main() -> None:
    command = parser(__doc__)
    command.add_argument(
        "--runs",
        type=Path,
        default=Path("runs"),
        help="where the simulated fleets are built and kept",
    )
    command.add_argument("--workspace", type=Path, nargs="*", default=[])
    command.add_argument("--families", nargs="+", default=["gbdt_full"])
    given = command.parse_args()
    where = machine(["scikit-learn", "torch"], 1)
    folders = {"rates differ": featurized(given.runs / "facilities_differ")}
    folders |= {workspace.name: workspace / "windows" for workspace in given.workspace}
    encoder = loaded_once(lambda: load_encoder(EncoderConfig()))
    found = {
        name: {family: judged(folder, family, encoder) for family in given.families}
        for name, folder in folders.items()
    }
    record(
        "facilities", where, rows(found), {"rates": RATES, "fleets": found}, given.quick
    )


def featurized(workspace: Path) -> Path:
    """Windows of a fleet whose facilities fail at different rates."""
    source = workspace / "fleet"
    if not (source / "events.parquet").exists():
        size = {
            "facilities": len(RATES),
            "equipment_per_class": 16,
            "classes": CLASSES,
            "days": 1095,
            "seed": 11,
        }
        fleets = [
            list(simulate_facilities(SimulateConfig(**size, failures_per_year=rate)))[
                place
            ]
            for place, rate in enumerate(RATES)
        ]
        write_canonical(fleets, source)
    tables = {name: str(source / f"{name}.parquet") for name in ("events", "equipment")}
    config = RunConfig(
        name="facilities", workspace=workspace, source={"readings": str(source / "readings"), **tables},
        windows={"train_stride": 7}, labels={"events": ["failure"]},
    )  # fmt: skip
    with ray_session(config.ray):
        ingest.run(config)
        featurize.run(config)
    return workspace / "windows"


def judged(folder: Path, family: str, encoder: Any) -> dict[str, Any]:
    """Every figure with decisions by class and by facility, per horizon; and on how many cuts the latter was better."""
    config, cal, horizons = config_of(family), {}, ()
    for name, recipe in load_recipes(folder).items():
        train, tune, held = (
            prepared_windows(folder, recipe, s, config.needs, encoder)
            for s in ("train", "tune", "cal")
        )
        cal[name] = (
            held,
            fit(train, tune, config, Fitting(encoder)).score(held).astype(float),
        )
        horizons = recipe.windows.horizons
    told_CWHK = np.array([cut(cal, horizons, seed) for seed in range(CUTS)])
    off_HK, on_HK = told_CWHK.mean(axis=0)
    gain_CHK = (told_CWHK[:, 1] - told_CWHK[:, 0]) * np.where(
        np.isin(FIGURES, ("log_loss", "brier")), -1, 1
    )
    return {
        figure: {"off": off_HK[:, k].round(4).tolist(), "on": on_HK[:, k].round(4).tolist(),
                 "cuts_better": (gain_CHK[:, :, k] > 0).sum(axis=0).tolist()}
        for k, figure in enumerate(FIGURES)
    }  # fmt: skip


def cut(cal: Cal, horizons: tuple[int, ...], seed: int) -> list[Any]:
    """Figures [way, horizon, figure] of one cut of the equipment."""
    fitted, held = {}, {}
    for name, (windows, score_BH) in cal.items():
        units = np.unique(windows.units)
        inside_B = np.isin(
            windows.units,
            np.random.default_rng(seed).permutation(units)[: int(SHARE * len(units))],
        )
        fitted[name] = Scored(score_BH[inside_B], windows.take(inside_B))
        held[name] = Scored(score_BH[~inside_B], windows.take(~inside_B))
    return [
        told(fitted, held, horizons, DecisionConfig(by_facility=on))
        for on in (False, True)
    ]


def told(
    fitted: dict[str, Scored],
    held: dict[str, Scored],
    horizons: tuple[int, ...],
    config: DecisionConfig,
) -> list[list[float]]:
    decisions = fit_decisions(fitted, horizons=horizons, config=config)
    facility = {name: part.windows.column("facility_id") for name, part in held.items()}
    risk_BH = np.concatenate(
        [decisions[n].risk(part.score_BH, facility[n]) for n, part in held.items()]
    )
    cut_BH = np.concatenate([decisions[n].threshold_BH(facility[n]) for n in held])
    alarm_BH = alarms(risk_BH, cut_BH)
    y_BH, known_BH = (
        np.concatenate([part.windows.labels[k] for part in held.values()])
        for k in (0, 1)
    )
    return [
        figures(risk_BH[k, h], alarm_BH[k, h], y_BH[k, h].astype(float))
        for h, k in enumerate(known_BH.T)
    ]


def figures(risk_B: Any, alarm_B: Any, y_B: Any) -> list[float]:
    loss = -float(np.mean(y_B * np.log(risk_B) + (1 - y_B) * np.log1p(-risk_B)))
    brier = float(np.mean((risk_B - y_B) ** 2))
    return [
        loss,
        brier,
        float(average_precision_score(y_B, risk_B)),
        float(f1_score(y_B, alarm_B)),
    ]


def rows(found: dict[str, Any]) -> list[Row]:
    def said(each: dict[str, Any], way: str) -> str:
        return ", ".join(
            f"{name} {' / '.join(f'{v:.3f}' for v in each[name][way])}"
            for name in FIGURES
        )

    return [
        Row(
            f"decisions by facility, {fleet}, {family}",
            "",
            said(each, "on"),
            f"by class alone: {said(each, 'off')}",
            None,
        )
        for fleet, families in found.items()
        for family, each in families.items()
    ]


if __name__ == "__main__":
    main()
