"""Fitting all horizons at once equals fitting each alone: known labels only, best epoch by tune, resumed as left."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.metrics import average_precision_score

from hvac.errors import HvacError
from hvac.models.fitting import Counts, FitState, Rows, Stack, count, fit_classifiers, fit_hybrid, rows_of, to_hybrid
from hvac.models.hybrid import HybridClassifier, HybridConfig, hybrid_inputs
from hvac.models.losses import focal_loss
from hvac.models.scaling import Scaler, fit_scaler
from tests.models.models_example import bundle, packaged_encoder, windows

INPUTS = 6


def rows(number: int = 300, *, seed: int = 0, horizons: int = 3) -> Rows:
    """Inputs whose first column carries the label; a fifth of the labels is unknown."""
    rng = np.random.default_rng(seed)
    input_BN = rng.normal(size=(number, INPUTS)).astype(np.float32)
    y_BH = input_BN[:, :1] + rng.normal(0, 0.5, (number, horizons)) > np.array([1.0, 0.5, 0.0])[:horizons]
    return Rows(input_BN, y_BH, rng.random((number, horizons)) < 0.8)


def counts(train: Rows) -> Counts:
    positive_H, known_H = (train.y_BH & train.known_BH).sum(axis=0), train.known_BH.sum(axis=0)
    return Counts(len(train.y_BH), tuple(positive_H.tolist()), tuple(known_H.tolist()))


def config(**more: Any) -> HybridConfig:
    return HybridConfig(**{"epochs": 4, "batch_size": 64, "dropout": 0.0, "learning_rate": 5e-3, **more})


def fit(train: Rows, tune: Rows | None = None, **more: Any) -> FitState:
    state = more.pop("state", None)
    report = more.pop("report", lambda state: None)
    tune = rows(200, seed=1, horizons=train.y_BH.shape[1]) if tune is None else tune
    return fit_classifiers(train, tune, config(**more), counts=counts(train), state=state, report=report)


def assert_same(one: FitState, other: FitState, *, atol: float = 0.0) -> None:
    assert one.epoch == other.epoch
    np.testing.assert_allclose(one.best_score_H, other.best_score_H, atol=atol)
    for mine, theirs in zip((*one.best_H, one.module), (*other.best_H, other.module), strict=True):
        assert mine.keys() == theirs.keys()
        for name in mine:
            torch.testing.assert_close(mine[name], theirs[name], atol=atol, rtol=0.0)


def only(source: Rows, h: int) -> Rows:
    return Rows(source.input_BN, source.y_BH[:, h : h + 1], source.known_BH[:, h : h + 1])


def start_of(classifier: HybridClassifier) -> FitState:
    """A fit of one classifier that has not begun, with given weights."""
    stack = Stack([classifier], 0.0)
    optimiser = torch.optim.AdamW(stack.parameters(), lr=1e-3, eps=1e-8, fused=True)
    return FitState(
        module=dict(stack.state_dict()),
        optimiser=optimiser.state_dict(),
        best_H=[{}],
        best_score_H=[-1.0],
        history_H=[[]],
    )


# The stack


def test_stack_gives_the_logits_of_its_single_classifiers() -> None:
    torch.manual_seed(0)
    made = [HybridClassifier(INPUTS).eval() for _ in range(3)]
    input_BN = torch.randn(40, INPUTS)
    with torch.inference_mode():
        stacked_HB = Stack(made, 0.3).eval()(input_BN)
        single_HB = torch.stack([classifier(input_BN) for classifier in made])
    torch.testing.assert_close(stacked_HB, single_HB, atol=1e-6, rtol=1e-6)


def test_stack_gives_back_the_state_of_each_classifier() -> None:
    made = [HybridClassifier(INPUTS) for _ in range(3)]
    stack = Stack(made, 0.3)
    assert sum(p.numel() for p in stack.parameters()) == 3 * sum(p.numel() for p in made[0].parameters())
    for h, classifier in enumerate(made):
        for name, tensor in classifier.state_dict().items():
            assert torch.equal(stack.of_horizon(h)[name], tensor)


def test_stack_drops_out_in_training_only() -> None:
    stack, input_BN = Stack([HybridClassifier(INPUTS)], 0.5), torch.randn(40, INPUTS)
    assert not torch.equal(stack.train()(input_BN), stack.train()(input_BN))
    assert torch.equal(stack.eval()(input_BN), stack.eval()(input_BN))


# All at once equals one by one


@pytest.mark.parametrize("h", [0, 1, 2])
def test_fitting_stacked_gives_what_fitting_each_alone_gives(h: int) -> None:
    train, tune = rows(), rows(200, seed=1)
    together = fit(train, tune)
    torch.manual_seed(config().seed)
    start = [HybridClassifier(INPUTS, (128, 64), 0.0) for _ in range(3)][h]
    alone = fit(only(train, h), only(tune, h), state=start_of(start))
    assert alone.best_score_H[0] == pytest.approx(together.best_score_H[h], abs=1e-6)
    for name, tensor in alone.best_H[0].items():
        torch.testing.assert_close(together.best_H[h][name], tensor, atol=2e-5, rtol=0.0)


def plain_fit(train: Rows, h: int, setting: HybridConfig, start: HybridClassifier) -> HybridClassifier:
    """The slow, obvious fit of one horizon: one batch an epoch, torch's own schedule and clipping."""
    known_B = train.known_BH[:, h]
    y_B = torch.from_numpy(train.y_BH[known_B, h].astype(np.float32))
    input_BN = torch.from_numpy(train.input_BN[known_B])
    classifier = copy.deepcopy(start)
    optimiser = torch.optim.AdamW(
        classifier.parameters(), lr=setting.learning_rate, weight_decay=setting.weight_decay, eps=1e-8
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimiser, T_max=setting.epochs, eta_min=setting.final_learning_rate
    )
    for _ in range(setting.epochs):
        loss = focal_loss(classifier(input_BN), y_B, gamma=setting.gamma, alpha=1 - float(y_B.mean()))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(classifier.parameters(), setting.clip)
        optimiser.step()
        schedule.step()
    return classifier


@pytest.mark.parametrize("clip", [1.0, 0.01])
def test_fitting_equals_a_plain_loop_with_cosine_focal_loss_and_clipping_of_each_classifier(clip: float) -> None:
    train = rows(60)
    setting = config(batch_size=60, epochs=6, clip=clip)
    found = fit(train, batch_size=60, epochs=6, clip=clip)
    torch.manual_seed(setting.seed)
    starts = [HybridClassifier(INPUTS, (128, 64), 0.0) for _ in range(3)]
    for h, start in enumerate(starts):
        expected = plain_fit(train, h, setting, start).state_dict()
        for name, tensor in expected.items():
            torch.testing.assert_close(found.module[name.replace(".", "_")][h], tensor, atol=3e-4, rtol=0.0)


def test_a_horizon_with_large_gradients_does_not_shrink_the_steps_of_another() -> None:
    """Clipping is per classifier: what another horizon's labels are changes nothing."""
    train = rows(200)
    easy = train._replace(y_BH=np.column_stack([train.y_BH[:, 0], train.input_BN[:, 1] > 0, train.y_BH[:, 2]]))
    one, two = (fit(each, gamma=0.0, clip=0.05) for each in (train, easy))
    assert not torch.equal(one.best_H[1]["layers.8.weight"], two.best_H[1]["layers.8.weight"])
    for h in (0, 2):
        for name in one.best_H[h]:
            torch.testing.assert_close(one.best_H[h][name], two.best_H[h][name], atol=1e-6, rtol=0.0)


# What is learned


def test_planted_signal_raises_tune_pr_auc_well_above_the_base_rate() -> None:
    train, tune = rows(600), rows(400, seed=1)
    state = fit(train, tune, epochs=8, dropout=0.3)
    for h in range(3):
        base = tune.y_BH[tune.known_BH[:, h], h].mean()
        assert state.best_score_H[h] > base + 0.6 * (1 - base)
        assert state.history_H[h][-1]["train_loss"] < state.history_H[h][0]["train_loss"]


def test_shuffled_labels_teach_nothing() -> None:
    train, fresh = rows(600), rows(2000, seed=9)
    order = np.random.default_rng(0).permutation(600)
    state = fit(train._replace(y_BH=train.y_BH[order]), epochs=3)
    scaler = Scaler(*(np.full(INPUTS, v, np.float32) for v in (-9, 9, 0, 1)))
    (first, *_) = to_hybrid(state, scaler, config()).classifiers
    with torch.inference_mode():
        logit_B = first(torch.from_numpy(fresh.input_BN)).numpy()
    assert average_precision_score(fresh.y_BH[:, 0], logit_B) < 0.5


@pytest.mark.parametrize("alpha", ["balanced", "prevalence", 0.3])
def test_every_way_to_weigh_the_positives_learns(alpha: Any) -> None:
    assert min(fit(rows(600), alpha=alpha, epochs=6).best_score_H) > 0.6


def test_history_has_a_row_per_epoch_with_finite_losses() -> None:
    state = fit(rows())
    for row_E in state.history_H:
        assert [row["epoch"] for row in row_E] == [1.0, 2.0, 3.0, 4.0]
        assert all(np.isfinite([row["train_loss"], row["tune_loss"], row["tune_pr_auc"]]).all() for row in row_E)
        assert all(row["skipped"] == 0 for row in row_E)


# The epoch that is kept


def test_best_epoch_is_the_first_with_the_highest_tune_pr_auc() -> None:
    seen: list[FitState] = []
    tune = rows(30, seed=1)
    state = fit(rows(), tune, epochs=8, report=lambda s: seen.append(copy.deepcopy(s)))
    kept = []
    for h in range(3):
        score_E = [row["tune_pr_auc"] for row in state.history_H[h]]
        kept.append(int(np.argmax(score_E)))
        assert state.best_score_H[h] == max(score_E)
        for name, tensor in state.best_H[h].items():
            assert torch.equal(tensor, seen[kept[-1]].module[name.replace(".", "_")][h])
    assert kept != [7, 7, 7], "the example must have a best epoch before the last"


def test_best_epoch_of_a_horizon_does_not_depend_on_the_others() -> None:
    train, tune = rows(), rows(30, seed=1)
    flipped = tune._replace(y_BH=np.column_stack([tune.y_BH[:, 0], ~tune.y_BH[:, 1:]]))
    one, two = fit(train, tune), fit(train, flipped)
    assert one.best_score_H[0] == two.best_score_H[0]
    assert torch.equal(one.best_H[0]["layers.0.weight"], two.best_H[0]["layers.0.weight"])


def test_last_epoch_is_kept_where_tune_has_one_class() -> None:
    tune = rows(100, seed=1)
    state = fit(rows(), tune._replace(y_BH=np.zeros_like(tune.y_BH)))
    for h in range(3):
        assert all(np.isnan(row["tune_pr_auc"]) for row in state.history_H[h])
        assert torch.equal(state.best_H[h]["layers.8.weight"], state.module["layers_8_weight"][h])


def test_tune_pr_auc_is_that_of_the_known_labels() -> None:
    train, tune = rows(), rows(200, seed=1)
    state = fit(train, tune, epochs=1)
    scaler = Scaler(*(np.full(INPUTS, v, np.float32) for v in (-9, 9, 0, 1)))
    for h, classifier in enumerate(to_hybrid(state, scaler, config()).classifiers):
        with torch.inference_mode():
            logit_B = classifier(torch.from_numpy(tune.input_BN)).numpy()
        known_B = tune.known_BH[:, h]
        expected = average_precision_score(tune.y_BH[known_B, h], logit_B[known_B])
        assert state.best_score_H[h] == pytest.approx(expected, abs=1e-6)


# Repeating and resuming


def test_same_seed_gives_the_same_fit_and_another_seed_another() -> None:
    one, two, other = fit(rows(), dropout=0.3), fit(rows(), dropout=0.3), fit(rows(), dropout=0.3, seed=1)
    assert_same(one, two)
    assert not torch.equal(one.best_H[0]["layers.0.weight"], other.best_H[0]["layers.0.weight"])


@pytest.mark.parametrize("after", [1, 3])
def test_resumed_fit_equals_the_uninterrupted_one(after: int) -> None:
    """Without dropout. With it, the dropout masks after a resume are those of a fit that starts anew."""
    seen: list[FitState] = []
    whole = fit(rows(), epochs=5, report=lambda s: seen.append(copy.deepcopy(s)))
    resumed = fit(rows(), epochs=5, state=seen[after - 1])
    assert_same(resumed, whole)
    assert resumed.history_H == whole.history_H


def test_finished_fit_is_not_fitted_further() -> None:
    done = fit(rows())
    again = fit(rows(), state=copy.deepcopy(done))
    assert_same(again, done)


def test_report_is_called_after_every_epoch_with_the_state_so_far() -> None:
    seen: list[tuple[int, int]] = []
    fit(rows(), report=lambda s: seen.append((s.epoch, len(s.history_H[2]))))
    assert seen == [(1, 1), (2, 2), (3, 3), (4, 4)]


# Unknown labels, numbers that are not finite


@pytest.mark.parametrize("part", ["train", "tune"])
def test_unknown_labels_have_no_influence(part: str) -> None:
    parts = {"train": rows(), "tune": rows(200, seed=1)}
    plain = fit(**parts)
    parts[part] = parts[part]._replace(y_BH=parts[part].y_BH ^ ~parts[part].known_BH)
    assert_same(fit(**parts), plain)


def test_horizon_without_any_known_label_stays_finite() -> None:
    train = rows()
    known_BH = train.known_BH.copy()
    known_BH[:, 1] = False
    state = fit(train._replace(known_BH=known_BH))
    assert all(torch.isfinite(tensor).all() for best in state.best_H for tensor in best.values())


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_batch_whose_loss_is_not_finite_is_skipped_and_counted(bad: float) -> None:
    train = rows()
    input_BN: npt.NDArray[np.float32] = train.input_BN.copy()
    input_BN[17] = bad
    state = fit(train._replace(input_BN=input_BN))
    for h in range(3):
        assert [row["skipped"] for row in state.history_H[h]] == [1.0] * 4
        assert all(np.isfinite(row["train_loss"]) for row in state.history_H[h])
        assert all(torch.isfinite(tensor).all() for tensor in state.best_H[h].values())
    assert min(state.best_score_H) > 0.6


def test_fit_that_skips_every_batch_keeps_its_first_weights_and_says_so() -> None:
    train = rows()
    state = fit(train._replace(input_BN=np.full_like(train.input_BN, np.nan)))
    torch.manual_seed(config().seed)
    start = Stack([HybridClassifier(INPUTS, (128, 64), 0.0) for _ in range(3)], 0.0).state_dict()
    assert all(row["skipped"] == 5 for row in state.history_H[0])
    assert all(torch.equal(state.module[name], tensor) for name, tensor in start.items())


@pytest.mark.parametrize("rate", [1e4, 1e38])
def test_learning_rate_that_overflows_the_weights_ends_in_finite_weights_or_one_sentence(rate: float) -> None:
    """A sweep may draw it; the third and fourth layers against NaN (model, loss) are for this."""
    message, state = "", None
    try:
        state = fit(rows(), learning_rate=rate, final_learning_rate=rate / 2)
    except HvacError as error:
        message = str(error)
    assert "\n" not in message
    assert bool(message) or state is not None
    assert state is None or all(torch.isfinite(tensor).all() for best in state.best_H for tensor in best.values())


# The whole family


def test_fit_hybrid_scales_with_training_statistics_and_finds_the_signal() -> None:
    train, tune, fresh = (windows(400, seed=seed) for seed in range(3))
    model = fit_hybrid(train, tune, HybridConfig(epochs=6, learning_rate=5e-3))
    expected = fit_scaler(hybrid_inputs(train, HybridConfig()))
    for found, wanted in zip(model.scaler, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert fresh.y_BH is not None
    score_BH = model.score(fresh)
    assert average_precision_score(fresh.y_BH[:, 1], score_BH[:, 1]) > fresh.y_BH[:, 1].mean() + 0.3


def test_more_of_the_planted_sign_raises_the_score() -> None:
    model = fit_hybrid(windows(400, seed=0), windows(200, seed=1), HybridConfig(epochs=6, learning_rate=5e-3))
    calm = windows(50, seed=2)
    assert calm.f_BCF is not None
    assert calm.z_BCE is not None
    f_BCF, z_BCE = calm.f_BCF.copy(), calm.z_BCE.copy()
    f_BCF[:, 0, 0] += 2
    z_BCE[:, 0, 0] += 2
    assert (model.score(replace(calm, f_BCF=f_BCF, z_BCE=z_BCE)) > model.score(calm)).mean() > 0.95


def test_rows_are_standardised_inputs_beside_their_labels() -> None:
    made, setting = windows(30), HybridConfig()
    scaler = fit_scaler(hybrid_inputs(made, setting))
    found = rows_of(made, scaler, setting)
    np.testing.assert_array_equal(found.input_BN, scaler.transform(hybrid_inputs(made, setting)))
    assert found.y_BH is made.y_BH
    assert found.known_BH is made.known_BH


def test_counts_are_of_known_labels() -> None:
    made = windows(30)
    assert made.y_BH is not None
    assert made.known_BH is not None
    found = count(made)
    assert found.windows == 30
    for h in range(3):
        known_B = made.known_BH[:, h]
        assert (found.positive_H[h], found.known_H[h]) == (made.y_BH[known_B, h].sum(), known_B.sum())


def test_fitting_and_saving_leave_the_encoders_weights_as_they_were(tmp_path: Any) -> None:
    from hvac.features.encoder import state_hash

    encoder = packaged_encoder()
    made = bundle()
    made.save(tmp_path)
    assert state_hash(encoder.model.state_dict()) == made.encoder_sha256
    assert state_hash(made.encoder.model.state_dict()) == made.encoder_sha256
