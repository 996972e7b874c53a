"""What the report says of reasons and sureness: every class's bundle on its test windows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import ray
import torch

from hvac.evaluation.comparison import StoredDifference
from hvac.evaluation.importance import importances
from hvac.evaluation.sureness_figures import sureness_figures
from hvac.explain.games import has_reasons
from hvac.features.encoder import load_encoder
from hvac.features.recipe import Recipe
from hvac.features.table import Windows
from hvac.json_values import JsonObject, as_json, listed
from hvac.models.family import NEEDS, loaded_once
from hvac.scoring.bundle import Bundle
from ray_jobs.fit.candidates import FitSettings, needed_windows

MOST_WINDOWS = 96  # of a class: about a second of work


class ReasonFacts(NamedTuple):
    """Importance and sureness of every class that has them, by class and horizon."""

    importance: JsonObject
    sureness: JsonObject


def start_bundle_facts(
    shared: FitSettings,
    recipes: Mapping[str, Recipe],
    bundles: Mapping[str, str],
    *,
    replicates: int,
    seed: int,
) -> dict[str, ray.ObjectRef]:
    """Start to measure how important every player is, and what bands are worth: a task per class.

    Args:
        shared: where windows lie, and the encoder.
        recipes: of the classes.
        bundles: folder of each class's bundle.
        replicates: draws of units for the intervals.
        seed: of the draws.
    """
    task = ray.remote(num_cpus=1, max_retries=2)(_of_class)
    return {
        name: task.remote(shared, recipe, bundles[name], replicates, seed)
        for name, recipe in recipes.items()
    }


def bundle_facts(started: Mapping[str, ray.ObjectRef]) -> ReasonFacts:
    """Return what the tasks of `start_bundle_facts` measured, by class and horizon.

    Families without reasons, and bundles made before them, are left out.
    """
    results: list[ReasonFacts] = ray.get(list(started.values()))
    by_class = dict(zip(started, results, strict=True))
    return ReasonFacts(
        {
            name: facts.importance
            for name, facts in by_class.items()
            if facts.importance
        },
        {name: facts.sureness for name, facts in by_class.items() if facts.sureness},
    )


def _of_class(
    shared: FitSettings, recipe: Recipe, folder: str, replicates: int, seed: int
) -> ReasonFacts:
    torch.set_num_threads(1)
    bundle = Bundle.load(folder)
    if not has_reasons(bundle.model.config) or bundle.background is None:
        return ReasonFacts({}, {})
    encoder = loaded_once(lambda: load_encoder(shared.encoder))
    windows = needed_windows(
        shared.windows_folder, recipe, bundle.model.config, encoder
    )
    windows = windows.split("test")
    if not len(windows):
        return ReasonFacts({}, {})
    sureness = _sureness(bundle, windows, replicates)
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(windows), min(MOST_WINDOWS, len(windows)), replace=False)
    windows = windows.take(np.sort(rows))
    added_BPH = bundle.contributions(windows).added_BPH
    ranked = importances(
        bundle.model,
        bundle.explainer.players,
        windows,
        added_BPH,
        replicates=replicates,
        seed=seed,
    )
    facts: dict[str, dict[str, dict[str, StoredDifference]]] = {}
    for horizon, players in zip(bundle.horizons, ranked, strict=True):
        facts[str(horizon)] = {
            player.player: {
                "added": player.added._asdict(),
                "shuffled": player.shuffled._asdict(),
            }
            for player in players
        }
    return ReasonFacts(as_json(facts), sureness)


def _sureness(bundle: Bundle, windows: Windows, replicates: int) -> JsonObject:
    looked_at = bundle.cases.blocks if bundle.cases else ()
    if any(getattr(windows, NEEDS[block]) is None for block in looked_at):
        return {}  # the family does not read what past cases are compared by
    predicted = bundle.predict(windows)
    sure = bundle.sureness(windows, predicted.risk_BH)
    if sure is None or bundle.certainty is None:
        return {}
    figures = sureness_figures(
        windows,
        predicted.risk_BH,
        predicted.threshold_BH,
        sure,
        bundle.certainty.rule.promised_H,
        bundle.horizons,
        calibration_H=_widths(bundle),
        replicates=replicates,
    )
    return as_json(figures)


def _widths(bundle: Bundle) -> list[float | None]:
    """Return how uncertain a bundle's calibration is by itself; nothing for older bundles."""
    widths = listed(bundle.training.get("calibration_widths"))
    return [float(width) if isinstance(width, float) else None for width in widths]
