"""Folds of units, and scores by models that saw no window of the scored unit.

Calibration and fusion rest on these scores. Legend: B windows, H horizons.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator
from typing import Any, NamedTuple

import numpy as np

from hvac.arrays import Bools, Floats, Ints
from hvac.features.table import Windows
from hvac.storage import name_hash


class Folds(NamedTuple):
    """The fold of every window; a unit's windows are all in one."""

    fold_B: Ints

    @property
    def parts(self) -> Iterator[tuple[Bools, Bools]]:
        """Yield for every fold the windows of all others, and those of the fold."""
        for fold in range(int(self.fold_B.max(initial=-1)) + 1):
            own_B = self.fold_B == fold
            yield ~own_B, own_B


class CrossFit(NamedTuple):
    """A model fitted on all windows it may use, and every window's cross-fitted score.

    `notes` holds facts about the fit, as plain values.
    """

    model: Any
    score_BH: Floats
    notes: dict[str, Any] = {}  # noqa: RUF012


def unit_folds(windows: Windows, *, folds: int, seed: int) -> Folds:
    """Deal units into folds, evenly among those with and without an event, class and facility.

    Where a group of units (with or without events) has fewer units than folds, the folds are filled
    in turn, so that no fold is empty while there are as many units as folds. One unit alone makes
    one fold: nothing can be held out.
    """
    units, first, unit_B = np.unique(
        windows.units, return_index=True, return_inverse=True
    )
    y_BH, known_BH = windows.labels
    positive = np.zeros(len(units), dtype=bool)
    np.logical_or.at(positive, unit_B, (y_BH & known_BH).any(axis=1))
    classes = windows.column("class")[first]
    facilities = windows.column("facility_id")[first]
    strata: dict[Hashable, list[int]] = defaultdict(list)
    for place in sorted(
        range(len(units)), key=lambda place: name_hash(seed, units[place])
    ):
        stratum = (not positive[place], str(classes[place]), str(facilities[place]))
        strata[stratum].append(place)
    order = [place for key in sorted(strata, key=str) for place in strata[key]]
    fold_U = np.empty(len(units), dtype=np.int64)
    parts = min(folds, max(len(units), 1))
    fold_U[order] = np.arange(len(units)) % parts
    return Folds(fold_U[unit_B])
