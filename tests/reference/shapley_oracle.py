"""Shapley values by definition: the mean of what a player adds over all orders of the players."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np


def shapley(value: Callable[[frozenset[int]], Any], players: int) -> Any:
    """Return the mean marginal contribution of each player [P, …] of a game of a set of players."""
    added = [0.0] * players
    orders = list(permutations(range(players)))
    for order in orders:
        before: frozenset[int] = frozenset()
        for p in order:
            added[p] = added[p] + value(before | {p}) - value(before)
            before |= {p}
    return np.stack([np.asarray(total) / len(orders) for total in added])
