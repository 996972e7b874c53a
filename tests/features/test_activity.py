"""Activity: agrees with the slow oracle, in any unit, and looks at its own series only."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hvac.features.activity import activity
from tests.reference.activity_oracle import activity_of

RESTING = st.sampled_from([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0])
MOVING = st.floats(-50, 50, width=32, allow_subnormal=False)


@given(arrays(np.float32, (2, 2, 90), elements=st.one_of(RESTING, MOVING)))
def test_every_series_is_as_the_oracle_says(x_BCL: np.ndarray) -> None:
    found = activity(x_BCL)
    for b in range(2):
        for c in range(2):
            np.testing.assert_array_equal(
                found[b, c], np.float32(activity_of(x_BCL[b, c].astype(float).tolist()))
            )


def test_a_flag_tells_how_old_its_newest_rise_is() -> None:
    flag = np.zeros((1, 1, 90))
    flag[0, 0, 70] = 1
    assert activity(flag)[0, 0, :3].tolist() == [19, 1, 1]
    assert np.isnan(activity(flag)[0, 0, 3])


def test_a_series_that_never_moves_was_never_out() -> None:
    found = activity(np.full((1, 1, 90), 21.5))[0, 0]
    assert found[1:3].tolist() == [0, 0]
    assert np.isnan(found[[0, 3]]).all()


@pytest.mark.parametrize("scale", [0.25, 1024.0])
def test_the_unit_does_not_matter(scale: float) -> None:
    x_BCL = np.random.default_rng(0).standard_t(2, (3, 2, 90)).astype(np.float32)
    np.testing.assert_array_equal(activity(x_BCL * np.float32(scale)), activity(x_BCL))
