"""Risk bands: how far calibrated risks move where other units had been in the record.

Units are drawn with replacement, and on each draw the risks are calibrated once more by a slope and
an intercept of their log-odds. Each fit is drawn towards a random line near the one that changes
nothing (a randomised prior, Osband et al. 2018), so that few units give a wide band and not none.
What is not in the band: how networks and trees would differ, had they been fitted on other units.

Legend: B windows, H horizons, D draws, U units.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from scipy.special import expit, logit

from hvac.arrays import AnyArray, Bools, Floats, Ints
from hvac.decision.calibration import RISK_FLOOR, running_maximum
from hvac.decision.decision import Decision, Scored

DRAWS: Final = 50
LOW, HIGH = 5, 95  # percent of the draws
# of the prior; chosen on simulated fleets (benchmarks/certainty.py)
SLOPE_STD: Final = 0.4
INTERCEPT_STD: Final = 0.8
STEPS: Final = 12
MOST_STEP: Final = 2.0
SEED: Final = 18
# of more, an even share: draws times windows must fit in memory
MOST_WINDOWS: Final = 50_000


class RiskBands(NamedTuple):
    """Slope and intercept of every draw and horizon, on the log-odds of calibrated risks."""

    slope_DH: Floats
    intercept_DH: Floats

    def drawn(self, risk_BH: Floats) -> Floats:
        """Return the risks of every draw, never falling with the horizon: [D, B, H].

        >>> bands = RiskBands(np.array([[1.0], [1.0]]), np.array([[-0.5], [0.5]]))
        >>> bands.drawn(np.array([[0.5]])).round(2).ravel().tolist()
        [0.38, 0.62]
        """
        odds_BH = logit(np.clip(risk_BH, RISK_FLOOR, 1 - RISK_FLOOR))
        drawn_DBH = expit(self.slope_DH[:, None] * odds_BH + self.intercept_DH[:, None])
        return running_maximum(drawn_DBH)

    def around(self, risk_BH: Floats) -> tuple[Floats, Floats]:
        """Return the 5 and 95 % quantiles of the draws, with the risk itself inside: [B, H] each."""
        return band_around(risk_BH, self.drawn(risk_BH))


def band_around(risk_BH: Floats, drawn_DBH: Floats) -> tuple[Floats, Floats]:
    """Return the 5 and 95 % quantiles of draws, with the risk itself inside: [B, H] each."""
    low_BH, high_BH = np.percentile(drawn_DBH, [LOW, HIGH], axis=0)
    return np.minimum(low_BH, risk_BH), np.maximum(high_BH, risk_BH)


def fit_risk_bands(scored: Scored, decision: Decision) -> RiskBands:
    """Fit the bands of one class.

    Windows of a unit overlap: together they count as one.

    Args:
        scored: its labelled windows that are not tested, with cross-fitted scores.
        decision: of the class.
    """
    if len(scored.windows) > MOST_WINDOWS:
        rows = np.linspace(0, len(scored.windows) - 1, MOST_WINDOWS).astype(np.int64)
        scored = scored.where(np.isin(np.arange(len(scored.windows)), rows))
    risk_BH = decision.risk(scored.score_BH, scored.windows.column("facility_id"))
    odds_BH = logit(np.clip(risk_BH, RISK_FLOOR, 1 - RISK_FLOOR))
    y_BH, _ = scored.windows.labels
    weight_BH = scored.windows.weights.astype(np.float64)
    _, unit_B = np.unique(scored.windows.units, return_inverse=True)
    units = int(unit_B.max(initial=-1)) + 1
    rng = np.random.default_rng(SEED)
    drawn_DU = rng.multinomial(units, np.full(units, 1 / units), size=DRAWS).astype(
        np.float64
    )
    lines = []
    for h in range(odds_BH.shape[1]):
        prior_D2 = np.column_stack(
            [rng.normal(1, SLOPE_STD, DRAWS), rng.normal(0, INTERCEPT_STD, DRAWS)]
        )
        share_B = _unit_shares(weight_BH[:, h], unit_B)
        share_DB = drawn_DU[:, unit_B] * share_B
        lines.append(_lines(odds_BH[:, h], y_BH[:, h], share_DB, prior_D2))
    line_HD2 = np.stack(lines)
    return RiskBands(line_HD2[..., 0].T.copy(), line_HD2[..., 1].T.copy())


def _unit_shares(weight_B: Floats, unit_B: Ints) -> Floats:
    """Weigh windows so that each unit counts as one, however many windows it has."""
    total_U = np.bincount(unit_B, weight_B)
    return np.asarray(weight_B / np.maximum(total_U, 1e-12)[unit_B])


def _lines(odds_B: Floats, y_B: Bools, share_DB: Floats, prior_D2: Floats) -> Floats:
    """Fit slope and intercept of every draw by Newton's method: [D, 2]."""
    precision_2 = np.array([SLOPE_STD, INTERCEPT_STD]) ** -2.0
    line_D2 = prior_D2.copy()
    for _ in range(STEPS):
        risk_DB = expit(line_D2[:, :1] * odds_B + line_D2[:, 1:])
        error_DB = share_DB * (risk_DB - y_B)
        curve_DB = share_DB * risk_DB * (1 - risk_DB)
        away_D2 = precision_2 * (line_D2 - prior_D2)
        slope_D, intercept_D = error_DB @ odds_B, error_DB.sum(axis=1)
        a_D = curve_DB @ odds_B**2 + precision_2[0]
        b_D = curve_DB @ odds_B
        c_D = curve_DB.sum(axis=1) + precision_2[1]
        down_D2 = np.column_stack([slope_D, intercept_D]) + away_D2
        step_D2 = _solve(a_D, b_D, c_D, down_D2)
        line_D2 -= np.clip(step_D2, -MOST_STEP, MOST_STEP)
    line_D2[:, 0] = np.maximum(line_D2[:, 0], 0.0)
    return line_D2


def _solve(a_D: Floats, b_D: Floats, c_D: Floats, right_D2: Floats) -> Floats:
    """Solve [[a, b], [b, c]] x = right for every draw."""
    determinant_D = a_D * c_D - b_D**2
    first_D = (c_D * right_D2[:, 0] - b_D * right_D2[:, 1]) / determinant_D
    second_D = (a_D * right_D2[:, 1] - b_D * right_D2[:, 0]) / determinant_D
    return np.column_stack([first_D, second_D])


def band_arrays(bands: RiskBands) -> dict[str, AnyArray]:
    """Return the bands as arrays by name."""
    return {"band.slope_DH": bands.slope_DH, "band.intercept_DH": bands.intercept_DH}
