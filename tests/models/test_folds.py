"""Folds of units: none is torn, none is empty, and those with an event are dealt evenly."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from hvac.features.table import Windows
from hvac.models.folds import unit_folds
from tests.models.models_example import windows


def of_units(units: int, *, failing: int, windows_each: int = 5) -> Windows:
    """Windows of some units, of which the first few have an event."""
    made = windows(units * windows_each)
    unit_B = np.repeat(np.arange(units), windows_each)
    keys = made.keys
    for name, column in (
        ("equipment_id", [f"E{u:03d}" for u in unit_B]),
        ("facility_id", ["F"] * len(unit_B)),
    ):
        keys = keys.set_column(keys.column_names.index(name), name, [column])
    y_BH = np.tile((unit_B < failing)[:, None], (1, 3))
    return replace(made, keys=keys, y_BH=y_BH, known_BH=np.ones_like(y_BH))


def fold_of(made: Windows, *, folds: int, seed: int = 0) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for unit, fold in zip(
        made.units.tolist(),
        unit_folds(made, folds=folds, seed=seed).fold_B.tolist(),
        strict=True,
    ):
        found.setdefault(unit, set()).add(fold)
    return found


@pytest.mark.parametrize("seed", range(4))
def test_no_unit_is_torn_and_units_with_an_event_are_dealt_evenly(seed: int) -> None:
    found = fold_of(of_units(30, failing=8), folds=4, seed=seed)
    assert all(len(folds) == 1 for folds in found.values())
    failing = Counter(
        folds.copy().pop() for unit, folds in found.items() if unit < "F\x1fE008"
    )
    everyone = Counter(folds.copy().pop() for folds in found.values())
    assert sorted(failing.values()) == [2, 2, 2, 2]
    assert sorted(everyone.values()) == [7, 7, 8, 8]


def test_folds_depend_on_units_and_seed_and_not_on_the_order_of_rows() -> None:
    made = of_units(30, failing=8)
    turned = made.take(np.arange(len(made))[::-1])
    assert fold_of(made, folds=4) == fold_of(turned, folds=4)
    assert fold_of(made, folds=4) != fold_of(made, folds=4, seed=1)


def test_fewer_units_than_folds_are_a_fold_each() -> None:
    assert sorted(fold_of(of_units(2, failing=1), folds=4).values(), key=min) == [
        {0},
        {1},
    ]


def test_every_part_is_held_out_once() -> None:
    made = of_units(10, failing=3)
    parts = list(unit_folds(made, folds=3, seed=0).parts)
    assert len(parts) == 3
    np.testing.assert_array_equal(sum(own_B.astype(int) for _, own_B in parts), 1)
    for rest_B, own_B in parts:
        assert not set(made.units[rest_B]) & set(made.units[own_B])
