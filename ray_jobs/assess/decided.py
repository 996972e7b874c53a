"""One Ray task per class and model fits (or loads) and scores; then the risks of all classes are
decided at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from hvac.decision.calibration import Calibrator
from hvac.decision.decision import Decision, DecisionConfig, Scored, fit_decisions, on_grid
from hvac.errors import HvacError
from hvac.evaluation.comparison import equipment_rates
from hvac.features.describe import Recipe
from hvac.features.encoder import EncoderConfig, load_encoder
from hvac.features.table import Windows
from hvac.models.families import FAMILIES, config_of, score_all
from hvac.models.family import Fitting, columns_for, loaded_once, prepared
from hvac.panel.splits import SPLITS
from hvac.scoring.bundle import Bundle
from hvac.storage import AnyPath, place, writing
from ray_jobs.tables.partitions import folder_name
from ray_jobs.tables.windows_table import read_windows

ABLATION: dict[str, dict[str, Any]] = {
    "features_only": {"inputs": ("features",)},
    "embedding_only": {"inputs": ("embedding",)},
    "untrained_encoder": {"inputs": ("untrained", "features")},
}
EVALUATED = ("tune", "cal", "test")


class DecidedRisks(NamedTuple):
    """Risks and cut-offs of the evaluated windows of one class, in the order `read_windows` gives,
    and their origin.
    """

    risk_BH: npt.NDArray[np.float64]
    threshold_BH: npt.NDArray[np.float64]
    decision: dict[str, Any]
    reference_H: npt.NDArray[np.float64]


class ModelScores(NamedTuple):
    """Scores of all windows, and the decision where the model already has one (the bundle's)."""

    score_BH: npt.NDArray[np.floating[Any]]
    reference_H: npt.NDArray[np.float64]
    decision: dict[str, Any] | None = None


class ScoreSettings(NamedTuple):
    """What every task shares."""

    windows_folder: str
    held_out: str
    bundles: dict[str, str]
    model: Any
    encoder: EncoderConfig
    seed: int
    folds: int


def score_model(settings: ScoreSettings, recipe: Recipe, name: str) -> ModelScores:
    """Scores of one model (the bundle's family, a baseline, or an ablation of the family) for one
    class.
    """
    torch.set_num_threads(1)
    encoder = loaded_once(lambda: load_encoder(settings.encoder))
    config = _config(settings, name)
    needs = tuple(dict.fromkeys((*config.reads, *config.needs)))
    folder = place(settings.windows_folder)
    windows = prepared(read_windows(folder, recipe, SPLITS, columns_for(needs)), needs, encoder)
    split_B = windows.column("split")
    reference_H = equipment_rates(windows.take(split_B == "train"))
    if name == settings.model.family:
        bundle = Bundle.load(settings.bundles[recipe.class_name])
        score_BH = np.empty((len(windows), len(bundle.horizons)))
        score_BH[split_B != "test"] = read_held_out(place(settings.held_out), recipe.class_name)
        score_BH[split_B == "test"] = bundle.predict(windows.take(split_B == "test")).score_BH
        return ModelScores(score_BH, reference_H, bundle.decision.to_json())
    fit = score_all(windows, split_B != "test", config, Fitting(encoder), folds=settings.folds)
    return ModelScores(fit.score_BH, reference_H)


def decide_risks(
    folder: AnyPath,
    recipes: Mapping[str, Recipe],
    opinions: Mapping[str, Any],
    config: DecisionConfig,
    family: str,
    *,
    without: str | None = None,
) -> dict[str, DecidedRisks]:
    """Risks of one model for every class and the windows of `EVALUATED`: calibrated and cut on what
    is not tested.

    Args:
        opinions: by class: an `ModelScores`, or what else has `score_BH` of all windows and
            `reference_H`.
        without: a facility whose windows are not looked at.
    """
    windows = {name: read_windows(folder, recipes[name], SPLITS) for name in opinions}
    told = {name: getattr(each, "decision", None) for name, each in opinions.items()}
    if all(told.values()):
        decisions = {name: Decision.from_json(each) for name, each in told.items() if each}
    else:
        scored = {
            name: _calibrating(windows[name], each.score_BH, recipes[name], without)
            for name, each in opinions.items()
        }
        horizons = next(iter(recipes.values())).windows.horizons
        known_rate = (
            tuple(Calibrator(method="shift") for _ in horizons) if family == "base_rate" else None
        )
        decisions = fit_decisions(
            scored,
            horizons=horizons,
            config=config,
            calibrators=known_rate,
            log_odds=family in FAMILIES and FAMILIES[family].log_odds,
        )
    return {name: _verdict(decisions[name], each, windows[name]) for name, each in opinions.items()}


def _verdict(decision: Decision, opinion: Any, windows: Windows) -> DecidedRisks:
    evaluated_B = np.isin(windows.column("split").astype(str), EVALUATED)
    facility_B, score_BH = windows.column("facility_id")[evaluated_B], opinion.score_BH[evaluated_B]
    risk_BH, threshold_BH = decision.risk(score_BH, facility_B), decision.threshold_BH(facility_B)
    return DecidedRisks(risk_BH, threshold_BH, decision.to_json(), opinion.reference_H)


def _calibrating(
    windows: Windows, score_BH: npt.NDArray[np.floating[Any]], recipe: Recipe, without: str | None
) -> Scored:
    """Return the windows that are not tested, on the grid that is evaluated, and of other
    facilities.
    """
    keep_B = (windows.column("split") != "test") & (windows.column("facility_id") != without)
    return Scored(score_BH, windows).where(
        keep_B & on_grid(windows, recipe.windows.evaluation_stride)
    )


def write_held_out(
    folder: AnyPath, class_name: str, score_BH: npt.NDArray[np.floating[Any]]
) -> None:
    """Keep the cross-fitted scores of a class's windows that are not tested."""
    with writing(folder / f"{folder_name(class_name)}.npy") as file:
        np.save(file, score_BH)


def read_held_out(folder: AnyPath, class_name: str) -> npt.NDArray[np.floating[Any]]:
    """Read what `write_held_out` kept. Raises HvacError where the bundles are of a version that
    kept nothing.
    """
    try:
        with (folder / f"{folder_name(class_name)}.npy").open("rb") as file:
            return np.asarray(np.load(file))
    except FileNotFoundError:
        raise HvacError(
            f"{folder}: scores of held-out units of class '{class_name}' are not there (its bundle"
            " is of an earlier version): run python -m ray_jobs.train --config … again"
        ) from None


def _config(settings: ScoreSettings, name: str) -> Any:
    if name == settings.model.family:
        return settings.model
    return (
        settings.model.replace(**ABLATION[name])
        if name in ABLATION
        else config_of(name, seed=settings.seed)
    )
