"""The ladder, the gate and the steps of thresholds on made-up fleets whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from hvac.errors import InputError
from hvac.update.bends import STRAIGHT, Bend, bent_log_odds, fit_bends
from hvac.update.ladder import LINES, Offer, climb, less_loss, origins_of
from hvac.update.matured import Matured, common_places
from hvac.update.promotion_gate import check_gate, false_episode_rate
from hvac.update.threshold_steps import LARGEST_STEP, next_step

H = 30


def fleet(
    seed: int = 0,
    *,
    shift: float = 0.0,
    slope: float = 1.0,
    units: int = 200,
    windows: int = 24,
) -> Matured:
    """Windows 30 days apart whose true log-odds are slope · given + shift."""
    rng = np.random.default_rng(seed)
    given_N = rng.normal(-2, 1.2, units * windows)
    onset_N = rng.random(len(given_N)) < expit(slope * given_N + shift)
    unit_N = np.repeat(np.arange(units), windows).astype(str)
    return Matured.of(
        class_N=np.where(np.char.endswith(unit_N, "7"), "chiller", "ahu"),
        unit_N=unit_N,
        end_day_N=np.tile(np.arange(windows) * H, units),
        horizon_N=np.full(len(given_N), H),
        log_odds_N=given_N,
        onset_N=onset_N,
        alarm_N=given_N > -1,
    )


def climbed(matured: Matured):  # type: ignore[no-untyped-def]
    return climb(matured, origins_of(matured, 300))


def test_fleet_that_did_not_change_is_left_alone() -> None:
    assert [climbed(fleet(seed)).winner for seed in range(8)].count("none") >= 7


@pytest.mark.parametrize("shift", [-0.8, 0.8])
def test_other_rates_move_the_intercept_and_nothing_more(shift: float) -> None:
    matured = fleet(shift=shift)
    assert climbed(matured).winner == "fleet_intercept"
    bends = fit_bends(matured, LINES["intercept"])
    assert bends["ahu"].intercept == pytest.approx(shift, abs=0.2)
    assert bends["ahu"].slope == 1.0


def test_weaker_scores_move_the_slope() -> None:
    matured = fleet(slope=0.4, shift=-0.5)
    assert climbed(matured).winner == "fleet_platt"
    assert fit_bends(matured, LINES["platt"])["ahu"].slope == pytest.approx(
        0.4, abs=0.12
    )


def test_candidates_are_fitted_on_labels_known_before_the_windows_they_are_scored_on() -> (
    None
):
    matured = fleet(shift=0.8)
    origins = origins_of(matured, 300)
    first = climbed(matured)
    later = matured.known_from_N > origins[-1]
    poisoned = matured._replace(
        onset_N=np.where(later, ~matured.onset_N, matured.onset_N)
    )
    second = climb(poisoned, origins)
    for rung in LINES:
        np.testing.assert_array_equal(first.log_odds[rung], second.log_odds[rung])


def test_class_without_events_stays_with_its_fleet() -> None:
    matured = fleet()
    is_chiller = matured.class_N == "chiller"
    few = matured.where(~is_chiller | (np.arange(len(is_chiller)) % 97 == 0))
    bends = fit_bends(few, LINES["intercept"])
    assert abs(bends["chiller"].intercept - bends["ahu"].intercept) < 0.35
    nothing = matured.where(np.zeros(len(is_chiller), bool))
    assert fit_bends(nothing, LINES["platt"]) == {}


def test_too_few_known_onsets_are_told_in_a_sentence() -> None:
    with pytest.raises(
        InputError, match=r"labels with \d+ onsets were known; at least 20"
    ):
        origins_of(fleet(units=4), 300)


def test_model_trained_anew_wins_where_it_knows_more() -> None:
    matured = fleet(shift=0.0)
    better = matured._replace(
        log_odds_N=matured.log_odds_N + np.where(matured.onset_N, 1.0, -0.3)
    )
    origins = origins_of(matured, 300)

    def winner(rows: Matured) -> str:
        times = len(origins), 1
        offer = Offer(np.tile(rows.log_odds_N, times), np.tile(rows.alarm_N, times))
        return climb(matured, origins, offered={"retrained": offer}).winner

    assert winner(better) == "retrained"
    assert winner(matured) == "none"


def test_offer_that_is_fitted_at_an_origin_is_scored_from_there_on_with_its_line() -> (
    None
):
    """An offer whose log-odds are half as far from 0: its line brings them back."""
    matured = fleet(shift=0.0)
    knows = matured.log_odds_N + np.where(matured.onset_N, 1.0, -0.3)
    origins = origins_of(matured, 300)
    log_odds_PN = np.tile(knows / 2, (len(origins), 1))
    for place, origin in enumerate(origins):  # what was fitted later is never looked at
        log_odds_PN[:place, matured.end_day_N >= origin] = 99.0
    alarm_PN = log_odds_PN > 0
    offered = {"weights": Offer(log_odds_PN, alarm_PN)}
    result = climb(matured, origins, offered=offered)
    assert result.winner == "weights"
    slopes = np.polyfit(knows[_judged(matured, origins)], result.log_odds["weights"], 1)
    assert slopes[0] > 0.9
    np.testing.assert_array_equal(
        result.alarms["weights"], (knows / 2 > 0)[_judged(matured, origins)]
    )


def _judged(matured: Matured, origins: list[int]) -> np.ndarray:
    """The places of the rows that are scored, interval by interval."""
    ends = [*origins[1:], 10**9]
    return np.concatenate(
        [
            np.flatnonzero((matured.end_day_N >= a) & (matured.end_day_N < b))
            for a, b in zip(origins, ends, strict=True)
        ]
    )


def test_common_rows_are_the_same_windows_in_one_order() -> None:
    matured = fleet(units=5, windows=4)
    some = matured.where(np.arange(20) % 3 > 0)
    shuffled = some.where(np.random.default_rng(0).permutation(len(some.unit_N)))
    here_N, there_N = common_places(matured, shuffled)
    here, there = matured.where(here_N), shuffled.where(there_N)
    for name in ("unit_N", "end_day_N", "log_odds_N", "onset_N"):
        np.testing.assert_array_equal(getattr(here, name), getattr(there, name))
    assert len(here.unit_N) == len(some.unit_N)


def test_gate_lets_pass_what_is_surely_better_with_the_same_alarms() -> None:
    climb_ = climbed(fleet(shift=0.8))
    facts = check_gate(climb_, budget=1.0)
    assert facts.refused == ""
    assert facts.ece_after < facts.ece_before
    assert facts.false_alarms_after == facts.false_alarms_before


def test_gate_refuses_more_false_alarms_than_the_budget() -> None:
    climb_ = climbed(fleet(shift=0.8))
    every = np.ones(len(climb_.rows.unit_N), bool)
    every[::2] = False
    noisy = climb_._replace(alarms={**climb_.alarms, climb_.winner: every})
    facts = check_gate(noisy, budget=0.1)
    assert "false alarms a unit-year" in facts.refused


def test_false_alarms_are_episodes_without_an_onset() -> None:
    day_N = np.array([0, 7, 60, 120])
    rows = Matured.of(
        class_N=np.full(4, "ahu"), unit_N=np.full(4, "a"), end_day_N=day_N,
        horizon_N=np.full(4, H), log_odds_N=np.zeros(4),
        onset_N=np.array([False, True, False, False]), alarm_N=np.ones(4, bool),
    )  # fmt: skip
    years = (7 + 30 + 30 + 30) / 365.25
    rate = false_episode_rate(rows, rows.alarm_N)
    assert rate == pytest.approx(2 / years)


def test_bends_keep_risks_that_never_fall_with_the_horizon() -> None:
    matured = fleet()
    bent = bent_log_odds(matured, {"ahu": Bend(0.5, 1.0)})
    order = np.argsort(matured.log_odds_N[matured.class_N == "ahu"], kind="stable")
    assert (np.diff(bent[matured.class_N == "ahu"][order]) >= 0).all()
    same = bent_log_odds(matured, {"ahu": STRAIGHT})
    np.testing.assert_array_equal(same, matured.log_odds_N)


SCORED = {30: (0.9, -2.3), 60: (0.6, -1.4), 90: (0.5, -0.9)}  # slope, intercept


def sensor(scale: float, units: int = 400, windows: int = 8) -> Matured:
    """Windows at three horizons of a score whose scale is not the one that was learned."""
    rng = np.random.default_rng(0)
    count = units * windows
    score_N = rng.normal(0, 1.0, count)
    luck_N = rng.random(count)
    columns = []
    for horizon, (slope, intercept) in SCORED.items():
        columns.append(
            Matured.of(
                class_N=np.full(count, "ahu"),
                unit_N=np.repeat(np.arange(units), windows).astype(str),
                end_day_N=np.tile(np.arange(windows) * 90, units),
                horizon_N=np.full(count, horizon),
                log_odds_N=slope * scale * score_N + intercept,
                onset_N=luck_N < expit(slope * score_N + intercept),
                alarm_N=score_N > 1,
            )
        )
    joined = zip(*columns, strict=True)
    return Matured(*(np.concatenate(arrays) for arrays in joined))  # type: ignore[arg-type]


@pytest.mark.parametrize("scale", [0.5, 1.8])
def test_line_turns_every_horizon_about_its_own_place(scale: float) -> None:
    """A sensor's other scale moves risks about those of its zero, which differ by horizon."""
    rows = sensor(scale)
    bends = fit_bends(rows, LINES["fleet_platt"])
    truth = sensor(1.0).log_odds_N
    bent = bent_log_odds(rows, bends)
    common = {"ahu": bends["ahu"]._replace(about={})}
    far = np.abs(bent_log_odds(rows, common) - truth).mean()
    assert np.abs(bent - truth).mean() < 0.3 * far


def test_turned_log_odds_never_fall_with_the_horizon() -> None:
    rows = sensor(1.0)
    steep = Bend(3.0, 0.0, {30: -2.3, 60: -1.4, 90: -0.9})
    bent = bent_log_odds(rows, {"ahu": steep})
    by_horizon = bent.reshape(len(SCORED), -1)
    assert (np.diff(by_horizon, axis=0) >= 0).all()


def test_flat_line_about_places_that_fall_is_raised_too() -> None:
    """The labels of long horizons are older: their mean risk may lie below that of short ones."""
    rows = sensor(1.0)
    flat = Bend(0.2, 0.0, {30: -0.9, 60: -1.4, 90: -2.3})
    bent = bent_log_odds(rows, {"ahu": flat})
    by_horizon = bent.reshape(len(SCORED), -1)
    assert (np.diff(by_horizon, axis=0) >= 0).all()


def test_horizon_whose_labels_have_not_matured_turns_about_the_nearest() -> None:
    """About 0, risks of 90 days would leave those of 60 far behind, for want of any label."""
    rows = sensor(0.5)
    known = rows.where(rows.horizon_N < 90)
    bend = fit_bends(known, LINES["fleet_platt"])["ahu"]
    assert bend.slope > 1.3
    assert bend.line(90) == bend.line(60)
    bent = bent_log_odds(rows, {"ahu": bend})
    longest = rows.horizon_N == 90
    truth = SCORED[90][1]
    assert bent[longest].mean() == pytest.approx(truth, abs=0.5)


def test_labels_lose_half_of_their_weight_in_a_year() -> None:
    old, new = fleet(seed=1, shift=0.0), fleet(seed=2, shift=1.0)
    aged = old._replace(end_day_N=old.end_day_N - 3 * 365)
    columns = [np.concatenate(arrays) for arrays in zip(aged, new, strict=True)]
    both = Matured(*columns)  # type: ignore[arg-type]
    shift = fit_bends(both, LINES["fleet_intercept"])["ahu"].intercept
    assert 0.75 < shift < 0.95


def test_points_of_a_machine_are_drawn_together() -> None:
    scores = fleet()
    whole = less_loss(scores, scores.log_odds_N, scores.log_odds_N * 0.9)
    points = [
        scores._replace(
            unit_N=np.char.add(np.char.add("F\x1f", scores.unit_N), f"\x1f{p}")
        )
        for p in range(4)
    ]
    columns = [np.concatenate(arrays) for arrays in zip(*points, strict=True)]
    four = Matured(*columns)  # type: ignore[arg-type]
    as_points = less_loss(four, four.log_odds_N, four.log_odds_N * 0.9)
    assert as_points[:3] == pytest.approx(whole[:3])


# Thresholds


def rate_of(scores: Matured, threshold: float, **more: object):  # type: ignore[no-untyped-def]
    return next_step(
        scores.log_odds_N, threshold, unit_N=scores.unit_N, end_day_N=scores.end_day_N,
        horizon=H, declared=1.0, days=720, **more,
    )  # type: ignore[arg-type]  # fmt: skip


def test_threshold_moves_towards_the_declared_rate_by_a_small_step() -> None:
    scores = fleet()
    many = rate_of(scores, -2.5)
    assert (many.why, many.shift) == ("too_many", LARGEST_STEP)
    assert many.rate_after < many.rate_before
    few = rate_of(scores, 3.0)
    assert (few.why, few.shift) == ("too_few", -LARGEST_STEP)


def test_threshold_settles_at_the_declared_rate_and_stays() -> None:
    scores, threshold, moved = fleet(), -2.0, []
    for _ in range(40):
        step = rate_of(scores, threshold)
        threshold += step.shift
        moved.append(step.shift)
    assert rate_of(scores, threshold).rate_before == pytest.approx(1.0, abs=0.1)
    assert moved[-5:] == [0.0] * 5


def test_too_many_alarms_never_lower_a_threshold() -> None:
    """A lower one would join the episodes of a machine that comes and goes: fewer, but all the time."""
    day_D = np.arange(0, 90, 7)
    log_odds_D = np.where(np.arange(len(day_D)) % 4 == 0, 0.02, -0.03)
    step = next_step(
        np.tile(log_odds_D, 10),
        0.0,
        unit_N=np.repeat(np.arange(10), len(day_D)),
        end_day_N=np.tile(day_D, 10),
        horizon=H,
        declared=4.0,
    )
    assert step.rate_before > 4.0
    assert (step.why, step.shift > 0) == ("too_many", True)


def test_threshold_that_splits_episodes_at_first_moves_the_whole_step() -> None:
    day_D = np.arange(0, 90, 7)
    log_odds_D = np.where(np.arange(len(day_D)) % 4 == 0, 0.5, 0.03)
    step = next_step(
        np.tile(log_odds_D, 10),
        0.0,
        unit_N=np.repeat(np.arange(10), len(day_D)),
        end_day_N=np.tile(day_D, 10),
        horizon=H,
        declared=0.5,
    )
    assert step.rate_after > step.rate_before > 0.5
    assert (step.why, step.shift) == ("too_many", LARGEST_STEP)


def test_threshold_is_frozen_while_a_monitor_alerts() -> None:
    step = rate_of(fleet(), -2.5, frozen=True)
    assert (step.shift, step.why) == (0.0, "frozen")
