"""A fusion's weights, trees and lines fitted again on later windows whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from hvac.features.table import Windows
from hvac.models.fusion import Fusion
from hvac.scoring.bundle import Bundle
from hvac.update.bends import log_losses
from hvac.update.matured import Matured, sure_log_odds
from hvac.update.refits import ALWAYS, Refit, SeenLater, failed_machines, refit
from tests.models.models_example import bundled, fit_family, recipe, windows

BLOCKS = {
    "context": {"family": "gbdt_context", "trees": 20, "min_leaf": 10},
    "statistics": {"family": "logistic_28", "strengths": (0.1,)},
}
H = 3


def known(made: Windows) -> Windows:
    return replace(made, known_BH=np.ones_like(made.labels[1]))


def test_points_of_one_machine_draw_weights_as_one_machine_does() -> None:
    unit_N = np.array(["F\x1fA\x1fp", "F\x1fA\x1fq", "F\x1fB\x1fp", "F\x1fC\x1fp"])
    rows = Matured.of(
        class_N=np.full(4, "ahu"), unit_N=unit_N, end_day_N=np.zeros(4, int),
        horizon_N=np.full(4, 30), log_odds_N=np.zeros(4),
        onset_N=np.array([True, True, True, False]), alarm_N=np.zeros(4, bool),
    )  # fmt: skip
    assert failed_machines(rows, np.ones(4, bool)) == 2
    assert failed_machines(rows, np.array([True, True, False, True])) == 1


def without_signal(made: Windows, part: str) -> Windows:
    """One part of the windows replaced by noise: its block tells nothing there."""
    shape = getattr(made, part).shape
    noise = np.random.default_rng(5).normal(size=shape).astype(np.float32)
    return replace(made, **{part: noise})


@cache
def learned() -> Windows:
    return known(windows(400, seed=1))


@cache
def serving() -> Bundle:
    fusion = fit_family("fusion", learned(), known(windows(200, seed=2)), blocks=BLOCKS)
    return bundled(fusion, recipe(), known(windows(200, seed=3)))


def rows_of(made: Windows, bundle: Bundle) -> Matured:
    """The rows of windows, as `ray_jobs` reads them: a row per window and horizon."""
    predicted = bundle.predict(made)
    y_BH, _ = made.labels
    return Matured.of(
        class_N=np.full(y_BH.size, "ahu"),
        unit_N=np.repeat(np.char.add(made.units, "\x1f"), H),
        end_day_N=np.repeat(made.end_day_B.astype(np.int64), H),
        horizon_N=np.tile(bundle.horizons, len(made)),
        log_odds_N=sure_log_odds(predicted.risk_BH.ravel()),
        onset_N=y_BH.ravel(),
        alarm_N=predicted.alarm_BH.ravel(),
    )


def later(made: Windows, bundle: Bundle) -> SeenLater:
    seen, _ = SeenLater.of(made, rows_of(made, bundle), bundle.horizons)
    return seen


def weights(one: Refit | Bundle) -> dict[str, float]:
    model = one.model
    assert isinstance(model, Fusion)
    return dict(zip(model.blocks, model.mix.weight_K.tolist(), strict=True))


def loss(seen: SeenLater, log_odds_N: np.ndarray, rows: np.ndarray) -> float:
    return float(log_losses(log_odds_N, seen.rows)[rows].mean())


def halfway(seen: SeenLater) -> int:
    return int(np.median(seen.rows.known_from_N))


def test_rows_find_their_windows_whatever_their_order() -> None:
    made, bundle = known(windows(60, seed=4)), serving()
    rows = rows_of(made, bundle)
    some = made.take(np.random.default_rng(0).permutation(60)[:40])
    seen, kept_N = SeenLater.of(some, rows, bundle.horizons)
    assert len(kept_N) == 40 * H
    y_BH, _ = some.labels
    np.testing.assert_array_equal(
        y_BH[seen.window_N, seen.horizon_N], rows.onset_N[kept_N]
    )
    every = np.ones(len(kept_N), bool)
    np.testing.assert_array_equal(seen.labels(every, seen.rows.weight_N).y_BH, y_BH)


def test_weights_leave_a_block_that_tells_nothing_any_more() -> None:
    bundle = serving()
    seen = later(without_signal(known(windows(800, seed=6)), "k_BK"), bundle)
    origin = halfway(seen)
    again = refit(bundle, seen, origin)
    assert weights(bundle)["context"] > 0.2
    assert weights(again)["context"] < weights(bundle)["context"] / 2
    judged = seen.rows.end_day_N >= origin
    assert loss(seen, again.log_odds_N, judged) < loss(
        seen, seen.rows.log_odds_N, judged
    )


def test_without_a_known_label_the_risks_are_those_of_before() -> None:
    bundle = serving()
    seen = later(known(windows(200, seed=7)), bundle)
    again = refit(bundle, seen, 0)
    np.testing.assert_allclose(again.log_odds_N, seen.rows.log_odds_N, atol=1e-9)
    np.testing.assert_array_equal(again.alarm_N, seen.rows.alarm_N)


@pytest.mark.parametrize("trees_too", [False, True])
def test_labels_known_after_the_origin_change_nothing(trees_too: bool) -> None:
    bundle = serving()
    seen = later(known(windows(400, seed=8)), bundle)
    origin = halfway(seen)
    after = seen.rows.known_from_N > origin
    onset_N = np.where(after, ~seen.rows.onset_N, seen.rows.onset_N)
    poisoned = seen._replace(rows=seen.rows._replace(onset_N=onset_N))
    first, second = (
        refit(bundle, one, origin, learned=learned() if trees_too else None)
        for one in (seen, poisoned)
    )
    np.testing.assert_array_equal(first.log_odds_N, second.log_odds_N)


def test_rows_that_trees_were_fitted_on_get_scores_of_folds_without_their_unit() -> (
    None
):
    bundle = serving()
    made = known(windows(800, seed=9))
    rng = np.random.default_rng(9)
    noise = replace(
        without_signal(without_signal(made, "k_BK"), "f_BCF"),
        y_BH=rng.random((800, H)) < 0.5,
    )
    seen = later(noise, bundle)
    again = refit(bundle, seen, ALWAYS, learned=learned())
    whole = sure_log_odds(bundle.decision.risk(again.model.score(noise)))
    at = seen.window_N, seen.horizon_N
    every = np.ones(len(seen.rows.unit_N), bool)
    fair, memorised = (
        loss(seen, odds, every) for odds in (again.log_odds_N, whole[at])
    )
    assert fair > memorised + 0.02
    assert fair > np.log(2)  # labels are coins: nothing can be better than not to know


def test_new_trees_learn_what_the_served_ones_could_not_know() -> None:
    bundle = serving()

    def turned(made: Windows) -> Windows:
        """A failure of which another column tells."""
        column_B = np.asarray(made.k_BK)[:, 1]
        return replace(made, y_BH=np.tile(column_B[:, None] > 0.8, (1, H)))

    seen = later(turned(known(windows(800, seed=10))), bundle)
    origin = halfway(seen)
    judged = seen.rows.end_day_N >= origin
    weighed, anew = (
        refit(bundle, seen, origin, learned=part) for part in (None, learned())
    )
    assert loss(seen, anew.log_odds_N, judged) < loss(seen, weighed.log_odds_N, judged)


def test_trees_without_any_label_stay_as_they_are() -> None:
    bundle = serving()
    seen = later(known(windows(100, seed=11)), bundle)
    nothing = learned().take(np.zeros(len(learned()), bool))
    again = refit(bundle, seen, 0, learned=nothing)
    assert weights(again) == weights(bundle)
    np.testing.assert_allclose(again.log_odds_N, seen.rows.log_odds_N, atol=1e-9)


def test_fusion_of_equal_weights_goes_on_with_them() -> None:
    fusion = fit_family(
        "fusion", learned(), known(windows(200, seed=2)), blocks=BLOCKS, method="mean"
    )
    bundle = bundled(fusion, recipe(), known(windows(200, seed=3)))
    seen = later(without_signal(known(windows(400, seed=6)), "k_BK"), bundle)
    assert weights(refit(bundle, seen, ALWAYS)) == weights(bundle)
