"""`hybrid`: the seed's v2.1 classifier, its inputs, its state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from hvac.errors import BundleError, ConfigError
from hvac.models.family import Fitting, no_encoder, prepared
from hvac.models.fitting import FitState
from hvac.models.hybrid import Hybrid, HybridClassifier, HybridConfig
from hvac.models.scaling import fit_scaler
from tests.models.models_example import fit_family, windows

SEED_ENCODER, ADAPTERS = 103_934, 29_504


def unfitted(
    config: HybridConfig | None = None, *, points: int = 1, horizons: int = 3
) -> Hybrid:
    made = windows(200, points=points)
    y_BH, known_BH = made.labels
    seen = replace(made, y_BH=y_BH[:, :horizons], known_BH=known_BH[:, :horizons])
    return Hybrid.start(seen, config or HybridConfig(), no_encoder)


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def test_one_point_has_the_seeds_number_of_parameters() -> None:
    assert parameters(HybridClassifier(92)) == 20_609
    assert parameters(HybridClassifier(92)) + SEED_ENCODER + ADAPTERS == 154_047


def test_defaults_are_the_seeds_training() -> None:
    found = HybridConfig()
    assert (found.hidden, found.dropout, found.batch_size, found.epochs) == (
        (128, 64),
        0.3,
        128,
        20,
    )
    assert (found.learning_rate, found.final_learning_rate, found.weight_decay) == (
        5e-4,
        5e-5,
        0.01,
    )
    assert (found.clip, found.gamma) == (1.0, 3.0)


def test_classifier_is_linear_layer_norm_relu_twice_then_one_logit() -> None:
    torch.manual_seed(1)
    classifier = HybridClassifier(10, (6, 4)).eval()
    with torch.no_grad():
        for parameter in classifier.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    weights = [p.detach().numpy().astype(np.float64) for p in classifier.parameters()]
    hidden = input_BN = np.random.default_rng(0).normal(size=(5, 10))
    for weight, bias, scale, shift in (weights[0:4], weights[4:8]):
        hidden = hidden @ weight.T + bias
        centred = hidden - hidden.mean(axis=1, keepdims=True)
        hidden = np.maximum(
            centred / np.sqrt(hidden.var(axis=1, keepdims=True) + 1e-5) * scale + shift,
            0,
        )
    expected_B = (hidden @ weights[8].T + weights[9])[:, 0]
    with torch.inference_mode():
        found_B = classifier(torch.from_numpy(input_BN.astype(np.float32))).numpy()
    np.testing.assert_allclose(found_B, expected_B, atol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_input_that_is_not_finite_counts_as_the_training_mean(bad: float) -> None:
    classifier = HybridClassifier(4).eval()
    with torch.inference_mode():
        found, mean = classifier(
            torch.tensor([[1.0, bad, 0.5, bad], [1.0, 0.0, 0.5, 0.0]])
        )
    assert float(found) == pytest.approx(float(mean), abs=1e-6)


def test_inputs_are_the_embedding_then_the_statistics_flattened_over_points() -> None:
    made = windows(4, points=3)
    assert made.z_BCE is not None
    assert made.f_BCF is not None
    (input_BSN,) = Hybrid.inputs(made, HybridConfig())
    assert input_BSN.shape == (4, 1, 3 * (64 + 28))
    np.testing.assert_array_equal(input_BSN[2, 0, : 3 * 64], made.z_BCE[2].ravel())
    np.testing.assert_array_equal(input_BSN[2, 0, 3 * 64 :], made.f_BCF[2].ravel())


def test_statistics_alone_need_no_embedding() -> None:
    config = HybridConfig(inputs=("features",))
    scored = unfitted(config).score(windows(5, without=("z_BCE",)))
    assert scored.shape == (5, 3)


def test_score_is_a_finite_logit_per_horizon_even_where_inputs_are_not_finite() -> None:
    made = windows(6)
    assert made.f_BCF is not None
    f_BCF = made.f_BCF.copy()
    f_BCF[0], f_BCF[1, 0, 3], f_BCF[2, 0, 4] = np.nan, np.inf, 1e30
    score_BH = unfitted().score(replace(made, f_BCF=f_BCF))
    assert score_BH.shape == (6, 3)
    assert np.isfinite(score_BH).all()


def test_score_does_not_depend_on_batch_size_or_row_order() -> None:
    model, made = unfitted(), windows(50)
    score_BH = model.score(made)
    order = np.random.default_rng(0).permutation(50)
    np.testing.assert_allclose(
        model.score(made.take(order)), score_BH[order], atol=1e-6
    )
    alone = np.concatenate(
        [model.score(made.take(np.array([row]))) for row in range(50)]
    )
    np.testing.assert_allclose(alone, score_BH, atol=1e-6)


def test_score_does_not_change_its_windows() -> None:
    made = windows(10)
    assert made.f_BCF is not None
    before = made.f_BCF.copy()
    unfitted().score(made)
    np.testing.assert_array_equal(made.f_BCF, before)


def test_fitted_model_scores_without_dropout() -> None:
    train, made = windows(100), windows(20, seed=2)
    model = fit_family("hybrid", train, windows(50, seed=1), epochs=1, dropout=0.9)
    assert not any(module.training for module in model.network.modules())
    np.testing.assert_array_equal(model.score(made), model.score(made))


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("horizons", [1, 3])
def test_state_restores_to_bit_equal_scores(horizons: int, members: int) -> None:
    model, made = (
        unfitted(HybridConfig(members=members), horizons=horizons),
        windows(30),
    )
    state = model.state()
    assert all(isinstance(array, np.ndarray) for array in state.values())
    again = Hybrid.restore(
        model.config, {name: array.copy() for name, array in state.items()}, no_encoder
    )
    assert again.shape == model.shape
    assert again.parameters == members * horizons * 20_609
    np.testing.assert_array_equal(again.score(made), model.score(made))


def test_members_are_drawn_apart_and_their_logits_averaged() -> None:
    model, made = unfitted(HybridConfig(members=3)), windows(30)
    (scaled_BSN,) = model.rows(made).inputs
    with torch.inference_mode():
        logit_MHB = model.network(torch.from_numpy(scaled_BSN)).numpy()
    assert logit_MHB.shape == (3, 3, 30)
    assert not np.allclose(logit_MHB[0], logit_MHB[1], atol=0.01)
    np.testing.assert_allclose(model.score(made), logit_MHB.mean(axis=0).T, atol=1e-6)


def test_windows_of_another_number_of_points_are_refused_with_both_widths() -> None:
    with pytest.raises(BundleError, match=r"184.*92"):
        unfitted().score(windows(3, points=2))


@pytest.mark.parametrize(
    ("lost", "told"), [("z_BCE", "embedding"), ("f_BCF", "features")]
)
def test_windows_without_a_block_are_refused_in_one_sentence(
    lost: str, told: str
) -> None:
    with pytest.raises(BundleError, match=told) as caught:
        prepared(windows(3, without=(lost, "x_BCL")), HybridConfig().needs, no_encoder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"dropout": 1.0},
        {"learning_rate": 0},
        {"gamma": -1},
        {"epochs": 0},
        {"alpha": "x"},
        {"members": 0},
        {"patience": 0},
        {"windows_per_epoch": 0},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        HybridConfig(**wrong)


def test_unknown_setting_names_its_nearest_neighbour() -> None:
    with pytest.raises(ConfigError, match="did you mean 'dropout'"):
        HybridConfig(dropuot=0.1)


def test_fit_scales_with_training_statistics_and_finds_the_signal() -> None:
    train, tune, fresh = (windows(400, seed=seed) for seed in range(3))
    model = fit_family("hybrid", train, tune, epochs=6, learning_rate=5e-3)
    (input_BSN,) = Hybrid.inputs(train, HybridConfig())
    for found, wanted in zip(
        model.scalers[0], fit_scaler(input_BSN[:, 0]), strict=True
    ):
        np.testing.assert_array_equal(found, wanted)
    y_BH, _ = fresh.labels
    assert (
        average_precision_score(y_BH[:, 1], model.score(fresh)[:, 1])
        > y_BH[:, 1].mean() + 0.3
    )


def test_more_of_the_planted_sign_raises_the_score() -> None:
    model = fit_family(
        "hybrid",
        windows(400, seed=0),
        windows(200, seed=1),
        epochs=6,
        learning_rate=5e-3,
    )
    calm = windows(50, seed=2)
    assert calm.f_BCF is not None
    assert calm.z_BCE is not None
    f_BCF, z_BCE = calm.f_BCF.copy(), calm.z_BCE.copy()
    f_BCF[:, 0, 0] += 2
    z_BCE[:, 0, 0] += 2
    assert (
        model.score(replace(calm, f_BCF=f_BCF, z_BCE=z_BCE)) > model.score(calm)
    ).mean() > 0.95


def test_rows_are_standardised_inputs_beside_their_labels() -> None:
    made, model = windows(30), unfitted()
    found = model.rows(made)
    (input_BSN,) = Hybrid.inputs(made, model.config)
    np.testing.assert_array_equal(
        found.inputs[0], model.scalers[0].transform(input_BSN)
    )
    assert found.y_BH is made.y_BH
    np.testing.assert_array_equal(found.w_BH > 0, made.known_BH)


def test_fitted_model_is_the_best_epoch_of_every_horizon() -> None:
    seen: list[FitState] = []
    tune, setting = windows(40, seed=1), HybridConfig(epochs=8, learning_rate=5e-3)
    model = Hybrid.fit(
        windows(200), tune, setting, Fitting(no_encoder, report=seen.append)
    )
    y_BH, known_BH = tune.labels
    for h, known_B in enumerate(known_BH.T):
        found = average_precision_score(y_BH[known_B, h], model.score(tune)[known_B, h])
        assert found == pytest.approx(seen[-1].best_score[h], abs=1e-6)
    assert min(seen[-1].best_epoch) < 8, (
        "the example must have a best epoch before the last"
    )


# The inputs that go along with the label most


def test_the_inputs_that_carry_the_label_are_kept() -> None:
    """The first statistic and the first number of the embedding carry it; the rest is noise."""
    model = fit_family(
        "hybrid", windows(300, seed=1), windows(100, seed=2), epochs=2, most_inputs=4
    )
    assert model.chosen_N is not None
    assert (len(model.chosen_N), model.chosen_N.sum()) == (92, 4)
    assert model.chosen_N[[0, 64]].all()
    assert model.shape.columns == (4,)


def test_model_of_chosen_inputs_looks_at_no_other_and_restores_to_the_same_scores() -> (
    None
):
    model = fit_family(
        "hybrid", windows(300, seed=1), windows(100, seed=2), epochs=2, most_inputs=4
    )
    fresh = windows(50, seed=3)
    again = Hybrid.restore(
        model.config, {n: np.array(a) for n, a in model.state().items()}, no_encoder
    )
    np.testing.assert_array_equal(again.chosen_N, model.chosen_N)
    np.testing.assert_array_equal(again.score(fresh), model.score(fresh))
    assert model.chosen_N is not None
    f_BCF = np.where(model.chosen_N[64:], np.asarray(fresh.f_BCF), 9.0).astype(
        np.float32
    )
    np.testing.assert_array_equal(
        model.score(replace(fresh, f_BCF=f_BCF)), model.score(fresh)
    )


def test_model_of_chosen_inputs_refuses_windows_of_another_number_of_points() -> None:
    model = fit_family(
        "hybrid",
        windows(300, points=2, seed=1),
        windows(60, points=2, seed=2),
        epochs=1,
        most_inputs=4,
    )
    for points in (1, 3):
        with pytest.raises(
            BundleError,
            match=f"windows have {92 * points} inputs, the model expects 184",
        ):
            model.score(windows(3, points=points))


def test_all_inputs_are_kept_where_there_are_no_more_than_asked_for() -> None:
    settings = {"epochs": 1}
    few, all_of = (fit_family("hybrid", windows(200, seed=1), windows(60, seed=2), **settings, **more)
                   for more in ({"most_inputs": 92}, {}))  # fmt: skip
    assert few.chosen_N is None
    np.testing.assert_array_equal(
        few.score(windows(20, seed=3)), all_of.score(windows(20, seed=3))
    )


def test_unknown_labels_have_no_say_in_the_choice_of_inputs() -> None:
    train = windows(300, seed=1)
    flipped = replace(train, y_BH=train.labels[0] ^ ~train.labels[1])
    config = HybridConfig(most_inputs=4)
    one, two = (
        Hybrid.choose(Hybrid.inputs(each, config)[0], each, config)
        for each in (train, flipped)
    )
    np.testing.assert_array_equal(one, two)
