"""Models that were fitted in turns: ranked within turns, their probabilities judged over all windows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hvac.evaluation import metrics
from hvac.evaluation.bootstrap import unit_weights
from hvac.evaluation.compared_windows import EvaluationSet, ModelRisks, part_of, pooled
from hvac.evaluation.comparison import evaluations
from hvac.evaluation.evaluation_means import compare
from hvac.evaluation.horizon_figures import RANKING
from hvac.evaluation.leaderboard import IN_TURNS, SHOWN, standings
from hvac.evaluation.model_metrics import Evaluation
from tests.evaluation.leaderboard_example import HORIZONS, contender, trial
from tests.reference.ranking_oracle import lift_at, recall_at, replicate

REPLICATES = 30
NOISE = {"good": 0.2, "poor": 0.8}


def turns() -> list[EvaluationSet]:
    """Two turns of different units; the first turn's models speak of much lower risks."""
    whole = trial(NOISE, seed=2)
    first_B = whole.windows.units < "F\x1fE12"
    one, other = part_of(whole, first_B), part_of(whole, ~first_B)
    low = {
        name: ModelRisks(each.risk_BH * 0.1, each.threshold_BH * 0.1)
        for name, each in one.risks.items()
    }
    return [replace(one, risks=low), other]


@pytest.fixture(scope="module")
def found() -> Evaluation:
    return evaluations(pooled(turns()), replicates=REPLICATES)["good"]


def known(of: EvaluationSet, h: int, name: str = "good") -> tuple[Any, Any]:
    y_BH, known_BH = of.windows.labels
    known_B = known_BH[:, h]
    return of.risks[name].risk_BH[known_B, h], y_BH[known_B, h].astype(float)


def test_ranking_is_the_mean_over_turns_weighted_by_their_positives(
    found: Evaluation,
) -> None:
    plain = {
        "pr_auc": metrics.pr_auc,
        "roc_auc": metrics.roc_auc,
        "recall_10": lambda risk_B, y_B: recall_at(risk_B, y_B, share=0.1),
        "lift_5": lambda risk_B, y_B: lift_at(risk_B, y_B, share=0.05),
    }
    for h, horizon in enumerate(HORIZONS):
        rows = [known(turn, h) for turn in turns()]
        positives = [y_B.sum() for _, y_B in rows]
        assert positives[0] != positives[1]
        for name, metric in plain.items():
            expected = np.average([metric(*each) for each in rows], weights=positives)
            assert found.metrics[horizon][name]["value"] == pytest.approx(expected)


def test_replicates_of_ranking_draw_the_same_units_as_every_other_figure(
    found: Evaluation,
) -> None:
    made = pooled(turns())
    assert made.turn_B is not None
    weights = unit_weights(made.windows.units, replicates=REPLICATES)
    y_BH, known_BH = made.windows.labels
    risk_BH = made.risks["good"].risk_BH

    def slow(w_B: Any) -> float:
        values, positives = [], []
        for turn in (0, 1):
            own_B = (made.turn_B == turn) & known_BH[:, 0]
            values.append(metrics.pr_auc(risk_BH[own_B, 0], y_BH[own_B, 0], w_B[own_B]))
            positives.append((w_B[own_B] * y_BH[own_B, 0]).sum())
        return float(np.average(values, weights=positives))

    expected = replicate(slow, weights)
    np.testing.assert_allclose(found.replicates[30]["pr_auc"].value_R, expected.value_R)


def test_scale_of_one_turns_risks_has_no_say_in_ranking_but_in_probabilities(
    found: Evaluation,
) -> None:
    one, other = turns()
    raised = replace(
        one,
        risks={
            name: each._replace(risk_BH=each.risk_BH * 5)
            for name, each in one.risks.items()
        },
    )
    again = evaluations(pooled([raised, other]), replicates=REPLICATES)["good"]
    for horizon in HORIZONS:
        for name in RANKING:
            assert again.metrics[horizon][name] == found.metrics[horizon][name]
        for name in ("brier", "ece"):
            assert (
                again.metrics[horizon][name]["value"]
                != found.metrics[horizon][name]["value"]
            )


def test_probabilities_are_judged_over_all_windows(found: Evaluation) -> None:
    for h, horizon in enumerate(HORIZONS):
        risk_B, y_B = (
            np.concatenate(parts)
            for parts in zip(*(known(turn, h) for turn in turns()), strict=True)
        )
        assert found.metrics[horizon]["brier"]["value"] == pytest.approx(
            metrics.brier(risk_B, y_B)
        )
        assert found.metrics[horizon]["ece"]["value"] == pytest.approx(
            metrics.ece(risk_B, y_B)
        )


def test_paired_difference_is_of_the_means_over_turns() -> None:
    both = evaluations(pooled(turns()), replicates=REPLICATES)
    gap = compare(both["good"], both["poor"])[30]["pr_auc"]
    values = [both[name].metrics[30]["pr_auc"]["value"] for name in ("good", "poor")]
    assert gap.value == pytest.approx(values[0] - values[1])
    assert gap.low > 0


def test_turn_without_a_positive_has_no_say() -> None:
    one, other = turns()
    y_BH, _ = one.windows.labels
    quiet = replace(one, windows=replace(one.windows, y_BH=np.zeros_like(y_BH)))
    both = evaluations(pooled([quiet, other]), replicates=REPLICATES)["good"]
    for h, horizon in enumerate(HORIZONS):
        assert both.metrics[horizon]["pr_auc"]["value"] == pytest.approx(
            metrics.pr_auc(*known(other, h))
        )


def test_one_turn_is_judged_as_any_other_trial() -> None:
    whole = trial(NOISE, seed=2)
    plain = evaluations(whole, replicates=REPLICATES)["good"]
    assert (
        evaluations(pooled([whole]), replicates=REPLICATES)["good"].to_json()
        == plain.to_json()
    )


def test_part_of_turns_keeps_the_turn_of_each_window() -> None:
    made = pooled(turns())
    assert made.turn_B is not None
    keep_B = np.arange(len(made.windows)) % 3 == 0
    kept = part_of(made, keep_B)
    np.testing.assert_array_equal(kept.turn_B, made.turn_B[keep_B])


def test_board_tells_which_figures_are_of_turns_and_which_of_all_windows() -> None:
    assert sorted([*IN_TURNS["within_turns"], *IN_TURNS["pooled"]]) == sorted(SHOWN)
    assert IN_TURNS["within_turns"] == ["pr_auc", "roc_auc", "recall_10"]
    (row,) = standings(
        [pooled(turns())], [contender("good", ("good",))], {}, REPLICATES
    )
    expected = evaluations(pooled(turns()), replicates=REPLICATES)["good"]
    assert row["test"]["30"]["pr_auc"] == expected.to_json()["30"]["metrics"]["pr_auc"]
