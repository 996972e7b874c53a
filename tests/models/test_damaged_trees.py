"""Damaged trees are refused before anybody follows them: they need not end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hvac.errors import BundleError
from hvac.models.trees import TreeNodes, Trees, check_trees, join_trees

STUMP = TreeNodes(
    *map(
        np.array,
        ([0, -1, -1], [0.5, 0, 0], [1, 0, 0], [1, 0, 0], [2, 0, 0], [0.0, -1, 1]),
    )
)
SOUND = join_trees([STUMP, STUMP], base=1.0)
DAMAGE: dict[str, Callable[[Trees], dict[str, Any]]] = {
    "way to the right of no length": lambda t: {"right_K": t.right_K * 0},
    "way to the right outside": lambda t: {"right_K": t.right_K * 0 + 60_000},
    "root outside": lambda t: {"root_T": t.root_T + 99},
    "root before": lambda t: {"root_T": t.root_T - 1},
    "input that is not there": lambda t: {"split_K": t.split_K * 0 + 9},
    "every node splits": lambda t: {"split_K": t.split_K * 0},
    "leaf of another sign": lambda t: {"split_K": t.split_K * 0 - 2},
    "too few numbers": lambda t: {"number_K": t.number_K[:2]},
    "no base": lambda t: {"base": t.base[:0]},
    "splits that are no whole numbers": lambda t: {
        "split_K": t.split_K.astype(np.float32)
    },
}


def test_sound_trees_pass_and_end_in_their_leaves() -> None:
    none = join_trees([], base=0.5)
    for trees in (SOUND, none):
        check_trees(trees, 1)
    below_and_above = np.array([[0.0], [1.0]], dtype=np.float32)
    assert SOUND.total(below_and_above).tolist() == [-1, 3]
    assert none.total(below_and_above).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_trees_are_refused(name: str) -> None:
    with pytest.raises(BundleError, match="trees are damaged"):
        check_trees(SOUND._replace(**DAMAGE[name](SOUND)), 1)


def test_nodes_of_an_older_bundle_that_lead_back_are_refused() -> None:
    with pytest.raises(BundleError, match="lead back"):
        join_trees([STUMP._replace(left_K=np.array([0, 0, 0]))], base=0.0)
