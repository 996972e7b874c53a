"""A facility departs from its class as far as its machines can prove, and not at all where too few tell."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from hvac.decision.calibration import Calibrator, bent
from hvac.decision.departures import LEAST_MACHINES, fit_shift
from hvac.decision.pooling import CalPart

CLASS = Calibrator(method="platt", slope=1.0, intercept=-1.0)
STEPS = Calibrator(
    method="isotonic", score_K=(-2.0, 0.0, 2.0), risk_K=(0.01, 0.3, 0.95)
)


def part(
    machines: int, *, shift: float = 0.0, seed: int = 0, windows: int = 10
) -> CalPart:
    """Machines whose log-odds lie `shift` above what the class's calibrator says."""
    rng = np.random.default_rng(seed)
    score_B = np.repeat(rng.normal(0, 1, machines), windows)
    y_B = rng.random(len(score_B)) < expit(score_B - 1 + shift)
    return CalPart(score_B, y_B, np.repeat(np.arange(machines), windows))


def test_shift_grows_towards_the_truth_with_the_number_of_machines() -> None:
    found = [fit_shift(CLASS, part(machines, shift=1.0)) for machines in (8, 40, 400)]
    assert 0 < found[0] < found[1] < found[2]
    assert found[2] == pytest.approx(1.0, abs=0.15)


def test_facility_that_is_like_its_class_hardly_departs() -> None:
    assert abs(fit_shift(CLASS, part(400))) < 0.15


@pytest.mark.parametrize("kind", [0, 1])
def test_shift_is_exactly_0_where_too_few_machines_have_a_kind_of_label(
    kind: int,
) -> None:
    def seen(machines: int) -> CalPart:
        return CalPart(
            np.zeros(40), (np.arange(40) < machines) == bool(kind), np.arange(40)
        )

    assert fit_shift(CLASS, seen(LEAST_MACHINES - 1)) == 0.0
    assert fit_shift(CLASS, seen(LEAST_MACHINES)) != 0.0


def test_facility_without_a_known_window_does_not_depart() -> None:
    assert fit_shift(CLASS, CalPart(np.zeros(0), np.zeros(0), np.zeros(0))) == 0.0


def test_windows_more_often_taken_of_the_same_machines_prove_nothing_more() -> None:
    once = part(20, shift=1.0)
    often = CalPart(*(np.repeat(array, 5) for array in once[:3]))
    assert fit_shift(CLASS, often) == pytest.approx(fit_shift(CLASS, once), abs=1e-9)


@pytest.mark.parametrize(
    "calibrator", [CLASS, STEPS, Calibrator(method="shift", intercept=0.5)]
)
def test_shifted_risks_rise_by_the_shift_and_keep_their_order(
    calibrator: Calibrator,
) -> None:
    score_B = np.linspace(-3, 3, 101)
    before, after = (
        calibrator.transform(score_B),
        bent(calibrator, 1.0, 0.7).transform(score_B),
    )
    assert (np.diff(after) >= 0).all()
    assert (after >= before).all()
    if calibrator.method != "isotonic":
        np.testing.assert_allclose(logit(after) - logit(before), 0.7)


@pytest.mark.parametrize("calibrator", [CLASS, STEPS])
def test_no_shift_is_the_calibrator_itself(calibrator: Calibrator) -> None:
    assert bent(calibrator, 1.0, 0.0) is calibrator
