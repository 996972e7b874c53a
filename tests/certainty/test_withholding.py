"""Alarms that are withheld, and the promise on those that are kept."""

from __future__ import annotations

import numpy as np
import pytest

from hvac.certainty.bands import RiskBands
from hvac.certainty.certainty import Certainty, fit_certainty
from hvac.certainty.withholding import (
    Rule,
    UnitAlarms,
    false_alarms,
    kept,
    within_budget,
)
from hvac.decision.abstain_config import AbstainConfig
from hvac.decision.fit_decisions import DecisionConfig, fit_decisions
from hvac.decision.thresholds import alarms
from hvac.errors import BundleError
from tests.certainty.fleets_example import HORIZONS, facts_of, fleet

YES, NO = True, False


def rule(share: float, least: int = 1) -> Rule:
    return Rule(np.full(2, share), np.array([YES, YES]), least)


def test_alarm_is_kept_where_enough_draws_alarm() -> None:
    alarm_BH = np.array([[YES, YES]] * 2)
    drawn_BH = np.array([[0.9, 0.9], [0.5, 0.9]])
    assert kept(alarm_BH, drawn_BH, rule(0.8)).tolist() == [[YES, YES], [NO, YES]]


def test_silence_about_a_machine_that_no_other_is_like_needs_a_look_and_an_alarm_does_not() -> (
    None
):
    flat = RiskBands(np.ones((4, 2)), np.zeros((4, 2)))
    certainty = Certainty(flat, rule(0.5))
    risk_BH = np.array([[0.1, 0.9], [0.1, 0.9]])
    sure = certainty.of(risk_BH, np.full((2, 2), 0.5), np.array([0, 3]))
    assert sure.needs_look_BH.tolist() == [[YES, NO], [NO, NO]]


def test_alarm_kept_at_a_horizon_is_kept_at_longer_ones() -> None:
    found = kept(np.array([[YES, YES]]), np.array([[0.9, 0.1]]), rule(0.8))
    assert found.tolist() == [[YES, YES]]


def test_no_alarm_is_never_kept() -> None:
    found = kept(np.array([[NO, NO]]), np.ones((1, 2)), rule(0.0))
    assert not found.any()


def test_false_alarm_episodes_are_counted_by_unit() -> None:
    days = np.array([0, 7, 14, 60, 0, 7])
    units = np.array(["a", "a", "a", "a", "b", "b"])
    alarm_B = np.array([YES, YES, NO, YES, YES, YES])
    y_B = np.array([NO, NO, NO, NO, NO, YES])
    counts = false_alarms(alarm_B, y_B, units_B=units, end_day_B=days, horizon=30)
    assert counts.false_U.tolist() == [2.0, 0.0]
    assert counts.years_U == pytest.approx([4 * 7 / 365.25, 2 * 7 / 365.25])


def test_five_units_are_the_fewest_that_carry_a_promise() -> None:
    assert within_budget(UnitAlarms(np.zeros(5), np.ones(5)), 1.0, 0.9)
    assert not within_budget(UnitAlarms(np.zeros(4), np.ones(4)), 1.0, 0.9)


def test_more_confidence_promises_less() -> None:
    alarms_of_units = UnitAlarms(np.array([0.0, 1, 2, 0, 1, 0, 0, 0] * 3), np.ones(24))
    assert within_budget(alarms_of_units, 1.0, 0.8)
    assert not within_budget(alarms_of_units, 1.0, 0.9999)


def test_policy_none_withholds_nothing() -> None:
    rng = np.random.default_rng(0)
    seen = fleet(facts_of(rng), 20, rng)
    decision = fit_decisions(
        {"ahu": seen}, horizons=HORIZONS, config=DecisionConfig(), log_odds=True
    )["ahu"]
    certainty = fit_certainty(seen, decision, AbstainConfig(policy="none"), HORIZONS)
    risk_BH = decision.risk(seen.score_BH)
    threshold_BH = np.tile(decision.threshold_H, (len(risk_BH), 1))
    sure = certainty.of(risk_BH, threshold_BH, np.zeros(len(risk_BH), dtype=np.int64))
    assert not sure.needs_look_BH.any()


def test_promise_holds_on_fresh_units_of_small_fleets() -> None:
    """A small version of benchmarks/certainty.py: 12 fleets, 36 horizons."""
    held = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        facts = facts_of(rng)
        seen, fresh = fleet(facts, 30, rng), fleet(facts, 150, rng)
        decision = fit_decisions(
            {"ahu": seen}, horizons=HORIZONS, config=DecisionConfig(), log_odds=True
        )["ahu"]
        certainty = fit_certainty(seen, decision, AbstainConfig(), HORIZONS)
        risk_BH = decision.risk(fresh.score_BH)
        threshold_BH = np.tile(decision.threshold_H, (len(risk_BH), 1))
        sure = certainty.of(risk_BH, threshold_BH, np.full(len(risk_BH), 99))
        kept_BH = alarms(risk_BH, threshold_BH) & ~sure.needs_look_BH
        y_BH, _ = fresh.windows.labels
        for h in np.flatnonzero(certainty.rule.promised_H):
            counts = false_alarms(
                kept_BH[:, h],
                y_BH[:, h],
                units_B=fresh.windows.units,
                end_day_B=fresh.windows.end_day_B,
                horizon=HORIZONS[h],
            )
            held.append(counts.false_U.sum() / counts.years_U.sum() <= 1.0)
    assert len(held) >= 5
    assert np.mean(held) >= 0.8


def test_certainty_comes_back_from_its_arrays_and_damage_is_refused() -> None:
    rng = np.random.default_rng(0)
    seen = fleet(facts_of(rng), 20, rng)
    decision = fit_decisions(
        {"ahu": seen}, horizons=HORIZONS, config=DecisionConfig(), log_odds=True
    )["ahu"]
    made = fit_certainty(seen, decision, AbstainConfig(), HORIZONS)
    again = Certainty.restore(made.arrays(), 3)
    np.testing.assert_array_equal(again.bands.slope_DH, made.bands.slope_DH)
    assert again.rule.share_H.tolist() == made.rule.share_H.tolist()
    for name in made.arrays():
        lacking = {key: array for key, array in made.arrays().items() if key != name}
        with pytest.raises(BundleError, match="its risk bands are damaged"):
            Certainty.restore(lacking, 3)
    with pytest.raises(BundleError, match="do not fit each other"):
        Certainty.restore(made.arrays(), 2)
    bad = made.arrays() | {"band.slope_DH": made.bands.slope_DH * np.nan}
    with pytest.raises(BundleError, match="do not fit each other"):
        Certainty.restore(bad, 3)


@pytest.mark.parametrize("seed", [0, 1, 9, 10])
def test_what_a_shorter_horizon_keeps_counts_against_the_promise_of_a_longer_one(
    seed: int,
) -> None:
    """The rules of these fleets are stricter at longer horizons, where shorter ones keep alarms."""
    rng = np.random.default_rng(seed)
    seen = fleet(facts_of(rng), 30, rng)
    decision = fit_decisions(
        {"ahu": seen}, horizons=HORIZONS, config=DecisionConfig(), log_odds=True
    )["ahu"]
    certainty = fit_certainty(seen, decision, AbstainConfig(), HORIZONS)
    risk_BH = decision.risk(seen.score_BH)
    threshold_BH = np.tile(decision.threshold_H, (len(risk_BH), 1))
    sure = certainty.of(risk_BH, threshold_BH, np.full(len(risk_BH), 99))
    kept_BH = alarms(risk_BH, threshold_BH) & ~sure.needs_look_BH
    y_BH, _ = seen.windows.labels
    promised = np.flatnonzero(certainty.rule.promised_H)
    assert len(promised)
    for h in promised:
        counts = false_alarms(
            kept_BH[:, h],
            y_BH[:, h],
            units_B=seen.windows.units,
            end_day_B=seen.windows.end_day_B,
            horizon=HORIZONS[h],
        )
        assert within_budget(counts, 1.0, 0.9)
