"""`cnn1d`: the 1D-CNN seed's network, and what it can learn. What every family owes is in test_contracts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from hvac.errors import ConfigError
from hvac.models.cnn1d import SHORTEST, Cnn1d, Cnn1dConfig, Convolutions
from hvac.models.family import Fitting, no_encoder
from hvac.models.network import Shape
from tests.models.models_example import windows


def network(
    *, length: int = 100, points: int = 1, horizons: int = 1, **settings: Any
) -> Convolutions:
    torch.manual_seed(3)
    shape = Shape(
        points=points, horizons=horizons, positions=(length,), columns=(points,)
    )
    return Convolutions(Cnn1dConfig(**settings), shape).eval()


def keras_parameters(steps: int, channels: int) -> int:
    """Conv1D(32, 3), MaxPooling1D(2), Conv1D(64, 3), GlobalMaxPooling1D, Dense(64), Dense(1), layer by layer."""
    layers = [(3 * channels + 1) * 32, 0, (3 * 32 + 1) * 64, 0, (64 + 1) * 64, 64 + 1]
    assert (steps - 2) // 2 - 2 > 0
    return sum(layers)


@pytest.mark.parametrize("length", [100, 90])
def test_one_point_and_one_output_have_the_seeds_number_of_parameters(
    length: int,
) -> None:
    found = sum(p.numel() for p in network(length=length).trainable())
    assert found == keras_parameters(length, 1) == 10_561


def test_network_is_two_convolutions_a_pool_a_maximum_over_time_and_two_layers() -> (
    None
):
    cnn = network(length=20, points=2, horizons=3)
    value_BLC = np.random.default_rng(0).normal(size=(4, 20, 2))
    first, first_bias, second, second_bias, *head = (
        p.detach().double().numpy() for p in cnn.parameters()
    )

    def convolve(x_BLC: Any, weight: Any, bias: Any) -> Any:
        steps = x_BLC.shape[1] - 2
        patches = np.stack([x_BLC[:, step : step + 3] for step in range(steps)], axis=1)
        return np.maximum(np.einsum("blkc,ock->blo", patches, weight) + bias, 0)

    hidden = convolve(value_BLC, first, first_bias)
    hidden = hidden[:, : hidden.shape[1] // 2 * 2].reshape(4, -1, 2, 32).max(axis=2)
    hidden = convolve(hidden, second, second_bias).max(axis=1)
    expected_BH = np.maximum(hidden @ head[0].T + head[1], 0) @ head[2].T + head[3]
    with torch.inference_mode():
        found_HB = cnn(torch.from_numpy(value_BLC.astype(np.float32))).numpy()
    np.testing.assert_allclose(found_HB.T, expected_BH, atol=1e-5)


def test_defaults_are_plain_cross_entropy_with_adam_as_in_the_seed() -> None:
    found = Cnn1dConfig()
    assert (found.gamma, found.alpha, found.weight_decay, found.learning_rate) == (
        0.0,
        "none",
        0.0,
        1e-3,
    )
    assert (found.filters, found.hidden, found.dropout) == ((32, 64), 64, 0.0)


def test_windows_too_short_for_the_convolutions_are_refused_with_both_lengths() -> None:
    network(length=SHORTEST)
    with pytest.raises(
        ConfigError, match=rf"at least {SHORTEST} steps, found {SHORTEST - 1}"
    ):
        network(length=SHORTEST - 1)


def test_fit_finds_a_spike_wherever_it_lies() -> None:
    """A spike at a random place, which no statistic of a single day can show."""
    rng = np.random.default_rng(5)

    def made(rows: int) -> Any:
        plain = windows(rows, without=("f_BCF", "z_BCE", "k_BK"))
        x_BCL = rng.normal(0, 0.1, (rows, 1, 90)).astype(np.float32)
        y_B = np.arange(rows) % 2 == 0
        for row in np.flatnonzero(y_B):
            start = rng.integers(0, 85)
            x_BCL[row, 0, start : start + 5] += 2
        y_BH = np.repeat(y_B[:, None], 3, axis=1)
        return replace(plain, x_BCL=x_BCL, y_BH=y_BH, known_BH=np.ones_like(y_BH))

    config = Cnn1dConfig(epochs=4, batch_size=16)
    model = Cnn1d.fit(made(120), made(40), config, Fitting(no_encoder))
    held_out = made(40)
    score_BH, (y_BH, _) = model.score(held_out), held_out.labels
    assert min(roc_auc_score(y_BH[:, h], score_BH[:, h]) for h in range(3)) >= 0.98
