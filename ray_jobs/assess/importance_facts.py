"""What the report says of importance: every class's bundle explained on some of its test windows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import ray
import torch

from hvac.evaluation.comparison import StoredDifference
from hvac.evaluation.importance import importances
from hvac.explain.games import has_reasons
from hvac.features.describe import Recipe
from hvac.features.encoder import load_encoder
from hvac.models.family import loaded_once
from hvac.scoring.bundle import Bundle
from ray_jobs.fit.candidates import FitSettings, needed_windows

ImportanceByHorizon = dict[str, dict[str, dict[str, StoredDifference]]]
"""What every player adds, and what shuffling it costs, with intervals, by horizon and player."""
MOST_WINDOWS = 96  # of a class: about a second of work


def importance_facts(
    shared: FitSettings,
    recipes: Mapping[str, Recipe],
    bundles: Mapping[str, str],
    *,
    replicates: int,
    seed: int,
) -> dict[str, ImportanceByHorizon]:
    """Return the importance of every player by class and horizon; {} for families without reasons.

    Args:
        shared: where windows lie, and the encoder.
        recipes: of the classes.
        bundles: folder of each class's bundle.
        replicates: draws of units for the intervals.
        seed: of the draws.
    """
    task = ray.remote(num_cpus=1, max_retries=2)(_of_class)
    refs = [task.remote(shared, recipes[name], bundles[name], replicates, seed) for name in recipes]
    by_class = dict(zip(recipes, ray.get(refs), strict=True))
    return {name: facts for name, facts in by_class.items() if facts}


def _of_class(
    shared: FitSettings, recipe: Recipe, folder: str, replicates: int, seed: int
) -> ImportanceByHorizon:
    torch.set_num_threads(1)
    bundle = Bundle.load(folder)
    if not has_reasons(bundle.model.config) or bundle.background is None:
        return {}
    encoder = loaded_once(lambda: load_encoder(shared.encoder))
    windows = needed_windows(shared.windows_folder, recipe, bundle.model.config, encoder)
    windows = windows.split("test")
    if not len(windows):
        return {}
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
    facts: ImportanceByHorizon = {}
    for horizon, players in zip(bundle.horizons, ranked, strict=True):
        facts[str(horizon)] = {
            player.player: {
                "added": player.added._asdict(),
                "shuffled": player.shuffled._asdict(),
            }
            for player in players
        }
    return facts
