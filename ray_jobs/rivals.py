"""One Ray task per class and model: fit (or load), calibrate on *cal*, say what it thinks of the windows to judge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from hvac.features.describe import Recipe
from hvac.features.table import Windows
from hvac.models.baselines import base_rates, fit_baseline
from hvac.models.bundle import Bundle
from hvac.models.calibration import Calibrator
from hvac.models.decision import DecisionConfig, fit_decision
from hvac.models.fitting import fit_hybrid
from hvac.models.hybrid import HybridConfig
from ray_jobs.windows_table import read_windows

ABLATION: dict[str, dict[str, Any]] = {
    "features_only": {"inputs": ("features",)},
    "embedding_only": {"inputs": ("embedding",)},
    "untrained_encoder": {},
}
COLUMNS: tuple[str, ...] = ("persistence", "features", "embedding", "context")
EVALUATED = ("tune", "cal", "test")


class Verdict(NamedTuple):
    """Risks of the evaluated windows of one class, in the order `read_windows` gives, and how they came about."""

    class_name: str
    model: str
    risk_BH: npt.NDArray[np.float64]
    decision: dict[str, Any]
    reference_H: npt.NDArray[np.float64]


class Settings(NamedTuple):
    """What every task shares."""

    windows_folder: str
    bundles: dict[str, str]
    model: HybridConfig
    decision: DecisionConfig
    seed: int


def judge(settings: Settings, recipe: Recipe, name: str) -> Verdict:
    """Risks of one model for one class."""
    torch.set_num_threads(1)
    folder, columns = Path(settings.windows_folder), COLUMNS
    if name == "untrained_encoder":
        columns = (*COLUMNS, "untrained")
    parts = {split: read_windows(folder, recipe, (split,), columns) for split in ("train", "tune", "cal")}
    evaluated = read_windows(folder, recipe, EVALUATED, columns)
    reference_H = base_rates(parts["train"])
    if name == "hybrid":
        bundle = Bundle.load(settings.bundles[recipe.class_name])
        found = bundle.predict(evaluated)
        return Verdict(recipe.class_name, name, found.risk_BH, bundle.decision.to_json(), reference_H)
    score = _fit(name, parts["train"], parts["tune"], settings)
    horizons = recipe.windows.horizons
    known_rate = tuple(Calibrator(method="shift") for _ in horizons) if name == "base_rate" else None
    decision = fit_decision(
        score(parts["cal"]), parts["cal"], horizons=horizons, config=settings.decision, calibrators=known_rate
    )
    return Verdict(recipe.class_name, name, decision.risk(score(evaluated)), decision.to_json(), reference_H)


def _fit(name: str, train: Windows, tune: Windows, settings: Settings) -> Any:
    if name not in ABLATION:
        return fit_baseline(name, train, tune, seed=settings.seed)
    config = settings.model.replace(**ABLATION[name])
    if name != "untrained_encoder":
        return fit_hybrid(train, tune, config).score
    model = fit_hybrid(_untrained(train), _untrained(tune), config)
    return lambda windows: model.score(_untrained(windows))


def _untrained(windows: Windows) -> Windows:
    """The windows as an untrained, mean-pooled encoder sees them."""
    return replace(windows, z_BCE=windows.u_BCE)
