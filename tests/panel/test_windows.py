"""Windows against a slow oracle: filled from the past inside the window, scaled by the first 90 observed days."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvac.errors import ConfigError
from hvac.panel.cutting import Cut, cut
from hvac.panel.grid import Panel
from hvac.panel.windows import (
    INSUFFICIENT,
    LEARNING,
    OK,
    WindowConfig,
    fit_scale,
    learning_days_left,
)
from tests.panel.panel_example import FIRST, Row, date, panel_of, reading, series
from tests.reference.windows_oracle import cut_window

PLAIN = WindowConfig(normalise="none")
NAN = float("nan")


def noise(days: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(20, 3, days)


def with_gaps(values: np.ndarray, *days: int) -> np.ndarray:
    values = values.copy()
    values[list(days)] = NAN
    return values


def cut_at(panel: Panel, *ends: int, config: WindowConfig | None = None) -> Cut:
    return cut(
        panel,
        np.array([FIRST + end for end in ends], np.int32),
        config or WindowConfig(),
    )


def assert_same_bits(one: Cut, other: Cut) -> None:
    assert one.x_BCL.tobytes() == other.x_BCL.tobytes()
    assert one.observed_BCL.tobytes() == other.observed_BCL.tobytes()
    assert one.status_B.tolist() == other.status_B.tolist()


# Filling


def test_window_holds_the_lookback_days_up_to_its_end() -> None:
    windows = cut_at(panel_of(series(range(200))), 150, config=PLAIN)
    assert windows.x_BCL[0, 0].tolist() == list(range(61, 151))
    assert windows.observed_BCL.all()
    assert windows.status_B.tolist() == [OK]


def test_missing_day_takes_the_last_observed_value_before_it() -> None:
    panel = panel_of(series(with_gaps(np.arange(200.0), 120, 121)))
    windows = cut_at(panel, 150, config=PLAIN)
    assert windows.x_BCL[0, 0, 58:62].tolist() == [119, 119, 119, 122]
    assert np.flatnonzero(~windows.observed_BCL[0, 0]).tolist() == [59, 60]


def test_leading_gap_takes_the_first_observed_value_inside_the_window() -> None:
    panel = panel_of(series(with_gaps(np.arange(200.0), *range(58, 65))))
    windows = cut_at(panel, 150, config=PLAIN)
    assert windows.x_BCL[0, 0, :6].tolist() == [65, 65, 65, 65, 65, 66]
    assert not windows.observed_BCL[0, 0, :4].any()


def test_days_before_the_record_are_a_leading_gap() -> None:
    windows = cut_at(panel_of(series(np.arange(5.0, 100))), 69, config=PLAIN)
    assert windows.x_BCL[0, 0, :21].tolist() == [5.0] * 21
    assert windows.observed_BCL[0, 0].sum() == 70


def test_days_after_the_record_take_its_last_value() -> None:
    windows = cut_at(panel_of(series(range(120))), 130, config=PLAIN)
    assert windows.x_BCL[0, 0, -13:].tolist() == [118.0] + [119.0] * 12
    assert windows.observed_BCL[0, 0].sum() == 79


def test_point_that_vanished_is_zero_and_unobserved() -> None:
    rows = series(noise(400), point="a") + series(noise(120), point="b")
    windows = cut_at(panel_of(rows), 399)
    assert not windows.x_BCL[0, 1].any()
    assert not windows.observed_BCL[0, 1].any()
    assert windows.x_BCL[0, 0].any()


def test_point_that_the_unit_never_had_is_zero_and_unobserved() -> None:
    windows = cut_at(panel_of(series(noise(200), point="b"), points=["a", "b"]), 199)
    assert not windows.x_BCL[0, 0].any()
    assert not windows.observed_BCL[0, 0].any()


# What is known


def test_reading_known_after_the_end_date_never_enters() -> None:
    rows = [
        *series(np.arange(100.0)),
        reading(100, 1e6, known=105),
        *series(np.arange(101.0, 151), start=101),
    ]
    panel = panel_of(rows)
    before, after = cut_at(panel, 104, config=PLAIN), cut_at(panel, 105, config=PLAIN)
    assert before.x_BCL[0, 0, -5] == 99.0
    assert not before.observed_BCL[0, 0, -5]
    assert after.x_BCL[0, 0, -6] == 1e6
    assert after.observed_BCL.all()


def test_unit_learns_until_the_readings_of_its_baseline_are_known() -> None:
    rows = series(noise(200))
    rows[10]["known_at"] = date(140)
    panel = panel_of(rows)
    assert cut_at(panel, 139, 140).status_B.tolist() == [LEARNING, OK]


# Who gets no score


def test_unit_learns_until_ninety_days_were_observed() -> None:
    panel = panel_of(series(with_gaps(noise(200), 5, 6, 7)))
    windows = cut_at(panel, 50, 91, 92, 150)
    assert windows.status_B.tolist() == [LEARNING, LEARNING, OK, OK]
    assert not windows.x_BCL[:2].any()


def test_days_left_to_learn_are_those_not_yet_observed() -> None:
    panel = panel_of(series(with_gaps(noise(200), 5, 6, 7)))
    assert learning_days_left(panel, FIRST + 49) == 90 - 47
    assert learning_days_left(panel, FIRST + 91) == 1
    assert learning_days_left(panel, FIRST + 92) == 0
    assert learning_days_left(panel, FIRST + 199) == 0


def test_unit_with_ten_readings_is_never_scored() -> None:
    rows = [reading(100 * k, 20 + k) for k in range(10)]
    windows = cut_at(panel_of(rows), *range(0, 900, 7))
    assert set(windows.status_B.tolist()) == {LEARNING}
    assert learning_days_left(panel_of(rows), FIRST + 900) == 80


def test_unit_learns_nothing_without_a_baseline_to_learn() -> None:
    windows = cut_at(panel_of(series(noise(60))), 59, config=PLAIN)
    assert windows.status_B.tolist() == [OK]


@pytest.mark.parametrize(
    ("observed", "status"), [(44, INSUFFICIENT), (45, OK), (46, OK)]
)
def test_window_under_half_observed_is_insufficient(observed: int, status: str) -> None:
    values = noise(300)
    values[210 : 300 - observed] = NAN
    windows = cut_at(panel_of(series(values)), 299)
    assert windows.observed_BCL.sum() == observed
    assert windows.status_B.tolist() == [status]


def test_unit_that_fell_silent_is_insufficient() -> None:
    windows = cut_at(panel_of(series(noise(120))), 250)
    assert windows.status_B.tolist() == [INSUFFICIENT]
    assert not windows.x_BCL.any()


def test_least_observed_share_is_configurable() -> None:
    values = noise(300)
    values[210:280] = NAN
    windows = cut_at(
        panel_of(series(values)), 299, config=WindowConfig(min_observed=0.2)
    )
    assert windows.status_B.tolist() == [OK]


def test_unit_that_lacks_most_points_of_its_class_does_not_learn_forever() -> None:
    panel = panel_of(series(noise(200), point="a"), points=["a", "b", "c"])
    assert cut_at(panel, 199).status_B.tolist() != [LEARNING]
    assert learning_days_left(panel, FIRST + 199) == 0


# Normalisation


def test_baseline_is_the_median_and_iqr_of_the_first_ninety_observed_days() -> None:
    values = with_gaps(noise(200), 3, 30, 31)
    first = values[np.isfinite(values)][:90]
    q25, q50, q75 = np.quantile(first, [0.25, 0.5, 0.75])
    windows = cut_at(panel_of(series(values)), 199)
    np.testing.assert_allclose(
        windows.x_BCL[0, 0], (values[110:] - q50) / (q75 - q25), rtol=1e-12
    )


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), gap=st.integers(0, 40))
def test_values_after_the_baseline_never_change_it(seed: int, gap: int) -> None:
    values = with_gaps(noise(260, seed), *range(20, 20 + gap))
    changed = values.copy()
    changed[90 + gap :] = np.random.default_rng(seed + 1).normal(-1e4, 1e5, 170 - gap)
    one, other = (
        fit_scale(panel_of(series(each)), "baseline") for each in (values, changed)
    )
    ready = int(one.ready_C[0])
    assert ready == FIRST + 89 + gap
    assert (one.ready_C == other.ready_C).all()
    rows = slice(ready - FIRST, None)
    assert one.centre_TC[rows].tobytes() == other.centre_TC[rows].tobytes()
    assert one.spread_TC[rows].tobytes() == other.spread_TC[rows].tobytes()


def test_constant_series_is_zero_and_finite() -> None:
    windows = cut_at(panel_of(series([21.3] * 200)), 199)
    assert windows.status_B.tolist() == [OK]
    assert not windows.x_BCL.any()


def test_series_that_was_constant_in_its_baseline_is_only_centred() -> None:
    values = np.r_[np.full(100, 21.3), np.full(100, 24.3)]
    windows = cut_at(panel_of(series(values)), 199)
    np.testing.assert_allclose(windows.x_BCL[0, 0], 3.0, rtol=1e-12)


def test_spread_is_the_std_when_the_iqr_is_zero() -> None:
    values = np.full(200, 5.0)
    values[[10, 20, 30]] = 8.0
    windows = cut_at(panel_of(series(np.r_[values, 8.0])), 200)
    np.testing.assert_allclose(
        windows.x_BCL[0, 0, -1], 3.0 / np.std(values[:90]), rtol=1e-12
    )


def test_limits_become_zero_and_one() -> None:
    values = np.where(np.arange(200) % 2, 10.0, 30.0)
    windows = cut_at(
        panel_of(series(values, limits=(10.0, 30.0))),
        199,
        config=WindowConfig(normalise="limits"),
    )
    assert windows.x_BCL[0, 0, -2:].tolist() == [1.0, 0.0]
    assert windows.status_B.tolist() == [OK]


def test_day_without_both_limits_is_unobserved_when_limits_normalise() -> None:
    rows = series([5.0] * 60) + series([5.0] * 60, start=60, limits=(0.0, 10.0))
    windows = cut_at(panel_of(rows), 119, config=WindowConfig(normalise="limits"))
    assert windows.observed_BCL[0, 0].tolist() == [False] * 30 + [True] * 60
    assert windows.x_BCL[0, 0].tolist() == [0.5] * 90


def test_series_is_scaled_by_its_own_baseline_when_points_differ_in_size() -> None:
    small = noise(200)
    rows = series(small, point="a") + series(1000 * small + 7, point="b")
    windows = cut_at(panel_of(rows), 199)
    np.testing.assert_allclose(windows.x_BCL[0, 0], windows.x_BCL[0, 1], rtol=1e-9)


# Against the oracle, and blind to the future


@st.composite
def records(draw: st.DrawFn) -> list[Row]:
    """Two points with gaps, repeated days, late readings, limits."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    share = draw(st.sampled_from([0.0, 0.1, 0.5, 0.9]))
    late = draw(st.sampled_from([0.0, 0.05]))
    rows = []
    for point, days in (
        ("a", draw(st.integers(95, 260))),
        ("b", draw(st.integers(1, 260))),
    ):
        silent = (
            set(range(*sorted(rng.integers(0, 260, 2))))
            if draw(st.booleans())
            else set()
        )
        for day in range(days):
            if day and (day in silent or rng.random() < share):
                continue
            for _ in range(1 + (rng.random() < 0.05)):
                known = day + int(rng.integers(1, 60)) if rng.random() < late else None
                rows.append(
                    reading(
                        day,
                        np.round(rng.normal(20, 3), 1),
                        point=point,
                        known=known,
                        limits=(10.0, 32.0),
                    )
                )
    return rows


@settings(max_examples=40)
@given(
    rows=records(),
    ends=st.lists(st.integers(0, 300), min_size=1, max_size=4),
    normalise=st.sampled_from(["baseline", "limits", "none"]),
    lookback=st.sampled_from([60, 90]),
    aggregate=st.sampled_from(["mean", "max"]),
)
def test_windows_equal_a_plain_loop(
    rows: list[Row], ends: list[int], normalise: Any, lookback: int, aggregate: Any
) -> None:
    panel = panel_of(rows, points=["a", "b"], aggregate=aggregate)
    windows = cut_at(
        panel, *ends, config=WindowConfig(normalise=normalise, lookback=lookback)
    )
    how = {"lookback": lookback, "normalise": normalise, "aggregate": aggregate}
    for b, end in enumerate(ends):
        x, observed, status = cut_window(rows, ["a", "b"], date(end), **how)
        np.testing.assert_array_equal(windows.observed_BCL[b], observed)
        np.testing.assert_allclose(windows.x_BCL[b], x, rtol=1e-9, atol=1e-9)
        assert windows.status_B[b] == status


@settings(max_examples=40)
@given(
    rows=records(),
    end=st.integers(0, 259),
    normalise=st.sampled_from(["baseline", "limits", "none"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_what_is_later_than_the_end_date_never_changes_a_window(
    rows: list[Row], end: int, normalise: Any, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    changed = [dict(row) for row in rows]
    for row in changed:
        if (row["known_at"] or row["date"]) > date(end):
            row["value"] = float(rng.normal(-500, 1000))
            if row["known_at"]:
                row["known_at"] = date(end + int(rng.integers(1, 90)))
            row["lower_limit"], row["upper_limit"] = -777.0, float(rng.normal(0, 100))
    config = WindowConfig(normalise=normalise)
    one, other = (
        cut_at(panel_of(each, points=["a", "b"]), end, config=config)
        for each in (rows, changed)
    )
    assert_same_bits(one, other)


def test_limit_of_a_reading_not_yet_known_never_enters_a_window() -> None:
    def window(upper: float) -> Cut:
        rows = series([5.0] * 120, limits=(0.0, 10.0))
        rows[100] |= {"known_at": date(150), "lower_limit": 0.0, "upper_limit": upper}
        rows[101:] = [
            row | {"lower_limit": None, "upper_limit": None} for row in rows[101:]
        ]
        return cut_at(panel_of(rows), 119, config=WindowConfig(normalise="limits"))

    assert_same_bits(window(10.0), window(40.0))


def test_windows_do_not_depend_on_which_others_are_cut() -> None:
    panel = panel_of(series(with_gaps(noise(300), 100, 150, 151)))
    together, alone = cut_at(panel, 120, 250, 299), cut_at(panel, 250)
    assert_same_bits(Cut(*(each[1:2] for each in together)), alone)


def test_panel_is_not_changed_by_cutting() -> None:
    panel = panel_of(series(with_gaps(noise(200), 50), limits=(0.0, 40.0)))
    before = [
        array.copy()
        for array in (panel.value_TC, panel.observed_TC, panel.lower_TC, panel.known_TC)
    ]
    cut_at(panel, 150, 199)
    cut_at(panel, 199, config=WindowConfig(normalise="limits"))
    after = (panel.value_TC, panel.observed_TC, panel.lower_TC, panel.known_TC)
    assert all(
        old.tobytes() == new.tobytes() for old, new in zip(before, after, strict=True)
    )


# Candidates and configuration


@pytest.mark.parametrize(
    "wrong",
    [
        {"lookback": 10},
        {"min_observed": 1.5},
        {"train_stride": 0},
        {"normalise": "all"},
    ],
)
def test_windows_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        WindowConfig(**wrong)


@pytest.mark.parametrize("tiny", [1e-300, 1e-20])
def test_spread_that_is_no_spread_gives_no_infinite_values(tiny: float) -> None:
    values = np.zeros(200)
    values[::2] = tiny
    values[150:] = 1.0
    panel = panel_of(series(values, point="a"))
    scale = fit_scale(panel, "baseline")
    assert (scale.spread_TC == 1.0).all()
