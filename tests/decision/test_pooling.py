"""Calibration pooled over classes: a class departs from the fleet as far as its machines can prove."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from hvac.decision.calibration import Calibrator
from hvac.decision.calibrator_fit import fit_calibrator
from hvac.decision.pooling import CalPart, correct, fit_calibrators


def part(
    machines: int, *, shift: float = 0.0, seed: int = 0, windows: int = 10
) -> CalPart:
    """Machines with a log-odds of their own each; labels drawn from it, moved by a shift the score does not know."""
    rng = np.random.default_rng(seed)
    score_B = np.repeat(rng.normal(-1, 1.5, machines), windows)
    y_B = rng.random(len(score_B)) < expit(score_B + shift)
    return CalPart(score_B, y_B, np.repeat(np.arange(machines), windows))


def rate(calibrator: object, at: float = -1.0) -> float:
    return float(calibrator.transform(np.array([at]))[0])  # type: ignore[attr-defined]


def test_a_class_of_few_machines_stays_near_the_fleet() -> None:
    fleet = {f"c{i}": part(12, seed=i) for i in range(8)}
    one_off = fleet | {"odd": part(6, shift=2.0, seed=99)}
    alone = fit_calibrator(*one_off["odd"][:2], groups_B=one_off["odd"].groups_B)
    pooled = fit_calibrators(one_off)
    middle = np.mean([rate(pooled[name]) for name in fleet])
    assert abs(rate(pooled["odd"]) - middle) < abs(rate(alone) - middle) / 2


def test_a_class_of_many_machines_goes_its_own_way() -> None:
    fleet = {"usual": part(90, seed=1), "odd": part(90, shift=2.0, seed=2)}
    found = fit_calibrators(fleet)
    assert rate(found["odd"]) - rate(found["usual"]) > 0.15


def test_one_class_alone_is_calibrated_to_its_own_rate() -> None:
    only = part(60, shift=1.0, seed=3)
    risk_B = fit_calibrators({"only": only})["only"].transform(only.score_B)
    assert risk_B.mean() == pytest.approx(np.mean(only.y_B), abs=0.02)


def test_pooling_keeps_the_order_of_machines_of_different_classes_better_than_calibrating_each_alone() -> (
    None
):
    """Scores are right log-odds already; what calibration does to their order is chance."""

    def apart(found: dict[str, object], held: dict[str, CalPart]) -> float:
        risk = np.concatenate(
            [found[name].transform(p.score_B) for name, p in held.items()]
        )  # type: ignore[attr-defined]
        truth = np.concatenate([p.score_B for p in held.values()])
        return float(
            np.corrcoef(np.argsort(np.argsort(risk)), np.argsort(np.argsort(truth)))[
                0, 1
            ]
        )

    cal = {f"c{i}": part(10, seed=i) for i in range(8)}
    held = {f"c{i}": part(40, seed=100 + i) for i in range(8)}
    alone = {
        name: fit_calibrator(p.score_B, p.y_B, groups_B=p.groups_B)
        for name, p in cal.items()
    }
    assert apart(dict(fit_calibrators(cal)), held) > apart(dict(alone), held)


def test_class_with_a_hundred_positive_machines_gets_isotonic_of_its_own() -> None:
    found = fit_calibrators({"big": part(300, seed=4), "small": part(10, seed=5)})
    assert (found["big"].method, found["small"].method) == ("isotonic", "platt")


def test_order_of_classes_does_not_matter() -> None:
    fleet = {f"c{i}": part(12, seed=i) for i in range(4)}
    one, two = fit_calibrators(fleet), fit_calibrators(dict(reversed(fleet.items())))
    for name in fleet:
        assert rate(one[name]) == pytest.approx(rate(two[name]), abs=1e-4)


def test_scores_that_rank_the_wrong_way_round_are_not_turned() -> None:
    wrong = {
        f"c{i}": CalPart(-p.score_B, p.y_B, p.groups_B)
        for i, p in enumerate(part(30, seed=s) for s in range(3))
    }
    assert {each.method for each in fit_calibrators(wrong).values()} == {"shift"}


def test_fleet_with_too_few_positives_falls_back_to_a_shift() -> None:
    none = {
        f"c{i}": CalPart(np.linspace(-2, 2, 20), np.zeros(20), np.arange(20))
        for i in range(3)
    }
    assert {each.method for each in fit_calibrators(none).values()} == {"shift"}


# What a held-back part corrects


def held_back(units: int, rate: float, *, windows: int = 4) -> CalPart:
    """Units of which a share has events in all windows, all scored at even odds."""
    y_B = np.repeat(np.arange(units) < round(rate * units), windows).astype(float)
    return CalPart(np.zeros(len(y_B)), y_B, np.repeat(np.arange(units), windows))


EVEN = Calibrator(method="shift")


def corrected(held: CalPart) -> float:
    """The risk that stood at one half, in log-odds."""
    return float(logit(rate(correct({"pump": EVEN}, {"pump": held})["pump"], 0.0)))


def test_five_machines_move_next_to_nothing_and_many_what_they_prove() -> None:
    told = float(logit(0.8))
    five, forty, many = (corrected(held_back(units, 0.8)) for units in (5, 40, 4000))
    assert 0 < five < 0.05 * told
    assert five < forty < many
    assert many == pytest.approx(told, rel=0.1)


def test_correction_counts_units_and_not_their_windows() -> None:
    assert corrected(held_back(40, 0.8, windows=50)) == pytest.approx(
        corrected(held_back(40, 0.8)), abs=1e-4
    )


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_held_back_part_with_one_kind_of_unit_corrects_nothing(rate: float) -> None:
    assert correct({"pump": EVEN}, {"pump": held_back(40, rate)}) == {"pump": EVEN}


def test_correction_is_the_same_for_all_classes_and_turns_no_order_round() -> None:
    """Even where the held-back part says that high scores are the safe ones."""
    wrong = part(60, seed=1)
    fleet = {
        "a": Calibrator(method="platt", slope=0.8, intercept=-1.0),
        "b": Calibrator(method="platt", slope=1.3),
    }
    found = correct(
        fleet, {"a": wrong._replace(score_B=-wrong.score_B), "b": held_back(10, 0.5)}
    )
    at_B = np.linspace(-4, 4, 50)
    before_B, after_B = (
        np.concatenate([each[name].transform(at_B) for name in fleet])
        for each in (fleet, found)
    )
    assert np.abs(after_B - before_B).max() > 0.01
    np.testing.assert_array_equal(
        np.argsort(after_B, kind="stable"), np.argsort(before_B, kind="stable")
    )


def test_class_without_held_back_windows_is_corrected_by_the_others() -> None:
    nothing = CalPart(np.empty(0), np.empty(0), np.empty(0))
    found = correct(
        {"pump": EVEN, "fan": EVEN}, {"pump": held_back(200, 0.8), "fan": nothing}
    )
    assert found["fan"] == found["pump"] != EVEN
