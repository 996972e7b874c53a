"""Summaries of the last days: those of a slow oracle, blind to what was not read or not known yet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvac.features.recent import RECENT_NAMES, recent

FIRST = 100
ALWAYS = np.zeros(2, dtype=np.int32)


def slow(value_TC: Any, known_TC: Any, end: int, c: int) -> list[float]:
    """The columns of one point, span by span, with numpy's own functions."""
    days = [end - back for back in range(90)]
    read = [
        (day - end, value_TC[day - FIRST, c])
        for day in days
        if 0 <= day - FIRST < len(value_TC)
        and np.isfinite(value_TC[day - FIRST, c])
        and known_TC[day - FIRST, c] <= end
    ]

    def last(span: int) -> list[float]:
        return [value for day, value in read if day > -span]

    means = [
        np.mean(last(span)) if last(span) else np.nan for span in (3, 7, 14, 30, 90)
    ]
    spreads = [np.std(last(span)) if last(span) else np.nan for span in (30, 90)]
    recent_days = [(day, value) for day, value in read if day > -30]
    slope = (
        np.polyfit(*zip(*recent_days, strict=True), 1)[0]
        if len(recent_days) > 1
        else np.nan
    )
    return [*means, *spreads, slope, read[0][1] if read else np.nan]


@given(
    seed=st.integers(0, 2**31),
    share=st.sampled_from([0.0, 0.1, 0.5, 0.98]),
    level=st.sampled_from([0.0, 1e6]),
)
def test_columns_are_those_of_the_oracle(seed: int, share: float, level: float) -> None:
    rng = np.random.default_rng(seed)
    value_TC = level + rng.normal(0, 2, (160, 2))
    value_TC[rng.random(value_TC.shape) < share] = np.nan
    known_TC = (
        FIRST + np.arange(160)[:, None] + rng.integers(0, 9, value_TC.shape)
    ).astype(np.int32)
    end_B = np.array([FIRST + 5, FIRST + 90, FIRST + 159, FIRST + 200], dtype=np.int32)
    found_BCS = recent(value_TC, known_TC, end_B, first_day=FIRST, from_day_C=ALWAYS)
    for b, end in enumerate(end_B.tolist()):
        for c in range(2):
            np.testing.assert_allclose(
                found_BCS[b, c], slow(value_TC, known_TC, end, c), rtol=1e-6, atol=1e-7
            )


def test_nothing_read_is_missing_and_not_zero() -> None:
    found = recent(np.full((9, 1), np.nan), np.zeros((9, 1), np.int32), np.array([108], np.int32), first_day=100,
                   from_day_C=ALWAYS[:1])  # fmt: skip
    assert np.isnan(found).all()
    assert found.shape == (1, 1, len(RECENT_NAMES))


@pytest.mark.parametrize(("end", "there"), [(119, False), (120, True)])
def test_point_whose_scale_is_not_known_yet_is_missing(end: int, there: bool) -> None:
    value_TC, start_C = np.ones((40, 1)), np.array([120], dtype=np.int32)
    found = recent(
        value_TC,
        np.zeros((40, 1), np.int32),
        np.array([end], np.int32),
        first_day=100,
        from_day_C=start_C,
    )
    assert np.isfinite(found[..., :5]).all() == there
