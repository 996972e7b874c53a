"""Exact Shapley values of trees, by one walk for all background windows together.

A tree is walked for a window and its background at once. Where the two go to the same child nothing
is decided; where they part, the split's player decides: with it the window's way is taken, without
it the background's. Every leaf is thus reached under the condition that some players take part
(`inside`) and others do not (`outside`): a game whose Shapley values are known in closed form
(interventional TreeSHAP, Lundberg et al. 2020; here with groups of inputs as players). Background
windows are bits of a number, so that those that go the same way are walked together.

Legend: N inputs, K nodes of all trees, W background windows (at most 64), P players, S coalitions.
"""

from __future__ import annotations

from functools import cache, lru_cache
from math import factorial
from typing import Final, NamedTuple

import numpy as np

from hvac.arrays import AnyInts, BitSets, Float32s, Floats, Ints
from hvac.compiled import compiled
from hvac.models.trees import Trees

MOST_WINDOWS: Final = 64  # background windows that fit into the bits of a number
DE_BRUIJN: Final = np.uint64(
    0x03F79D71B4CB0A89
)  # its top six bits tell 64 shifts apart
PLACE_OF_BIT: Final = np.empty(64, dtype=np.int64)
for _place in range(64):
    PLACE_OF_BIT[(int(DE_BRUIJN) << _place & 2**64 - 1) >> 58] = _place


class WalkedTrees(NamedTuple):
    """Trees of one horizon, with the way of every background window and the player of each input.

    `left_K` holds the background windows that go left at a node, as bits; `depth` is the longest
    way from a root to a leaf; `group` the aspects of an opened point, as bits.
    """

    trees: Trees
    left_K: BitSets
    depth: int
    player_N: Ints
    players: int
    group: int = 0

    @classmethod
    def prepare(
        cls,
        trees: Trees,
        input_WN: Floats,
        player_N: Ints,
        players: int,
        group: int = 0,
    ) -> WalkedTrees:
        """Send the background windows down the trees once, for all windows to be explained."""
        left_K = np.zeros(len(trees.split_K), dtype=np.uint64)
        depth_K = np.zeros(len(trees.split_K), dtype=np.int64)
        nodes = (trees.split_K, trees.number_K, trees.right_K)
        _send_down(np.ascontiguousarray(input_WN), *nodes, left_K, depth_K)
        return cls(trees, left_K, int(depth_K.max(initial=0)), player_N, players, group)

    def shapley(self, input_N: Floats, chosen: int) -> Floats:
        """Return the Shapley values of the trees' sum for one window: [P].

        Of an opened point's aspects they are Owen values (Owen 1977): together what the point as
        one player has.

        Args:
            input_N: the window's inputs.
            chosen: which background windows count, as bits; their mean is the background.
        """
        out_P = np.zeros(self.players)
        self._walk(input_N, chosen, out_P, np.zeros((0, 0)))
        return out_P / chosen.bit_count()

    def coalitions(self, input_N: Floats, chosen: int) -> Floats:
        """Return parts [S, W] of what the trees give for every coalition and background window.

        Summed over the subsets of a coalition (`coalitions.sum_over_subsets`) they are the trees'
        sum where the coalition's players are the window's and the others the background's.
        """
        part_SW = np.zeros((2**self.players, chosen.bit_count()))
        self._walk(input_N, chosen, np.zeros(0), part_SW)
        part_SW[0] += self.trees.base[0]  # the empty coalition is a subset of all
        return part_SW

    def _walk(
        self, input_N: Floats, chosen: int, out_P: Floats, part_SW: Floats
    ) -> None:
        trees = self.trees
        nodes = (
            trees.root_T,
            trees.split_K,
            trees.number_K,
            trees.right_K,
            self.left_K,
        )
        stack_D4 = np.empty((2 * self.depth + 4, 4), dtype=np.uint64)
        share = leaf_shares(self.players)
        slot_W = _slots(chosen)
        _walk_trees(
            np.ascontiguousarray(input_N, dtype=np.float64),
            self.player_N,
            *nodes,
            np.uint64(chosen),
            slot_W,
            share,
            np.uint64(self.group),
            stack_D4,
            out_P,
            part_SW,
        )


@cache
def leaf_shares(players: int) -> Floats:
    """Return a leaf's share for a player inside, by numbers of players inside and outside.

    It is (i − 1)! o! / (i + o)!; a player outside has −share[o, i].

    >>> leaf_shares(1).tolist()
    [[0.0, 0.0], [1.0, 0.0]]
    """
    share = np.zeros((players + 1, players + 1))
    for inside in range(1, players + 1):
        for outside in range(players + 1 - inside):
            numerator = factorial(inside - 1) * factorial(outside)
            share[inside, outside] = numerator / factorial(inside + outside)
    return share


@lru_cache(maxsize=256)
def _slots(chosen: int) -> Ints:
    """Return the place of each background window among the chosen ones: [64]."""
    bit_W = np.array([chosen >> w & 1 for w in range(MOST_WINDOWS)], dtype=np.int64)
    return np.cumsum(bit_W) - 1


@compiled
def _send_down(
    input_WN: Floats,
    split_K: AnyInts,
    number_K: Float32s,
    right_K: AnyInts,
    left_K: BitSets,
    depth_K: Ints,
) -> None:
    for node in range(len(split_K)):
        if split_K[node] < 0:
            continue
        depth_K[node + 1] = depth_K[node] + 1
        depth_K[node + np.int64(right_K[node])] = depth_K[node] + 1
        for w in range(len(input_WN)):
            value = input_WN[w, split_K[node] >> 1]
            left = (
                split_K[node] & 1 != 0 if np.isnan(value) else value <= number_K[node]
            )
            if left:
                left_K[node] |= np.uint64(1) << np.uint64(w)


@compiled
def _popcount(bits: np.uint64) -> int:
    count = 0
    while bits:
        bits &= bits - np.uint64(1)
        count += 1
    return count


@compiled
def _push(
    stack_D4: BitSets,
    depth: int,
    node: np.uint64,
    windows: np.uint64,
    inside: np.uint64,
    outside: np.uint64,
) -> int:
    """Put a node with what leads there on the stack, and return the new depth."""
    stack_D4[depth, 0] = node
    stack_D4[depth, 1] = windows
    stack_D4[depth, 2] = inside
    stack_D4[depth, 3] = outside
    return depth + 1


@compiled
def _walk_trees(  # noqa: PLR0913 - a compiled kernel takes arrays, no objects
    input_N: Floats,
    player_N: Ints,
    root_T: Ints,
    split_K: AnyInts,
    number_K: Float32s,
    right_K: AnyInts,
    left_K: BitSets,
    chosen: np.uint64,
    slot_W: Ints,
    share: Floats,
    group: np.uint64,
    stack_D4: BitSets,
    out_P: Floats,
    part_SW: Floats,
) -> None:
    """Walk all trees; leaves add to `out_P` where it has players, else to `part_SW`."""
    one = np.uint64(1)
    for root in root_T:
        node, windows, depth = np.uint64(root), chosen, 0
        inside = outside = np.uint64(0)
        while True:
            split, number = split_K[node], np.float64(number_K[node])
            if split < 0:
                if len(out_P):
                    total = number * _popcount(windows)
                    _share_leaf(total, inside, outside, group, share, out_P)
                else:
                    _add_leaf(number, windows, inside, outside, slot_W, part_SW)
                if depth == 0:
                    break
                depth -= 1
                node, windows = stack_D4[depth, 0], stack_D4[depth, 1]
                inside, outside = stack_D4[depth, 2], stack_D4[depth, 3]
                continue
            column = split >> 1
            value = input_N[column]
            left = split & 1 != 0 if np.isnan(value) else value <= number
            to_left, to_right = node + one, node + np.uint64(right_K[node])
            along_child, apart_child = (
                (to_left, to_right) if left else (to_right, to_left)
            )
            bit = one << np.uint64(player_N[column])
            along = windows & left_K[node] if left else windows & ~left_K[node]
            if inside & bit:
                along = windows
            apart = windows & ~along
            if not apart:
                node = along_child
                continue
            if along:
                depth = _push(stack_D4, depth, along_child, along, inside, outside)
            if not outside & bit:
                depth = _push(
                    stack_D4, depth, along_child, apart, inside | bit, outside
                )
            node, windows, outside = apart_child, apart, outside | bit


@compiled
def _share_leaf(
    value: float,
    inside: np.uint64,
    outside: np.uint64,
    group: np.uint64,
    share: Floats,
    out_P: Floats,
) -> None:
    """Share a leaf's value out among the players that decide whether it is reached.

    A group is one of them and divides its part among its members. A leaf that needs some of them
    inside and others outside is never reached by the group as a whole: the others have no part.
    """
    one = np.uint64(1)
    in_group, out_group = _popcount(inside & group), _popcount(outside & group)
    inner, outer = _popcount(inside) - in_group, _popcount(outside) - out_group
    of_group = share[inner + 1, outer]
    alone = not (in_group and out_group)
    inner += in_group > 0
    outer += out_group > 0
    for p in range(len(out_P)):
        bit = one << np.uint64(p)
        if bit & group:
            if inside & bit:
                out_P[p] += value * of_group * share[in_group, out_group]
            elif outside & bit:
                out_P[p] -= value * of_group * share[out_group, in_group]
        elif alone:
            if inside & bit:
                out_P[p] += value * share[inner, outer]
            elif outside & bit:
                out_P[p] -= value * share[outer, inner]


@compiled
def _add_leaf(
    value: float,
    windows: np.uint64,
    inside: np.uint64,
    outside: np.uint64,
    slot_W: Ints,
    part_SW: Floats,
) -> None:
    """Add a leaf by inclusion and exclusion: players outside take part with a changing sign."""
    one = np.uint64(1)
    while windows:
        others = windows & (windows - one)
        lowest = windows ^ others
        slot = slot_W[PLACE_OF_BIT[(lowest * DE_BRUIJN) >> np.uint64(58)]]
        windows = others
        subset = outside
        while True:
            signed = value if _popcount(subset) % 2 == 0 else -value
            part_SW[inside | subset, slot] += signed
            if not subset:
                break
            subset = (subset - one) & outside
