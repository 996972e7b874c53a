"""Statistics of standardised periods: a CUSUM for slow changes, each period by itself for jumps.

CUSUM: Page 1954 (Biometrika 41), in the two-sided form of Montgomery, Introduction to Statistical
Quality Control, §9.1: up_p = max(0, up_{p−1} + z_p − k), down likewise. A missing period changes
nothing. Shapes: P periods, S series.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import numpy as np

from hvac.arrays import Bools, Floats, Ints

SLACK: Final = 0.5  # spreads that a CUSUM lets pass in every period
Kind = Literal["cusum", "each"]


class Statistic(NamedTuple):
    """The larger of both directions, whether that is up, and since which period it has grown."""

    value_PS: Floats
    up_PS: Bools
    since_PS: Ints


def statistic_of(
    z_PS: Floats, kind: Kind, *, two_sided: bool = True, most: float = np.inf
) -> Statistic:
    """Return a chart's statistic of every period.

    Args:
        z_PS: standardised periods, nan where there is none.
        kind: `cusum`, or `each` period by itself.
        two_sided: whether a fall counts as much as a rise; else it counts nothing.
        most: how much one period may say, in spreads.

    >>> z_PS = np.array([[0.0], [2.0], [2.0], [np.nan], [0.0]])
    >>> found = statistic_of(z_PS, "cusum")
    >>> found.value_PS.ravel().tolist(), found.since_PS.ravel().tolist()
    ([0.0, 1.5, 3.0, 3.0, 2.5], [1, 1, 1, 1, 1])
    """
    z_PS = np.clip(z_PS, -most, most)
    if kind == "each":
        size_PS = np.nan_to_num(np.abs(z_PS) if two_sided else np.maximum(z_PS, 0.0))
        place_PS = np.broadcast_to(np.arange(len(z_PS))[:, None], z_PS.shape)
        return Statistic(size_PS, ~(z_PS < 0), place_PS)
    up_PS, since_up_PS = _cusum(z_PS)
    if not two_sided:
        return Statistic(up_PS, np.ones(z_PS.shape, bool), since_up_PS)
    down_PS, since_down_PS = _cusum(-z_PS)
    rises_PS = up_PS >= down_PS
    return Statistic(
        np.maximum(up_PS, down_PS),
        rises_PS,
        np.where(rises_PS, since_up_PS, since_down_PS),
    )


def _cusum(z_PS: Floats) -> tuple[Floats, Ints]:
    """Return the sum upwards and the period after it was last 0."""
    sum_PS, since_PS = np.zeros(z_PS.shape), np.zeros(z_PS.shape, np.int64)
    sum_S, since_S = np.zeros(z_PS.shape[1]), np.zeros(z_PS.shape[1], np.int64)
    for p, z_S in enumerate(z_PS):
        step_S = np.where(np.isnan(z_S), 0.0, z_S - SLACK)
        sum_S = np.maximum(sum_S + step_S, 0.0)
        since_S = np.where(sum_S == 0.0, p + 1, since_S)
        sum_PS[p], since_PS[p] = sum_S, since_S
    return sum_PS, since_PS


def highest(z_PS: Floats, kind: Kind, *, two_sided: bool, most: float) -> Floats:
    """Return the highest statistic of every series [S], as `statistic_of` has it, without the rest.

    >>> z_PS = np.array([[0.0], [2.0], [2.0], [0.0]])
    >>> highest(z_PS, "cusum", two_sided=True, most=9.0).tolist()
    [3.0]
    """
    z_PS = np.clip(z_PS, -most, most)
    if kind == "each":
        size_PS = np.abs(z_PS) if two_sided else z_PS
        return np.asarray(np.maximum(size_PS.max(axis=0), 0.0))
    up_S, down_S, most_S = (np.zeros(z_PS.shape[1]) for _ in range(3))
    for z_S in z_PS:
        up_S = np.maximum(up_S + z_S - SLACK, 0.0)
        most_S = np.maximum(most_S, up_S)
        if two_sided:
            down_S = np.maximum(down_S - z_S - SLACK, 0.0)
            most_S = np.maximum(most_S, down_S)
    return most_S
