"""`lstm`: the seed's v1.0, its inputs, its architecture, what it learns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from hvac.errors import BundleError, ConfigError
from hvac.features.table import Windows
from hvac.models.family import Fitting, no_encoder
from hvac.models.lstm import Lstm, LstmConfig, Recurrent
from hvac.models.network import Shape
from tests.models.models_example import windows

SMALL: dict[str, Any] = {"hidden": 8, "days_per_step": 10}


def unfitted(*, points: int = 2, **settings: Any) -> Lstm:
    return Lstm.start(
        windows(60, points=points), LstmConfig(**{**SMALL, **settings}), no_encoder
    )


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def slow_logits(network: Recurrent, value_SC: Any) -> Any:
    """The textbook's recurrence, a window and a gate at a time."""
    weight = {
        name: p.detach().double().numpy() for name, p in network.named_parameters()
    }
    steps = list(value_SC)
    for layer in range(2):
        hidden = cell = np.zeros(network.lstm.hidden_size)
        out = []
        for step in steps:
            gates = (
                weight[f"lstm.weight_ih_l{layer}"] @ step
                + weight[f"lstm.bias_ih_l{layer}"]
            )
            gates = (
                gates
                + weight[f"lstm.weight_hh_l{layer}"] @ hidden
                + weight[f"lstm.bias_hh_l{layer}"]
            )
            enter, forget, candidate, leave = np.split(gates, 4)
            cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(candidate)
            hidden = sigmoid(leave) * np.tanh(cell)
            out.append(hidden)
        steps = out
    last = steps[-1]
    last = (last - last.mean()) / np.sqrt(last.var() + 1e-5) * weight[
        "norm.weight"
    ] + weight["norm.bias"]
    return weight["head.weight"] @ last + weight["head.bias"]


def test_defaults_are_the_seeds_architecture() -> None:
    config = LstmConfig()
    assert (config.layers, config.hidden, config.dropout) == (2, 128, 0.3)
    layers = 4 * 128 * (5 + 128) + 4 * 128 * (128 + 128) + 2 * (2 * 4 * 128)
    network = Recurrent(
        config, Shape(points=5, horizons=3, positions=(90,), columns=(5,))
    )
    assert sum(p.numel() for p in network.parameters()) == layers + 2 * 128 + 3 * (
        128 + 1
    )
    assert network.lstm.dropout == network.dropout.p == 0.3


def test_logits_are_two_lstm_layers_then_layer_norm_of_the_last_state_then_a_head_per_horizon() -> (
    None
):
    torch.manual_seed(1)
    network = Recurrent(
        LstmConfig(hidden=6), Shape(points=3, horizons=2, positions=(7,), columns=(3,))
    ).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape))
    value_BSC = np.random.default_rng(0).normal(size=(4, 7, 3))
    with torch.inference_mode():
        found_HB = network(torch.from_numpy(value_BSC.astype(np.float32))).numpy()
    expected_BH = np.stack([slow_logits(network, value_SC) for value_SC in value_BSC])
    np.testing.assert_allclose(found_HB.T, expected_BH, atol=1e-5)


def test_a_step_is_the_mean_of_its_days_oldest_first_and_ends_with_the_last_day() -> (
    None
):
    x_BCL = np.random.default_rng(0).normal(size=(3, 2, 90)).astype(np.float32)
    (step_BSC,) = Lstm.inputs(
        replace(windows(3, points=2), x_BCL=x_BCL), LstmConfig(days_per_step=7)
    )
    assert step_BSC.shape == (3, 12, 2)
    assert step_BSC.flags.c_contiguous
    np.testing.assert_allclose(
        step_BSC[:, -1], x_BCL[:, :, 83:].mean(axis=2), rtol=1e-5
    )
    np.testing.assert_allclose(
        step_BSC[:, 0], x_BCL[:, :, 6:13].mean(axis=2), rtol=1e-5
    )


def test_one_day_per_step_gives_the_days_themselves() -> None:
    made = windows(3, points=2)
    (step_BSC,) = Lstm.inputs(made, LstmConfig(days_per_step=1))
    np.testing.assert_array_equal(step_BSC, np.asarray(made.x_BCL).transpose(0, 2, 1))


def test_scores_do_not_depend_on_the_unit_of_a_point() -> None:
    made = windows(60, points=2)
    other = replace(
        made,
        x_BCL=np.asarray(made.x_BCL) * np.float32([[1.0], [1000.0]])
        + np.float32([[0.0], [273.0]]),
    )
    config = LstmConfig(**SMALL)
    one, same = (
        Lstm.start(each, config, no_encoder).score(each) for each in (made, other)
    )
    np.testing.assert_allclose(one, same, atol=1e-3)
    assert np.ptp(one, axis=0).min() > 1e-2


def test_the_order_of_days_matters() -> None:
    model, made = unfitted(), windows(20, points=2)
    reversed_days = replace(made, x_BCL=np.asarray(made.x_BCL)[..., ::-1])
    assert np.abs(model.score(made) - model.score(reversed_days)).min() > 0


def test_a_planted_trend_is_learned() -> None:
    def labelled(seed: int) -> Windows:
        made = windows(400, seed=seed)
        return replace(made, known_BH=np.ones_like(made.known_BH))

    train, tune, fresh = (labelled(seed) for seed in (1, 2, 3))
    config = LstmConfig(
        hidden=16, days_per_step=10, epochs=15, learning_rate=2e-2, batch_size=64
    )
    y_BH, _ = fresh.labels
    score_BH = Lstm.fit(train, tune, config, Fitting(no_encoder)).score(fresh)
    for h in range(3):
        assert (
            average_precision_score(y_BH[:, h], score_BH[:, h])
            > y_BH[:, h].mean() + 0.25
        )


def test_windows_shorter_than_a_step_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"days_per_step is 91.*90 days"):
        unfitted(days_per_step=91)


def test_windows_of_another_number_of_points_are_refused_with_both_widths() -> None:
    with pytest.raises(BundleError, match=r"3.*2"):
        unfitted().score(windows(3, points=3))


def test_one_layer_has_no_dropout_between_layers() -> None:
    assert unfitted(layers=1).network.lstm.dropout == 0.0
