"""`ttm_lora`: the seed's v2.0: what is tuned, what stays frozen, what is saved, what it learns."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from hvac.errors import BundleError
from hvac.features.encoder import Encoder, EncoderConfig, load_encoder, state_hash
from hvac.features.table import Windows
from hvac.models.family import Fitting
from hvac.models.fitting import FitState
from hvac.models.network import Shape
from hvac.models.ttm_lora import Adapted, TtmLora, TtmLoraConfig
from tests.models.models_example import packaged_encoder, windows

QUICK: dict[str, Any] = {"epochs": 1, "learning_rate": 1e-2, "batch_size": 32}


@cache
def seed_encoder() -> Encoder:
    return load_encoder(EncoderConfig(source="random", pooling="mean"))


@cache
def fitted(adapt: str = "lora") -> TtmLora:
    train, tune = (windows(96, points=2, seed=seed) for seed in (1, 2))
    return TtmLora.fit(
        train, tune, TtmLoraConfig(adapt=adapt, **QUICK), Fitting(packaged_encoder)
    )


def network(encoder: Encoder, *, points: int = 1, **settings: Any) -> Adapted:
    shape = Shape(
        points=points, horizons=3, positions=(points, 1), columns=(90, 2 * points)
    )
    return Adapted(TtmLoraConfig(**settings), shape, encoder)


def frozen(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Weights of the base, named as they were before adapters were put beside them."""
    found = {name: p for name, p in module.named_parameters() if "lora_" not in name}
    return {name.replace(".base_layer", ""): tensor for name, tensor in found.items()}


def values(rows: int, points: int = 1) -> Any:
    return np.random.default_rng(0).normal(size=(rows, points, 90)).astype(np.float32)


def test_adapters_of_the_seeds_model_have_exactly_its_number_of_parameters() -> None:
    base = network(seed_encoder()).base
    adapters = sum(p.numel() for p in base.parameters() if p.requires_grad)
    total = sum(p.numel() for p in base.parameters())
    assert adapters == 29_504
    assert total - adapters == 103_934
    assert round(100 * adapters / total, 2) == 22.11


def test_head_keeps_its_own_rate_when_the_adapters_rate_changes_between_epochs() -> (
    None
):
    """As a population based search does, which hands on the optimiser's state with other settings."""
    train, tune = (windows(96, points=2, seed=seed) for seed in (1, 2))
    states: list[FitState] = []
    model = TtmLora.start(train, TtmLoraConfig(**QUICK), packaged_encoder)
    TtmLora.fit(
        train,
        tune,
        TtmLoraConfig(**QUICK),
        Fitting(packaged_encoder, report=states.append),
    )
    other = TtmLoraConfig(**{**QUICK, "epochs": 2, "learning_rate": 1e-3})
    TtmLora.fit(
        train,
        tune,
        other,
        Fitting(packaged_encoder, state=states[0], report=states.append),
    )
    paces = [group["pace"] for group in states[-1].optimiser["param_groups"]]
    assert paces == [pace for _, pace in model.network.paces(other)]


def test_defaults_are_the_seeds_adapters() -> None:
    config = TtmLoraConfig()
    assert (config.rank, config.lora_alpha, config.lora_dropout) == (8, 16, 0.1)
    assert 1e-5 <= config.final_learning_rate <= config.learning_rate <= 1e-4


def test_only_adapters_and_head_are_trainable() -> None:
    for name, parameter in network(packaged_encoder()).named_parameters():
        assert parameter.requires_grad == ("lora_" in name or name.startswith("head."))


@pytest.mark.parametrize("encoder", [packaged_encoder, seed_encoder])
def test_every_trainable_parameter_takes_part_in_every_step(encoder: Any) -> None:
    made = network(encoder(), points=2).train()
    made(torch.from_numpy(values(4, points=2)), torch.zeros(4, 1, 4)).sum().backward()
    assert all(p.grad is not None for p in made.trainable())


@pytest.mark.parametrize("encoder", [packaged_encoder, seed_encoder])
def test_untrained_adapters_leave_the_encoders_embedding_as_it_is(encoder: Any) -> None:
    x_BCL = values(5, points=2)
    made = network(encoder(), points=2).eval()
    with torch.inference_mode():
        standardised = torch.from_numpy(encoder().standardised(x_BCL).reshape(5, 2, 90))
        pooled_BCE = made.pooled(standardised).numpy()
    np.testing.assert_allclose(
        pooled_BCE[..., : encoder().dim], encoder().embed(x_BCL), atol=1e-5
    )


def test_a_fit_changes_neither_the_encoder_nor_the_base_under_the_adapters() -> None:
    before = state_hash(packaged_encoder().model.state_dict())
    model = fitted()
    assert (
        state_hash(packaged_encoder().model.state_dict())
        == before
        == packaged_encoder().sha256
    )
    original = dict(packaged_encoder().model.named_parameters())
    base = frozen(model.network.base)
    assert base.keys() == original.keys()
    assert all(torch.equal(base[name], original[name]) for name in original)


def test_a_fit_changes_what_the_adapted_encoder_says() -> None:
    x_BCL = torch.from_numpy(values(4, points=2))
    tuned, still = fitted(), fitted("none")
    with torch.inference_mode():
        assert not torch.allclose(
            tuned.network.pooled(x_BCL), still.network.pooled(x_BCL), atol=1e-3
        )


def test_the_frozen_variant_trains_the_same_head_and_nothing_else() -> None:
    tuned, still = fitted(), fitted("none")
    head = {name for name in tuned.network.kept() if name.startswith("head.")}
    assert set(still.network.kept()) == head
    assert still.parameters == sum(p.numel() for p in tuned.network.head.parameters())
    for name in (
        "base.backbone.encoder.patcher.weight",
        "base.head.base_forecast_block.weight",
    ):
        original = dict(packaged_encoder().model.named_parameters())[
            name.removeprefix("base.")
        ]
        assert torch.equal(dict(still.network.named_parameters())[name], original)


def test_state_holds_adapters_head_and_scaler_only() -> None:
    model = fitted()
    weights = {
        name: array
        for name, array in model.state().items()
        if name.startswith("network.")
    }
    assert sum(array.size for array in weights.values()) == model.parameters
    assert all("lora_" in name or name.startswith("network.head.") for name in weights)
    assert {name.split(".")[0] for name in model.state()} == {
        "network",
        "scaler",
        "shape",
    }


def test_state_restores_over_the_encoder_to_equal_scores() -> None:
    model, made = fitted(), windows(20, points=2, seed=5)
    state = {name: array.copy() for name, array in model.state().items()}
    again = TtmLora.restore(model.config, state, packaged_encoder)
    np.testing.assert_array_equal(again.score(made), model.score(made))


def test_adapters_of_another_encoder_are_refused() -> None:
    model = fitted()
    with pytest.raises(BundleError, match="do not fit this encoder"):
        TtmLora.restore(model.config, model.state(), seed_encoder)


def test_level_and_spread_of_a_window_reach_the_head_though_the_encoder_does_not_see_them() -> (
    None
):
    made = windows(200)
    model = TtmLora.start(made, TtmLoraConfig(), packaged_encoder)
    lifted = replace(made, x_BCL=np.asarray(made.x_BCL) * 2 + 5)
    values_BCL, level_B1N = model.rows(made).inputs
    lifted_BCL, lifted_B1N = model.rows(lifted).inputs
    np.testing.assert_allclose(lifted_BCL, values_BCL, atol=1e-3)
    assert np.abs(lifted_B1N - level_B1N).mean(axis=0).min() > 0.1


def test_windows_of_another_length_are_stretched_to_what_the_encoder_reads() -> None:
    made = windows(12)
    short = replace(made, x_BCL=np.asarray(made.x_BCL)[..., :46])
    model = TtmLora.start(short, TtmLoraConfig(), packaged_encoder)
    position = np.linspace(0, 45, 90)
    x_BCL = np.stack(
        [
            [np.interp(position, np.arange(46), series_L)]
            for series_L in np.asarray(short.x_BCL)[:, 0]
        ]
    )
    series_BCL = (
        x_BCL - np.asarray(short.x_BCL).mean(axis=-1, keepdims=True)
    ) / np.asarray(short.x_BCL).std(axis=-1, keepdims=True)
    with torch.inference_mode():
        level = torch.from_numpy(
            model.scalers[1].transform(TtmLora.inputs(short, model.config)[1])
        )
        expected_HB = model.network(
            torch.from_numpy(series_BCL.astype(np.float32)), level
        ).numpy()
    np.testing.assert_allclose(model.score(short), expected_HB.T, atol=1e-4)


def test_the_head_learns_at_its_own_rate() -> None:
    groups = network(packaged_encoder()).paces(
        TtmLoraConfig(learning_rate=1e-4, head_learning_rate=5e-3)
    )
    assert [pace for _, pace in groups] == pytest.approx([1.0, 50.0])
    assert sum(len(parameters) for parameters, _ in groups) == len(
        network(packaged_encoder()).trainable()
    )


def test_a_planted_trend_is_learned() -> None:
    def labelled(seed: int) -> Windows:
        made = windows(256, seed=seed)
        trend_B11 = np.random.default_rng(seed).normal(size=(256, 1, 1))
        x_BCL = (
            np.random.default_rng(seed + 50).normal(size=(256, 1, 90))
            + np.linspace(0, 4, 90) * trend_B11
        )
        y_BH = np.repeat(trend_B11[:, 0] > 0.5, 3, axis=1)
        return replace(
            made, x_BCL=x_BCL.astype(np.float32), y_BH=y_BH, known_BH=np.ones_like(y_BH)
        )

    train, tune, fresh = (labelled(seed) for seed in (1, 2, 3))
    config = TtmLoraConfig(
        epochs=3, batch_size=32, learning_rate=1e-3, head_learning_rate=1e-2
    )
    y_BH, _ = fresh.labels
    score_BH = TtmLora.fit(train, tune, config, Fitting(packaged_encoder)).score(fresh)
    for h in range(3):
        assert (
            average_precision_score(y_BH[:, h], score_BH[:, h])
            > y_BH[:, h].mean() + 0.4
        )


def test_windows_of_another_number_of_points_are_refused_with_both_widths() -> None:
    with pytest.raises(
        BundleError, match=r"windows have 6 inputs, the model expects 4"
    ):
        fitted().score(windows(3, points=3))
