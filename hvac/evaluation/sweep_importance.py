"""Which settings mattered in a sweep: a forest learns score from settings, then one setting at a
time is shuffled.

Legend: T trials, K settings.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import permutation_importance

Floats = npt.NDArray[np.float64]
FEWEST = 8
FEW = 30
TREES = 200
SHUFFLES = 10


class Importance(NamedTuple):
    """Share of every setting (they sum to 1, or are all 0), its spread over shuffles, and how far
    to trust it.

    `explained` is R² on trials that the trees had not seen: what the settings explain at all;
    `weak` says that the shares are a hint at best."""

    share: dict[str, float]
    spread: dict[str, float]
    explained: float
    weak: bool


def importance(
    settings: Sequence[Mapping[str, Any]], value_T: Sequence[float]
) -> Importance | None:
    """Permutation importance of settings for the trials' scores; None with fewer than 8 trials.

    >>> trials = [{"rate": float(i), "seed": i % 3} for i in range(40)]
    >>> found = importance(trials, [trial["rate"] ** 2 for trial in trials])
    >>> max(found.share, key=found.share.get), found.weak
    ('rate', False)
    """
    if len(value_T) < FEWEST:
        return None
    keys, score_T = list(settings[0]), np.asarray(value_T, dtype=np.float64)
    input_TK = np.column_stack([_numbers([trial[key] for trial in settings]) for key in keys])
    forest = RandomForestRegressor(TREES, min_samples_leaf=2, oob_score=True, random_state=0).fit(
        input_TK, score_T
    )
    found = permutation_importance(forest, input_TK, score_T, n_repeats=SHUFFLES, random_state=0)
    mean_K = np.clip(found.importances_mean, 0, None)
    total = float(mean_K.sum()) or 1.0
    explained = float(forest.oob_score_)
    return Importance(
        share=dict(zip(keys, (mean_K / total).tolist(), strict=True)),
        spread=dict(zip(keys, (found.importances_std / total).tolist(), strict=True)),
        explained=explained,
        weak=len(score_T) < FEW or explained < 0.3,
    )


def _numbers(values: Sequence[Any]) -> Floats:
    """Numbers as they are; anything else by its place in the sorted list of what occurs."""
    if all(isinstance(value, int | float) for value in values):
        return np.array(values, dtype=np.float64)
    places = {
        text: place for place, text in enumerate(sorted({json.dumps(value) for value in values}))
    }
    return np.array([places[json.dumps(value)] for value in values], dtype=np.float64)
