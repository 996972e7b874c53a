"""How sure a bundle is of its risks, and what it says of windows.

Legend: B windows, H horizons, D draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from hvac.arrays import AnyArray, Bools, Floats, Ints
from hvac.certainty.bands import (
    RiskBands,
    band_around,
    band_arrays,
    fit_risk_bands,
)
from hvac.certainty.withholding import Rule, choose_share, kept
from hvac.decision.abstain_config import AbstainConfig
from hvac.decision.decision import Decision, Scored
from hvac.decision.thresholds import alarms
from hvac.errors import BundleError

PREFIX = "band."


class Sureness(NamedTuple):
    """How sure the risks of windows are.

    `low_BH` and `high_BH`: 90 % of the draws lie between them. `similar_B`: other machines that
    looked alike. `needs_look_BH`: alarms that are not sure enough, and silence about windows that
    too few machines are like: there the answer is "needs a look".
    """

    low_BH: Floats
    high_BH: Floats
    similar_B: Ints
    needs_look_BH: Bools


class Certainty(NamedTuple):
    """The bands of one class, and the rule by which alarms are withheld."""

    bands: RiskBands
    rule: Rule

    def of(self, risk_BH: Floats, threshold_BH: Floats, similar_B: Ints) -> Sureness:
        """Tell how sure risks are.

        Args:
            risk_BH: calibrated risks.
            threshold_BH: their thresholds.
            similar_B: other machines that looked alike.
        """
        drawn_DBH = self.bands.drawn(risk_BH)
        low_BH, high_BH = band_around(risk_BH, drawn_DBH)
        alarm_BH = alarms(risk_BH, threshold_BH)
        share_BH = alarm_shares(drawn_DBH, threshold_BH)
        kept_BH = kept(alarm_BH, share_BH, self.rule)
        unlike_B1 = (similar_B < self.rule.least_similar)[:, None]
        needs_look_BH = np.where(alarm_BH, ~kept_BH, unlike_B1)
        return Sureness(low_BH, high_BH, similar_B, needs_look_BH)

    def arrays(self) -> dict[str, AnyArray]:
        """Return all of it as arrays by name."""
        return band_arrays(self.bands) | {
            "band.share_H": self.rule.share_H,
            "band.promised_H": self.rule.promised_H,
            "band.least_similar": np.array([self.rule.least_similar]),
        }

    @classmethod
    def restore(cls, arrays: Mapping[str, AnyArray], horizons: int) -> Certainty:
        """Return what `arrays` gave.

        Raises:
            BundleError: if an array is missing, or is not of so many horizons.
        """
        try:
            stored = {
                name.removeprefix(PREFIX): array for name, array in arrays.items()
            }
            bands = RiskBands(stored["slope_DH"], stored["intercept_DH"])
            rule = Rule(
                stored["share_H"], stored["promised_H"], int(stored["least_similar"][0])
            )
        except (KeyError, IndexError) as error:
            raise BundleError(f"its risk bands are damaged ({error})") from error
        shapes = {bands.slope_DH.shape, bands.intercept_DH.shape}
        widths = {bands.slope_DH.shape[-1], len(rule.share_H), len(rule.promised_H)}
        finite = all(bool(np.isfinite(part).all()) for part in bands)
        if len(shapes) != 1 or widths != {horizons} or not finite:
            raise BundleError(
                "its risk bands are damaged: their arrays do not fit each other"
            )
        return cls(bands, rule)


def alarm_shares(drawn_DBH: Floats, threshold_BH: Floats) -> Floats:
    """Return the share of the draws in which each window alarms: [B, H]."""
    return np.asarray(alarms(drawn_DBH, threshold_BH).mean(axis=0))


def fit_certainty(
    scored: Scored, decision: Decision, config: AbstainConfig, horizons: tuple[int, ...]
) -> Certainty:
    """Fit the bands of one class and choose its rule, on cross-fitted scores.

    Args:
        scored: labelled windows that are not tested.
        decision: of the class.
        config: what is to be promised.
        horizons: in days.
    """
    bands = fit_risk_bands(scored, decision)
    windows = scored.windows
    facility_B = windows.column("facility_id")
    risk_BH = decision.risk(scored.score_BH, facility_B)
    threshold_BH = decision.threshold_BH(facility_B)
    alarm_BH = alarms(risk_BH, threshold_BH)
    share_BH = alarm_shares(bands.drawn(risk_BH), threshold_BH)
    y_BH, known_BH = windows.labels
    chosen = []
    kept_B = np.zeros(
        len(windows), dtype=bool
    )  # at a shorter horizon: kept at this one, too
    for h, days in enumerate(horizons):
        known_B = known_BH[:, h]
        share, promised = choose_share(
            alarm_BH[known_B, h],
            np.where(kept_B, 1.0, share_BH[:, h])[known_B],
            y_BH[known_B, h],
            units_B=windows.units[known_B],
            end_day_B=windows.end_day_B[known_B],
            horizon=days,
            config=config,
        )
        chosen.append((share, promised))
        kept_B |= alarm_BH[:, h] & (share_BH[:, h] >= share)
    withhold = config.policy == "budget"
    rule = Rule(
        np.array([share if withhold else 0.0 for share, _ in chosen]),
        np.array([promised for _, promised in chosen]),
        config.least_similar if withhold else 0,
    )
    return Certainty(bands, rule)
