"""Gaps are filled by what stood before them."""

from __future__ import annotations

import numpy as np

from hvac.filling import fill_forward


def slowly_filled(values: list[float], observed: list[bool]) -> list[float]:
    first = next(
        (value for value, seen in zip(values, observed, strict=True) if seen), values[0]
    )
    filled, last = [], first
    for value, seen in zip(values, observed, strict=True):
        last = value if seen else last
        filled.append(last)
    return filled


def test_gaps_hold_the_last_value_and_the_first_one_before_it() -> None:
    rng = np.random.default_rng(0)
    observed_NT = rng.random((40, 30)) < 0.3
    value_NT = np.where(observed_NT, rng.normal(size=(40, 30)), np.nan)
    filled_NT = fill_forward(value_NT, observed_NT)
    for filled_T, value_T, observed_T in zip(
        filled_NT, value_NT, observed_NT, strict=True
    ):
        expected = slowly_filled(value_T.tolist(), observed_T.tolist())
        np.testing.assert_array_equal(filled_T, expected)


def test_series_without_any_observed_value_stays_unknown() -> None:
    filled_NT = fill_forward(np.full((1, 4), np.nan), np.zeros((1, 4), dtype=bool))
    assert np.isnan(filled_NT).all()
