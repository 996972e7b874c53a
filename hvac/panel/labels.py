"""Labels: does an onset lie in (end_date, end_date + h]; masked, per horizon, where follow-up ends earlier.

Legend: B windows, H horizons. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from hvac.config import Config, Distinct
from hvac.panel.events import SETTLE_DAYS, Events, inside_episode
from hvac.panel.grid import Days, Panel, Unit

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


def follow_up_ends(last_day: Mapping[Unit, int], targets: Mapping[Unit, Events]) -> dict[Unit, int]:
    """Day until which it is known what became of each unit.

    How far a unit is followed must not depend on what comes of it, or the end of the record would tell the label. It is
    followed until its last reading; where its record ends with an event (inside it, ≤ 7 days after, or before one),
    until its facility's last reading, like those that go on: by then it is known that it failed. Where every unit
    that a facility read to its end ended so, nothing says how long it would have gone on: until the fleet's last.

    Args:
        last_day: day of each unit's last reading.
        targets: each unit's events that are predicted.

    >>> fails = Events(np.array(["failure"]), *(np.array([50], np.int32) for _ in range(3)), np.array([""]))
    >>> follow_up_ends({Unit("f", "a"): 49, Unit("f", "b"): 90, Unit("g", "c"): 99}, {Unit("f", "a"): fails})
    {Unit(facility_id='f', equipment_id='a'): 90, Unit(facility_id='f', equipment_id='b'): 90, \
Unit(facility_id='g', equipment_id='c'): 99}
    """
    end = {
        facility: max(day for unit, day in units)
        for facility, units in groupby(sorted(last_day.items()), key=_facility)
    }
    fleet_end = max(end.values())
    lasting = {
        unit.facility_id
        for unit, day in last_day.items()
        if day >= end[unit.facility_id] - SETTLE_DAYS and not _ends_with_event(day, targets.get(unit), fleet_end)
    }
    end = {facility: day if facility in lasting else fleet_end for facility, day in end.items()}
    return {
        unit: end[unit.facility_id] if _ends_with_event(day, targets.get(unit), end[unit.facility_id]) else day
        for unit, day in last_day.items()
    }


def _facility(item: tuple[Unit, int]) -> str:
    return item[0].facility_id


def _ends_with_event(last_day: int, targets: Events | None, until: int) -> bool:
    """Whether a record ends inside an event, at most 7 days after or before one, of those that began by a day."""
    if targets is None:
        return False
    begun = targets.where(targets.start_N <= until)
    return bool((begun.start_N > last_day).any() or inside_episode(np.array([last_day], np.int32), begun)[0])


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
