"""Risk bands: what they hold, how wide they are, and that they are what they are said to be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from hvac.certainty.bands import (
    INTERCEPT_STD,
    SLOPE_STD,
    RiskBands,
    _lines,
    fit_risk_bands,
)
from hvac.decision.decision import Decision, Scored
from hvac.decision.fit_decisions import DecisionConfig, fit_decisions
from tests.certainty.fleets_example import HORIZONS, FleetFacts, fleet

FACTS = FleetFacts(hazard=0.0025, slope=1.0, intercept=0.0, noise=0.5)
GRID = np.tile(np.array([[0.02], [0.1], [0.3], [0.7]]), 3)


def fitted(units: int, seed: int = 0) -> tuple[Scored, Decision, RiskBands]:
    seen = fleet(FACTS, units, np.random.default_rng(seed))
    decision = fit_decisions(
        {"ahu": seen}, horizons=HORIZONS, config=DecisionConfig(), log_odds=True
    )["ahu"]
    return seen, decision, fit_risk_bands(seen, decision)


def test_band_holds_the_risk_and_rises_with_it() -> None:
    _, _, bands = fitted(20)
    low_BH, high_BH = bands.around(GRID)
    assert (low_BH <= GRID).all()
    assert (high_BH >= GRID).all()
    assert (np.diff(low_BH, axis=0) > 0).all()
    assert (np.diff(high_BH, axis=0) > 0).all()


def test_drawn_risks_never_fall_with_the_horizon() -> None:
    _, _, bands = fitted(20)
    assert (np.diff(bands.drawn(GRID), axis=2) >= 0).all()


def test_band_of_few_units_is_wider() -> None:
    widths = []
    for units in (6, 60, 400):
        low_BH, high_BH = fitted(units)[2].around(GRID)
        widths.append(float((high_BH - low_BH).mean()))
    assert widths[0] > 1.5 * widths[1] > 1.5 * widths[2]


def test_band_of_a_class_without_an_event_is_the_priors() -> None:
    seen, decision, _ = fitted(6)
    y_BH = np.zeros_like(seen.windows.labels[0])
    calm = Scored(seen.score_BH, replace(seen.windows, y_BH=y_BH))
    low_BH, high_BH = fit_risk_bands(calm, decision).around(GRID)
    assert (high_BH - low_BH > 0.005).all()


def test_every_draw_minimises_its_penalised_loss() -> None:
    rng = np.random.default_rng(1)
    odds_B = rng.normal(-1, 1, 80)
    y_B = rng.random(80) < expit(odds_B)
    share_DB = rng.random((3, 80))
    prior_D2 = np.column_stack([rng.normal(1, 0.2, 3), rng.normal(0, 0.5, 3)])
    line_D2 = _lines(odds_B, y_B, share_DB, prior_D2)

    def loss(at: np.ndarray, d: int) -> float:
        logit_B = at[0] * odds_B + at[1]
        fit = share_DB[d] @ (np.logaddexp(0, logit_B) - y_B * logit_B)
        away = (at - prior_D2[d]) / [SLOPE_STD, INTERCEPT_STD]
        return float(fit + 0.5 * away @ away)

    for d in range(3):
        best = minimize(loss, [1.0, 0.0], args=(d,)).x
        assert line_D2[d] == pytest.approx(best, abs=1e-4)
