"""Uncertainty by resampling units, with the same replicates for every model, horizon and metric.

Windows of one unit overlap and are anything but independent, so whole units are drawn. A metric's
replicates are kept as an array: two models on the same weights are compared by subtracting them.
Shapes: B windows, U units, R replicates.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from scipy.special import (
    betaincinv,
)  # scipy.stats takes 0.4 s to import, in every process

from hvac.arrays import AnyArray, Floats, Ints

Conclusion = Literal["better", "worse", "no clear difference", "too few events"]

UNDEFINED_SHARE = 0.05


class UnitWeights(NamedTuple):
    """How often each unit is drawn in each replicate.

    Window b weighs `w_RU[r, unit_index_B[b]]` in replicate r.
    """

    unit_index_B: Ints
    w_RU: Floats


class Replicated(NamedTuple):
    """A metric on the sample itself and on every replicate (nan where undefined)."""

    value: float
    value_R: Floats


class Interval(NamedTuple):
    """A value with its 95 % interval; `undefined` counts the replicates left out."""

    value: float
    low: float
    high: float
    undefined: int = 0
    note: str = ""


class Difference(NamedTuple):
    """The metric of a minus that of b on the same replicates.

    `verdict` speaks of a: better, worse, no clear difference, or too few events.
    """

    value: float
    low: float
    high: float
    verdict: Conclusion


def unit_weights(
    units_B: AnyArray, *, replicates: int = 2000, seed: int = 0
) -> UnitWeights:
    """Draw as many units as there are, with replacement, `replicates` times.

    Units are indexed in sorted order.

    >>> drawn = unit_weights(np.array(["b", "a", "b"]), replicates=4)
    >>> drawn.unit_index_B.tolist(), drawn.w_RU.sum(axis=1).tolist()
    ([1, 0, 1], [2.0, 2.0, 2.0, 2.0])
    """
    units, unit_index_B = np.unique(units_B, return_inverse=True)
    count = max(len(units), 1)
    drawn_RU = np.random.default_rng(seed).multinomial(
        count, np.full(count, 1 / count), size=replicates
    )
    w_RU = drawn_RU[:, : len(units)].astype(np.float64)
    return UnitWeights(unit_index_B.astype(np.int64), w_RU)


def unit_sums(value_BK: AnyArray, unit_B: Ints, *, units: int) -> Floats:
    """Sum columns by unit: `w_RU @ unit_sums(...)` is then the weighted sum of every replicate.

    >>> unit_sums(np.array([[1.0], [2.0], [4.0]]), np.array([0, 1, 0]), units=2).tolist()
    [[5.0], [2.0]]
    """
    columns = np.asarray(value_BK, float).T
    sums = [np.bincount(unit_B, column, minlength=units) for column in columns]
    return np.stack(sums, axis=1)


def interval(replicated: Replicated) -> Interval:
    """Return the 95 % percentile interval (Efron 1979).

    Undefined replicates are left out and counted. Where they are more than 5 %, or the value itself
    is undefined, `low` and `high` are nan and the note says why.

    >>> interval(Replicated(1.0, np.array([np.nan, 1.0])))
    Interval(value=1.0, low=nan, high=nan, undefined=1, note='undefined in 1 of 2 replicates')
    """
    undefined = int(np.isnan(replicated.value_R).sum())
    if np.isnan(replicated.value):
        return Interval(np.nan, np.nan, np.nan, undefined, "undefined on this sample")
    if not len(replicated.value_R) or undefined > UNDEFINED_SHARE * len(
        replicated.value_R
    ):
        note = f"undefined in {undefined} of {len(replicated.value_R)} replicates"
        return Interval(replicated.value, np.nan, np.nan, undefined, note)
    low, high = np.nanpercentile(replicated.value_R, [2.5, 97.5])
    return Interval(replicated.value, float(low), float(high), undefined)


def paired_difference(
    a: Replicated,
    b: Replicated,
    *,
    higher_is_better: bool = True,
    headline: bool = True,
) -> Difference:
    """Subtract b from a, replicate by replicate.

    The verdict is "better" or "worse" only where the 95 % interval excludes 0; an undefined
    interval gives no clear difference. Without a `headline`, because events are too few, it is
    "too few events" whatever the interval. Both must come from the same weights.

    >>> a = Replicated(0.9, np.array([0.8, 0.9]))
    >>> paired_difference(a, Replicated(0.5, np.array([0.5, 0.5]))).verdict
    'better'
    """
    assert len(a.value_R) == len(b.value_R), (
        "paired replicates must come from the same weights"
    )
    differences = Replicated(a.value - b.value, a.value_R - b.value_R)
    value, low, high, *_ = interval(differences)
    conclusion: Conclusion = "no clear difference" if headline else "too few events"
    if headline and (low > 0 or high < 0):
        conclusion = "better" if (low > 0) == higher_is_better else "worse"
    return Difference(value, low, high, conclusion)


def exact_interval(k: float, n: float, *, level: float = 0.95) -> tuple[float, float]:
    """Return the Clopper–Pearson (1934) interval of k out of n independent draws.

    It is nan, nan for n = 0.

    >>> low, high = exact_interval(0, 10)
    >>> low, round(high, 4)
    (0.0, 0.3085)
    """
    if n <= 0:
        return np.nan, np.nan
    tail = (1 - level) / 2
    low = 0.0 if k <= 0 else float(betaincinv(k, n - k + 1, tail))
    high = 1.0 if k >= n else float(betaincinv(k + 1, n - k, 1 - tail))
    return low, high
