"""Standardisation: training statistics only, winsorised, never non-finite."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hvac.models.scaling import Scaler, fit_scaler

VALUES = st.floats(-1e6, 1e6, width=32) | st.sampled_from([np.nan, np.inf, -np.inf])


def normal(rows: int = 5000, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal([0, 100, -5], [1, 20, 0.01], (rows, 3))


def test_training_rows_come_out_with_mean_0_and_std_1() -> None:
    train_BN = normal()
    found_BN = fit_scaler(train_BN).transform(train_BN)
    np.testing.assert_allclose(found_BN.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(found_BN.std(axis=0), 1, atol=1e-3)
    assert found_BN.dtype == np.float32


def test_statistics_are_those_of_rows_clipped_at_their_quantiles() -> None:
    train_BN = normal()
    low_N, high_N = np.quantile(train_BN, (0.001, 0.999), axis=0)
    clipped_BN = np.clip(train_BN, low_N, high_N)
    scaler = fit_scaler(train_BN)
    for found, expected in zip(
        scaler,
        (low_N, high_N, clipped_BN.mean(axis=0), clipped_BN.std(axis=0)),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_one_wild_training_value_hardly_moves_the_statistics() -> None:
    train_BN = normal()
    wild_BN = train_BN.copy()
    wild_BN[0] = 1e12
    rows_BN = normal(50, seed=1)
    found = [fit_scaler(each).transform(rows_BN) for each in (train_BN, wild_BN)]
    np.testing.assert_allclose(found[0], found[1], atol=0.05)


def test_values_beyond_training_are_clipped_to_its_quantiles() -> None:
    scaler = fit_scaler(normal())
    far, edge = scaler.transform(np.array([[1e9, 1e9, 1e9], scaler.high_N]))
    np.testing.assert_array_equal(far, edge)
    assert np.abs(far).max() < 4


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("value", [0.0, 5.0, 0.1, -1234.567, 3e-7, 1e9])
def test_input_that_never_varies_is_0_whatever_is_seen_later(
    value: float, kind: type
) -> None:
    scaler = fit_scaler(np.full((2999, 1), value, dtype=kind))
    assert scaler.std_N.tolist() == [1.0]
    np.testing.assert_allclose(
        scaler.transform(np.array([[value], [value + 7], [-1e6], [np.nan]])),
        0,
        atol=1e-6,
    )


def test_value_that_is_not_finite_becomes_the_training_mean_or_an_edge() -> None:
    scaler = fit_scaler(normal())
    found_BN = scaler.transform(np.array([[np.nan] * 3, [np.inf] * 3, [-np.inf] * 3]))
    np.testing.assert_array_equal(found_BN[0], 0)
    assert np.isfinite(found_BN).all()


def test_training_values_that_are_not_finite_are_left_out_of_the_statistics() -> None:
    train_BN = normal()
    holes_BN = np.concatenate(
        [train_BN, np.full((500, 3), np.nan), np.full((5, 3), np.inf)]
    )
    for found, expected in zip(fit_scaler(holes_BN), fit_scaler(train_BN), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_input_that_was_never_known_is_0() -> None:
    train_BN = normal(100)
    train_BN[:, 1] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        scaler = fit_scaler(train_BN)
    assert scaler.transform(normal(5))[:, 1].tolist() == [0.0] * 5


@settings(max_examples=40)
@given(
    train_BN=arrays(np.float32, (12, 2), elements=VALUES),
    seen_BN=arrays(np.float32, (6, 2), elements=VALUES),
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nothing_that_is_not_finite_ever_leaves(
    train_BN: np.ndarray, seen_BN: np.ndarray
) -> None:
    assert np.isfinite(fit_scaler(train_BN).transform(seen_BN)).all()


def test_transform_uses_training_statistics_only() -> None:
    scaler, rows_BN = fit_scaler(normal()), normal(40, seed=2)
    before_BN = rows_BN.copy()
    together_BN = scaler.transform(rows_BN)
    alone_BN = np.concatenate([scaler.transform(row[None]) for row in rows_BN])
    np.testing.assert_array_equal(together_BN, alone_BN)
    np.testing.assert_array_equal(rows_BN, before_BN)


def test_fit_does_not_depend_on_row_order() -> None:
    train_BN = normal(500)
    order = np.random.default_rng(1).permutation(500)
    for found, expected in zip(
        fit_scaler(train_BN[order]), fit_scaler(train_BN), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


def test_scaler_is_float32_so_that_a_bundle_keeps_it_bit_for_bit() -> None:
    assert isinstance(fit_scaler(normal()), Scaler)
    assert {column.dtype for column in fit_scaler(normal())} == {np.dtype(np.float32)}
