"""Judge the bundles on the test part, beside every baseline: metrics, predictions, figures, report.

    python -m ray_jobs.evaluate --config FILE [key.sub=value …]

The test part is used here and nowhere else. Every (class, model) is one Ray task.
"""

from __future__ import annotations

import csv
import logging
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import ray

from hvac.evaluation import figures
from hvac.evaluation.alarms import Events
from hvac.evaluation.comparison import Judged, Trial, assess, by_equipment
from hvac.evaluation.report import write_report
from hvac.features.describe import Recipe
from hvac.features.table import concat
from hvac.models.predictions import predictions_table
from ray_jobs.buckets import BucketPlan, bucket_scenes, load_recipes, make_plan, read_windows
from ray_jobs.command import main
from ray_jobs.forecasts import forecast_figures
from ray_jobs.pictures import choose_rows, draw_rows
from ray_jobs.rivals import ABLATION, EVALUATED, Settings, Verdict, judge
from ray_jobs.run_config import RunConfig
from ray_jobs.summary import run_facts
from ray_jobs.workspace import Result, Workspace, content_key, run_step, workspace_of, write_json

log = logging.getLogger(__name__)
DEFAULT = "hybrid"
SUMMARY = ("threshold", "accuracy", "precision", "recall", "f1", "roc_auc", "pr_auc")


def run(config: RunConfig) -> Result:
    """Evaluate the trained bundles, unless that was done with the same configuration."""
    workspace = workspace_of(config)
    trained = workspace.finished("train")
    section = config.evaluate.model_dump(mode="json")
    key = content_key(trained["key"], trained["bundles"], section, config.language, config.seed)
    return run_step(workspace, "evaluate", key, lambda: _evaluate(config, workspace, trained))


def _evaluate(config: RunConfig, workspace: Workspace, trained: Result) -> Result:
    recipes = load_recipes(workspace.windows)
    bundles = {name: str(workspace.bundles / bundle) for name, bundle in trained["bundles"].items()}
    settings = Settings(str(workspace.windows), bundles, config.model, config.decision, config.seed)
    names = [DEFAULT, *config.evaluate.baselines, *(ABLATION if config.evaluate.ablation else ())]
    verdicts = _judge(settings, recipes, names)
    plan = make_plan(config, workspace, recipes)
    buckets = workspace.finished("ingest")["buckets"]
    trial = by_equipment(_trial(workspace, recipes, verdicts, names, _onsets(plan, buckets)))
    found = assess(trial, default=DEFAULT, replicates=config.evaluate.replicates, seed=config.seed)
    _write_predictions(workspace, recipes, verdicts, trained["bundles"])
    panels_trial = _trial(workspace, recipes, verdicts, [DEFAULT], trial.events)
    judged = panels_trial.judged[DEFAULT]
    rows = choose_rows(panels_trial, judged, config.seed)
    panels = draw_rows(panels_trial, judged, rows, plan, buckets=buckets, bundles=bundles)
    content = {
        **run_facts(config, workspace, shlex.join(["python", *_command(sys.argv)])),
        **_without_ablation(found),
        "thresholds": _thresholds(trial, verdicts),
        "calibration": {DEFAULT: _calibration(trained, config.windows.horizons)},
        "history": trained["history"],
        "forecast": forecast_figures(config, workspace, recipes, bundles),
    }
    write_json(workspace.root / "metrics.json", content)
    _write_summary(workspace.root / "metrics_summary.csv", trial, found)
    drawn = _draw(workspace.figures, content, panels, config)
    write_report(content, drawn, path=workspace.root / "report.html", language=config.language)
    return {"headline": _headline(found), "files": _files(workspace)}


def _command(argv: list[str]) -> list[str]:
    """The command as a person would type it."""
    module = f"ray_jobs.{Path(argv[0]).stem}" if argv and argv[0].endswith(".py") else "ray_jobs.evaluate"
    return ["-m", module, *argv[1:]]


def _judge(settings: Settings, recipes: dict[str, Recipe], names: list[str]) -> dict[tuple[str, str], Verdict]:
    """All verdicts, by (class, model); the longest fits are started first."""
    task = ray.remote(num_cpus=1, max_retries=2)(judge)
    order = sorted(names, key=lambda name: (name not in ("gbdt_92", *ABLATION), name))
    refs = {
        task.remote(settings, recipe, name): (recipe.class_name, name) for name in order for recipe in recipes.values()
    }
    found, waiting = {}, list(refs)
    while waiting:
        done, waiting = ray.wait(waiting)
        found[refs[done[0]]] = ray.get(done[0])
        log.info("evaluate: %s / %s judged, %d to go", *refs[done[0]], len(waiting))
    return found


def _onsets(plan: BucketPlan, buckets: int) -> Events:
    """Every target onset, named by unit as windows name it."""
    task = ray.remote(num_cpus=1, max_retries=2)(_bucket_onsets)
    rows = sorted({row for part in ray.get([task.remote(plan, b) for b in range(buckets)]) for row in part})
    units, days = zip(*rows, strict=True) if rows else ((), ())
    return Events(np.array(units, dtype=np.str_), np.array(days, dtype=np.int64))


def _bucket_onsets(plan: BucketPlan, bucket: int) -> list[tuple[str, int]]:
    return [
        ("\x1f".join(scene.panel.unit), int(day))
        for scene, _ in bucket_scenes(plan, bucket)
        for day in scene.targets.start_N
    ]


def _trial(
    workspace: Workspace, recipes: dict[str, Recipe], verdicts: dict[Any, Verdict], names: list[str], events: Events
) -> Trial:
    """Test windows of all classes, one after another, with every model's risks."""
    windows, keep = [], {}
    for name, recipe in recipes.items():
        evaluated = read_windows(workspace.windows, recipe, EVALUATED)
        keep[name] = evaluated.column("split") == "test"
        windows.append(evaluated.take(keep[name]))
    horizons = next(iter(recipes.values())).windows.horizons

    def judged(model: str) -> Judged:
        parts = [(verdicts[name, model], keep[name]) for name in recipes]
        risks = [verdict.risk_BH[rows] for verdict, rows in parts]
        cuts = [np.tile(_threshold_H(verdict), (int(rows.sum()), 1)) for verdict, rows in parts]
        return Judged(np.concatenate(risks), np.concatenate(cuts))

    reference = [np.tile(verdicts[name, DEFAULT].reference_H, (int(keep[name].sum()), 1)) for name in recipes]
    return Trial(
        windows=concat(windows), judged={model: judged(model) for model in names},
        reference_BH=np.concatenate(reference), events=events, horizons=horizons,
    )  # fmt: skip


def _threshold_H(verdict: Verdict) -> Any:
    return np.array([each["value"] for each in verdict.decision["thresholds"]])


def _thresholds(trial: Trial, verdicts: dict[Any, Verdict]) -> dict[str, Any]:
    """Cut-offs by model and horizon: each class's own, and their mean over the test windows."""
    return {model: dict(_model_thresholds(trial, verdicts, model)) for model in trial.judged}


def _model_thresholds(trial: Trial, verdicts: dict[Any, Verdict], model: str) -> Iterator[tuple[str, Any]]:
    for i, horizon in enumerate(trial.horizons):
        by_class = {name: v.decision["thresholds"][i] for (name, m), v in sorted(verdicts.items()) if m == model}
        first = next(iter(by_class.values()))
        notes = "; ".join(sorted({each["note"] for each in by_class.values() if each["note"]}))
        mean = float(trial.judged[model].threshold_BH[:, i].mean())
        yield str(horizon), {"value": mean, "policy": first["policy"], "note": notes, "by_class": by_class}


def _calibration(trained: Result, horizons: tuple[int, ...]) -> dict[str, Any]:
    """How scores became probabilities, by horizon: the method of every class."""
    found = {h: {name: each[h] for name, each in trained["calibration"].items()} for h in map(str, horizons)}
    return {h: {"method": ", ".join(sorted(set(each.values()))), "by_class": each} for h, each in found.items()}


def _without_ablation(found: dict[str, Any]) -> dict[str, Any]:
    """Ablations go to a table of their own; they are no rivals."""
    models = found["models"]
    ablation = {name: models[name] for name in ABLATION if name in models}
    if ablation:
        ablation["both"] = models[DEFAULT]
    kept = {key: {n: v for n, v in found[key].items() if n not in ABLATION} for key in ("models", "curves")}
    contrasts = {n: v for n, v in found["differences"].items() if n not in ABLATION}
    apart = {n: v for n, v in found["differences"].items() if n in ABLATION}
    return {**found, **kept, "differences": contrasts, "ablation": ablation, "ablation_differences": apart}


def _write_predictions(
    workspace: Workspace, recipes: dict[str, Recipe], verdicts: dict[Any, Verdict], bundles: dict[str, str]
) -> None:
    tables = []
    for name, recipe in recipes.items():
        windows, verdict = read_windows(workspace.windows, recipe, EVALUATED), verdicts[name, DEFAULT]
        threshold_H = _threshold_H(verdict)
        tables.append(
            predictions_table(
                windows,
                verdict.risk_BH,
                threshold_H,
                horizons=recipe.windows.horizons,
                model=DEFAULT,
                bundle_id=bundles[name],
            )  # fmt: skip
        )
    import pyarrow as pa

    pq.write_table(pa.concat_tables(tables), workspace.root / "predictions.parquet")


def _write_summary(path: Path, trial: Trial, found: dict[str, Any]) -> None:
    """One row per horizon of the default model; with several classes the threshold is the mean over test windows."""
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow(["horizon", *SUMMARY])
        for i, horizon in enumerate(trial.horizons):
            row = {
                name: each["value"] for name, each in found["models"][DEFAULT][str(horizon)].items() if name in SUMMARY
            }
            row["threshold"] = float(trial.judged[DEFAULT].threshold_BH[:, i].mean())
            writer.writerow([horizon, *(row[name] for name in SUMMARY)])


def _draw(folder: Path, content: dict[str, Any], panels: Any, config: RunConfig) -> dict[str, Any]:
    """Every figure in both languages: as files, and for the report."""
    drawn: dict[str, Any] = {}
    horizons = config.windows.horizons
    for language in ("en", "ja"):
        made = {
            "forecast_comparison": figures.forecast_comparison(panels, horizons=horizons, language=language),
            "training_history": figures.training_history(content["history"], language=language),
            "reliability": figures.reliability(content["curves"], language=language, default=DEFAULT),
            "pr_curves": figures.pr_curves(content["curves"], language=language, default=DEFAULT),
            "metric_bars": figures.metric_bars(content["models"], language=language, default=DEFAULT),
        }
        for name, figure in made.items():
            drawn.setdefault(name, {})[language] = figures.save(figure, folder / f"{name}_{language}.png")
    return drawn


def _headline(found: dict[str, Any]) -> dict[str, Any]:
    """Figures for the closing summary."""
    return {
        model: {h: {name: each[name] for name in ("pr_auc", "roc_auc", "base_rate")} for h, each in by_horizon.items()}
        for model, by_horizon in found["models"].items()
    }


def _files(workspace: Workspace) -> list[str]:
    names = ("metrics.json", "metrics_summary.csv", "predictions.parquet", "report.html", "figures")
    return [str(workspace.root / name) for name in names]


if __name__ == "__main__":
    main(run, __doc__)
