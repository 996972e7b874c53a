"""Where there is no signal, nothing may be found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from hvac.evaluation.bootstrap import unit_weights
from hvac.evaluation.ranking import rank_metrics, sort_scores
from hvac.features.table import Windows
from hvac.models.families import config_of, fit
from hvac.models.family import Fitting, no_encoder
from ray_jobs import evaluate, featurize, ingest, train
from ray_jobs.run_config import RunConfig
from ray_jobs.windows_table import load_recipes, read_windows

COLUMNS = ("features", "embedding", "context", "persistence")


def auc_interval(score_B: np.ndarray, windows: Windows, h: int = 0) -> tuple[float, float]:
    known = windows.known_BH[:, h]
    units = windows.units[known]
    weights = unit_weights(units, replicates=500)
    rows = sort_scores(score_B[known], windows.y_BH[known, h], unit_B=weights.unit_index_B)
    low, high = np.nanquantile(rank_metrics(rows, weights.w_RU).roc_auc_R, (0.025, 0.975))
    return float(low), float(high)


@pytest.fixture(scope="module")
def no_signal(ray: None, run_config: Callable[..., RunConfig]) -> RunConfig:
    """Split by equipment, so that training windows too reach to the end of a short record."""
    fleet = {
        "facilities": 3,
        "equipment_per_class": 20,
        "classes": ["pump"],
        "days": 540,
        "seed": 5,
        "no_signal": True,
    }
    split = {"kind": "equipment"}
    config = run_config(simulate=fleet, splits=split, evaluate={"replicates": 500, "forecast_windows": 40})
    for step in (ingest, featurize, train, evaluate):
        step.run(config)
    return config


def test_every_interval_covers_one_half_on_a_fleet_without_signal(no_signal: RunConfig) -> None:
    metrics = json.loads((no_signal.workspace / "metrics.json").read_text())
    missed = [
        (model, horizon, found["roc_auc"])
        for model, horizons in {**metrics["models"], **metrics["ablation"]}.items()
        for horizon, found in horizons.items()
        if not found["roc_auc"]["low"] <= 0.5 <= found["roc_auc"]["high"]
    ]
    assert not missed


def shuffled(windows: Windows, rng: np.random.Generator) -> Windows:
    """Labels dealt anew among the windows (of which window means nothing any more)."""
    order = rng.permutation(len(windows))
    return replace(windows, y_BH=windows.y_BH[order], known_BH=windows.known_BH[order])


def test_shuffled_labels_teach_nothing(finished: tuple[RunConfig, object]) -> None:
    config, _ = finished
    rng, folder = np.random.default_rng(11), config.workspace / "windows"
    recipe = load_recipes(folder)["pump"]
    train_w, tune, test = (read_windows(folder, recipe, (s,), COLUMNS) for s in ("train", "tune", "test"))
    deal = [shuffled(part, rng) for part in (train_w, tune, test)]
    for model in (config_of("gbdt_28"), config_of("hybrid", epochs=3)):
        score_BH = fit(deal[0], deal[1], model, Fitting(no_encoder)).score(deal[2])
        low, high = auc_interval(score_BH[:, 0], deal[2])
        assert low <= 0.5 <= high


def test_planted_faults_are_found(finished: tuple[RunConfig, object]) -> None:
    config, _ = finished
    metrics = json.loads((config.workspace / "metrics.json").read_text())
    assert metrics["models"]["hybrid"]["30"]["roc_auc"]["low"] > 0.5
    assert metrics["models"]["gbdt_28"]["30"]["roc_auc"]["low"] > 0.5
