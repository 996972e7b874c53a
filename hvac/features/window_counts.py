"""Counts of windows and labels: of one class and split, and of all classes together.

Legend: H horizons, S splits, K sums of powers of weights (count, sum, sum of squares).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from hvac.arrays import Floats
from hvac.features.table import Windows
from hvac.panel.splits import SPLITS

KINDS = ("known", "positives")


def count_windows(parts: Iterable[Windows], horizons: Sequence[int]) -> dict[str, Any]:
    """Count windows, units, known labels and positives of every split, part by part.

    `weights` holds the sum of weights and of their squares of known labels and of positives by
    horizon; `effective` the numbers of equally weighted labels that tell as much.
    """
    shape = (len(SPLITS), len(horizons), 3)
    windows, units = Counter[str](), {name: set[str]() for name in SPLITS}
    known_SHK, positive_SHK = np.zeros(shape), np.zeros(shape)
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
    counts = {}
    for s, name in enumerate(SPLITS):
        labels = _label_counts(days, known_SHK[s], positive_SHK[s])
        counts[name] = {"windows": windows[name], "units": len(units[name]), **labels}
    return counts


def _label_counts(days: list[str], known_HK: Floats, positive_HK: Floats) -> dict[str, Any]:
    """Return counts, sums of weights and effective numbers by horizon."""
    counts: dict[str, Any] = {}
    weights: dict[str, dict[str, list[float]]] = {}
    for kind, sums_HK in zip(KINDS, (known_HK, positive_HK), strict=True):
        counts[kind] = dict(zip(days, map(int, sums_HK[:, 0]), strict=True))
        weights[kind] = dict(zip(days, sums_HK[:, 1:].tolist(), strict=True))
    return {**counts, "weights": weights, "effective": effective_numbers(weights)}


def effective_numbers(
    weights: Mapping[str, Mapping[str, Sequence[float]]],
) -> dict[str, dict[str, float]]:
    """Return effective numbers from sums of weights, by kind of label and horizon."""
    numbers = {}
    for kind, sums_by_horizon in weights.items():
        numbers[kind] = {h: effective_number(*sums) for h, sums in sums_by_horizon.items()}
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


def total_counts(classes: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Add up the counts of all classes by split, with effective numbers and weighted base rates.

    Args:
        classes: by split, for every class: `windows, units, known, positives, weights`. Where
            `weights` is empty (tables of before) every label counts once.
    """
    totals: dict[str, Any] = {}
    for splits in classes:
        for split, counts in splits.items():
            _add_counts(totals.setdefault(split, _no_counts()), counts)
    for total in totals.values():
        weights = total.pop("weights")
        total["effective"] = effective_numbers(weights)
        total["base_rate"] = {
            h: float(weights["positives"][h][0] / known[0]) if known[0] else None
            for h, known in weights["known"].items()
        }
    return totals


def _no_counts() -> dict[str, Any]:
    weights: dict[str, Any] = {kind: {} for kind in KINDS}
    return {"windows": 0, "units": 0, "known": {}, "positives": {}, "weights": weights}


def _add_counts(total: dict[str, Any], counts: Mapping[str, Any]) -> None:
    total["windows"] += counts["windows"]
    total["units"] += counts["units"]
    for kind in KINDS:
        sums = counts.get("weights", {}).get(kind) or {h: [n, n] for h, n in counts[kind].items()}
        for horizon, number in counts[kind].items():
            total[kind][horizon] = total[kind].get(horizon, 0) + number
        for horizon, pair in sums.items():
            before = total["weights"][kind].get(horizon, 0)
            total["weights"][kind][horizon] = before + np.array(pair, float)
