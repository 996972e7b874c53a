"""Risks of a model on the windows that are evaluated, from its scores of all windows.

Calibration and thresholds rest on all windows that are not tested; classes are decided together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import ray
import torch

from hvac.arrays import AnyFloats, Floats
from hvac.decision.calibration import Calibrator
from hvac.decision.decision import Decision, Scored, StoredDecision
from hvac.decision.fit_decisions import DecisionConfig, fit_decisions, on_grid
from hvac.errors import HvacError
from hvac.evaluation.compared_windows import equipment_rates
from hvac.features.encoder import load_encoder
from hvac.features.recipe import Recipe
from hvac.features.table import Windows
from hvac.models.families import FAMILIES
from hvac.models.family import loaded_once
from hvac.panel.splits import SPLITS
from hvac.scoring.bundle import Bundle
from hvac.storage import AnyPath, folder_name, place, writing
from ray_jobs.fit.candidates import CandidateScores, FitSettings, needed_windows
from ray_jobs.tables.windows_table import read_windows

EVALUATED = ("tune", "cal", "test")


class DecidedRisks(NamedTuple):
    """Risks and thresholds of the evaluated windows of one class, in the order of `read_windows`.

    `decision` is the calibration and thresholds they come from, as plain values; `reference_H` the
    base rate of each horizon in training.
    """

    risk_BH: Floats
    threshold_BH: Floats
    decision: StoredDecision
    reference_H: Floats


class BundleScores(NamedTuple):
    """Scores of all windows of one class by its bundle, and the bundle's decision."""

    scores: CandidateScores
    decision: Decision


def score_bundles(
    shared: FitSettings,
    recipes: Mapping[str, Recipe],
    bundles: Mapping[str, str],
    held_out: AnyPath,
) -> dict[str, BundleScores]:
    """Score all windows with the bundle of their class, one Ray task per class.

    Args:
        bundles: folder of each class's bundle.
        held_out: folder of the cross-fitted scores, which stand for windows that are not tested.
    """
    task = ray.remote(num_cpus=1, max_retries=2)(_score_bundle)
    refs = [
        task.remote(shared, recipes[name], bundles[name], str(held_out))
        for name in recipes
    ]
    return dict(zip(recipes, ray.get(refs), strict=True))


def _score_bundle(
    shared: FitSettings, recipe: Recipe, folder: str, held_out: str
) -> BundleScores:
    torch.set_num_threads(1)
    bundle = Bundle.load(folder)
    encoder = loaded_once(lambda: load_encoder(shared.encoder))
    windows = needed_windows(
        shared.windows_folder, recipe, bundle.model.config, encoder
    )
    split_B = windows.column("split")
    score_BH = np.empty((len(windows), len(bundle.horizons)))
    score_BH[split_B != "test"] = read_held_out(place(held_out), recipe.class_name)
    score_BH[split_B == "test"] = bundle.predict(
        windows.take(split_B == "test")
    ).score_BH
    reference_H = equipment_rates(windows.take(split_B == "train"))
    return BundleScores(CandidateScores(score_BH, reference_H), bundle.decision)


def decide_risks(
    folder: AnyPath,
    recipes: Mapping[str, Recipe],
    scores: Mapping[str, CandidateScores],
    config: DecisionConfig,
    family: str,
    *,
    without: str | None = None,
) -> dict[str, DecidedRisks]:
    """Calibrate the scores of a model and choose thresholds, for all classes at once.

    Args:
        folder: the table of windows.
        scores: by class.
        without: a facility whose windows may not be used.
    """
    windows = {name: read_windows(folder, recipes[name], SPLITS) for name in scores}
    deciding = {
        name: _deciding(windows[name], scores[name].score_BH, recipes[name], without)
        for name in scores
    }
    horizons = next(iter(recipes.values())).windows.horizons
    decisions = fit_decisions(
        deciding,
        horizons=horizons,
        config=config,
        calibrators=_known_rates(family, len(horizons)),
        log_odds=family in FAMILIES and FAMILIES[family].log_odds,
    )
    return {
        name: _decided(decisions[name], scores[name], windows[name]) for name in scores
    }


def bundle_risks(
    folder: AnyPath, recipes: Mapping[str, Recipe], by_class: Mapping[str, BundleScores]
) -> dict[str, DecidedRisks]:
    """Return the risks of the bundles, by their own calibration and thresholds."""
    risks = {}
    for name, (scores, decision) in by_class.items():
        windows = read_windows(folder, recipes[name], SPLITS)
        risks[name] = _decided(decision, scores, windows)
    return risks


def _known_rates(family: str, horizons: int) -> tuple[Calibrator, ...] | None:
    """Return calibrators that change nothing where a model's scores are rates already."""
    if family in FAMILIES and FAMILIES[family].scores_are_rates:
        return (Calibrator(method="shift"),) * horizons
    return None


def _deciding(
    windows: Windows, score_BH: AnyFloats, recipe: Recipe, without: str | None
) -> Scored:
    """Return the windows that decide: not tested, on the evaluation grid, of other facilities."""
    use_B = windows.column("split") != "test"
    use_B &= windows.column("facility_id") != without
    use_B &= on_grid(windows, recipe.windows.evaluation_stride)
    return Scored(score_BH, windows).where(use_B)


def _decided(
    decision: Decision, scores: CandidateScores, windows: Windows
) -> DecidedRisks:
    evaluated_B = np.isin(windows.column("split").astype(str), EVALUATED)
    facility_B = windows.column("facility_id")[evaluated_B]
    risk_BH = decision.risk(scores.score_BH[evaluated_B], facility_B)
    threshold_BH = decision.threshold_BH(facility_B)
    return DecidedRisks(risk_BH, threshold_BH, decision.to_json(), scores.reference_H)


def write_held_out(folder: AnyPath, class_name: str, score_BH: AnyFloats) -> None:
    """Keep the cross-fitted scores of a class's windows that are not tested."""
    with writing(folder / f"{folder_name(class_name)}.npy") as file:
        np.save(file, score_BH)


def read_held_out(folder: AnyPath, class_name: str) -> AnyFloats:
    """Read the cross-fitted scores of a class.

    Raises:
        HvacError: the bundles are of a version that kept none.
    """
    try:
        with (folder / f"{folder_name(class_name)}.npy").open("rb") as file:
            return np.asarray(np.load(file))
    except FileNotFoundError:
        raise HvacError(
            f"{folder}: scores of held-out units of class '{class_name}' are not there (its bundle"
            " is of an earlier version): run python -m ray_jobs.train --config … again"
        ) from None
