"""Labels: whether an onset lies in (end_date, end_date + h], masked where the record is silent.

Legend: B windows, H horizons. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from hvac.arrays import Bools, DayNumbers, Floats
from hvac.config import Config, Distinct
from hvac.days import NEVER
from hvac.panel.follow_up import FollowUp
from hvac.panel.grid import Panel


class LabelConfig(Config):
    """What is predicted."""

    source: Literal["events", "limits"] = "events"
    """Where target events come from: the event log, or readings out of their limits."""
    events: Annotated[tuple[str, ...], Distinct] = Field(
        default=("failure",), min_length=1
    )
    """Kinds of events of the log that are predicted."""
    label: Literal["onset", "value_at"] = "onset"
    """An onset within the horizon, or the predecessor's value out of limits on its last day."""
    limit_quantiles: tuple[float, float] = (0.005, 0.995)
    """Quantiles of the training readings that stand for limits where the record has none."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return the kinds of events that are predicted."""
        return ("limit_exceedance",) if self.source == "limits" else self.events


def onset_labels(
    end_day_B: DayNumbers,
    onset_N: DayNumbers,
    *,
    horizons: tuple[int, ...],
    follow_up: FollowUp,
) -> tuple[Bools, Bools, Floats]:
    """Return labels, whether they are known, and how many windows each stands for.

    A label of a window that ends on day t is known where t + h is not after the administrative end
    and it is decided: an onset was seen in (t, t + h], or the unit was followed to t + h. After the
    administrative end no label counts, whatever it is: positives alone would make "the record ends
    soon" tell the label. Before it a label weighs 1 / P(still followed on the day that decided it),
    so that those who are gone are stood for by those who are left.

    Returns:
        y_BH, known_BH, weight_BH. The weight of an unknown label means nothing.

    >>> day = np.array([0, 50], np.int32)
    >>> stays, leaves = FollowUp(end=85, until=85), FollowUp(end=200, until=85)
    >>> y, known, weight = onset_labels(day, np.array([20]), horizons=(30, 60), follow_up=stays)
    >>> y.tolist(), known.tolist(), weight.tolist()
    ([[True, True], [False, False]], [[True, True], [True, False]], [[1.0, 1.0], [1.0, 1.0]])
    >>> onset_labels(day, np.array([70]), horizons=(30, 60), follow_up=leaves)[1].tolist()
    [[True, True], [True, True]]
    """
    onsets = np.append(np.sort(onset_N), NEVER).astype(np.int64)
    next_onset_B1 = onsets[np.searchsorted(onsets, end_day_B, side="right")][:, None]
    reach_BH = end_day_B[:, None].astype(np.int64) + np.array(horizons)
    decided_BH = np.minimum(next_onset_B1, reach_BH)
    known_BH = (reach_BH <= follow_up.end) & (decided_BH <= follow_up.until)
    return next_onset_B1 <= reach_BH, known_BH, follow_up.weights(end_day_B, decided_BH)


def value_labels(
    end_day_B: DayNumbers,
    panel: Panel,
    *,
    horizons: tuple[int, ...],
    lower_TC: Floats,
    upper_TC: Floats,
) -> tuple[Bools, Bools]:
    """Return the predecessor's labels and whether they are known, for comparison only.

    A label is whether the value of any point *on* day end + h is outside its limits.
    """
    with np.errstate(invalid="ignore"):
        below_TC = panel.value_TC < lower_TC
        above_TC = panel.value_TC > upper_TC
        outside_T = np.any(below_TC | above_TC, axis=1)
    observed_T = np.any(panel.observed_TC, axis=1)
    row_BH = end_day_B[:, None] + np.array(horizons) - panel.first_day
    inside_BH = row_BH < len(outside_T)
    row_BH = np.where(inside_BH, row_BH, 0)
    return outside_T[row_BH] & inside_BH, observed_T[row_BH] & inside_BH
