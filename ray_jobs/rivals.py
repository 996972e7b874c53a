"""One Ray task per class and model: fit (or load), calibrate on *cal*, say what it thinks of the windows to judge."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from hvac.features.describe import Recipe
from hvac.features.encoder import EncoderConfig, load_encoder
from hvac.features.table import Windows
from hvac.models.blocks import base_rates
from hvac.models.bundle import Bundle
from hvac.models.calibration import Calibrator
from hvac.models.decision import DecisionConfig, fit_decision
from hvac.models.families import config_of, fit
from hvac.models.family import Fitting, columns_for, loaded_once, prepared
from ray_jobs.windows_table import read_windows

ABLATION: dict[str, dict[str, Any]] = {
    "features_only": {"inputs": ("features",)},
    "embedding_only": {"inputs": ("embedding",)},
    "untrained_encoder": {"inputs": ("untrained", "features")},
}
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
    model: Any
    encoder: EncoderConfig
    decision: DecisionConfig
    seed: int


def judge(settings: Settings, recipe: Recipe, name: str) -> Verdict:
    """Risks of one model (the bundle's family, a baseline, or an ablation of the family) for one class."""
    torch.set_num_threads(1)
    encoder = loaded_once(lambda: load_encoder(settings.encoder))
    config = _config(settings, name)

    def read(*splits: str) -> Windows:
        windows = read_windows(Path(settings.windows_folder), recipe, splits, columns_for(config.reads))
        return prepared(windows, config.reads, encoder)

    train, cal, evaluated = read("train"), read("cal"), read(*EVALUATED)
    reference_H, horizons = base_rates(train), recipe.windows.horizons
    if name == settings.model.family:
        bundle = Bundle.load(settings.bundles[recipe.class_name])
        found = bundle.predict(evaluated)
        return Verdict(recipe.class_name, name, found.risk_BH, bundle.decision.to_json(), reference_H)
    model = fit(train, read("tune"), config, Fitting(encoder))
    known_rate = tuple(Calibrator(method="shift") for _ in horizons) if name == "base_rate" else None
    decision = fit_decision(model.score(cal), cal, horizons=horizons, config=settings.decision, calibrators=known_rate)
    return Verdict(recipe.class_name, name, decision.risk(model.score(evaluated)), decision.to_json(), reference_H)


def _config(settings: Settings, name: str) -> Any:
    if name == settings.model.family:
        return settings.model
    return settings.model.replace(**ABLATION[name]) if name in ABLATION else config_of(name, seed=settings.seed)
