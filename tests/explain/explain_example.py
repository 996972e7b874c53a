"""Fitted families, windows and a background to explain: made in memory, the same each time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from hvac.explain.games import game_of
from hvac.explain.players import Players
from hvac.features.table import Windows, concat
from hvac.models.family import NEEDS, prepared
from tests.models.models_example import fit_family, packaged_encoder, windows

CONTEXT = (
    "days_since_failure",
    "age_days",
    "limit_margin_last",
    "observed_share",
    "class_ahu",
)
SMALL: dict[str, dict[str, Any]] = {
    "logistic_28": {},
    "logistic_full": {},
    "gbdt_28": {"trees": 20, "min_leaf": 5},
    "gbdt_full": {"trees": 20, "min_leaf": 5},
    "gbdt_relative": {"trees": 20, "min_leaf": 5},
    "gbdt_activity": {"trees": 20, "min_leaf": 5},
    "et_context": {"trees": 10},
    "et_history": {"trees": 10},
    "et_full": {"trees": 10},
    "hybrid": {"epochs": 2},
    "fusion": {
        "blocks": {
            "line": {"family": "logistic_recent"},
            "forest": {"family": "et_relative", "trees": 8},
            "boosting": {"family": "gbdt_relative", "trees": 8, "min_leaf": 5},
            "neural": {
                "family": "hybrid",
                "epochs": 2,
                "members": 2,
                "most_inputs": 30,
            },
        }
    },
}

EVERY = SMALL | {  # families with reasons that differ from those by their columns only
    **{
        name: {"trees": 8, "min_leaf": 5}
        for name in ("gbdt_92", "gbdt_context", "gbdt_history")
    },
    **{name: {"trees": 8} for name in ("et_28", "et_recent", "et_relative")},
    "logistic_recent": {},
}


def players(points: int = 2) -> Players:
    return Players(tuple(f"p{c}" for c in range(points)), CONTEXT)


@cache
def fitted(name: str, points: int = 2) -> Any:
    train, tune = (
        windows(200, points=points, seed=1),
        windows(60, points=points, seed=2),
    )
    return fit_family(name, train, with_gaps(tune), **EVERY[name])


def with_gaps(made: Windows) -> Windows:
    """The windows with unknown values here and there, as real ones have."""
    rng = np.random.default_rng(9)
    arrays: dict[str, Any] = {}
    for name in ("k_BK", "n_BCS", "r_BCS", "d_BCS", "e_BCS", "a_BCA"):
        array = getattr(made, name).copy()
        array[rng.random(array.shape) < 0.15] = np.nan
        arrays[name] = array
    return replace(made, **arrays)


def explained(points: int = 2, rows: int = 3) -> Windows:
    return with_gaps(windows(rows, points=points, seed=5))


def background(points: int = 2, rows: int = 6) -> Windows:
    return with_gaps(windows(rows, points=points, seed=6))


def game(name: str, points: int = 2, rows: int = 6) -> Any:
    return game_of(
        fitted(name, points), players(points), ready(background(points, rows))
    )


def ready(made: Windows) -> Windows:
    return prepared(made, ("activity",), packaged_encoder)


def coalition_value(
    model: Any, who: Players, window: Windows, behind: Windows
) -> Callable[[frozenset[int]], Any]:
    """The mean log-odds [H] where a coalition has the window's values, the others the background's."""
    places = {name: place for place, name in enumerate(who.names)}
    of_context = [
        places[n] for n in ("history", "season_and_age", "limits", "coverage")
    ]
    player_K = np.array([*of_context, places["season_and_age"]])

    def value(coalition: frozenset[int]) -> Any:
        mixed = concat([window] * len(behind))
        arrays: dict[str, Any] = {}
        for attribute in NEEDS.values():
            own, other = getattr(mixed, attribute), getattr(behind, attribute)
            if own is None or other is None or attribute == "persistence_B":
                continue
            width = own.shape[1]
            player_X = player_K if attribute == "k_BK" else np.arange(width)
            member_X = np.isin(player_X, list(coalition))
            member_X = member_X.reshape(1, -1, *[1] * (own.ndim - 2))
            arrays[attribute] = np.where(member_X, own, other)
        return model.score(replace(mixed, **arrays)).mean(axis=0)

    return value
