"""One Ray task per class and model fits (or loads) and scores; then the risks of all classes are decided at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from hvac.evaluation.comparison import equipment_rates
from hvac.features.describe import Recipe
from hvac.features.encoder import EncoderConfig, load_encoder
from hvac.features.table import Windows
from hvac.models.bundle import Bundle
from hvac.models.calibration import Calibrator
from hvac.models.decision import Decision, DecisionConfig, Scored, fit_decisions
from hvac.models.families import config_of, fit
from hvac.models.family import Fitting, columns_for, loaded_once, prepared
from hvac.storage import AnyPath, place
from ray_jobs.windows_table import read_windows

ABLATION: dict[str, dict[str, Any]] = {
    "features_only": {"inputs": ("features",)},
    "embedding_only": {"inputs": ("embedding",)},
    "untrained_encoder": {"inputs": ("untrained", "features")},
}
EVALUATED = ("tune", "cal", "test")


class Verdict(NamedTuple):
    """Risks and cut-offs of the evaluated windows of one class, in the order `read_windows` gives, and their origin."""

    risk_BH: npt.NDArray[np.float64]
    threshold_BH: npt.NDArray[np.float64]
    decision: dict[str, Any]
    reference_H: npt.NDArray[np.float64]


class Opinion(NamedTuple):
    """Scores of the same windows, and the decision where the model already has one (the bundle's)."""

    score_BH: npt.NDArray[np.floating[Any]]
    reference_H: npt.NDArray[np.float64]
    decision: dict[str, Any] | None = None


class Settings(NamedTuple):
    """What every task shares."""

    windows_folder: str
    bundles: dict[str, str]
    model: Any
    encoder: EncoderConfig
    seed: int


def judge(settings: Settings, recipe: Recipe, name: str) -> Opinion:
    """Scores of one model (the bundle's family, a baseline, or an ablation of the family) for one class."""
    torch.set_num_threads(1)
    encoder = loaded_once(lambda: load_encoder(settings.encoder))
    config = _config(settings, name)

    def read(*splits: str) -> Windows:
        windows = read_windows(place(settings.windows_folder), recipe, splits, columns_for(config.reads))
        return prepared(windows, config.reads, encoder)

    train, evaluated = read("train"), read(*EVALUATED)
    reference_H = equipment_rates(train)
    if name == settings.model.family:
        bundle = Bundle.load(settings.bundles[recipe.class_name])
        return Opinion(bundle.predict(evaluated).score_BH, reference_H, bundle.decision.to_json())
    model = fit(train, read("tune"), config, Fitting(encoder))
    return Opinion(model.score(evaluated), reference_H)


def decide(
    folder: AnyPath, recipes: Mapping[str, Recipe], opinions: Mapping[str, Any], config: DecisionConfig, family: str,
    *, without: str | None = None,
) -> dict[str, Verdict]:  # fmt: skip
    """Risks of one model for every class: calibrated and cut on the *cal* windows among those it scored.

    Args:
        opinions: by class: an `Opinion`, or what else has `score_BH` of the windows of `EVALUATED` and `reference_H`.
        without: a facility whose *cal* windows are not looked at.
    """
    windows = {name: read_windows(folder, recipes[name], EVALUATED) for name in opinions}
    told = {name: getattr(each, "decision", None) for name, each in opinions.items()}
    if all(told.values()):
        decisions = {name: Decision.from_json(each) for name, each in told.items() if each}
    else:
        scored = {name: _cal(windows[name], each.score_BH, without) for name, each in opinions.items()}
        horizons = next(iter(recipes.values())).windows.horizons
        known_rate = tuple(Calibrator(method="shift") for _ in horizons) if family == "base_rate" else None
        decisions = fit_decisions(scored, horizons=horizons, config=config, calibrators=known_rate)
    return {name: _verdict(decisions[name], each, windows[name]) for name, each in opinions.items()}


def _verdict(decision: Decision, opinion: Any, windows: Windows) -> Verdict:
    facility_B = windows.column("facility_id")
    risk_BH, threshold_BH = decision.risk(opinion.score_BH, facility_B), decision.threshold_BH(facility_B)
    return Verdict(risk_BH, threshold_BH, decision.to_json(), opinion.reference_H)


def _cal(windows: Windows, score_BH: npt.NDArray[np.floating[Any]], without: str | None) -> Scored:
    cal_B = (windows.column("split") == "cal") & (windows.column("facility_id") != without)
    return Scored(score_BH[cal_B], windows.take(cal_B))


def _config(settings: Settings, name: str) -> Any:
    if name == settings.model.family:
        return settings.model
    return settings.model.replace(**ABLATION[name]) if name in ABLATION else config_of(name, seed=settings.seed)
