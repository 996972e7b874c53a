"""Series: filling, references, and their table."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hvac.detect.series import (
    Anomaly,
    Reference,
    Series,
    facts_of,
    fill,
    from_table,
    moment,
    reference_of,
    to_table,
)
from hvac.errors import InputError
from tests.detect.detect_example import clocked, noise


def test_missing_values_hold_the_last_value_and_are_marked() -> None:
    value_T, observed_T = fill(np.array([np.nan, 2.0, np.nan, np.inf, 5.0]))
    assert value_T.tolist() == [2.0, 2.0, 2.0, 2.0, 5.0]
    assert observed_T.tolist() == [False, True, False, False, True]


def test_series_without_any_value_is_refused() -> None:
    with pytest.raises(InputError, match="a series of 3 steps has no value at all"):
        fill(np.full(3, np.nan))


def test_reference_is_the_median_and_the_spread_of_normal_noise() -> None:
    found = reference_of(np.random.default_rng(0).normal(7, 2, 50_000))
    assert found == pytest.approx(Reference(7, 2), abs=0.05)


@pytest.mark.parametrize("with_clock", [False, True])
def test_table_and_facts_give_the_same_series_back(with_clock: bool) -> None:
    one = noise(30, spikes=((4, 8),))
    two = Series(**{**vars(noise(20, seed=1)), "reference": Reference(1.0, 2.0)})
    unsized = Series(**{**vars(two), "anomalies": (Anomaly("labelled", 3, 5),)})
    series = [clocked(each) if with_clock else each for each in (one, two, unsized)]
    facts = json.loads(json.dumps(facts_of(series)))
    for before, after in zip(series, from_table(to_table(series), facts), strict=True):
        np.testing.assert_array_equal(after.value_T, before.value_T)
        np.testing.assert_array_equal(after.anomalous_T, before.anomalous_T)
        assert (after.record, after.part, after.reference) == (
            before.record,
            before.part,
            before.reference,
        )
        assert after.step_seconds == before.step_seconds
        assert [moment(after, step) for step in (0, 7)] == [
            moment(before, step) for step in (0, 7)
        ]
    assert np.isnan(from_table(to_table(series), facts)[2].anomalies[0].size)
