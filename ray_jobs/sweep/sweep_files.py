"""The files of a sweep: trials.csv, sweep.json, sweep.html and best.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import cast

import yaml
from ray import tune

from hvac.cells import CellValue, write_csv_for_people
from hvac.days import now_text
from hvac.errors import HvacError
from hvac.json_values import Json, JsonObject, as_json
from hvac.models.search_space import with_settings
from hvac.report.sweep_page import write_sweep_page
from hvac.report.sweep_view import Search, Sweep, Trial
from hvac.storage import AnyPath, write_json, write_text
from ray_jobs.run.records import TuneRecord
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.tune_config import TuneConfig
from ray_jobs.sweep.plan import tune_section
from ray_jobs.sweep.trial_curves import ledger_file, read_ledger


def write_results(
    config: RunConfig, sweep: AnyPath, grid: tune.ResultGrid
) -> TuneRecord:
    """Write all files and return the sweep's record.

    Raises:
        HvacError: no trial could be fitted.
    """
    search = tune_section(config)
    trials = sorted(
        (_trial(sweep, result, search.metric) for result in grid),
        key=lambda trial: str(trial["trial"]),
    )
    able = [trial for trial in trials if trial["value"] is not None]
    if not able:
        raise HvacError(
            f"none of the {len(trials)} trials could be fitted; the first: {trials[0]['why']}"
        )
    best = max(able, key=lambda trial: trial["value"] or 0.0)
    _write_best(config, sweep / "best.yaml", best, len(trials))
    _write_table(sweep / "trials.csv", trials, search)
    facts = _sweep(config, sweep, trials, best)
    write_json(sweep / "sweep.json", as_json(facts))
    write_sweep_page(facts, path=sweep / "sweep.html", language=config.language)
    statuses = [trial["status"] for trial in trials]
    return TuneRecord(
        sweep=str(sweep),
        trials=len(trials),
        finished=statuses.count("finished"),
        stopped=statuses.count("stopped"),
        failed=statuses.count("failed"),
        metric=search.metric,
        best_trial=best["trial"],
        best_value=best["value"],
        best_settings=best["settings"],
        best_config=str(sweep / "best.yaml"),
    )


def _trial(sweep: AnyPath, result: tune.Result, metric: str) -> Trial:
    """Return one trial from its curves; from Ray where its process died before it wrote any."""
    name = PurePosixPath(result.path).name
    curves = read_ledger(ledger_file(sweep, name))
    rows = curves.get("rows", [])
    why = curves.get("failed") or (
        str(result.error).strip().splitlines()[-1] if result.error else None
    )
    return {
        "trial": name,
        "status": "failed"
        if why or not rows
        else "finished"
        if curves["ended"]
        else "stopped",
        "epochs": int(rows[-1]["epoch"] or 0) if rows else 0,
        "seconds": curves.get("seconds"),
        "value": None if why or not rows else rows[-1][metric],
        "settings": curves.get("settings", {}),
        "schedule": curves.get("schedule", []),
        "rows": rows,
        "why": why,
    }


def best_run(config: RunConfig, settings: JsonObject) -> dict[str, Json]:
    """Return the run's settings as given, with the best ones in its model and without the sweep."""
    given = config.model_dump(
        mode="json", by_alias=True, exclude_unset=True, exclude={"tune", "model"}
    )
    model = with_settings(config.model, settings)
    run = {**given, "model": model.model_dump(mode="json", by_alias=True)}
    if (
        RunConfig(**run).keeps_values != config.keeps_values
    ):  # else the table would be made anew
        run["featurize"] = {
            **run.get("featurize", {}),
            "keep_values": config.keeps_values,
        }
    return run


def _write_best(config: RunConfig, path: AnyPath, best: Trial, trials: int) -> None:
    search = tune_section(config)
    head = (
        f"# {best['trial']}, the best of {trials} trials ({search.algorithm}): {search.metric}"
        f" {best['value']:.4f}.\n# Chosen on the tune part only. An honest figure on the test"
        f" part:\n#   python -m ray_jobs.pipeline --config {path}\n"
    )
    text = yaml.safe_dump(
        best_run(config, best["settings"]), sort_keys=False, allow_unicode=True
    )
    write_text(path, head + text)


def _write_table(path: AnyPath, trials: list[Trial], search: TuneConfig) -> None:
    """Write one row per trial, for Excel too."""
    measures = list(
        dict.fromkeys(
            name for trial in trials for name in (trial["rows"][-1:] or [{}])[0]
        )
    )
    settings = [f"model.{key}" for key in search.space]
    head = ["trial", "status", "epochs", "seconds", *settings, *measures[1:], "why"]
    rows: list[list[CellValue]] = [[*head]]
    for trial in trials:
        last = trial["rows"][-1] if trial["rows"] else {}
        row: list[CellValue] = [
            trial["trial"],
            trial["status"],
            trial["epochs"],
            trial["seconds"],
        ]
        row += [trial["settings"].get(key) for key in search.space]
        row += [last.get(name) for name in measures[1:]]
        rows.append([*row, trial["why"]])
    write_csv_for_people(rows, path)


def _sweep(
    config: RunConfig, sweep: AnyPath, trials: list[Trial], best: Trial
) -> Sweep:
    search = tune_section(config)
    base = config.model.model_dump(mode="json", by_alias=True)
    return {
        "name": config.name,
        "created": now_text(),
        "folder": str(sweep),
        "family": config.model.family,
        "horizons": list(config.windows.horizons),
        "search": cast(Search, search.model_dump(mode="json")),
        "before": {key: _at(base, key) for key in search.space},
        "best": best["trial"],
        "trials": trials,
    }


def _at(nested: JsonObject, dotted: str) -> Json:
    value: Json = nested
    for part in dotted.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
