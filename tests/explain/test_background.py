"""The healthy windows that a window is compared with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hvac.errors import BundleError
from hvac.explain.background import (
    COMPARED,
    KEPT,
    background_arrays,
    background_windows,
    choose_background,
    nearest_in_year,
)
from hvac.features.table import Windows
from tests.models.models_example import windows

NEEDS = ("features", "context")


def labelled(rows: int = 400, *, positive: float = 0.3) -> Windows:
    made = windows(rows)
    y_BH = np.random.default_rng(3).random((rows, 1)) < positive
    return replace(
        made, y_BH=np.tile(y_BH, (1, 3)), known_BH=np.ones((rows, 3), dtype=bool)
    )


def test_background_is_healthy_and_spread_over_units() -> None:
    made = labelled()
    behind = choose_background(made, NEEDS)
    assert len(behind) == KEPT
    sick = made.take(made.labels[0][:, -1])
    keys = {(unit, day) for unit, day in zip(sick.units, sick.end_day_B, strict=True)}
    assert not keys & set(zip(behind.units, behind.end_day_B, strict=True))
    assert len(set(behind.units)) == 20


def test_background_holds_only_what_the_family_looks_at() -> None:
    behind = choose_background(labelled(), NEEDS)
    assert behind.f_BCF is not None
    assert behind.z_BCE is None
    assert behind.x_BCL is None


def test_background_of_a_class_without_a_healthy_window_is_all_of_it() -> None:
    assert len(choose_background(labelled(40, positive=2.0), NEEDS)) == 40


def test_background_of_one_unit_is_that_unit() -> None:
    made = labelled()
    alone = made.take(made.units == made.units[0])
    assert set(choose_background(alone, NEEDS).units) == {made.units[0]}


def test_background_comes_back_from_its_arrays() -> None:
    behind = choose_background(labelled(), NEEDS)
    again = background_windows(background_arrays(behind))
    np.testing.assert_array_equal(again.f_BCF, behind.f_BCF)
    np.testing.assert_array_equal(again.end_day_B, behind.end_day_B)
    assert again.r_BCS is None


@pytest.mark.parametrize("change", ["short", "stranger", "none"])
def test_damaged_background_is_refused(change: str) -> None:
    arrays = background_arrays(choose_background(labelled(), NEEDS))
    if change == "short":
        arrays["k_BK"] = arrays["k_BK"][:3]
    elif change == "stranger":
        arrays["x_BCL"] = arrays["k_BK"]
    else:
        arrays = {"end_day_B": arrays["end_day_B"][:0]}
    with pytest.raises(BundleError, match="its background is damaged"):
        background_windows(arrays)


def test_a_window_is_compared_with_the_nearest_in_the_year() -> None:
    day_W = np.arange(0, 64, dtype=np.int32) * 5 + 10_000
    (chosen,) = nearest_in_year(np.array([10_000 + 20 + 2 * 1461], np.int32), day_W)
    members = [w for w in range(64) if chosen >> w & 1]
    assert len(members) == COMPARED
    assert 4 in members
    assert set(members) >= set(range(15))


def test_background_is_of_the_longest_horizon_that_is_known() -> None:
    made = labelled(100)
    known_BH = made.labels[1].copy()
    known_BH[:, 1:] = False
    behind = choose_background(replace(made, known_BH=known_BH), NEEDS)
    healthy = made.take(~made.labels[0][:, 0])
    assert len(behind) == min(KEPT, len(healthy))
    assert set(zip(behind.units, behind.end_day_B, strict=True)) <= set(
        zip(healthy.units, healthy.end_day_B, strict=True)
    )
