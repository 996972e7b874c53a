"""Labels: does an onset lie in (end_date, end_date + h]; masked, per horizon, where follow-up ends earlier.

Legend: B windows, H horizons. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from hvac.config import Config, Distinct
from hvac.panel.grid import Days, Panel

Flags = npt.NDArray[np.bool_]
FAR = 2**30


class LabelConfig(Config):
    """What is predicted."""

    source: Literal["events", "limits"] = "events"
    events: Annotated[tuple[str, ...], Distinct] = Field(default=("failure",), min_length=1)
    label: Literal["onset", "value_at"] = "onset"
    limit_quantiles: tuple[float, float] = (0.005, 0.995)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of events that are predicted."""
        return ("limit_exceedance",) if self.source == "limits" else self.events


def onset_labels(
    end_day_B: Days, onset_N: Days, *, horizons: tuple[int, ...], follow_up_end: int
) -> tuple[Flags, Flags]:
    """Labels and whether they are known.

    A label is known where follow-up reaches end_day + h, whatever it is: to keep the positives of the last h days of a
    record, whose negatives nobody can know, would make "the record ends soon" tell the label.

    Returns:
        y_BH, known_BH.

    >>> y, known = onset_labels(np.array([0, 50], np.int32), np.array([20]), horizons=(30, 60), follow_up_end=85)
    >>> y.tolist(), known.tolist()
    ([[True, True], [False, False]], [[True, True], [True, False]])
    >>> onset_labels(np.array([50], np.int32), np.array([70]), horizons=(30, 60), follow_up_end=85)[1].tolist()
    [[True, False]]
    """
    onsets = np.append(np.sort(onset_N), FAR).astype(np.int64)
    next_onset_B = onsets[np.searchsorted(onsets, end_day_B, side="right")]
    reach_BH = end_day_B[:, None].astype(np.int64) + np.array(horizons)
    y_BH = next_onset_B[:, None] <= reach_BH
    return y_BH, reach_BH <= follow_up_end


def follow_up_end(panel: Panel, onset_N: Days) -> int:
    """Last reading or last recorded onset, whichever is later; `FAR` where the record ends with an onset.

    A unit that ran to failure has nothing left to follow: no reading comes after the onset, and the last came on its
    day or the day before.
    """
    if not len(onset_N):
        return panel.last_day
    last_onset = int(onset_N.max())
    if panel.last_day <= last_onset <= panel.last_day + 1:
        return FAR
    return max(panel.last_day, last_onset)


def value_labels(
    end_day_B: Days, panel: Panel, *, horizons: tuple[int, ...], lower_TC: npt.NDArray[np.float64],
    upper_TC: npt.NDArray[np.float64],
) -> tuple[Flags, Flags]:  # fmt: skip
    """The seed's label, for comparison only: the value *on* day end + h is outside its limits (any point)."""
    with np.errstate(invalid="ignore"):
        outside_T = np.any((panel.value_TC < lower_TC) | (panel.value_TC > upper_TC), axis=1)
    observed_T = np.any(panel.observed_TC, axis=1)
    row_BH = end_day_B[:, None] + np.array(horizons) - panel.first_day
    inside_BH = row_BH < len(outside_T)
    row_BH = np.where(inside_BH, row_BH, 0)
    return outside_T[row_BH] & inside_BH, observed_T[row_BH] & inside_BH
