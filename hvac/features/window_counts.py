"""Counts of windows and labels: of one class and split, and of all classes together.

Legend: H horizons, S splits, K sums of powers of weights (count, sum, sum of squares).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NotRequired, TypedDict

import numpy as np

from hvac.arrays import Floats
from hvac.features.table import Windows
from hvac.panel.splits import SPLITS

Kind = Literal["known", "positives"]
KINDS: tuple[Kind, ...] = ("known", "positives")


class LabelCounts(TypedDict):
    """Labels of a split by horizon: known ones, positive ones, and by kind of label their weights.

    `weights` holds sums of weights and of their squares; `effective` how many equally weighted
    labels tell as much.
    """

    known: dict[str, int]
    positives: dict[str, int]
    weights: NotRequired[dict[str, dict[str, list[float]]]]
    effective: NotRequired[dict[str, dict[str, float]]]


class WindowCounts(LabelCounts):
    """Counts of one class and split."""

    windows: int
    units: int


class TotalCounts(TypedDict):
    """Counts of one split over all classes; `base_rate` is by horizon and weighted."""

    windows: int
    units: int
    known: dict[str, int]
    positives: dict[str, int]
    effective: dict[str, dict[str, float]]
    base_rate: dict[str, float | None]


def count_windows(
    parts: Iterable[Windows], horizons: Sequence[int]
) -> dict[str, WindowCounts]:
    """Count windows, units, known labels and positives of every split, part by part.

    `weights` holds the sum of weights and of their squares of known labels and of positives by
    horizon; `effective` the numbers of equally weighted labels that tell as much.
    """
    shape = (len(SPLITS), len(horizons), 3)
    windows = Counter[str]()
    units = {name: set[str]() for name in SPLITS}
    known_SHK = np.zeros(shape)
    positive_SHK = np.zeros(shape)
    for part in parts:
        weight_BH = part.weights.astype(np.float64)
        powers_BHK = np.stack([weight_BH > 0, weight_BH, weight_BH**2], axis=2)
        positive_BHK = powers_BHK * part.labels[0][:, :, None]
        split_B = part.column("split")
        for s, name in enumerate(SPLITS):
            inside_B = split_B == name
            windows[name] += int(inside_B.sum())
            units[name].update(part.units[inside_B].tolist())
            known_SHK[s] += powers_BHK[inside_B].sum(axis=0)
            positive_SHK[s] += positive_BHK[inside_B].sum(axis=0)
    days = list(map(str, horizons))
    counts: dict[str, WindowCounts] = {}
    for s, name in enumerate(SPLITS):
        labels = _label_counts(days, known_SHK[s], positive_SHK[s])
        counts[name] = {"windows": windows[name], "units": len(units[name]), **labels}
    return counts


def _label_counts(
    days: list[str], known_HK: Floats, positive_HK: Floats
) -> LabelCounts:
    """Return counts, sums of weights and effective numbers by horizon."""
    counts: dict[Kind, dict[str, int]] = {}
    weights: dict[str, dict[str, list[float]]] = {}
    for kind, sums_HK in zip(KINDS, (known_HK, positive_HK), strict=True):
        counts[kind] = dict(zip(days, map(int, sums_HK[:, 0]), strict=True))
        weights[kind] = dict(zip(days, sums_HK[:, 1:].tolist(), strict=True))
    return {
        "known": counts["known"],
        "positives": counts["positives"],
        "weights": weights,
        "effective": effective_numbers(weights),
    }


def effective_numbers(
    weights: Mapping[str, Mapping[str, Sequence[float] | Floats]],
) -> dict[str, dict[str, float]]:
    """Return effective numbers from sums of weights, by kind of label and horizon."""
    numbers = {}
    for kind, sums_by_horizon in weights.items():
        numbers[kind] = {
            h: effective_number(*sums) for h, sums in sums_by_horizon.items()
        }
    return numbers


def effective_number(total: float, squares: float) -> float:
    """Return how many labels of equal weight tell as much (Kish 1965); 0 of none.

    Args:
        total: sum of the weights.
        squares: sum of their squares.

    >>> effective_number(4.0, 4.0), effective_number(4.0, 8.0), effective_number(0.0, 0.0)
    (4.0, 2.0, 0.0)
    """
    return total * total / squares if squares else 0.0


def total_counts(
    classes: Iterable[Mapping[str, WindowCounts]],
) -> dict[str, TotalCounts]:
    """Add up the counts of all classes by split, with effective numbers and weighted base rates.

    Args:
        classes: by split, for every class. Where `weights` is empty (tables of before) every label
            counts once.
    """
    totals: dict[str, _Total] = {}
    for splits in classes:
        for split, counts in splits.items():
            totals.setdefault(split, _Total()).add(counts)
    return {split: total.facts() for split, total in totals.items()}


class _Total:
    """Counts of one split, added up class by class."""

    def __init__(self) -> None:
        self.windows = 0
        self.units = 0
        self.labels: dict[str, dict[str, int]] = {kind: {} for kind in KINDS}
        self.weights: dict[str, dict[str, Floats]] = {kind: {} for kind in KINDS}

    def add(self, counts: WindowCounts) -> None:
        self.windows += counts["windows"]
        self.units += counts["units"]
        for kind in KINDS:
            labels = self.labels[kind]
            weights = self.weights[kind]
            for horizon, number in counts[kind].items():
                labels[horizon] = labels.get(horizon, 0) + number
            once = {}
            for horizon, n in counts[kind].items():
                once[horizon] = [float(n), float(n)]
            sums = counts.get("weights", {}).get(kind) or once
            for horizon, pair in sums.items():
                weights[horizon] = weights.get(horizon, np.zeros(2)) + np.array(
                    pair, float
                )

    def facts(self) -> TotalCounts:
        base_rate = {}
        for horizon, (known, _) in self.weights["known"].items():
            positives = self.weights["positives"][horizon][0]
            base_rate[horizon] = float(positives / known) if known else None
        return {
            "windows": self.windows,
            "units": self.units,
            "known": self.labels["known"],
            "positives": self.labels["positives"],
            "effective": effective_numbers(self.weights),
            "base_rate": base_rate,
        }
