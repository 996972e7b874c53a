"""What visits found: repairs after alarms teach neither that alarms are false nor that they are right."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from scipy.special import expit

from hvac.casework.outcome_codes import Outcome, OutcomeCode
from hvac.panel.grid import Unit
from hvac.update.bends import fit_bends
from hvac.update.found_on_visits import beyond_log, with_findings
from hvac.update.ladder import LINES, climb, origins_of
from hvac.update.matured import Matured
from hvac.update.promotion_gate import check_gate

H, UNITS, WINDOWS, ALARM = 30, 200, 24, -1.0


def fleet(
    seed: int = 0,
    *,
    code: OutcomeCode | None,
    prevented: float = 0.8,
    false_hits: bool = False,
) -> Matured:
    """Windows 30 days apart with right risks; every alarm is visited, and most faults mended first.

    `code` is what people tell of a visit that mended a fault ("nothing found" of the others).
    """
    rng = np.random.default_rng(seed)
    given = rng.normal(-2, 1.2, (UNITS, WINDOWS))
    would_come = rng.random(given.shape) < expit(given)
    alarm = given > ALARM
    mended = would_come & alarm & (rng.random(given.shape) < prevented)
    parts = defaultdict(list)
    for u in range(UNITS):
        days = np.arange(WINDOWS) * H
        told = []
        if code is not None:
            for day, fault in zip(days[alarm[u]], mended[u][alarm[u]], strict=True):
                found = code if fault or false_hits else "nothing_found"
                told.append(Outcome(Unit("F", str(u)), int(day) + 3, found))
        labels = with_findings(
            end_day_N=days, horizon_N=np.full(WINDOWS, H), alarm_N=alarm[u],
            onset_N=would_come[u] & ~mended[u], outcomes=told,
        )  # fmt: skip
        kept = ~labels.left_out_N
        parts["onset"].append(labels.onset_N[kept])
        parts["found"].append(labels.found_N[kept])
        parts["given"].append(given[u][kept])
        parts["day"].append(days[kept])
        parts["unit"].append(np.full(kept.sum(), u))
    column = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    return Matured.of(
        class_N=np.full(len(column["day"]), "ahu"),
        unit_N=column["unit"].astype(str),
        end_day_N=column["day"],
        horizon_N=np.full(len(column["day"]), H),
        log_odds_N=column["given"],
        onset_N=column["onset"],
        alarm_N=column["given"] > ALARM,
        found_N=column["found"],
    )


def test_repairs_that_nobody_tells_teach_that_alarms_are_false() -> None:
    rows = fleet(code=None)
    assert climb(rows, origins_of(rows, 300)).winner in LINES
    assert fit_bends(rows, LINES["intercept"])["ahu"].intercept < -0.5


@pytest.mark.parametrize("seed", range(5))
def test_faults_that_visits_found_leave_right_risks_as_they_are(seed: int) -> None:
    rows = fleet(seed, code="hit")
    assert rows.found_N.any()
    assert fit_bends(rows, LINES["intercept"])["ahu"].intercept == pytest.approx(
        0, abs=0.15
    )
    climbed = climb(rows, origins_of(rows, 300), seed=seed)
    assert climbed.winner == "none"


def test_visits_without_a_finding_count_neither_way() -> None:
    days = np.array([0, 10, 20, 60])
    told = [Outcome(Unit("F", "E"), 25, "inspected")]
    for onset in (False, True):  # whatever came after
        labels = with_findings(
            end_day_N=days, horizon_N=np.full(4, H), alarm_N=np.array([1, 0, 1, 1], bool),
            onset_N=np.full(4, onset), outcomes=told,
        )  # fmt: skip
        assert labels.left_out_N.tolist() == [True, False, True, False]
        assert not labels.found_N.any()


def test_hit_on_the_day_of_the_alarm_itself_is_left_out() -> None:
    labels = with_findings(
        end_day_N=np.array([9, 10]), horizon_N=np.full(2, H), alarm_N=np.ones(2, bool),
        onset_N=np.zeros(2, bool), outcomes=[Outcome(Unit("F", "E"), 10, "hit")],
    )  # fmt: skip
    assert labels.onset_N.tolist() == [True, False]
    assert labels.left_out_N.tolist() == [False, True]


def test_months_of_nothing_found_change_no_label() -> None:
    told, untold = (fleet(code=code, prevented=0.0) for code in ("hit", None))
    # nothing was mended, so "hit" is never told and all visits found nothing
    for one, other in zip(told, untold, strict=True):
        np.testing.assert_array_equal(one, other)


def test_gate_refuses_findings_that_the_log_contradicts() -> None:
    rows = fleet(code="hit", prevented=0.0, false_hits=True)
    climbed = climb(rows, origins_of(rows, 300))
    assert climbed.winner != "none"  # every alarm is told to be right
    refused = check_gate(climbed, budget=10.0).refused
    assert "onsets that only visits found" in refused
    assert "surely higher" in refused


def test_fault_that_the_log_holds_already_is_counted_once() -> None:
    unit = Unit("F", "E")
    told = [Outcome(unit, day, "hit") for day in (14, 24, 25)]
    inspected = Outcome(unit, 12, "inspected")
    kept = beyond_log([*told, inspected], np.array([10]))
    assert kept == [told[2], inspected]
    assert beyond_log(told, np.array([], np.int32)) == told
