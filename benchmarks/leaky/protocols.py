"""NOT FOR USE: what leaky protocols would have claimed, beside the honest figure on the same windows.

Public work on this idea splits overlapping windows at random, tests on rows of its training file, or picks epoch and
threshold on the test part. Each of these is re-enacted here on one featurized table, for one purpose: to show by how
much it flatters. Nothing made here is kept but figures; no bundle can come of it.

Legend: B windows, H horizons.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
)

from hvac.features.table import Windows, concat
from hvac.models.families import fit
from hvac.models.family import Encoding, Fitting

Floats = npt.NDArray[np.float64]
TEST_SHARE, TUNE_SHARE = 0.2, 0.1


class Deal(NamedTuple):
    """Which windows train, stop, set the threshold and judge."""

    train: Windows
    tune: Windows
    cut: Windows
    test: Windows


def honest(parts: dict[str, Windows], seed: int) -> Deal:
    """Purged split; epoch chosen on *tune*, threshold on *cal*, test used once."""
    return Deal(parts["train"], parts["tune"], parts["cal"], parts["test"])


def chosen_on_test(parts: dict[str, Windows], seed: int) -> Deal:
    """LEAKY: the right training part, but epoch and threshold are those that look best on test."""
    return Deal(parts["train"], parts["test"], parts["test"], parts["test"])


def random_rows(parts: dict[str, Windows], seed: int) -> Deal:
    """LEAKY: overlapping windows of the same equipment dealt at random to training and test."""
    train, tune, test = _dealt(parts, seed)
    return Deal(train, tune, tune, test)


def random_rows_chosen_on_test(parts: dict[str, Windows], seed: int) -> Deal:
    """LEAKY: both of the above, as published."""
    train, tune, test = _dealt(parts, seed)
    return Deal(concat([train, tune]), test, test, test)


def test_in_training(parts: dict[str, Windows], seed: int) -> Deal:
    """LEAKY: the test rows are in the training file."""
    return Deal(
        concat([parts["train"], parts["test"]]),
        parts["tune"],
        parts["cal"],
        parts["test"],
    )


PROTOCOLS: dict[str, Callable[[dict[str, Windows], int], Deal]] = {
    "honest": honest,
    "chosen_on_test": chosen_on_test,
    "random_rows": random_rows,
    "random_rows_chosen_on_test": random_rows_chosen_on_test,
    "test_in_training": test_in_training,
}


def _dealt(parts: dict[str, Windows], seed: int) -> tuple[Windows, Windows, Windows]:
    whole = concat([parts[name] for name in ("train", "tune", "cal", "test")])
    draw_B = np.random.default_rng(seed).random(len(whole))
    test_B, tune_B = (
        draw_B < TEST_SHARE,
        (draw_B >= TEST_SHARE) & (draw_B < TEST_SHARE + TUNE_SHARE),
    )
    return whole.take(~test_B & ~tune_B), whole.take(tune_B), whole.take(test_B)


class Judged(NamedTuple):
    """Scores and labels of the windows that set the threshold and of those that are judged."""

    cut: tuple[Floats, Windows]
    test: tuple[Floats, Windows]


def enact(
    protocol: str, parts: dict[str, Windows], config: Any, encoder: Encoding
) -> Judged:
    """Fit one class under one protocol."""
    deal = PROTOCOLS[protocol](parts, config.seed)
    model = fit(deal.train, deal.tune, config, Fitting(encoder))
    cut, test = (
        (np.asarray(model.score(part), dtype=np.float64), part)
        for part in (deal.cut, deal.test)
    )
    return Judged(cut, test)


def claims(
    judged: list[Judged], horizons: tuple[int, ...]
) -> dict[str, dict[str, float]]:
    """PR-AUC, ROC-AUC and F1 per horizon, each class's own, averaged over classes by their positives.

    The threshold of F1 is the one with the highest F1 on the windows that set it.
    """
    return {str(days): _claim(judged, h) for h, days in enumerate(horizons)}


def _claim(judged: list[Judged], h: int) -> dict[str, float]:
    rows, weights = [], []
    for each in judged:
        score_B, y_B = _known(*each.test, h)
        if 0 < y_B.sum() < len(y_B):
            alarm_B = score_B >= _best_cut(*_known(*each.cut, h))
            hits = float((alarm_B & y_B).sum())
            f1 = 2 * hits / max(alarm_B.sum() + y_B.sum(), 1)
            rows.append(
                [
                    average_precision_score(y_B, score_B),
                    roc_auc_score(y_B, score_B),
                    f1,
                    y_B.mean(),
                ]
            )
            weights.append(y_B.sum())
    values = np.average(rows, axis=0, weights=weights) if rows else np.full(4, np.nan)
    return dict(
        zip(("pr_auc", "roc_auc", "f1", "base_rate"), values.tolist(), strict=True)
    )


def _known(
    score_BH: Floats, windows: Windows, h: int
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    y_BH, known_BH = windows.labels
    return score_BH[known_BH[:, h], h], y_BH[known_BH[:, h], h]


def _best_cut(score_B: Floats, y_B: npt.NDArray[np.bool_]) -> float:
    if not y_B.any():
        return np.inf
    precision_K, recall_K, cut_K = precision_recall_curve(y_B, score_B)
    f1_K = 2 * precision_K * recall_K / np.maximum(precision_K + recall_K, 1e-12)
    return float(cut_K[int(np.argmax(f1_K[:-1]))])
