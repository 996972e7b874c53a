"""The life of simulated equipment: faults start, grow, are found by a visit, or end in a failure.

Days are counted from the first simulated day, which lies BURN_IN days before the first reported
one, so that the reported record starts in the middle of life. D: simulated days.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hvac.arrays import Floats, Ints
from hvac.simulate.catalogue import Mode
from hvac.simulate.operation import YEAR

BURN_IN = 365
VISIT_EVERY = 182  # days between planned visits, about twice a year
# chance that a visit finds a fault of full size; a smaller one in proportion
DETECTION = 0.75
# Both measured on the default fleet: the share of growing faults that reach a failure, and the mean
# time from a fault's start to its failure or its repair.
ENDS_IN_FAILURE = 0.57
FAULTY_YEARS = 0.28
AGE_SPREAD = 0.4  # coefficient of variation that age alone gives the hazard
MOST_STARTS = 60.0  # starts per healthy year beyond which more make no difference
PLATEAU = 0.5  # size at which a harmless fault stops


class Machine(NamedTuple):
    """What decides when a unit fails.

    `frailty` has the mean 1 (lemons above 2), `age` is in years on simulated day 0.
    """

    frailty: float
    age: float
    modes: tuple[Mode, ...]


class Rates(NamedTuple):
    """Sudden failures and starts of growing faults, per unit and year at mean frailty."""

    sudden: float
    growing: float
    first_day_of_year: int


class Fault(NamedTuple):
    """A growing fault: visible from `start` to before `stop`, at full size after `growth` days."""

    mode: Mode
    start: int
    stop: int
    growth: int
    harmless: bool
    size: float  # factor on what it adds to the readings


class Happening(NamedTuple):
    """One row of the event log; `end` is the last day of it."""

    kind: str
    start: int
    end: int
    mode: str


class Life(NamedTuple):
    """Everything that befalls one unit."""

    faults: list[Fault]
    happenings: list[Happening]
    # False: events come from nowhere and leave no trace in the readings
    remembers: bool = True


def severity(fault: Fault, days: Ints) -> Floats:
    """Return how far a fault has grown on some days, 0 to 1 [D].

    It is 0 before its start; `stop` is not looked at.

    >>> from hvac.simulate.catalogue import KINDS
    >>> mode = KINDS["ahu"].modes[0]
    >>> clogging = Fault(mode, start=10, stop=110, growth=100, harmless=False, size=1.0)
    >>> severity(clogging, np.array([0, 10, 60, 110, 500])).tolist()
    [0.0, 0.0, 0.5, 1.0, 1.0]
    """
    grown = np.clip((days - fault.start) / fault.growth, 0.0, 1.0)
    if fault.mode.curve == "convex":
        grown = grown**1.8
    elif fault.mode.curve == "saturating":
        grown = -np.expm1(-3.0 * grown) / -np.expm1(-3.0)
    return np.minimum(grown, PLATEAU) if fault.harmless else grown


def fault_starts(failures: float, lemons: float) -> float:
    """Return the yearly starts of growing faults, at mean frailty, that give so many failures.

    `failures` counts growing failures per unit and year. A unit of hazard h starts faults at the
    rate h·r while healthy and is faulty for FAULTY_YEARS each time, so it fails ENDS_IN_FAILURE /
    (1 / (h·r) + FAULTY_YEARS) times a year (renewal); r solves the mean over the fleet's h.

    >>> round(fault_starts(0.5, lemons=0.01), 2) < round(fault_starts(0.5, lemons=0.9), 2)
    True
    >>> fault_starts(0.0, lemons=0.9)
    0.0
    """
    from scipy.optimize import brentq
    from scipy.stats import (
        gamma,
    )  # slow to import; every job reads this module's settings

    shape = 1.0 / (lemons**2 + AGE_SPREAD**2 * (1.0 + lemons**2))
    place_Q = (np.arange(64) + 0.5) / 64
    hazard_Q = gamma.ppf(place_Q, shape, scale=1.0 / shape)
    hazard_Q = hazard_Q / hazard_Q.mean()

    def surplus(rate: float) -> float:
        faulty_Q = 1.0 + FAULTY_YEARS * hazard_Q * rate
        return float(np.mean(ENDS_IN_FAILURE * hazard_Q * rate / faulty_Q)) - failures

    return (
        float(brentq(surplus, 0.0, MOST_STARTS))
        if surplus(MOST_STARTS) > 0
        else MOST_STARTS
    )


def visits(rng: np.random.Generator, days: int) -> Ints:
    """Draw the simulated days of the planned visits: every half year, give or take two weeks."""
    first = rng.integers(-VISIT_EVERY, 0)
    regular = np.arange(first, days, VISIT_EVERY)
    return np.sort(regular + rng.integers(-14, 15, len(regular)))


def live(rng: np.random.Generator, machine: Machine, rates: Rates, days: int) -> Life:
    """Simulate one life: frailty, age and time since the last visit drive the faults."""
    planned = visits(rng, days)
    life = Life([], _planned_visits(rng, planned))
    today = reset = 0
    while True:
        hazard_D = _hazard(machine, rates, planned, reset=reset, days=days)
        sudden = _first(rng, hazard_D * rates.sudden, today)
        start = _first(rng, hazard_D * rates.growing, today)
        if min(sudden, start) >= days:
            return life
        if sudden <= start:
            today = reset = _fail(rng, life, sudden, "sudden")
            continue
        fault, happening = _grow(
            rng, machine, start=start, sudden=sudden, planned=planned
        )
        life.faults.append(fault)
        if fault.stop >= days:
            return life
        if happening.kind == "failure":
            today = reset = _fail(rng, life, fault.stop, happening.mode)
        else:
            replaced = (happening.start, "planned")
            life.happenings[:] = [
                i for i in life.happenings if (i.start, i.mode) != replaced
            ]
            life.happenings.append(happening)
            today = reset = happening.end + 1


def _planned_visits(rng: np.random.Generator, planned: Ints) -> list[Happening]:
    return [_visit(day, "planned", rng) for day in planned.tolist() if day >= 0]


def live_without_memory(
    rng: np.random.Generator, failures_per_year: float, days: int
) -> Life:
    """Simulate one life whose failures are a Poisson process, the same for every unit and day.

    Visits follow the calendar; there are no growing faults.
    """
    life = Life([], _planned_visits(rng, visits(rng, days)), remembers=False)
    for day in np.flatnonzero(rng.random(days) < failures_per_year / YEAR).tolist():
        _fail(rng, life, day, "sudden")
    return life


def _hazard(
    machine: Machine, rates: Rates, planned: Ints, *, reset: int, days: int
) -> Floats:
    """Return the relative chance per day [D], about 1/YEAR on average.

    It is frailty × age × time since the last visit × season.
    """
    day_D = np.arange(days)
    visited_D = np.full(days, reset)
    past = planned[(planned >= 0) & (planned < days)]
    visited_D[past] = np.maximum(visited_D[past], past)
    since_D = np.maximum(day_D - np.maximum.accumulate(visited_D), 0)
    aged_D = 0.3 + 0.07 * (machine.age + day_D / YEAR)
    worn_D = 0.4 + 1.2 * since_D / VISIT_EVERY
    since_peak_D = day_D + rates.first_day_of_year - 213
    season_D = 1.0 + 0.25 * np.cos(2 * np.pi * since_peak_D / YEAR)
    hazard_D: Floats = machine.frailty * aged_D * worn_D * season_D / YEAR
    return hazard_D


def _first(rng: np.random.Generator, chance_D: Floats, today: int) -> int:
    """Draw the first day from today on at which the chance comes true.

    It is the number of days if it never does.
    """
    if today >= len(chance_D):
        return len(chance_D)
    drawn_D = rng.random(len(chance_D) - today)
    days = np.flatnonzero(drawn_D < chance_D[today:])
    return today + int(days[0]) if len(days) else len(chance_D)


def _grow(
    rng: np.random.Generator,
    machine: Machine,
    *,
    start: int,
    sudden: int,
    planned: Ints,
) -> tuple[Fault, Happening]:
    """Draw a new fault and what ends it.

    It ends with its own failure, a visit that finds it, or a sudden failure in between.
    """
    weight_M = np.array([mode.weight for mode in machine.modes])
    number = int(rng.choice(len(weight_M), p=weight_M / weight_M.sum()))
    mode = machine.modes[number]
    growth = int(rng.integers(mode.days[0], mode.days[1] + 1))
    harmless = bool(rng.random() < mode.harmless)
    size = float(rng.lognormal(0.05, 0.4))
    fault = Fault(mode, start, 10**6, growth, harmless, size=size)
    coming = planned[planned > start]
    detecting = coming[rng.random(len(coming)) < DETECTION * severity(fault, coming)]
    visit = int(detecting[0]) if len(detecting) else 10**6
    failure = 10**6 if harmless else start + growth
    stop = min(visit, failure, sudden)
    fault = fault._replace(stop=stop)
    if stop == visit:
        return fault, _visit(visit, "corrected", rng)
    return fault, Happening(
        "failure", stop, stop, mode.name if stop == failure else "sudden"
    )


def _fail(rng: np.random.Generator, life: Life, day: int, mode: str) -> int:
    """Log a failure and its repair of 1–5 days; return the first day after it."""
    end = day + int(rng.integers(1, 6)) - 1
    life.happenings.append(Happening("failure", day, end, mode))
    life.happenings.append(Happening("maintenance", day, end, "repair"))
    return end + 1


def _visit(day: int, mode: str, rng: np.random.Generator) -> Happening:
    return Happening("maintenance", day, day + int(rng.integers(0, 2)), mode)
