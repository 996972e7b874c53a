"""Decision trees as plain arrays: a bundle holds no pickle, scoring needs no scikit-learn.

Nodes lie in preorder: the left child follows its parent, and only the way to the right one is kept.
A node takes eight bytes or a little more, so that forests of some hundred thousand nodes fit into a
bundle.
Legend: B windows, N inputs, T trees, K nodes of all trees.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from hvac.arrays import AnyArray, AnyInts, Float32s, Floats, Ints
from hvac.compiled import compiled
from hvac.errors import BundleError

LEAF = -1


class Trees(NamedTuple):
    """Trees of one horizon, node after node; `root_T` says where each begins.

    `split_K` is 2 · input + 1 where missing values go left, 2 · input where they go right, and −1
    in a leaf; `number_K` the threshold of a split (at most: left) or the value of a leaf; `right_K`
    how many nodes further the right child lies."""

    base: Floats
    root_T: Ints
    split_K: AnyInts
    number_K: Float32s
    right_K: AnyInts

    def total(self, input_BN: Floats) -> Floats:
        """Add up the leaves that each row reaches, and the base: [B]."""
        return np.asarray(_sum_trees(np.ascontiguousarray(input_BN), *self))

    @property
    def parameters(self) -> int:
        """Count a threshold per split and a value per leaf."""
        return len(self.number_K)

    def between(self, start: int, stop: int) -> Trees:
        """Keep some of the trees, one after another, without the base."""
        bounds = np.append(self.root_T, len(self.split_K))[[start, stop]]
        nodes = slice(*bounds.tolist())
        zero = np.zeros(1)
        root_T = self.root_T[start:stop] - bounds[0]
        return Trees(
            zero, root_T, self.split_K[nodes], self.number_K[nodes], self.right_K[nodes]
        )


class TreeNodes(NamedTuple):
    """The nodes of one tree in any order, the root first.

    Children are numbered within the tree, leaves have −1.
    """

    feature_K: AnyArray
    threshold_K: AnyArray
    missing_left_K: AnyArray
    left_K: AnyArray
    right_K: AnyArray
    value_K: AnyArray


def join_trees(trees: Sequence[TreeNodes], *, base: float) -> Trees:
    """Lay the nodes of trees one after another; no tree at all gives `base` for every row.

    Thresholds are kept as float32, rounded down: windows carry float32, so every comparison stays
    as it was.

    >>> columns = ([0, -1, -1], [0.5, 0, 0], [1, 0, 0], [1, 0, 0], [2, 0, 0], [0.0, -1, 1])
    >>> stump = TreeNodes(*map(np.array, columns))
    >>> rows = np.array([[0.2], [0.7], [np.nan]])
    >>> join_trees([stump, stump], base=10.0).total(rows).tolist()
    [8.0, 12.0, 8.0]
    """
    ordered = [_preorder(tree) for tree in trees]
    sizes = [len(tree.feature_K) for tree in ordered]
    root_T = (
        np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        if trees
        else np.empty(0, np.int64)
    )

    def column(place: int) -> AnyArray:
        return (
            np.concatenate([tree[place] for tree in ordered]) if trees else np.empty(0)
        )

    feature_K = column(0).astype(np.int64)
    right_K = column(4).astype(np.int64)
    inner_K = 2 * feature_K + (column(2) != 0)
    split_K = np.where(feature_K < 0, LEAF, inner_K)
    threshold_K = _rounded_down(column(1).astype(np.float64))
    return Trees(
        base=np.array([base]),
        root_T=root_T,
        split_K=split_K.astype(
            np.int16 if split_K.max(initial=0) < 2**15 else np.int32
        ),
        number_K=np.where(feature_K < 0, column(5), threshold_K).astype(np.float32),
        right_K=right_K.astype(
            np.uint16 if right_K.max(initial=0) < 2**16 else np.uint32
        ),
    )


def _preorder(tree: TreeNodes) -> TreeNodes:
    """Put every left child behind its parent; `right_K` becomes the distance to the right child."""
    order = []
    waiting = [0]
    while waiting:
        node = waiting.pop()
        order.append(node)
        if len(order) > len(tree.feature_K):
            raise BundleError("its trees are damaged: the nodes lead back")
        if tree.feature_K[node] >= 0:
            waiting += [int(tree.right_K[node]), int(tree.left_K[node])]
    place = np.empty(len(tree.feature_K), dtype=np.int64)
    place[order] = np.arange(len(order))
    columns = TreeNodes(*(np.asarray(column)[order] for column in tree))
    inner_K = columns.feature_K >= 0
    distance_K = np.where(
        inner_K, place[np.where(inner_K, columns.right_K, 0)] - np.arange(len(order)), 0
    )
    return columns._replace(right_K=distance_K)


def _rounded_down(threshold_K: Floats) -> Float32s:
    near_K = threshold_K.astype(np.float32)
    with np.errstate(
        over="ignore"
    ):  # below the smallest number of a float32 lies -inf, where only -inf goes left
        below_K = np.nextafter(near_K, np.float32(-np.inf))
    return np.where(near_K > threshold_K, below_K, near_K).astype(np.float32)


def tree_arrays(forests: Sequence[Trees]) -> dict[str, AnyArray]:
    """Return the arrays of every horizon's trees, by name."""
    return {
        f"forest.{h}.{name}": array
        for h, trees in enumerate(forests)
        for name, array in trees._asdict().items()
    }


def check_trees(trees: Trees, width: int) -> None:
    """Refuse nodes that lead outside or back: whoever follows them would never come to a leaf.

    Raises:
        BundleError: the arrays are not those of trees on `width` inputs.
    """
    base, root_T, split_K, number_K, right_K = trees
    nodes = np.arange(len(number_K))
    whole = all(
        np.issubdtype(array.dtype, np.integer) for array in (root_T, split_K, right_K)
    )
    flat = all(
        array.shape == number_K.shape and array.ndim == 1
        for array in (split_K, right_K)
    )
    if not (whole and flat and base.shape == (1,) and root_T.ndim == 1):
        raise BundleError(
            "its trees are damaged: expected a split, a number and a way to the right for every"
            " node"
        )
    inner_K = split_K >= 0
    ahead_K = right_K.astype(np.int64)
    inside_K = (
        (ahead_K > 0)
        & (ahead_K < len(nodes) - nodes)
        & (nodes + 1 < len(nodes))
        & (split_K >> 1 < width)
    )
    inside_T = (root_T >= 0) & (root_T < len(nodes))
    roots_inside = bool(inside_T.all())
    leaves_marked = (split_K[~inner_K] == LEAF).all()
    if not (roots_inside and inside_K[inner_K].all() and leaves_marked):
        raise BundleError("its trees are damaged: a node leads back, or outside")


def restored_trees(state: Mapping[str, AnyArray]) -> list[Trees]:
    """Return the trees that `tree_arrays` named.

    Those of older bundles (a column per fact of a node) can be read too.
    """
    forests: list[Trees] = []
    while f"forest.{len(forests)}.base" in state:
        prefix = f"forest.{len(forests)}."
        arrays = {
            name.removeprefix(prefix): array
            for name, array in state.items()
            if name.startswith(prefix)
        }
        forests.append(Trees(**arrays) if "split_K" in arrays else _of_older(arrays))
    return forests


def _of_older(arrays: Mapping[str, AnyArray]) -> Trees:
    bounds = np.append(arrays["root_T"], len(arrays["feature_K"]))
    trees = []
    for start, stop in itertools.pairwise(bounds):
        columns = {name: arrays[name][start:stop] for name in TreeNodes._fields}
        columns |= {name: columns[name] - start for name in ("left_K", "right_K")}
        trees.append(TreeNodes(**columns))
    return join_trees(trees, base=float(arrays["base"][0]))


@compiled
def _sum_trees(
    input_BN: Floats,
    base: Floats,
    root_T: Ints,
    split_K: AnyInts,
    number_K: Float32s,
    right_K: AnyInts,
) -> Floats:
    out_B = np.full(len(input_BN), base[0])
    for b in range(len(input_BN)):
        for root in root_T:
            node = root
            while split_K[node] >= 0:
                value = input_BN[b, split_K[node] >> 1]
                to_left = (
                    split_K[node] & 1 if np.isnan(value) else value <= number_K[node]
                )
                node += 1 if to_left else right_K[node]
            out_B[b] += number_K[node]
    return out_B
