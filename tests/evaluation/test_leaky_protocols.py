"""Where there is no signal the honest protocol finds none, and the leaky ones claim much: that is what they are for."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from benchmarks.leaky.protocols import PROTOCOLS, Judged, claims, enact
from hvac.evaluation.bootstrap import unit_weights
from hvac.evaluation.ranks import rank_metrics, sort_scores
from hvac.features.table import Windows
from hvac.models.families import config_of
from hvac.models.family import no_encoder
from tests.evaluation.leaky_example import HORIZONS, parts

LEAKY_ROWS = ("random_rows", "random_rows_chosen_on_test", "test_in_training")


@cache
def judged(protocol: str, family: str = "gbdt_92", seed: int = 0) -> Judged:
    return enact(protocol, parts(), config_of(family, seed=seed), no_encoder)


def claimed(protocol: str, metric: str = "roc_auc") -> list[float]:
    """One figure per horizon."""
    return [found[metric] for found in claims([judged(protocol)], HORIZONS).values()]


def rows_of(part: Windows) -> set[tuple[str, int]]:
    return set(zip(part.units.tolist(), part.end_day_B.tolist(), strict=True))


# What is claimed where there is nothing to find


def test_honest_intervals_cover_one_half() -> None:
    score_BH, test = judged("honest").test
    y_BH, _ = test.labels
    weights = unit_weights(test.units, replicates=500)
    for h in range(len(HORIZONS)):
        ordered = sort_scores(score_BH[:, h], y_BH[:, h], unit_B=weights.unit_index_B)
        low, high = np.quantile(
            rank_metrics(ordered, weights.w_RU).roc_auc_R, (0.025, 0.975)
        )
        assert low <= 0.5 <= high
    assert np.abs(np.array(claimed("honest")) - 0.5).max() < 0.06


def test_test_rows_in_the_training_file_claim_much() -> None:
    assert np.mean(claimed("test_in_training")) > 0.8


@pytest.mark.parametrize("protocol", LEAKY_ROWS)
def test_dealing_overlapping_windows_at_random_flatters_every_figure(
    protocol: str,
) -> None:
    for metric in ("roc_auc", "f1"):
        honest, leaky = (
            np.array(claimed("honest", metric)),
            np.array(claimed(protocol, metric)),
        )
        assert (leaky > honest).all()
    assert np.mean(claimed(protocol)) > 0.65


def test_threshold_chosen_on_test_is_the_one_with_the_highest_f1_there() -> None:
    score_BH, test = judged("chosen_on_test").test
    y_BH, _ = test.labels
    for h, found in enumerate(claimed("chosen_on_test", "f1")):
        cuts = np.unique(score_BH[:, h])
        assert found == pytest.approx(
            max(f1_score(y_BH[:, h], score_BH[:, h] >= cut) for cut in cuts[::5]),
            abs=0.02,
        )
        assert found >= claimed("honest", "f1")[h]


# Which windows each protocol may see


def test_honest_deal_is_the_split_as_it_stands() -> None:
    deal = PROTOCOLS["honest"](parts(), 0)
    assert deal == (parts()["train"], parts()["tune"], parts()["cal"], parts()["test"])
    assert not rows_of(deal.test) & (
        rows_of(deal.train) | rows_of(deal.tune) | rows_of(deal.cut)
    )


def test_choosing_on_test_trains_on_the_right_part_and_does_the_rest_on_test() -> None:
    deal = PROTOCOLS["chosen_on_test"](parts(), 0)
    assert deal.train is parts()["train"]
    assert deal.tune is deal.cut is deal.test is parts()["test"]


@pytest.mark.parametrize("protocol", ["random_rows", "random_rows_chosen_on_test"])
def test_random_rows_deal_every_window_once_and_every_unit_to_both_sides(
    protocol: str,
) -> None:
    deal = PROTOCOLS[protocol](parts(), 0)
    sides = [
        deal.train,
        *([deal.tune] if deal.tune is not deal.test else []),
        deal.test,
    ]
    everything = set.union(*map(rows_of, parts().values()))
    assert sum(map(len, sides)) == len(everything)
    assert set.union(*map(rows_of, sides)) == everything
    assert set(deal.train.units) == set(deal.test.units)
    assert len(deal.test) / len(everything) == pytest.approx(0.2, abs=0.03)
    assert rows_of(PROTOCOLS[protocol](parts(), 1).test) != rows_of(deal.test)


def test_test_in_training_trains_on_every_test_row() -> None:
    deal = PROTOCOLS["test_in_training"](parts(), 0)
    assert rows_of(deal.train) == rows_of(parts()["train"]) | rows_of(parts()["test"])
    assert deal.test is parts()["test"]


def test_every_protocol_but_the_honest_one_says_that_it_leaks() -> None:
    assert [
        name for name, deal in PROTOCOLS.items() if "LEAKY" not in str(deal.__doc__)
    ] == ["honest"]


# Figures


def scored(
    y_BH: np.ndarray, score_BH: np.ndarray, known_BH: np.ndarray | None = None
) -> tuple[np.ndarray, Windows]:
    some = parts()["test"].take(np.arange(len(y_BH)))
    return score_BH, replace(
        some, y_BH=y_BH, known_BH=np.ones_like(y_BH) if known_BH is None else known_BH
    )


def test_figures_are_those_of_known_labels_averaged_over_classes_by_their_positives() -> (
    None
):
    rng = np.random.default_rng(0)
    y, score, known = (
        rng.random((2, 80, 3)) < 0.3,
        rng.normal(size=(2, 80, 3)),
        rng.random((2, 80, 3)) < 0.8,
    )
    classes = [
        Judged(scored(y[k], score[k], known[k]), scored(y[k], score[k], known[k]))
        for k in (0, 1)
    ]
    found = claims(classes, HORIZONS)
    for h, days in enumerate(map(str, HORIZONS)):
        each = [(y[k, known[k, :, h], h], score[k, known[k, :, h], h]) for k in (0, 1)]
        weights = [y_B.sum() for y_B, _ in each]
        for name, metric in (
            ("pr_auc", average_precision_score),
            ("roc_auc", roc_auc_score),
        ):
            assert found[days][name] == pytest.approx(
                np.average([metric(*pair) for pair in each], weights=weights)
            )
        assert found[days]["base_rate"] == pytest.approx(
            np.average([a.mean() for a, _ in each], weights=weights)
        )


def test_f1_uses_the_threshold_of_the_windows_that_set_it() -> None:
    y_BH = np.tile(np.array([True, True, False, False])[:, None], (1, 3))
    cut_BH, test_BH = (
        np.tile(np.array(s)[:, None], (1, 3))
        for s in ([0.9, 0.8, 0.2, 0.1], [0.95, 0.3, 0.85, 0.1])
    )
    found = claims([Judged(scored(y_BH, cut_BH), scored(y_BH, test_BH))], HORIZONS)
    assert found["30"]["f1"] == f1_score(y_BH[:, 0], test_BH[:, 0] >= 0.8) == 0.5


@pytest.mark.parametrize("label", [True, False])
def test_one_kind_of_label_gives_nan_and_never_crashes(label: bool) -> None:
    y_BH = np.full((20, 3), label)
    alike = scored(y_BH, np.random.default_rng(0).normal(size=(20, 3)))
    assert all(
        np.isnan(value)
        for value in claims([Judged(alike, alike)], HORIZONS)["60"].values()
    )


def test_threshold_without_a_positive_to_set_it_raises_no_alarm() -> None:
    rng = np.random.default_rng(0)
    cut, test = (
        scored(np.zeros((20, 3), bool), rng.normal(size=(20, 3))),
        scored(rng.random((20, 3)) < 0.5, rng.normal(size=(20, 3))),
    )
    assert claims([Judged(cut, test)], HORIZONS)["30"]["f1"] == 0
