"""Residuals: what the unit's other points do not explain, with a fit that ends with the reference days."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from hvac.days import NEVER
from hvac.features.residuals import GRACE_DAYS, ResidualFit, known_together, residuals
from hvac.panel.daily_readings import ALWAYS_KNOWN
from hvac.panel.grid import Panel
from hvac.panel.windows import fit_scale
from tests.panel.panel_example import FIRST, UNIT


def panel(value_TC: Any, known_TC: Any = None) -> Panel:
    value_TC = np.asarray(value_TC, dtype=np.float64)
    known = (
        np.full(value_TC.shape, ALWAYS_KNOWN, dtype=np.int32)
        if known_TC is None
        else known_TC
    )
    return Panel(
        unit=UNIT, points=tuple("abcdefgh"[: value_TC.shape[1]]), first_day=FIRST, value_TC=value_TC,
        observed_TC=np.isfinite(value_TC), known_TC=known, lower_TC=value_TC * np.nan, upper_TC=value_TC * np.nan,
    )  # fmt: skip


def under_load(days: int = 200, seed: int = 0) -> Any:
    """Four points that follow one load, which jumps between regimes; the last drifts away after day 120."""
    rng = np.random.default_rng(seed)
    load_T = rng.integers(0, 4, days) * 5.0
    value_TC = (
        20 + np.outer(load_T, [1.0, -2.0, 0.5, 1.5]) + rng.normal(0, 0.2, (days, 4))
    )
    value_TC[:, 3] += np.clip(np.arange(days) - 120, 0, None) * 0.05
    return value_TC


class Found(NamedTuple):
    value_TC: Any
    known_TC: Any
    ready_C: Any


def found(value_TC: Any, known_TC: Any = None, normalise: str = "baseline") -> Found:
    made = panel(value_TC, known_TC)
    scale = fit_scale(made, normalise)
    fit = ResidualFit.of([made], [scale])
    normal_UCT = np.ascontiguousarray(
        ((made.value_TC - scale.centre_TC) / scale.spread_TC).T
    )[None]
    together_UCT = known_together(
        normal_UCT, np.ascontiguousarray(made.known_TC.T)[None]
    )
    return Found(residuals(normal_UCT, fit)[0].T, together_UCT[0].T, fit.ready_UC[0])


def test_drift_that_load_hides_stands_out_of_the_residual() -> None:
    value_TC = under_load()
    raw = (
        abs(value_TC[180:, 3].mean() - value_TC[:90, 3].mean()) / value_TC[:90, 3].std()
    )
    residual_TC = found(value_TC).value_TC
    assert raw < 1
    assert residual_TC[180:, 3].mean() > 4
    assert np.abs(residual_TC[90:120]).mean() < 1.5


def test_nothing_after_the_reference_days_enters_the_fit() -> None:
    value_TC = under_load()
    other = value_TC.copy()
    other[120:] = np.random.default_rng(9).normal(0, 99, other[120:].shape)
    one, two = found(value_TC), found(other)
    assert one.ready_C.tolist() == [FIRST + 89 + GRACE_DAYS] * 4
    np.testing.assert_array_equal(one.value_TC[:120], two.value_TC[:120])


def test_point_that_joins_later_changes_no_residual_and_has_none() -> None:
    value_TC = under_load()
    joining_T = np.where(np.arange(200) < 105, np.nan, value_TC[:, 0])
    alone, joined = found(value_TC), found(np.column_stack([value_TC, joining_T]))
    np.testing.assert_array_equal(joined.value_TC[:, :4], alone.value_TC)
    assert np.isnan(joined.value_TC[:, 4]).all()


def test_values_that_are_not_normalised_have_residuals_too() -> None:
    plain = found(under_load(), normalise="none")
    assert plain.ready_C.tolist() == [FIRST + 89 + GRACE_DAYS] * 4
    assert np.isfinite(plain.value_TC).all()


def test_residual_is_known_when_all_points_of_the_day_are() -> None:
    value_TC = under_load()
    known_TC = np.full(value_TC.shape, FIRST, dtype=np.int32)
    known_TC[150, 0] = FIRST + 170
    assert (found(value_TC, known_TC).known_TC[150] == FIRST + 170).all()


def test_point_that_was_not_read_has_no_residual_and_silences_no_other() -> None:
    value_TC = under_load()
    value_TC[150, 1] = np.nan
    residual_TC = found(value_TC).value_TC
    assert np.isnan(residual_TC[150, 1])
    assert np.isfinite(residual_TC[150, [0, 2, 3]]).all()


def test_one_point_alone_or_no_baseline_has_none() -> None:
    for value_TC in (under_load()[:, :1], under_load(60)):
        made = found(value_TC)
        assert np.isnan(made.value_TC).all()
        assert (made.ready_C == NEVER).all()


def test_points_that_tell_each_other_exactly_stay_finite() -> None:
    base_T = np.random.default_rng(0).normal(size=150)
    residual_TC = found(
        np.column_stack([base_T, 3 * base_T + 1, np.full(150, 7.0)])
    ).value_TC
    assert np.isfinite(residual_TC).all()
    assert np.abs(residual_TC).max() < 50
