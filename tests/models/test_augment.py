"""Changed copies of training windows: what each change does, and what stays as it was."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from hvac.errors import ConfigError
from hvac.features.encoder import EncoderConfig, load_encoder
from hvac.features.statistics import statistics
from hvac.features.table import KEYS, Windows, concat
from hvac.models.augment import AugmentConfig, changed, jittered, masked, scaled, sliced
from hvac.models.families import config_of, fit
from hvac.models.family import Fitting, augmented, columns_for, no_encoder
from tests.models.models_example import described, packaged_encoder, windows

STILL = {"jitter": 0.0, "scaling": 0.0, "time_mask": 0.0, "window_slice": 1.0}
STATISTICS = config_of("logistic_28", augment={"copies": 2})


def values(rows: int = 40, points: int = 2, days: int = 90) -> Any:
    return np.random.default_rng(3).normal(20, 4, (rows, points, days))


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def without_encoder(train: Windows, config: Any = STATISTICS) -> Windows:
    return augmented(train, config, no_encoder)


def test_jitter_is_noise_whose_size_is_the_given_share_of_each_series_own_std() -> None:
    x_BCL = values() * np.array([1.0, 1000.0])[:, None]
    noise_BCL = jittered(x_BCL, 0.1, rng()) - x_BCL
    found_C = (noise_BCL / x_BCL.std(axis=2, keepdims=True)).std(axis=(0, 2))
    np.testing.assert_allclose(found_C, 0.1, rtol=0.05)
    assert abs(noise_BCL[:, 0].mean()) < 0.05


def test_jitter_leaves_a_constant_series_constant() -> None:
    x_BCL = np.full((3, 1, 90), 7.0)
    np.testing.assert_array_equal(jittered(x_BCL, 0.5, rng()), x_BCL)


def test_scaling_multiplies_each_series_by_one_log_normal_factor() -> None:
    x_BCL = values(rows=2000)
    factor_BCL = scaled(x_BCL, 0.2, rng()) / x_BCL
    np.testing.assert_allclose(
        factor_BCL, np.broadcast_to(factor_BCL[..., :1], factor_BCL.shape)
    )
    logarithm_BC = np.log(factor_BCL[..., 0])
    assert logarithm_BC.mean() == pytest.approx(0, abs=0.01)
    assert logarithm_BC.std() == pytest.approx(0.2, rel=0.05)
    assert abs(np.corrcoef(logarithm_BC.T)[0, 1]) < 0.1


def test_time_mask_repeats_the_last_value_before_one_stretch_of_the_given_share_of_days() -> (
    None
):
    x_BCL = values(rows=300)
    made_BCL = masked(x_BCL, 0.2, rng())
    starts = set()
    for before_L, after_L in zip(
        x_BCL.reshape(-1, 90), made_BCL.reshape(-1, 90), strict=True
    ):
        hidden = np.flatnonzero(before_L != after_L)
        assert len(hidden) == 18
        assert hidden[-1] - hidden[0] == 17
        assert (after_L[hidden] == before_L[hidden[0] - 1]).all()
        starts.add(int(hidden[0]))
    assert min(starts) == 1
    assert max(starts) == 72


def test_slice_is_the_end_of_the_window_stretched_to_its_length() -> None:
    day_L = np.arange(90.0)
    x_BCL = np.broadcast_to(np.stack([day_L, -2 * day_L]), (500, 2, 90))
    made_BCL = sliced(x_BCL, 0.5, rng())
    first_B = made_BCL[:, 0, 0]
    assert made_BCL.shape == x_BCL.shape
    np.testing.assert_allclose(made_BCL[:, 0, -1], 89)
    np.testing.assert_allclose(made_BCL[:, 0], np.linspace(first_B, 89, 90).T)
    np.testing.assert_allclose(made_BCL[:, 1], -2 * made_BCL[:, 0])
    assert 0 <= first_B.min() < 2
    assert 42 < first_B.max() <= 44.5


def test_slice_interpolates_between_neighbouring_days() -> None:
    x_BCL = values(rows=5)
    made_BCL = sliced(x_BCL, 0.9, rng())
    first_B = rng().uniform(0, 0.1 * 89, 5)
    for row, first in enumerate(first_B):
        position_L = np.linspace(first, 89, 90)
        expected_CL = [
            np.interp(position_L, np.arange(90), series_L) for series_L in x_BCL[row]
        ]
        np.testing.assert_allclose(made_BCL[row], expected_CL)


def test_copies_are_the_same_for_one_seed_and_differ_between_seeds_and_numbers() -> (
    None
):
    x_BCL = values().astype(np.float32)
    first = changed(x_BCL, AugmentConfig(), 0)
    np.testing.assert_array_equal(changed(x_BCL, AugmentConfig(), 0), first)
    for config, copy in ((AugmentConfig(), 1), (AugmentConfig(seed=1), 0)):
        assert (changed(x_BCL, config, copy) != first).any(axis=-1).all()


def test_values_are_left_as_they_are_where_every_change_is_off() -> None:
    x_BCL = values().astype(np.float32)
    np.testing.assert_array_equal(changed(x_BCL, AugmentConfig(**STILL), 0), x_BCL)


def test_no_copies_give_the_very_same_windows() -> None:
    train = windows(5)
    assert without_encoder(train, config_of("logistic_28")) is train


def test_copies_follow_the_windows_and_keep_keys_labels_and_context() -> None:
    train = windows(30, points=2)
    found = without_encoder(train)
    assert len(found) == 90
    assert found.keys.column_names == list(KEYS)
    for part in range(3):
        copy = found.take(np.arange(30 * part, 30 * part + 30))
        assert copy.keys.equals(train.keys)
        for name in ("y_BH", "known_BH", "k_BK", "observed_B", "persistence_B"):
            np.testing.assert_array_equal(getattr(copy, name), getattr(train, name))


def test_windows_themselves_come_first_unchanged() -> None:
    train = windows(30)
    before = {
        f.name: np.array(getattr(train, f.name))
        for f in fields(Windows)
        if f.name in ("x_BCL", "f_BCF")
    }
    found = without_encoder(train).take(np.arange(30))
    for name, array in before.items():
        np.testing.assert_array_equal(getattr(found, name), array)
        np.testing.assert_array_equal(getattr(train, name), array)


def test_statistics_of_copies_are_those_of_their_values() -> None:
    found = without_encoder(described(20, points=2))
    assert found.x_BCL is not None
    assert found.f_BCF is not None
    np.testing.assert_array_equal(
        found.f_BCF[20:], statistics(found.x_BCL[20:]).astype(np.float32)
    )
    assert (found.f_BCF[20:40] != found.f_BCF[:20]).any(axis=-1).all()


def test_embedding_and_tokens_of_copies_are_those_of_their_values() -> None:
    train = described(12, points=2)
    assert train.x_BCL is not None
    train = replace(
        train, p_BCPE=packaged_encoder().tokens(train.x_BCL), u_BCE=train.z_BCE
    )
    for name, attribute, made in (
        ("hybrid", "z_BCE", "embed"),
        ("hybrid_multitask", "p_BCPE", "tokens"),
    ):
        found = augmented(
            train, config_of(name, augment={"copies": 1}), packaged_encoder
        )
        assert found.x_BCL is not None
        np.testing.assert_allclose(
            getattr(found, attribute)[12:],
            getattr(packaged_encoder(), made)(found.x_BCL[12:]),
            atol=1e-5,
        )
        assert found.u_BCE is None


def test_the_untrained_encoders_embedding_of_copies_is_that_of_their_values() -> None:
    untrained = load_encoder(EncoderConfig(source="random", pooling="mean"))
    train = windows(6)
    train = replace(train, u_BCE=untrained.embed(np.asarray(train.x_BCL)))
    found = augmented(
        train,
        config_of("hybrid", inputs=("untrained",), augment={"copies": 1}),
        packaged_encoder,
    )
    np.testing.assert_allclose(
        found.u_BCE, untrained.embed(np.asarray(found.x_BCL)), atol=1e-5
    )
    assert found.z_BCE is None


def test_what_the_family_does_not_need_is_left_out_rather_than_made() -> None:
    found = without_encoder(windows(4), config_of("lstm", augment={"copies": 1}))
    assert found.f_BCF is None
    assert found.z_BCE is None


def test_windows_without_values_are_refused_with_what_to_do() -> None:
    with pytest.raises(
        ConfigError,
        match=r"logistic_28\.augment\.copies is 2.*featurize\.keep_values: true",
    ):
        without_encoder(windows(4, without=("x_BCL",)))


def test_training_windows_must_carry_values_only_where_copies_are_made_of_them() -> (
    None
):
    assert columns_for(STATISTICS.reads) == ("features", "values")
    assert columns_for(STATISTICS.needs) == ("features",)
    assert config_of("logistic_28").reads == ("features",)
    assert config_of("lstm", augment={"copies": 1}).reads == ("values",)


def test_a_fit_trains_on_windows_and_copies() -> None:
    train, tune = described(150, seed=1), described(150, seed=2)
    copies = fit(
        train,
        tune,
        config_of("logistic_28", augment={"copies": 1, **STILL}),
        Fitting(no_encoder),
    )
    doubled = fit(
        concat([train, train]), tune, config_of("logistic_28"), Fitting(no_encoder)
    )
    np.testing.assert_allclose(
        copies.score(tune), doubled.score(tune), rtol=1e-4, atol=1e-4
    )
    plain = fit(train, tune, config_of("logistic_28"), Fitting(no_encoder))
    assert np.abs(plain.score(tune) - doubled.score(tune)).max() > 1e-3


@pytest.mark.parametrize(
    "wrong",
    [{"copies": -1}, {"jitter": -0.1}, {"time_mask": 1.0}, {"window_slice": 0.0}],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        AugmentConfig(**wrong)


def test_augmentation_is_a_setting_of_every_family() -> None:
    assert config_of("gbdt_28", augment={"copies": 3}).augment.copies == 3
    with pytest.raises(ConfigError, match="did you mean 'copies'"):
        config_of("lstm", augment={"copys": 1})
