"""Where there is no signal, nothing may be found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from hvac.evaluation.bootstrap import unit_weights
from hvac.evaluation.ranks import rank_metrics, sort_scores
from hvac.features.table import Windows
from hvac.models.families import BASELINES, config_of, cross_fit, fit
from hvac.models.family import Fitting, no_encoder
from hvac.panel.splits import SPLITS
from ray_jobs import evaluate, featurize, ingest, train
from ray_jobs.run.run_config import RunConfig
from ray_jobs.tables.windows_table import load_recipes, read_windows

COLUMNS = ("features", "embedding", "context", "persistence")


def auc_interval(
    score_B: np.ndarray, windows: Windows, h: int = 0
) -> tuple[float, float]:
    known = windows.known_BH[:, h]
    units = windows.units[known]
    weights = unit_weights(units, replicates=500)
    rows = sort_scores(
        score_B[known], windows.y_BH[known, h], unit_B=weights.unit_index_B
    )
    low, high = np.nanquantile(
        rank_metrics(rows, weights.w_RU).roc_auc_R, (0.025, 0.975)
    )
    return float(low), float(high)


@pytest.fixture(scope="module")
def no_signal(ray: None, run_config: Callable[..., RunConfig]) -> RunConfig:
    """Split by equipment, so that training windows too reach to the end of a short record.

    Every baseline and the ablation stand beside the model.
    """
    fleet = {
        "facilities": 3,
        "equipment_per_class": 20,
        "classes": ["pump"],
        "days": 540,
        "seed": 5,
        "no_signal": True,
    }
    split = {"kind": "equipment"}
    whole = {
        "baselines": "all",
        "ablation": True,
        "replicates": 500,
        "forecast_windows": 40,
    }
    config = run_config(simulate=fleet, splits=split, evaluate=whole)
    for step in (ingest, featurize, train, evaluate):
        step.run(config)
    return config


def together(intervals: int) -> float:
    """By how much 95 % intervals are widened so that all of them together miss in 5 % of cases (Bonferroni)."""
    return float(norm.isf(0.025 / intervals) / norm.isf(0.025))


def test_every_interval_covers_one_half_on_a_fleet_without_signal(
    no_signal: RunConfig,
) -> None:
    metrics = json.loads((no_signal.workspace / "metrics.json").read_text())
    assert set(metrics["models"]) == set(BASELINES)  # hybrid, the model, is one of them
    assert set(metrics["ablation"]) == {*evaluate.ABLATION, "both"}
    assert metrics["compare_command"] is None
    figures = {
        (model, horizon): found["roc_auc"]
        for model, horizons in {**metrics["models"], **metrics["ablation"]}.items()
        for horizon, found in horizons.items()
    }
    wider = together(len(figures))
    missed = {
        which: each
        for which, each in figures.items()
        if not wider * (each["low"] - each["value"])
        <= 0.5 - each["value"]
        <= wider * (each["high"] - each["value"])
    }
    assert not missed


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("hybrid", {"epochs": 4}),
        ("gbdt_28", {"trees": 60}),
        ("et_28", {"trees": 30}),
        ("gbdt_context", {"trees": 60}),
    ],
)
def test_models_that_did_not_see_a_unit_rank_its_windows_by_chance(
    no_signal: RunConfig, family: str, settings: dict[str, Any]
) -> None:
    """All 60 pumps, each scored out of fold, tell more than the 12 that are tested."""
    folder = no_signal.workspace / "windows"
    windows = read_windows(folder, load_recipes(folder)["pump"], SPLITS, COLUMNS)
    score_BH = cross_fit(
        windows, config_of(family, **settings), Fitting(no_encoder), folds=3
    ).score_BH
    for h in range(3):
        low, high = auc_interval(score_BH[:, h], windows, h)
        assert (
            low - (together(12) - 1) * (high - low) / 2 <= 0.5
        )  # 4 families, 3 horizons
        assert high - low < 0.25


def shuffled(windows: Windows, rng: np.random.Generator) -> Windows:
    """Labels dealt anew among the windows (of which window means nothing any more)."""
    order = rng.permutation(len(windows))
    return replace(windows, y_BH=windows.y_BH[order], known_BH=windows.known_BH[order])


def test_shuffled_labels_teach_nothing(finished: tuple[RunConfig, object]) -> None:
    config, _ = finished
    rng, folder = np.random.default_rng(11), config.workspace / "windows"
    recipe = load_recipes(folder)["pump"]
    train_w, tune, test = (
        read_windows(folder, recipe, (s,), COLUMNS) for s in ("train", "tune", "test")
    )
    deal = [shuffled(part, rng) for part in (train_w, tune, test)]
    for model in (config_of("gbdt_28"), config_of("hybrid", epochs=3)):
        score_BH = fit(deal[0], deal[1], model, Fitting(no_encoder)).score(deal[2])
        low, high = auc_interval(score_BH[:, 0], deal[2])
        assert low <= 0.5 <= high


def test_planted_faults_are_found(finished: tuple[RunConfig, object]) -> None:
    config, _ = finished
    metrics = json.loads((config.workspace / "metrics.json").read_text())
    assert metrics["models"]["hybrid"]["30"]["roc_auc"]["low"] > 0.5
    assert metrics["models"]["gbdt_context"]["30"]["roc_auc"]["low"] > 0.5
