"""What the detector learns from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hvac.detect.anomalies import AnomalyConfig
from hvac.detect.training import InjectConfig, settle_tie, training_examples
from hvac.errors import SplitError
from hvac.models.fitting import FitState
from tests.detect.detect_example import SMALL, noise, small_fleet


def test_examples_are_the_known_windows_of_their_part() -> None:
    train, validation = training_examples(small_fleet(), SMALL, None, 0)
    other = training_examples(
        [each for each in small_fleet() if each.part != "test"], SMALL, None, 0
    )
    np.testing.assert_array_equal(train.x_BCL, other[0].x_BCL)
    np.testing.assert_array_equal(validation.x_BCL, other[1].x_BCL)
    high_B = (train.x_BCL[:, 0] > 3).sum(axis=1)
    np.testing.assert_array_equal(train.y_B, high_B >= 3)
    assert not ((high_B > 0) & (high_B < 3)).any()


def test_injection_adds_anomalous_copies_of_normal_windows_to_training_only() -> None:
    normal = [
        noise(200, part=part, seed=seed)
        for seed, part in enumerate(("train", "train", "validation", "test"))
    ]
    inject = InjectConfig(
        share=0.5,
        anomalies=AnomalyConfig(kinds=("level_shift",), size=(20, 20), length=(5, 9)),
    )
    train, validation = training_examples(normal, SMALL, inject, 0)
    assert train.counts["anomalous"] == 0
    assert train.counts["made"] == pytest.approx(train.counts["normal"] / 2, rel=0.3)
    np.testing.assert_array_equal(train.y_B, train.copied_B)
    np.testing.assert_array_equal((np.abs(train.x_BCL).max(axis=(1, 2)) > 3), train.y_B)
    assert validation.counts == {
        "normal": len(validation.y_B),
        "anomalous": 0,
        "made": 0,
    }


def test_the_same_seed_injects_the_same_copies() -> None:
    one, same, other = (
        training_examples(small_fleet(), SMALL, InjectConfig(), seed)[0]
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.x_BCL, same.x_BCL)
    assert one.x_BCL.shape != other.x_BCL.shape or not np.array_equal(
        one.x_BCL, other.x_BCL
    )


def test_training_part_without_any_anomaly_and_no_made_ones_is_refused() -> None:
    normal = [noise(200, part=part) for part in ("train", "validation")]
    with pytest.raises(
        SplitError, match=r"no anomalous window to learn from.*'inject' section"
    ) as caught:
        training_examples(normal, SMALL, None, 0)
    assert "\n" not in str(caught.value)


def test_training_part_that_is_all_anomaly_is_refused() -> None:
    series = [noise(60, spikes=((0, 60),), part="train"), noise(60, part="validation")]
    with pytest.raises(SplitError, match="no normal window"):
        training_examples(series, SMALL, None, 0)


def test_validation_part_without_a_window_is_refused() -> None:
    with pytest.raises(SplitError, match="validation part has no window"):
        training_examples([noise(60, spikes=((10, 20),), part="train")], SMALL, None, 0)


def test_training_stride_thins_both_parts() -> None:
    wide = SMALL.replace(train_stride=20)
    for few, many in zip(
        training_examples(small_fleet(), wide, None, 0),
        training_examples(small_fleet(), SMALL, None, 0),
        strict=True,
    ):
        assert 0 < len(few.y_B) < len(many.y_B) / 3


@pytest.mark.parametrize(
    ("pr_auc", "loss", "kept"),
    [(1.0, 0.2, 2), (1.0, 0.6, 1), (0.9, 0.2, 1), (float("nan"), 0.1, 1)],
)
def test_equal_validation_pr_auc_keeps_the_lower_validation_loss(
    pr_auc: float, loss: float, kept: int
) -> None:
    rows = [
        {"tune_pr_auc": 1.0, "tune_loss": 0.5},
        {"tune_pr_auc": pr_auc, "tune_loss": loss},
    ]
    state = FitState(
        epoch=2,
        module={"w": torch.ones(1)},
        best=[{"w": torch.zeros(1)}],
        best_epoch=[1],
        history_H=[rows],
    )
    settle_tie(state)
    assert state.best_epoch == [kept]
    assert float(state.best[0]["w"]) == kept - 1
