"""Which settings mattered in a sweep, by permutation importance.

A forest learns the score from the settings, then one setting at a time is shuffled.
Legend: T trials, K settings.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import permutation_importance

from hvac.arrays import Floats
from hvac.json_values import Json, JsonObject

FEWEST = 8
FEW = 30
TREES = 200
SHUFFLES = 10


class Importance(NamedTuple):
    """Share of every setting, its spread over shuffles, and how far to trust them.

    The shares sum to 1, or are all 0. `explained` is R² on trials that the trees had not seen: what
    the settings explain at all. `weak` tells that the shares are a hint at best.
    """

    share: dict[str, float]
    spread: dict[str, float]
    explained: float
    weak: bool


def importance(
    settings: Sequence[JsonObject], value_T: Sequence[float]
) -> Importance | None:
    """Return the permutation importance of settings for the trials' scores.

    It is None with fewer than 8 trials.

    >>> trials = [{"rate": float(i), "seed": i % 3} for i in range(40)]
    >>> shares = importance(trials, [trial["rate"] ** 2 for trial in trials])
    >>> max(shares.share, key=shares.share.get), shares.weak
    ('rate', False)
    """
    if len(value_T) < FEWEST:
        return None
    keys = list(settings[0])
    score_T = np.asarray(value_T, dtype=np.float64)
    columns = [_numbers([trial[key] for trial in settings]) for key in keys]
    input_TK = np.column_stack(columns)
    forest = RandomForestRegressor(
        TREES, min_samples_leaf=2, oob_score=True, random_state=0
    )
    forest.fit(input_TK, score_T)
    shuffled = permutation_importance(
        forest, input_TK, score_T, n_repeats=SHUFFLES, random_state=0
    )
    mean_K = np.clip(shuffled.importances_mean, 0, None)
    total = float(mean_K.sum()) or 1.0
    explained = float(forest.oob_score_)
    return Importance(
        share=dict(zip(keys, (mean_K / total).tolist(), strict=True)),
        spread=dict(
            zip(keys, (shuffled.importances_std / total).tolist(), strict=True)
        ),
        explained=explained,
        weak=len(score_T) < FEW or explained < 0.3,
    )


def _numbers(values: Sequence[Json]) -> Floats:
    """Return numbers as they are, anything else by its place in the sorted list of values."""
    if all(isinstance(value, int | float) for value in values):
        return np.array(values, dtype=np.float64)
    texts = [json.dumps(value) for value in values]
    distinct = sorted(set(texts))
    return np.array([distinct.index(text) for text in texts], dtype=np.float64)
