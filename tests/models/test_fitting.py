"""Fitting all horizons at once equals fitting each alone: known labels only, best epoch by tune, resumed as left."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.metrics import average_precision_score
from torch import nn

from hvac.errors import HvacError
from hvac.features.encoder import state_hash
from hvac.models.family import no_encoder
from hvac.models.fit_rows import Counts, Rows, count
from hvac.models.fittable import Network
from hvac.models.fitting import FitState, Workers, fit_network
from hvac.models.hybrid import Hybrid, HybridClassifier, HybridConfig, Stack
from hvac.models.losses import focal_terms
from hvac.models.network import Shape
from tests.models.models_example import bundle, packaged_encoder, windows

INPUTS = 6


def rows(number: int = 300, *, seed: int = 0, horizons: int = 3) -> Rows:
    """Inputs whose first column carries the label; a fifth of the labels is unknown."""
    rng = np.random.default_rng(seed)
    input_BN = rng.normal(size=(number, INPUTS)).astype(np.float32)
    y_BH = (
        input_BN[:, :1] + rng.normal(0, 0.5, (number, horizons))
        > np.array([1.0, 0.5, 0.0])[:horizons]
    )
    return Rows(
        (input_BN[:, None],),
        y_BH,
        (rng.random((number, horizons)) < 0.8).astype(np.float32),
    )


def counts(train: Rows) -> Counts:
    positive_H, known_H = (
        (train.y_BH & (train.w_BH > 0)).sum(axis=0),
        (train.w_BH > 0).sum(axis=0),
    )
    return Counts(len(train.y_BH), tuple(positive_H.tolist()), tuple(known_H.tolist()))


def config(**more: Any) -> HybridConfig:
    return HybridConfig(
        **{"epochs": 4, "batch_size": 64, "dropout": 0.0, "learning_rate": 5e-3, **more}
    )


def network(setting: HybridConfig, horizons: int = 3) -> Stack:
    torch.manual_seed(setting.seed)
    return Hybrid.build(setting, Shape(1, horizons, (1,), (INPUTS,)), no_encoder)


def fit(train: Rows, tune: Rows | None = None, **more: Any) -> FitState:
    given = {
        name: more.pop(name) for name in ("state", "report", "workers") if name in more
    }
    made = more.pop("network", None) or network(config(**more), train.y_BH.shape[1])
    tune = rows(200, seed=1, horizons=train.y_BH.shape[1]) if tune is None else tune
    return fit_network(
        made,
        train,
        tune,
        config(**more),
        counts=given.pop("counts", counts(train)),
        **given,
    )


def seen_by(
    train: Rows, tune: Rows | None = None, **more: Any
) -> tuple[FitState, list[FitState]]:
    """A fit, and its states after every epoch."""
    seen: list[FitState] = []
    state = fit(train, tune, report=lambda s: seen.append(copy.deepcopy(s)), **more)
    return state, seen


def logits(made: Network, source: Rows) -> npt.NDArray[np.float32]:
    """Log-odds of the risks: [H, B]."""
    with torch.inference_mode():
        found: npt.NDArray[np.float32] = made.read_out(
            made.eval()(*map(torch.from_numpy, source.inputs))
        ).numpy()
    return found


def pr_auc(logit_B: npt.NDArray[np.float32], source: Rows, h: int) -> float:
    known_B = source.w_BH[:, h] > 0
    return float(average_precision_score(source.y_BH[known_B, h], logit_B[known_B]))


def chosen(state: FitState, setting: HybridConfig) -> Stack:
    """The network with every part's best epoch."""
    made = network(setting)
    made.assemble(state.best)
    return made


def assert_same(one: FitState, other: FitState, *, atol: float = 0.0) -> None:
    assert one.epoch == other.epoch
    assert one.best_epoch == other.best_epoch
    np.testing.assert_allclose(one.best_score, other.best_score, atol=atol)
    for mine, theirs in zip(
        (*one.best, one.module), (*other.best, other.module), strict=True
    ):
        assert mine.keys() == theirs.keys()
        for name in mine:
            torch.testing.assert_close(mine[name], theirs[name], atol=atol, rtol=0.0)


def only(source: Rows, h: int) -> Rows:
    return Rows(source.inputs, source.y_BH[:, h : h + 1], source.w_BH[:, h : h + 1])


class Line(Network):
    """One linear layer on one input, shared by all horizons."""

    def __init__(self, horizons: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.horizons, self.layer = horizons, nn.Linear(INPUTS, horizons)

    def forward(self, input_BSN: torch.Tensor) -> torch.Tensor:
        logit_HB: torch.Tensor = self.layer(input_BSN.flatten(1)).T
        return logit_HB


class Noting(nn.Module):
    """A module that notes the first column of every batch it is trained on."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.batches: list[list[float]] = []

    def forward(self, input_BSN: torch.Tensor) -> torch.Tensor:
        self.batches.append(input_BSN[:, 0, 0].tolist())
        found: torch.Tensor = self.module(input_BSN)
        return found


def batches_of(
    train: Rows, *, workers: int = 1, of: Counts | None = None, **more: Any
) -> list[list[float]]:
    """The first input of every window, by step, over all epochs."""
    wrapped: list[Noting] = []

    def wrap(module: nn.Module) -> nn.Module:
        wrapped.append(Noting(module))
        return wrapped[0]

    fit_network(
        network(config(**more)), train, rows(50, seed=1), config(**more),
        counts=of or counts(train), workers=Workers(workers, wrap),
    )  # fmt: skip
    return wrapped[0].batches


# The stack


def test_stack_gives_the_logits_of_its_single_classifiers() -> None:
    torch.manual_seed(0)
    made = [HybridClassifier(INPUTS).eval() for _ in range(6)]
    input_BN = torch.randn(40, INPUTS)
    with torch.inference_mode():
        stacked_MHB = Stack(made, 0.3, horizons=3).eval()(input_BN[:, None])
        single_GB = torch.stack([classifier(input_BN) for classifier in made])
    assert stacked_MHB.shape == (2, 3, 40)
    torch.testing.assert_close(
        stacked_MHB.flatten(0, 1), single_GB, atol=1e-6, rtol=1e-6
    )


def test_part_of_a_stack_holds_the_states_of_one_horizons_classifiers() -> None:
    made = [HybridClassifier(INPUTS) for _ in range(6)]
    stack = Stack(made, 0.3, horizons=3)
    assert sum(p.numel() for p in stack.parameters()) == 6 * sum(
        p.numel() for p in made[0].parameters()
    )
    assert stack.part_H == (0, 1, 2)
    for h in range(3):
        for name, tensor in stack.part(h).items():
            expected = [
                made[g].state_dict()[name.replace("_", ".")] for g in (h, h + 3)
            ]
            assert torch.equal(tensor, torch.stack(expected))


@pytest.mark.parametrize("members", [1, 2, 3])
def test_stack_assembled_from_its_own_parts_is_itself(members: int) -> None:
    made, other = (
        network(config(members=members)),
        network(config(members=members, seed=1)),
    )
    other.assemble([made.part(h) for h in range(3)])
    assert state_hash(other.state_dict()) == state_hash(made.state_dict())


def test_stack_drops_out_in_training_only() -> None:
    stack, input_BSN = (
        Stack([HybridClassifier(INPUTS)], 0.5),
        torch.randn(40, 1, INPUTS),
    )
    assert not torch.equal(stack.train()(input_BSN), stack.train()(input_BSN))
    assert torch.equal(stack.eval()(input_BSN), stack.eval()(input_BSN))


# All at once equals one by one


@pytest.mark.parametrize("h", [0, 1, 2])
def test_fitting_stacked_gives_what_fitting_each_alone_gives(h: int) -> None:
    train, tune = rows(), rows(200, seed=1)
    together = fit(train, tune)
    torch.manual_seed(config().seed)
    start = [HybridClassifier(INPUTS, (128, 64), 0.0) for _ in range(3)][h]
    alone = fit(only(train, h), only(tune, h), network=Stack([start], 0.0))
    assert alone.best_score[0] == pytest.approx(together.best_score[h], abs=1e-6)
    assert alone.best_epoch[0] == together.best_epoch[h]
    for name, tensor in alone.best[0].items():
        torch.testing.assert_close(together.best[h][name], tensor, atol=2e-5, rtol=0.0)


def plain_fit(
    train: Rows, h: int, setting: HybridConfig, start: HybridClassifier
) -> HybridClassifier:
    """The slow, obvious fit of one horizon: one batch an epoch, torch's own schedule and clipping."""
    known_B = train.w_BH[:, h] > 0
    y_B = torch.from_numpy(train.y_BH[known_B, h].astype(np.float32))
    input_BN = torch.from_numpy(train.inputs[0][known_B, 0])
    classifier = copy.deepcopy(start)
    optimiser = torch.optim.AdamW(
        classifier.parameters(),
        lr=setting.learning_rate,
        weight_decay=setting.weight_decay,
        eps=1e-8,
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimiser, T_max=setting.epochs, eta_min=setting.final_learning_rate
    )
    alpha = 1 - float(y_B.mean()) if setting.alpha == "balanced" else None
    for _ in range(setting.epochs):
        terms_B = focal_terms(
            classifier(input_BN), y_B, gamma=setting.gamma, alpha=alpha
        )
        loss = terms_B.mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(classifier.parameters(), setting.clip)
        optimiser.step()
        schedule.step()
    return classifier


@pytest.mark.parametrize("alpha", ["balanced", "none"])
@pytest.mark.parametrize("clip", [1.0, 0.01])
def test_fitting_equals_a_plain_loop_with_cosine_focal_loss_and_clipping_of_each_classifier(
    clip: float, alpha: str
) -> None:
    train = rows(60)
    setting = config(batch_size=60, epochs=6, clip=clip, alpha=alpha)
    found = fit(train, batch_size=60, epochs=6, clip=clip, alpha=alpha)
    torch.manual_seed(setting.seed)
    starts = [HybridClassifier(INPUTS, (128, 64), 0.0) for _ in range(3)]
    for h, start in enumerate(starts):
        expected = plain_fit(train, h, setting, start).state_dict()
        for name, tensor in expected.items():
            torch.testing.assert_close(
                found.module[name.replace(".", "_")][h], tensor, atol=3e-4, rtol=0.0
            )


def test_a_horizon_with_large_gradients_does_not_shrink_the_steps_of_another() -> None:
    """Clipping is per classifier: what another horizon's labels are changes nothing."""
    train = rows(200)
    easy = train._replace(
        y_BH=np.column_stack(
            [train.y_BH[:, 0], train.inputs[0][:, 0, 1] > 0, train.y_BH[:, 2]]
        )
    )
    one, two = (fit(each, gamma=0.0, clip=0.05) for each in (train, easy))
    assert not torch.equal(
        one.best[1]["layers_8_weight"], two.best[1]["layers_8_weight"]
    )
    for h in (0, 2):
        for name in one.best[h]:
            torch.testing.assert_close(
                one.best[h][name], two.best[h][name], atol=1e-6, rtol=0.0
            )


# What is learned


def test_planted_signal_raises_tune_pr_auc_well_above_the_base_rate() -> None:
    train, tune = rows(600), rows(400, seed=1)
    state = fit(train, tune, epochs=8, dropout=0.3)
    for h in range(3):
        base = tune.y_BH[tune.w_BH[:, h] > 0, h].mean()
        assert state.best_score[h] > base + 0.6 * (1 - base)
        assert (
            state.history_H[h][-1]["train_loss"] < state.history_H[h][0]["train_loss"]
        )


def test_shuffled_labels_teach_nothing() -> None:
    train, fresh = rows(600), rows(2000, seed=9)
    order = np.random.default_rng(0).permutation(600)
    state = fit(train._replace(y_BH=train.y_BH[order]), epochs=3)
    logit_HB = logits(chosen(state, config()), fresh)
    assert average_precision_score(fresh.y_BH[:, 0], logit_HB[0]) < 0.5


@pytest.mark.parametrize("alpha", ["balanced", "prevalence", "none", 0.3])
def test_every_way_to_weigh_the_positives_learns(alpha: Any) -> None:
    assert min(fit(rows(600), alpha=alpha, epochs=6).best_score) > 0.6


def test_history_has_a_row_per_epoch_with_finite_losses() -> None:
    state = fit(rows())
    for row_E in state.history_H:
        assert [row["epoch"] for row in row_E] == [1.0, 2.0, 3.0, 4.0]
        assert all(
            np.isfinite([row["train_loss"], row["tune_loss"], row["tune_pr_auc"]]).all()
            for row in row_E
        )
        assert all(row["skipped"] == 0 for row in row_E)


# The epoch that is kept


def test_best_epoch_is_the_first_with_the_highest_tune_pr_auc() -> None:
    state, seen = seen_by(rows(), rows(30, seed=1), epochs=8)
    for h in range(3):
        score_E = [row["tune_pr_auc"] for row in state.history_H[h]]
        assert state.best_epoch[h] == 1 + int(np.argmax(score_E))
        assert state.best_score[h] == max(score_E)
        for name, tensor in state.best[h].items():
            assert torch.equal(tensor[0], seen[state.best_epoch[h] - 1].module[name][h])
    assert state.best_epoch != [8, 8, 8], (
        "the example must have a best epoch before the last"
    )
    assert len(set(state.best_epoch)) > 1, (
        "the example must have another best epoch for another horizon"
    )


def test_best_epoch_of_a_horizon_does_not_depend_on_the_others() -> None:
    train, tune = rows(), rows(30, seed=1)
    flipped = tune._replace(y_BH=np.column_stack([tune.y_BH[:, 0], ~tune.y_BH[:, 1:]]))
    one, two = fit(train, tune), fit(train, flipped)
    assert one.best_score[0] == two.best_score[0]
    assert torch.equal(one.best[0]["layers_0_weight"], two.best[0]["layers_0_weight"])


def test_horizons_that_share_weights_have_one_best_epoch_by_their_mean_pr_auc() -> None:
    state, seen = seen_by(rows(), rows(30, seed=1), epochs=8, network=Line())
    mean_E = np.mean(
        [[row["tune_pr_auc"] for row in rows_E] for rows_E in state.history_H], axis=0
    )
    assert state.best_epoch == [1 + int(np.argmax(mean_E))]
    assert state.best_epoch != [8], "the example must have a best epoch before the last"
    assert state.best_score == [pytest.approx(mean_E.max())]
    kept = seen[state.best_epoch[0] - 1].module
    assert all(
        torch.equal(tensor, kept[name]) for name, tensor in state.best[0].items()
    )


def test_a_horizon_without_pr_auc_has_no_say_in_a_shared_best_epoch() -> None:
    tune = rows(30, seed=1)
    quiet = tune._replace(y_BH=np.column_stack([tune.y_BH[:, :2], np.zeros(30, bool)]))
    state = fit(rows(), quiet, epochs=8, network=Line())
    mean_E = np.mean(
        [[row["tune_pr_auc"] for row in rows_E] for rows_E in state.history_H[:2]],
        axis=0,
    )
    assert state.best_epoch == [1 + int(np.argmax(mean_E))]


def test_last_epoch_is_kept_where_tune_has_one_class() -> None:
    tune = rows(100, seed=1)
    state = fit(rows(), tune._replace(y_BH=np.zeros_like(tune.y_BH)))
    assert state.best_epoch == [4, 4, 4]
    for h in range(3):
        assert all(np.isnan(row["tune_pr_auc"]) for row in state.history_H[h])
        assert torch.equal(
            state.best[h]["layers_8_weight"][0], state.module["layers_8_weight"][h]
        )


@pytest.mark.parametrize("shared", [False, True])
def test_last_epoch_is_kept_where_tune_has_no_window(shared: bool) -> None:
    state = fit(
        rows(),
        rows(10, seed=1).take(np.array([], int)),
        network=Line() if shared else None,
    )
    assert set(state.best_epoch) == {4}
    assert all(
        np.isnan(row["tune_pr_auc"]) for row_E in state.history_H for row in row_E
    )


@pytest.mark.parametrize("members", [1, 3])
def test_tune_pr_auc_is_that_of_the_known_labels(members: int) -> None:
    train, tune = rows(), rows(200, seed=1)
    state = fit(train, tune, epochs=1, members=members)
    logit_HB = logits(chosen(state, config(members=members)), tune)
    for h in range(3):
        assert state.best_score[h] == pytest.approx(
            pr_auc(logit_HB[h], tune, h), abs=1e-6
        )


# Ensembles


def test_score_of_an_ensemble_is_the_mean_of_its_members_logits() -> None:
    made = [HybridClassifier(INPUTS).eval() for _ in range(6)]
    source = rows(40)
    with torch.inference_mode():
        single_GB = torch.stack(
            [
                classifier(torch.from_numpy(source.inputs[0][:, 0]))
                for classifier in made
            ]
        )
    expected_HB = single_GB.reshape(2, 3, 40).mean(dim=0).numpy()
    np.testing.assert_allclose(
        logits(Stack(made, 0.0, horizons=3), source), expected_HB, atol=1e-6
    )


def test_best_epoch_of_an_ensemble_is_chosen_by_horizon_for_all_its_members_together() -> (
    None
):
    tune = rows(30, seed=1)
    state, seen = seen_by(rows(), tune, epochs=8, members=2)
    assert len(state.best) == len(state.best_epoch) == 3
    assert len(set(state.best_epoch)) > 1, (
        "the example must have another best epoch for another horizon"
    )
    for h in range(3):
        score_E = [row["tune_pr_auc"] for row in state.history_H[h]]
        assert state.best_epoch[h] == 1 + int(np.argmax(score_E))
        kept = seen[state.best_epoch[h] - 1].module
        for name, tensor in state.best[h].items():
            assert torch.equal(tensor, kept[name][[h, h + 3]])
    logit_HB = logits(chosen(state, config(members=2)), tune)
    for h in range(3):
        assert pr_auc(logit_HB[h], tune, h) == pytest.approx(
            state.best_score[h], abs=1e-6
        )


def test_members_learn_what_each_would_learn_alone_and_differ() -> None:
    train = rows(200)
    both = fit(train, members=2)
    torch.manual_seed(config().seed)
    starts = [HybridClassifier(INPUTS, (128, 64), 0.0) for _ in range(6)]
    for member in (0, 1):
        alone = fit(train, network=Stack(starts[3 * member : 3 * member + 3], 0.0))
        for name, tensor in alone.module.items():
            torch.testing.assert_close(
                both.module[name][3 * member : 3 * member + 3],
                tensor,
                atol=1e-6,
                rtol=0.0,
            )
    weight_GON = both.module["layers_0_weight"]
    assert not torch.allclose(weight_GON[:3], weight_GON[3:], atol=0.05)


# Repeating and resuming


def test_same_seed_gives_the_same_fit_and_another_seed_another() -> None:
    one, two, other = (
        fit(rows(), dropout=0.3),
        fit(rows(), dropout=0.3),
        fit(rows(), dropout=0.3, seed=1),
    )
    assert_same(one, two)
    assert not torch.equal(
        one.best[0]["layers_0_weight"], other.best[0]["layers_0_weight"]
    )


@pytest.mark.parametrize("members", [1, 2])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("after", [1, 3])
def test_resumed_fit_equals_the_uninterrupted_one(
    after: int, dropout: float, members: int
) -> None:
    setting = {"epochs": 5, "dropout": dropout, "members": members}
    whole, seen = seen_by(rows(), **setting)
    resumed = fit(rows(), state=seen[after - 1], **setting)
    assert_same(resumed, whole)
    assert resumed.history_H == whole.history_H


def test_finished_fit_is_not_fitted_further() -> None:
    done = fit(rows())
    again = fit(rows(), state=copy.deepcopy(done))
    assert_same(again, done)


def test_report_is_called_after_every_epoch_with_the_state_so_far() -> None:
    _, seen = seen_by(rows())
    assert [(s.epoch, len(s.history_H[2])) for s in seen] == [
        (1, 1),
        (2, 2),
        (3, 3),
        (4, 4),
    ]


# Ending early, and epochs of some windows


IMPATIENT: dict[str, Any] = {"epochs": 20, "patience": 2}


def test_fit_ends_once_no_part_has_improved_for_as_many_epochs_as_its_patience() -> (
    None
):
    tune = rows(30, seed=1)
    state, seen = seen_by(rows(), tune, **IMPATIENT)
    assert state.epoch == len(state.history_H[0]) == max(state.best_epoch) + 2 < 20
    assert not any(earlier.ended(config(**IMPATIENT)) for earlier in seen[:-1])
    assert state.ended(config(**IMPATIENT))
    patient, all_epochs = seen_by(rows(), tune, epochs=20)
    assert patient.epoch == 20
    for name, tensor in state.module.items():
        assert torch.equal(tensor, all_epochs[state.epoch - 1].module[name])


@pytest.mark.parametrize("before_the_end", [1, 2, 3])
def test_impatient_fit_resumes_to_the_same_end(before_the_end: int) -> None:
    tune = rows(30, seed=1)
    whole, seen = seen_by(rows(), tune, **IMPATIENT)
    resumed = fit(rows(), tune, state=seen[-1 - before_the_end], **IMPATIENT)
    assert_same(resumed, whole)
    assert resumed.history_H == whole.history_H


def test_impatient_fit_that_ended_is_not_fitted_further() -> None:
    tune = rows(30, seed=1)
    done = fit(rows(), tune, **IMPATIENT)
    again = fit(rows(), tune, state=copy.deepcopy(done), **IMPATIENT)
    assert_same(again, done)


def test_patience_never_ends_a_fit_that_has_no_pr_auc_to_go_by() -> None:
    tune = rows(100, seed=1)
    assert (
        fit(
            rows(), tune._replace(y_BH=np.zeros_like(tune.y_BH)), epochs=6, patience=1
        ).epoch
        == 6
    )


def test_every_epoch_sees_every_window_once_in_an_order_of_its_own() -> None:
    train = rows()
    batches = batches_of(train, epochs=2)
    assert [len(batch) for batch in batches] == 2 * [64, 64, 64, 64, 44]
    first, second = (np.concatenate(part) for part in (batches[:5], batches[5:]))
    assert sorted(first) == sorted(second) == sorted(train.inputs[0][:, 0, 0].tolist())
    assert first.tolist() != second.tolist()


def test_windows_per_epoch_caps_the_steps_of_an_epoch_and_draws_anew_in_each() -> None:
    batches = batches_of(rows(), epochs=2, windows_per_epoch=130)
    assert [len(batch) for batch in batches] == 2 * [64, 64, 2]
    first, second = (
        set(np.concatenate(part).tolist()) for part in (batches[:3], batches[3:])
    )
    assert len(first) == len(second) == 130
    assert first != second


def test_windows_per_epoch_beyond_all_windows_is_all_windows() -> None:
    assert batches_of(rows(), windows_per_epoch=10_000) == batches_of(rows())


@pytest.mark.parametrize("windows_per_epoch", [None, 130])
def test_workers_with_shards_of_unequal_size_take_the_same_number_of_steps(
    windows_per_epoch: int | None,
) -> None:
    train = rows(301)
    setting = {"epochs": 1, "windows_per_epoch": windows_per_epoch}
    shards = [train.take(np.arange(rank, 301, 2)) for rank in (0, 1)]
    steps = {
        len(batches_of(shard, workers=2, of=counts(train), **setting))
        for shard in shards
    }
    assert steps == {math.ceil((windows_per_epoch or 301) / 64)}


# Unknown labels, numbers that are not finite


@pytest.mark.parametrize("part", ["train", "tune"])
def test_unknown_labels_have_no_influence(part: str) -> None:
    parts = {"train": rows(), "tune": rows(200, seed=1)}
    plain = fit(**parts)
    parts[part] = parts[part]._replace(y_BH=parts[part].y_BH ^ (parts[part].w_BH == 0))
    assert_same(fit(**parts), plain)


def test_horizon_without_any_known_label_stays_finite() -> None:
    train = rows()
    w_BH = train.w_BH.copy()
    w_BH[:, 1] = 0
    state = fit(train._replace(w_BH=w_BH))
    assert all(
        torch.isfinite(tensor).all() for best in state.best for tensor in best.values()
    )


def with_row(train: Rows, row: Any, value: float) -> Rows:
    input_BSN = train.inputs[0].copy()
    input_BSN[row] = value
    return train._replace(inputs=(input_BSN,))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_window_that_is_not_finite_counts_as_the_training_mean(bad: float) -> None:
    assert_same(fit(with_row(rows(), 17, bad)), fit(with_row(rows(), 17, 0.0)))


@pytest.mark.parametrize("shared", [False, True])
def test_batch_whose_loss_is_not_finite_is_skipped_and_counted(shared: bool) -> None:
    bad, made = (np.nan, Line()) if shared else (1e30, None)
    state = fit(with_row(rows(), 17, bad), network=made, learning_rate=0.02)
    for h in range(3):
        assert [row["skipped"] for row in state.history_H[h]] == [1.0] * 4
        assert all(np.isfinite(row["train_loss"]) for row in state.history_H[h])
    assert all(
        torch.isfinite(tensor).all() for best in state.best for tensor in best.values()
    )
    assert min(state.best_score) > 0.5


def test_fit_that_skips_every_batch_keeps_its_first_weights_and_says_so() -> None:
    state = fit(with_row(rows(), slice(None), 1e30))
    start = network(config()).state_dict()
    assert all(row["skipped"] == 5 for row in state.history_H[0])
    assert all(
        torch.equal(state.module[name], tensor) for name, tensor in start.items()
    )


@pytest.mark.parametrize("rate", [1e4, 1e38])
def test_learning_rate_that_overflows_the_weights_ends_in_finite_weights_or_one_sentence(
    rate: float,
) -> None:
    """A sweep may draw it; the third and fourth layers against NaN (model, loss) are for this."""
    message, state = "", None
    try:
        state = fit(rows(), learning_rate=rate, final_learning_rate=rate / 2)
    except HvacError as error:
        message = str(error)
    assert "\n" not in message
    assert bool(message) or state is not None
    assert state is None or all(
        torch.isfinite(tensor).all() for best in state.best for tensor in best.values()
    )


def test_counts_are_of_known_labels() -> None:
    made = windows(30)
    y_BH, known_BH = made.labels
    found = count(made)
    assert found.windows == 30
    for h in range(3):
        known_B = known_BH[:, h]
        assert (found.positive_H[h], found.known_H[h]) == (
            y_BH[known_B, h].sum(),
            known_B.sum(),
        )


def test_fitting_and_saving_leave_the_encoders_weights_as_they_were(
    tmp_path: Any,
) -> None:
    encoder = packaged_encoder()
    made = bundle()
    made.save(tmp_path)
    assert state_hash(encoder.model.state_dict()) == made.encoder_sha256
    assert state_hash(made.encoder.model.state_dict()) == made.encoder_sha256
