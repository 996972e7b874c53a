"""What evaluate writes beside metrics.json: predictions, the summary table, figures; and facts of
the decisions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from hvac.cells import SafeWriter
from hvac.decision.decision import Decision
from hvac.evaluation.comparison import EvaluationSet
from hvac.features.describe import Recipe
from hvac.report import figures
from hvac.scoring.predictions import predictions_table
from hvac.storage import AnyPath, write_parquet, writing
from ray_jobs.assess.decided import EVALUATED, DecidedRisks
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Result, Workspace
from ray_jobs.tables.windows_table import read_windows

SUMMARY = ("threshold", "accuracy", "precision", "recall", "f1", "roc_auc", "pr_auc")


def thresholds(trial: EvaluationSet, verdicts: dict[Any, DecidedRisks]) -> dict[str, Any]:
    """Return cut-offs by model and horizon: each class's own, the units behind them, and their mean
    over windows.
    """
    return {model: dict(_model_thresholds(trial, verdicts, model)) for model in trial.judged}


def _model_thresholds(
    trial: EvaluationSet, verdicts: dict[Any, DecidedRisks], model: str
) -> Iterator[tuple[str, Any]]:
    for i, horizon in enumerate(trial.horizons):
        decisions = {name: v.decision for (name, m), v in sorted(verdicts.items()) if m == model}
        by_class = {name: each["thresholds"][i] for name, each in decisions.items()}
        units = {
            name: each["units_with_event"][i]
            for name, each in decisions.items()
            if each.get("units_with_event")
        }
        first = next(iter(by_class.values()))
        notes = "; ".join(sorted({each["note"] for each in by_class.values() if each["note"]}))
        mean = float(trial.judged[model].threshold_BH[:, i].mean())
        told = {"value": mean, "policy": first["policy"], "note": notes, "by_class": by_class}
        yield str(horizon), {**told, "units_with_event": units}


def calibration(trained: Result, horizons: tuple[int, ...]) -> dict[str, Any]:
    """How scores became probabilities, by horizon: the method of every class."""
    found = {
        h: {name: each[h] for name, each in trained["calibration"].items()}
        for h in map(str, horizons)
    }
    return {
        h: {"method": ", ".join(sorted(set(each.values()))), "by_class": each}
        for h, each in found.items()
    }


def own_decisions(
    trial: EvaluationSet, verdicts: dict[Any, DecidedRisks], model: str
) -> dict[str, Any]:
    """By facility: of how many classes and horizons it has its own calibration and thresholds, not
    the class's.
    """
    places = sorted(
        set(
            zip(
                *(trial.windows.column(name).tolist() for name in ("facility_id", "class")),
                strict=True,
            )
        )
    )
    found: dict[str, Any] = {}
    for facility, class_name in places:
        told = found.setdefault(
            facility, {"calibration": {"own": 0, "of": 0}, "thresholds": {"own": 0, "of": 0}}
        )
        own = Decision.from_json(verdicts[class_name, model].decision).own(facility)
        for part, mine in zip(told.values(), own, strict=True):
            part["own"], part["of"] = part["own"] + sum(mine), part["of"] + len(mine)
    return found


def write_predictions(
    workspace: Workspace,
    recipes: dict[str, Recipe],
    verdicts: dict[Any, DecidedRisks],
    bundles: dict[str, str],
    model: str,
) -> None:
    """Risks of the bundles' model for every evaluated window (tune, cal and test), one row per
    horizon.
    """
    tables = []
    for name, recipe in recipes.items():
        windows, verdict = read_windows(workspace.windows, recipe, EVALUATED), verdicts[name, model]
        tables.append(
            predictions_table(
                windows,
                verdict.risk_BH,
                verdict.threshold_BH,
                horizons=recipe.windows.horizons,
                model=model,
                bundle_id=bundles[name],
            )
        )
    write_parquet(pa.concat_tables(tables), workspace.root / "predictions.parquet")


def write_summary(path: AnyPath, trial: EvaluationSet, found: dict[str, Any], model: str) -> None:
    """One row per horizon of one model; with several classes the threshold is the mean over test
    windows.
    """
    with writing(path, "w", newline="", encoding="utf-8-sig") as file:
        writer = SafeWriter(file)
        writer.writerow(["horizon", *SUMMARY])
        for i, horizon in enumerate(trial.horizons):
            row = {
                name: each["value"]
                for name, each in found["models"][model][str(horizon)].items()
                if name in SUMMARY
            }
            row["threshold"] = float(trial.judged[model].threshold_BH[:, i].mean())
            writer.writerow([horizon, *(row[name] for name in SUMMARY)])


def draw_figures(
    folder: AnyPath, content: dict[str, Any], panels: Any, config: RunConfig
) -> dict[str, Any]:
    """Every figure in both languages: as files, and for the report."""
    drawn: dict[str, Any] = {}
    horizons, default = config.windows.horizons, config.model.family
    for language in ("en", "ja"):
        made = {
            "forecast_comparison": figures.forecast_comparison(
                panels, horizons=horizons, language=language
            ),
            "training_history": figures.training_history(content["history"], language=language),
            "reliability": figures.reliability(
                content["curves"], language=language, default=default
            ),
            "pr_curves": figures.pr_curves(content["curves"], language=language, default=default),
            "metric_bars": figures.metric_bars(
                content["models"], language=language, default=default
            ),
        }
        for name, figure in made.items():
            drawn.setdefault(name, {})[language] = figures.save(
                figure, folder / f"{name}_{language}.png"
            )
    return drawn
