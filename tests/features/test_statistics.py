"""The 28 statistics against a slow oracle, closed forms, and the contracts every feature keeps.

Shapes: B batch, C points, L lookback days, F features (28).
"""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvac.errors import InputError
from hvac.features.statistics import FEATURE_NAMES, statistics
from tests.reference.statistics_oracle import statistics_oracle

FloatArray = npt.NDArray[np.float64]

DAY_L = np.arange(90.0)
# Zero is a matter of the scale: rounding of the values themselves reaches these, the others only see the spread.
OF_THE_LEVEL = {"mean", "min", "max", "median", "q25", "q75", "trend_intercept"}
WITHOUT_UNIT = {"skewness", "kurtosis", "cv", "recent_vs_past_ratio"}


def noise(seed: int = 0, days: int = 90) -> FloatArray:
    return np.random.default_rng(seed).normal(size=days)


def with_faults(x_L: FloatArray, **values: float) -> FloatArray:
    x_L = x_L.copy()
    for place, value in values.items():
        x_L[int(place.removeprefix("day_"))] = value
    return x_L


SERIES = {
    "random": 20 + 3 * noise(),
    "around zero": noise() - noise().mean() + 0.1,
    "trending": 20 + 0.3 * DAY_L + noise(),
    "falling": 5 - 0.3 * DAY_L,
    "random walk": 20 + np.cumsum(noise()),
    "seasonal": 20 + 5 * np.sin(2 * np.pi * DAY_L / 7) + 0.1 * noise(),
    "on and off": np.where(noise() > 0.5, 1.0, 0.0),
    "integers with ties": np.round(3 * noise()),
    "constant": np.full(90, 0.1),
    "constant negative": np.full(90, -23.7),
    "zero": np.zeros(90),
    "near constant": with_faults(np.full(90, 21.3), day_40=21.3 + 1e-6),
    "last digit moves": with_faults(np.full(90, 21.3), day_40=np.nextafter(21.3, 22)),
    "tiny scale": 1e-12 * (2 + noise()),
    "small scale": 1e-8 * (2 + noise()),
    "huge scale": 1e12 * (2 + noise()),
    "very huge scale": 1e100 * (2 + noise()),
    "large offset": 1e6 + 1e-3 * noise(),
    "larger offset": -1e12 + noise(),
    "steep and quiet": 1e6 * DAY_L + 1e-3 * noise(),
    "far first value": with_faults(20 + noise(), day_0=1e9),
    "far value": with_faults(20 + noise(), day_80=-1e9),
    "60 days": 20 + noise(days=60),
    "61 days": 20 + noise(days=61),
    "365 days": 20 + noise(days=365),
}


def assert_agrees_with_oracle(x_L: FloatArray) -> None:
    found_F, expected = statistics(x_L[None, None])[0, 0], statistics_oracle(x_L)
    spread, scale = float(np.ptp(x_L)), float(np.abs(x_L).max())
    for name, found in zip(FEATURE_NAMES, found_F, strict=True):
        atol = (
            1e-11
            if name in WITHOUT_UNIT
            else 1e-13 * (scale if name in OF_THE_LEVEL else spread)
        )
        np.testing.assert_allclose(
            found, expected[name], rtol=1e-9, atol=atol, err_msg=name
        )


def test_feature_names_are_the_28_of_the_design_in_its_order() -> None:
    assert tuple(statistics_oracle(noise())) == FEATURE_NAMES
    assert len(FEATURE_NAMES) == 28


@pytest.mark.parametrize("x_L", SERIES.values(), ids=SERIES.keys())
def test_statistics_agree_with_the_oracle(x_L: FloatArray) -> None:
    assert_agrees_with_oracle(x_L)


@settings(max_examples=150)
@given(
    seed=st.integers(0, 2**32 - 1),
    days=st.integers(60, 130),
    scale=st.sampled_from([1e-6, 1e-3, 1.0, 1e6, 1e12]),
    offset=st.sampled_from([3.0, -7.0, 1e3, -1e6]),
    slope=st.sampled_from([0.0, 0.01, -0.3, 10.0]),
    decimals=st.integers(0, 6),
)
def test_statistics_agree_with_the_oracle_whatever_the_series(
    seed: int, days: int, scale: float, offset: float, slope: float, decimals: int
) -> None:
    x_L = (
        np.round(offset + slope * np.arange(days) + noise(seed, days), decimals) * scale
    )
    means = np.array([x_L.mean(), x_L[-60:-30].mean()])
    if (
        np.abs(means).min() > 1e-4 * np.abs(x_L).max()
    ):  # a ratio to a mean that cancels out has no digits to compare
        assert_agrees_with_oracle(x_L)


@settings(max_examples=150)
@given(st.lists(st.floats(width=64), min_size=60, max_size=60))
def test_statistics_are_finite_for_any_floats(values: list[float]) -> None:
    assert np.isfinite(statistics(np.array(values)[None, None])).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324])
@pytest.mark.parametrize("share", [0.02, 0.5, 1.0])
def test_statistics_are_finite_when_values_are_not(value: float, share: float) -> None:
    x_L = np.where(np.random.default_rng(1).uniform(size=90) < share, value, noise())
    assert np.isfinite(statistics(x_L[None, None])).all()


def test_overflow_gives_zero_not_a_wrong_number() -> None:
    x_L = with_faults(noise(), day_10=1.7e308, day_20=-1.7e308)
    f = named(x_L)
    assert f["max"] == 1.7e308
    overflowing = (
        "std",
        "range",
        "skewness",
        "diff_std",
        "rolling_std_7d_mean",
        "rolling_std_7d_max",
        "max_drawdown",
    )
    assert [f[name] for name in overflowing] == [0.0] * len(overflowing)


@pytest.mark.parametrize("gap", [np.nan, np.inf, -np.inf])
def test_non_finite_values_count_as_zero(gap: float) -> None:
    x_L = 20 + noise()
    np.testing.assert_array_equal(
        named(with_faults(x_L, day_7=gap)), named(with_faults(x_L, day_7=0.0))
    )


def batch(windows: int = 37, points: int = 3) -> FloatArray:
    rng = np.random.default_rng(2)
    scale_BC1 = 10.0 ** rng.integers(-6, 7, (windows, points, 1))
    x_BCL: FloatArray = (
        rng.normal(size=(windows, points, 90)).cumsum(axis=-1) * scale_BC1
    )
    x_BCL[::5, 0, 3] = np.nan
    x_BCL[::7, 1] = 1e308
    return x_BCL


def test_features_of_a_series_do_not_depend_on_the_size_of_the_batch() -> None:
    x_BCL = batch()
    one_by_one = np.stack([statistics(x_BCL[b : b + 1])[0] for b in range(len(x_BCL))])
    np.testing.assert_array_equal(statistics(x_BCL), one_by_one)


def test_features_of_a_series_do_not_depend_on_the_order_of_the_rows() -> None:
    x_BCL = batch()
    order_B = np.random.default_rng(3).permutation(len(x_BCL))
    np.testing.assert_array_equal(
        statistics(x_BCL[order_B]), statistics(x_BCL)[order_B]
    )


@pytest.mark.parametrize(
    "same",
    [
        np.asfortranarray(batch()),
        np.ascontiguousarray(batch().transpose(2, 0, 1)).transpose(1, 2, 0),
        np.repeat(batch(), 2, axis=-1)[..., ::2],
        batch()[::-1].copy()[::-1],
        batch().astype(">f8"),
    ],
    ids=["fortran", "days first", "every second value", "reversed", "big endian"],
)
def test_memory_layout_does_not_matter(same: FloatArray) -> None:
    np.testing.assert_array_equal(statistics(same), statistics(batch()))


@pytest.mark.parametrize(
    "dtype", [np.float16, np.float32, np.int64, np.uint8, np.bool_]
)
def test_other_number_types_are_computed_in_float64(dtype: type[np.generic]) -> None:
    x_BCL = (20 + 5 * noise()).astype(dtype)[None, None]
    f_BCF = statistics(x_BCL)
    assert f_BCF.dtype == np.float64
    np.testing.assert_array_equal(f_BCF, statistics(x_BCL.astype(np.float64)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_input_is_not_changed(dtype: type[np.floating]) -> None:
    with np.errstate(over="ignore"):
        x_BCL = batch().astype(dtype)
    before = x_BCL.copy()
    statistics(x_BCL)
    np.testing.assert_array_equal(x_BCL, before)
    assert x_BCL.flags.writeable


def test_read_only_input_is_accepted() -> None:
    x_BCL = batch()
    x_BCL.flags.writeable = False
    np.testing.assert_array_equal(statistics(x_BCL), statistics(batch()))


def test_leading_axes_are_kept_and_an_empty_batch_gives_an_empty_result() -> None:
    assert statistics(np.zeros((0, 2, 90))).shape == (0, 2, 28)
    assert statistics(np.zeros((4, 2, 3, 90))).shape == (4, 2, 3, 28)


def named(x_L: FloatArray) -> dict[str, float]:
    return dict(
        zip(FEATURE_NAMES, statistics(x_L[None, None])[0, 0].tolist(), strict=True)
    )


@pytest.mark.parametrize("slope", [0.25, -0.5, 3.0])
def test_a_straight_line_has_its_closed_form(slope: float) -> None:
    f = named(8 + slope * DAY_L)
    assert f["trend_slope"] == pytest.approx(slope, rel=1e-12)
    assert f["trend_intercept"] == pytest.approx(8, rel=1e-12)
    assert f["mean"] == f["median"] == 8 + slope * 44.5
    assert f["std"] == pytest.approx(abs(slope) * np.sqrt((90**2 - 1) / 12), rel=1e-12)
    assert f["skewness"] == pytest.approx(0, abs=1e-12)
    assert f["kurtosis"] == pytest.approx(-1.2 * (90**2 + 1) / (90**2 - 1), rel=1e-12)
    assert f["recent_vs_past_diff"] == 30 * slope
    assert f["recent_change_rate"] == 0.9 * slope
    assert (f["diff_mean"], f["diff_std"], f["diff_abs_mean"]) == (
        slope,
        0.0,
        abs(slope),
    )
    for days in (7, 14, 30):
        expected = pytest.approx(abs(slope) * np.sqrt((days**2 - 1) / 12), rel=1e-12)
        assert f[f"rolling_std_{days}d_mean"] == expected
        assert f[f"rolling_std_{days}d_max"] == expected


def test_drawdown_of_a_falling_line_is_its_whole_fall() -> None:
    f = named(100 - 0.5 * DAY_L)
    assert (f["max_drawdown"], f["mean_drawdown"]) == (44.5, 22.25)


def test_drawdown_of_a_rising_line_is_zero() -> None:
    f = named(0.1 * DAY_L)
    assert (f["max_drawdown"], f["mean_drawdown"]) == (0.0, 0.0)


@pytest.mark.parametrize("value", [0.1, -23.7, 1e-12, 1e12 / 3, 1e308, 0.0])
def test_a_constant_series_has_no_spread_no_shape_and_no_trend(value: float) -> None:
    f = named(np.full(90, value))
    levels = ("mean", "min", "max", "median", "q25", "q75", "trend_intercept")
    assert {f.pop(name) for name in levels} == {value}
    assert f.pop("recent_vs_past_ratio") == 1.0
    assert set(f.values()) == {0.0}


def test_a_tiny_mean_gives_cv_zero_and_a_tiny_past_gives_ratio_one_and_diff_zero() -> (
    None
):
    x_L = np.tile([1.0, -1.0], 45)
    x_L[-1] = 1.0
    x_L[0] = -1.0
    f = named(x_L)
    assert (f["cv"], f["recent_vs_past_ratio"], f["recent_vs_past_diff"]) == (
        0.0,
        1.0,
        0.0,
    )


def test_recent_is_the_last_30_days_and_past_the_30_before() -> None:
    f = named(np.repeat([1000.0, 4.0, 6.0], 30))
    assert (f["recent_vs_past_ratio"], f["recent_vs_past_diff"]) == (1.5, 2.0)


@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (
            np.zeros(90),
            r"expects windows \[batch, points, days\], found an array of shape \(90,\)",
        ),
        (np.zeros((5, 90)), r"found an array of shape \(5, 90\)"),
        (
            np.zeros((5, 1, 59)),
            r"at least 60 days in a window .*, found 59 in an array of shape \(5, 1, 59\)",
        ),
        (np.zeros((5, 1, 0)), r"at least 60 days"),
        (
            np.full((1, 1, 90), "20"),
            r"expects windows of real numbers, found an array of <U2",
        ),
        (np.full((1, 1, 90), None), r"found an array of object"),
        (np.zeros((1, 1, 90), dtype=complex), r"found an array of complex128"),
    ],
)
def test_bad_windows_raise_one_clear_sentence(
    x: npt.NDArray[np.generic], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence) as raised:
        statistics(x)
    assert "\n" not in str(raised.value)
