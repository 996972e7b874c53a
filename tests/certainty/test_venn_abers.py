"""Venn–Abers predictions: closed forms, and widths that shrink with units."""

from __future__ import annotations

import numpy as np
import pytest

from hvac.certainty.venn_abers import calibration_widths, venn_abers
from tests.certainty.fleets_example import FleetFacts, fleet

FACTS = FleetFacts(hazard=0.0025, slope=1.0, intercept=0.0, noise=0.5)


@pytest.mark.parametrize(("units", "positives"), [(5, 0), (9, 3), (40, 40)])
def test_equal_scores_give_the_rates_with_one_label_more(
    units: int, positives: int
) -> None:
    low_G, high_G = venn_abers(
        np.zeros(units), np.arange(units) < positives, np.zeros(1)
    )
    assert low_G[0] == pytest.approx(positives / (units + 1))
    assert high_G[0] == pytest.approx((positives + 1) / (units + 1))


def test_bounds_lie_on_either_side_of_the_truth_on_average() -> None:
    rng = np.random.default_rng(0)
    score_N = rng.normal(size=400)
    y_N = rng.random(400) < 1 / (1 + np.exp(-score_N))
    low_G, high_G = venn_abers(score_N, y_N, np.array([-1.0, 0.0, 1.0]))
    assert (low_G <= high_G).all()
    assert (low_G + high_G) / 2 == pytest.approx(
        1 / (1 + np.exp([1.0, 0.0, -1.0])), abs=0.1
    )


def test_widths_shrink_with_the_number_of_units() -> None:
    few, many = (fleet(FACTS, units, np.random.default_rng(0)) for units in (8, 120))
    assert (calibration_widths(few) > 2 * calibration_widths(many)).all()


def test_width_of_one_unit_is_unknown() -> None:
    assert np.isnan(calibration_widths(fleet(FACTS, 1, np.random.default_rng(0)))).all()
