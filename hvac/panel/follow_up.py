"""How long each unit is followed, and how likely it is to be followed still.

Labels and their weights rest on both.

Every unit has an *administrative end*: its facility's last reading, or what the register says. A
unit whose readings stop earlier has *departed*. Where units depart because they failed, a count of
what was seen afterwards is wrong: the units that would have stayed well or failed again are no
longer there. Each label that was seen is therefore weighted by 1 / P(still followed on the day that
decided it): inverse probability of censoring (Robins and Rotnitzky 1992).

Legend: B windows, H horizons, D calendar days, A days since an event, N departures. Days are int32
days since 1970-01-01.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from hvac.arrays import DayNumbers, Floats, Ints
from hvac.panel.events import SETTLE_DAYS, Events, inside_episode, no_events
from hvac.panel.grid import Unit

# a departure at most so many days after an event may be its consequence
AFTER_DAYS = 90
HIGHEST_WEIGHT = 20.0
CERTAIN = 1 - 1e-6  # where all units at risk departed; keeps logarithms finite
ROUNDS = 100


@dataclass(frozen=True, kw_only=True)
class Departures:
    """Chance of departing at the end of a day, for each of two causes.

    `calendar_D` holds departures for any reason but an event, by calendar day from `first_day`.
    `after_event_A` holds departures as a consequence of an event, by days since the unit's last one
    (0 to 90).
    """

    first_day: int = 0
    calendar_D: Floats = field(default_factory=lambda: np.zeros(0))
    after_event_A: Floats = field(default_factory=lambda: np.zeros(AFTER_DAYS + 1))

    def still_followed(self, start_B: Ints, stop_BH: Ints, since_B: Ints) -> Floats:
        """Return P(no departure on the days from `start_B` to the day before `stop_BH`) [B, H].

        Args:
            start_B: first day on which the unit may depart; it lies inside no event.
            stop_BH: day after the last such day; not before `start_B`.
            since_B: days since the unit's last event on `start_B`.
        """
        calendar, after = self._sums
        start_B1 = start_B[:, None]
        since_B1 = since_B[:, None]
        last = len(calendar) - 1
        from_B1 = np.clip(start_B1 - self.first_day, 0, last)
        to_BH = np.clip(stop_BH - self.first_day, 0, last)
        soon_B1 = np.minimum(since_B1, AFTER_DAYS + 1)
        later_BH = np.minimum(since_B1 + stop_BH - start_B1, AFTER_DAYS + 1)
        logs_BH = calendar[to_BH] - calendar[from_B1] + after[later_BH] - after[soon_B1]
        return np.asarray(np.exp(logs_BH))

    def digest(self, first: int, last: int, *, after: bool) -> str:
        """Return a hash of the chances on some days, with `after` also of those after an event.

        It is the same for longer curves that agree on these days.
        """
        place_N = np.arange(first, last) - self.first_day
        days = np.clip(place_N, -1, len(self.calendar_D))
        content = np.pad(self.calendar_D, 1)[days + 1].tobytes()
        if after:
            content += self.after_event_A.tobytes()
        return hashlib.sha256(content).hexdigest()[:16]

    @cached_property
    def _sums(self) -> tuple[Floats, Floats]:
        return _log_sums(self.calendar_D), _log_sums(self.after_event_A)


def _log_sums(hazard: Floats) -> Floats:
    """Return the sums of log(1 - hazard) over the days before each day."""
    staying = np.log1p(-np.minimum(hazard, CERTAIN))
    return np.append(0.0, np.cumsum(staying))


@dataclass(frozen=True, kw_only=True)
class FollowUp:
    """How long one unit is followed.

    Attributes:
        first: day of its first reading.
        end: its administrative end.
        until: the last day on which an onset would have been seen: `end`, or the day of its
            departure.
        targets: its events that are predicted.
        departures: how units of its fleet depart.
    """

    first: int = 0
    end: int
    until: int
    targets: Events = field(default_factory=no_events)
    departures: Departures = field(default_factory=Departures)

    @property
    def departed(self) -> bool:
        """Tell whether the unit left before its administrative end."""
        return self.until < self.end

    @property
    def key(self) -> tuple[int, int, str]:
        """Return what the unit's labels and weights depend on, beside its own events."""
        has_events = len(self.targets.start_N) > 0
        digest = self.departures.digest(self.first, self.until, after=has_events)
        return self.end, self.until, digest

    def weights(self, end_day_B: DayNumbers, decided_BH: Ints) -> Floats:
        """Return how many windows each label stands for [B, H].

        It is 1 / P(followed on `decided_BH`, given that it was on `end_day_B`), at most 20. The
        last 7 days before the administrative end cannot hold a departure, so they cost nothing.
        """
        start_B = end_day_B.astype(np.int64)
        settled_BH = np.minimum(decided_BH, self.end - SETTLE_DAYS)
        stop_BH = np.maximum(settled_BH, start_B[:, None])
        since_B = days_since_event(end_day_B, self.targets)
        chance_BH = self.departures.still_followed(start_B, stop_BH, since_B)
        return 1 / np.maximum(chance_BH, 1 / HIGHEST_WEIGHT)


def days_since_event(day_B: DayNumbers, targets: Events) -> Ints:
    """Return the days since the last event ended, 0 inside one, more than 90 where there was none.

    >>> start, end = np.array([20], np.int32), np.array([25], np.int32)
    >>> event = Events(np.array(["failure"]), start, end, start, np.array([""]))
    >>> days_since_event(np.array([19, 20, 25, 33], np.int32), event).tolist()
    [91, 0, 0, 8]
    """
    end_N = np.maximum.accumulate(targets.end_N.astype(np.int64))
    last_end_N = np.append(-(2**40), end_N)
    place_B = np.searchsorted(targets.start_N, day_B, side="right")
    days_B = day_B.astype(np.int64) - last_end_N[place_B]
    since_B: Ints = np.clip(days_B, 0, AFTER_DAYS + 1)
    return since_B


def follow_ups(
    days: Mapping[Unit, tuple[int, int]],
    targets: Mapping[Unit, Events],
    registered_ends: Mapping[Unit, int | None] | None = None,
) -> dict[Unit, FollowUp]:
    """Return how long each unit is followed, with the departures of the whole fleet.

    Departures are estimated on all units, test units too: they describe how units leave the record,
    not how they fail.

    Args:
        days: first and last day with a reading of each unit.
        targets: each unit's events that are predicted.
        registered_ends: the administrative ends in the register; they win.

    >>> unit, other = Unit("f", "a"), Unit("f", "b")
    >>> follow_up = follow_ups({unit: (0, 60), other: (0, 99)}, {})[unit]
    >>> follow_up.until, follow_up.end, follow_up.departures.calendar_D[60].item()
    (60, 99, 0.5)
    """
    last_days = {unit: last for unit, (_, last) in days.items()}
    ends = administrative_ends(last_days, targets)
    for unit, end in (registered_ends or {}).items():
        if end is not None and unit in days:
            ends[unit] = end
    followed = {}
    for unit, (first, last) in days.items():
        events = targets.get(unit) or no_events()
        until = _followed_until(last, ends[unit], events)
        followed[unit] = FollowUp(
            first=first, end=ends[unit], until=until, targets=events
        )
    departures = _departures(list(followed.values()))
    return {
        unit: replace(follow_up, departures=departures)
        for unit, follow_up in followed.items()
    }


def administrative_ends(
    last_day: Mapping[Unit, int], targets: Mapping[Unit, Events]
) -> dict[Unit, int]:
    """Return the day until which each unit would be followed, whatever comes of it.

    It is its facility's last reading. Where every unit that a facility read to its end ended with
    an event (inside it, at most 7 days after or before one), nothing tells how long the facility
    would have gone on: then it is the fleet's last reading.

    Args:
        last_day: day of each unit's last reading.
        targets: each unit's events that are predicted.

    >>> day = np.array([50], np.int32)
    >>> fails = Events(np.array(["failure"]), day, day, day, np.array([""]))
    >>> last = {Unit("f", "a"): 49, Unit("g", "b"): 90, Unit("h", "c"): 70}
    >>> [end for _, end in sorted(administrative_ends(last, {Unit("f", "a"): fails}).items())]
    [90, 90, 70]
    """
    facility_ends: dict[str, int] = {}
    for unit, day in last_day.items():
        facility = unit.facility_id
        facility_ends[facility] = max(day, facility_ends.get(facility, day))
    fleet_end = max(facility_ends.values(), default=0)
    lasting = set()
    for unit, day in last_day.items():
        to_the_end = day >= facility_ends[unit.facility_id] - SETTLE_DAYS
        if to_the_end and not _ends_with_event(day, targets.get(unit), fleet_end):
            lasting.add(unit.facility_id)
    ends = {}
    for unit in last_day:
        facility = unit.facility_id
        ends[unit] = facility_ends[facility] if facility in lasting else fleet_end
    return ends


def _ends_with_event(last_day: int, targets: Events | None, until: int) -> bool:
    """Tell whether a record ends inside an event, or at most 7 days after or before one.

    Events that began after `until` do not count.
    """
    if targets is None:
        return False
    begun = targets.where(targets.start_N <= until)
    inside = inside_episode(np.array([last_day], np.int32), begun)[0]
    return bool(inside or (begun.start_N > last_day).any())


def _followed_until(last_day: int, end: int, targets: Events) -> int:
    """Return the last day on which an onset of a unit would have been seen.

    An event at most 7 days after the last reading belongs to it; a later one shows that the log
    goes on without readings. A unit that is read until at most 7 days before its administrative end
    has not departed.
    """
    later_N = targets.start_N[targets.start_N > last_day]
    until = int(later_N.max(initial=last_day))
    log_goes_on = until > last_day + SETTLE_DAYS
    return end if log_goes_on or until >= end - SETTLE_DAYS else until


def _departures(units: Sequence[FollowUp]) -> Departures:
    """Estimate both hazards of a fleet.

    Hazards are Kaplan and Meier's: departures of a day / units at risk on it. They are not
    smoothed: the product over days stays unbiased however few units a day has, and the cap on
    weights limits what a single unit can do.
    """
    first_day = min((unit.first for unit in units), default=0)
    last_end = max((unit.end for unit in units), default=0)
    risk_D = np.zeros(last_end + 1 - first_day)
    risk_A = np.zeros(AFTER_DAYS + 2)
    departed: list[tuple[int, int]] = []
    for unit in units:
        stop = min(unit.until + 1, unit.end - SETTLE_DAYS)
        days = np.arange(unit.first, stop, dtype=np.int32)
        since = days_since_event(days, unit.targets)
        risk_D[days - first_day] += 1
        risk_A += np.bincount(since, minlength=len(risk_A))
        if unit.departed:
            departed.append((unit.until - first_day, int(since[-1])))
    day_N, since_N = np.array(departed, dtype=np.int64).reshape(-1, 2).T
    calendar_D, after_event_A = _two_causes(day_N, since_N, risk_D, risk_A)
    return Departures(
        first_day=first_day, calendar_D=calendar_D, after_event_A=after_event_A[:-1]
    )


def _two_causes(
    day_N: Ints, since_N: Ints, risk_D: Floats, risk_A: Floats
) -> tuple[Floats, Floats]:
    """Return hazards by calendar day and by days since an event.

    Each departure is shared out between both causes. One more than 90 days after an event is not
    its consequence. An earlier one may be: its share is the ratio of the two hazards, and the
    hazards follow from the shares (expectation-maximisation, from all to the event).
    """
    soon_N = since_N <= AFTER_DAYS
    share_N = soon_N.astype(np.float64)
    calendar_D = np.zeros_like(risk_D)
    after_A = np.zeros_like(risk_A)
    for _ in range(ROUNDS if len(day_N) else 0):
        other_D = np.bincount(day_N, 1 - share_N, minlength=len(risk_D))
        calendar_D = other_D / np.maximum(risk_D, 1)
        departed_A = np.bincount(since_N, share_N, minlength=len(risk_A))
        after_A = departed_A / np.maximum(risk_A, 1)
        event_N = after_A[since_N[soon_N]]
        other_N = calendar_D[day_N[soon_N]]
        share_N[soon_N] = event_N / (event_N + other_N)
    return calendar_D, after_A
