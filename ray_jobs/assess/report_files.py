"""What evaluate writes beside metrics.json: predictions, the summary table and the figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pyarrow as pa

from hvac.cells import CellValue, write_csv_for_people
from hvac.evaluation.compared_windows import EvaluationSet
from hvac.evaluation.comparison import ComparedModels
from hvac.features.recipe import Recipe
from hvac.json_values import JsonObject, branch
from hvac.panel.names import Names
from hvac.report import figures
from hvac.report.figures import ForecastPanel
from hvac.report.forecast_figure import named_panel
from hvac.report.history_figure import History
from hvac.report.model_card import CardFacts, model_card
from hvac.report.view import number
from hvac.scoring.bundle import Bundle
from hvac.scoring.predictions import predictions_table
from hvac.storage import AnyPath, folder_name, remove_tree, write_parquet, write_text
from hvac.words import LANGUAGES
from ray_jobs.assess.decided_risks import EVALUATED
from ray_jobs.assess.evaluation_sets import Risks
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace
from ray_jobs.tables.windows_table import read_windows

SUMMARY = ("threshold", "accuracy", "precision", "recall", "f1", "roc_auc", "pr_auc")


def write_predictions(
    workspace: Workspace,
    recipes: dict[str, Recipe],
    risks: Risks,
    bundles: dict[str, str],
    model: str,
) -> None:
    """Write the bundles' risks of every evaluated window, one row per window and horizon."""
    tables = []
    for name, recipe in recipes.items():
        windows = read_windows(workspace.windows, recipe, EVALUATED)
        table = predictions_table(
            windows,
            risks[name, model].risk_BH,
            risks[name, model].threshold_BH,
            horizons=recipe.windows.horizons,
            model=model,
            bundle_id=bundles[name],
        )
        tables.append(table)
    write_parquet(pa.concat_tables(tables), workspace.root / "predictions.parquet")


def write_summary(
    path: AnyPath, windows: EvaluationSet, metrics: ComparedModels, model: str
) -> None:
    """Write one row per horizon of one model; the threshold is the mean over test windows."""
    rows: list[list[CellValue]] = [["horizon", *SUMMARY]]
    threshold_H = windows.risks[model].threshold_BH.mean(axis=0)
    for i, horizon in enumerate(windows.horizons):
        figures_of_horizon = metrics["models"][model][str(horizon)]
        row = {name: number(figures_of_horizon.get(name)) for name in SUMMARY}
        row["threshold"] = float(threshold_H[i])
        rows.append([horizon, *row.values()])
    write_csv_for_people(rows, path)


def draw_figures(
    folder: AnyPath,
    metrics: JsonObject,
    panels: Sequence[ForecastPanel],
    config: RunConfig,
    names: Names,
) -> dict[str, dict[str, AnyPath]]:
    """Draw every figure in both languages: as files, and for the report."""
    horizons, default = config.windows.horizons, config.model.family
    curves = branch(metrics, "curves")
    drawn: dict[str, dict[str, AnyPath]] = {}
    history = cast(History, metrics["history"])
    for language in ("en", "ja"):
        by_name = {
            "forecast_comparison": figures.forecast_comparison(
                [named_panel(panel, names, language) for panel in panels],
                horizons=horizons,
                language=language,
            ),
            "reliability": figures.reliability(
                curves, language=language, default=default
            ),
            "pr_curves": figures.pr_curves(curves, language=language, default=default),
            "metric_bars": figures.metric_bars(
                branch(metrics, "models"), language=language, default=default
            ),
        }
        if history:
            by_name["training_history"] = figures.training_history(
                history, language=language
            )
        for name, figure in by_name.items():
            file = folder / f"{name}_{language}.png"
            drawn.setdefault(name, {})[language] = figures.save(figure, file)
    return drawn


def write_cards(
    folder: AnyPath,
    content: JsonObject,
    bundles: dict[str, str],
    config: RunConfig,
    names: Names,
) -> None:
    """Write the model card of every bundle, in both languages, in place of older ones."""
    remove_tree(folder)
    for name, path in bundles.items():
        bundle = Bundle.load(path)
        rule = bundle.certainty.rule if bundle.certainty else None
        facts = CardFacts(
            bundle=bundle.name,
            class_name=name,
            family=bundle.family,
            points=bundle.recipe.points,
            promised=tuple(map(bool, rule.promised_H)) if rule else (),
            budget=config.decision.abstain.false_alarms_per_unit_year,
        )
        for language in LANGUAGES:
            text = model_card(content, facts, language, names)
            write_text(folder / f"{folder_name(name)}.{language}.md", text)
