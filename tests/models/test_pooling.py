"""Calibration pooled over classes: a class departs from the fleet as far as its machines can prove."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from hvac.models.calibration import fit_calibrator
from hvac.models.pooling import CalPart, fit_calibrators


def part(machines: int, *, shift: float = 0.0, seed: int = 0, windows: int = 10) -> CalPart:
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


def test_pooling_keeps_the_order_of_machines_of_different_classes_better_than_calibrating_each_alone() -> None:
    """Scores are right log-odds already; what calibration does to their order is chance."""

    def apart(found: dict[str, object], held: dict[str, CalPart]) -> float:
        risk = np.concatenate([found[name].transform(p.score_B) for name, p in held.items()])  # type: ignore[attr-defined]
        truth = np.concatenate([p.score_B for p in held.values()])
        return float(np.corrcoef(np.argsort(np.argsort(risk)), np.argsort(np.argsort(truth)))[0, 1])

    cal = {f"c{i}": part(10, seed=i) for i in range(8)}
    held = {f"c{i}": part(40, seed=100 + i) for i in range(8)}
    alone = {name: fit_calibrator(p.score_B, p.y_B, groups_B=p.groups_B) for name, p in cal.items()}
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
    wrong = {f"c{i}": CalPart(-p.score_B, p.y_B, p.groups_B) for i, p in enumerate(part(30, seed=s) for s in range(3))}
    assert {each.method for each in fit_calibrators(wrong).values()} == {"shift"}


def test_fleet_with_too_few_positives_falls_back_to_a_shift() -> None:
    none = {f"c{i}": CalPart(np.linspace(-2, 2, 20), np.zeros(20), np.arange(20)) for i in range(3)}
    assert {each.method for each in fit_calibrators(none).values()} == {"shift"}
