"""Limits of a panel: the record's own, else quantiles that only the training period told."""

from __future__ import annotations

import numpy as np
import pytest

from hvac.panel.grid import Panel
from hvac.panel.limits import Limits, fit_limits, panel_limits, sample_values
from hvac.panel.windows import fit_scale
from tests.panel.panel_example import FIRST, date, panel_of, series

FITTED = {"p": (-2.0, 3.0), "a": (-1.0, 1.0), "b": (-1.0, 1.0)}


def noise(days: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(20, 3, days)


def limits_of(
    panel: Panel, fitted: Limits, normalise: str = "baseline"
) -> tuple[np.ndarray, np.ndarray]:
    return panel_limits(panel, fitted, fit_scale(panel, normalise))


def test_limits_of_the_record_come_first() -> None:
    panel = panel_of(series(noise(200), limits=(10.0, 30.0)))
    lower_TC, upper_TC = limits_of(panel, FITTED)
    assert set(lower_TC[:, 0]) == {10.0}
    assert set(upper_TC[:, 0]) == {30.0}


def test_fitted_limits_are_scaled_back_by_the_baseline_of_the_series() -> None:
    values = noise(200)
    q25, q50, q75 = np.quantile(values[:90], [0.25, 0.5, 0.75])
    lower_TC, upper_TC = limits_of(panel_of(series(values)), FITTED)
    np.testing.assert_allclose(lower_TC[100:, 0], q50 - 2 * (q75 - q25), rtol=1e-12)
    np.testing.assert_allclose(upper_TC[100:, 0], q50 + 3 * (q75 - q25), rtol=1e-12)


def test_point_without_limits_is_fitted_beside_one_that_has_them() -> None:
    rows = series(noise(200), point="a", limits=(10.0, 30.0)) + series(
        noise(200), point="b"
    )
    lower_TC, _ = limits_of(panel_of(rows), FITTED, "none")
    assert lower_TC[150].tolist() == [10.0, -1.0]


def test_without_any_limits_there_are_none() -> None:
    lower_TC, upper_TC = limits_of(panel_of(series(noise(200))), {})
    assert np.isnan(lower_TC).all()
    assert np.isnan(upper_TC).all()


def test_limits_of_a_day_do_not_depend_on_limits_recorded_later() -> None:
    plain = panel_of(series(noise(200)))
    later = panel_of(
        series(noise(150)) + series(noise(200)[150:], start=150, limits=(0.0, 50.0))
    )
    for one, other in zip(
        *(limits_of(p, FITTED, "none") for p in (plain, later)), strict=True
    ):
        np.testing.assert_array_equal(one[:150], other[:150])


def test_samples_come_from_the_training_period_only() -> None:
    values = noise(400)
    changed = np.r_[values[:201], np.full(199, 1e9)]
    one, other = (
        sample_values(
            panel_of(series(each)), normalise="baseline", training_end=FIRST + 200
        )["p"]
        for each in (values, changed)
    )
    assert one.tobytes() == other.tobytes()
    assert 0 < len(one) <= 201


def test_reading_known_after_training_is_no_sample() -> None:
    rows = series(noise(300))
    rows[150] |= {"value": 1e9, "known_at": date(250)}
    found = sample_values(panel_of(rows), normalise="none", training_end=FIRST + 200)[
        "p"
    ]
    assert found.max() < 1e9


def test_samples_are_normalised_observed_values_and_at_most_400() -> None:
    values = noise(1500)
    values[100:200] = np.nan
    q25, q50, q75 = np.quantile(values[:90], [0.25, 0.5, 0.75])
    found = sample_values(
        panel_of(series(values)), normalise="baseline", training_end=FIRST + 1499
    )["p"]
    assert len(found) == 400
    assert np.isin(np.round(found, 9), np.round((values - q50) / (q75 - q25), 9)).all()


def test_samples_of_a_unit_that_is_still_learning_do_not_look_past_training() -> None:
    values = noise(200)
    changed = np.r_[values[:51], 1000 + 100 * noise(149, 1)]
    one, other = (
        sample_values(
            panel_of(series(each)), normalise="baseline", training_end=FIRST + 50
        ).get("p", np.empty(0))
        for each in (values, changed)
    )
    assert one.tobytes() == other.tobytes()


def test_fitted_limits_are_linear_quantiles_of_the_pooled_samples() -> None:
    first, second = noise(300, 1), noise(100, 2)
    found = fit_limits(
        [{"p": first, "q": np.arange(101.0)}, {"p": second}], (0.05, 0.9)
    )
    assert found["p"] == pytest.approx(
        tuple(np.quantile(np.r_[first, second], [0.05, 0.9]))
    )
    assert found["q"] == pytest.approx((5.0, 90.0))
