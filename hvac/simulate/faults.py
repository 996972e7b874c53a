"""The life of simulated equipment: when faults start, grow, are found by a visit, or end in a
failure.

Days are counted from the first simulated day, which lies BURN_IN days before the first reported
one, so that the reported record starts in the middle of life. D: simulated days."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hvac.simulate.equipment import YEAR, Base, Climate, Floats, Mode, record

Bools = NDArray[np.bool_]
BURN_IN = 365
VISIT_EVERY = 182  # days between planned visits, about twice a year
FOUND = 0.75  # chance that a visit finds a fault of full size; in proportion for a smaller one
ENDS_IN_FAILURE = 0.57  # share of growing faults that reach a failure (measured, default fleet)
FAULTY_YEARS = (
    0.28  # mean time from a fault's start to its failure or its repair (measured, default fleet)
)
REPORTED_WHEN_BROKEN = 0.3  # share of repair days on which a point still reports
AGE_SPREAD = 0.4  # coefficient of variation that age alone gives the hazard
MOST_STARTS = 60.0  # starts per healthy year beyond which more make no difference
PLATEAU = 0.5  # size at which a harmless fault stops


class Machine(NamedTuple):
    """What decides a unit's luck: frailty (mean 1, lemons above 2), age in years on simulated day
    0, its modes.
    """

    frailty: float
    age: float
    modes: tuple[Mode, ...]


class Rates(NamedTuple):
    """Per unit and year at mean frailty: sudden failures, starts of growing faults; day of the year
    of day 0.
    """

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
    size: float


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
    remembers: bool = True  # False: events come from nowhere and leave no trace in the readings


def severity(fault: Fault, days: NDArray[np.int64]) -> NDArray[np.float64]:
    """Size of a fault, 0 to 1, on the given days [D] (0 before its start; `stop` is not looked at).

    >>> from hvac.simulate.equipment import KINDS
    >>> clogging = Fault(KINDS["ahu"].modes[0], start=10, stop=110, growth=100, harmless=False, size=1.0)
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
    """Starts of growing faults per year at mean frailty that give this many growing failures per
    unit and year.

    A unit of luck h starts faults at the rate h·r while healthy and is faulty for FAULTY_YEARS each
    time, so it fails ENDS_IN_FAILURE / (1 / (h·r) + FAULTY_YEARS) times a year (renewal); r solves
    the mean over the fleet's h.

    >>> round(fault_starts(0.5, lemons=0.01), 2) < round(fault_starts(0.5, lemons=0.9), 2)
    True
    >>> fault_starts(0.0, lemons=0.9)
    0.0
    """
    from scipy.optimize import brentq
    from scipy.stats import gamma  # slow to import; every job reads this module's settings

    shape = 1.0 / (lemons**2 + AGE_SPREAD**2 * (1.0 + lemons**2))
    luck_Q = gamma.ppf((np.arange(64) + 0.5) / 64, shape, scale=1.0 / shape)
    luck_Q = luck_Q / luck_Q.mean()

    def surplus(rate: float) -> float:
        return (
            float(np.mean(ENDS_IN_FAILURE * luck_Q * rate / (1.0 + FAULTY_YEARS * luck_Q * rate)))
            - failures
        )

    return float(brentq(surplus, 0.0, MOST_STARTS)) if surplus(MOST_STARTS) > 0 else MOST_STARTS


def visits(rng: np.random.Generator, days: int) -> NDArray[np.int64]:
    """Simulated days of the planned visits: every half year, give or take two weeks, phase by unit."""
    first = rng.integers(-VISIT_EVERY, 0)
    regular = np.arange(first, days, VISIT_EVERY)
    return np.sort(regular + rng.integers(-14, 15, len(regular)))


def live(rng: np.random.Generator, machine: Machine, rates: Rates, days: int) -> Life:
    """One life of `days` simulated days: wear, frailty, age and time since the last visit drive the
    faults.
    """
    planned = visits(rng, days)
    life = Life([], [_visit(day, "planned", rng) for day in planned.tolist() if day >= 0])
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
        fault, happening = _grow(rng, machine, start=start, sudden=sudden, planned=planned)
        life.faults.append(fault)
        if fault.stop >= days:
            return life
        if happening.kind == "failure":
            today = reset = _fail(rng, life, fault.stop, happening.mode)
        else:
            life.happenings[:] = [
                i for i in life.happenings if (i.start, i.mode) != (happening.start, "planned")
            ]
            life.happenings.append(happening)
            today = reset = happening.end + 1


def live_without_memory(rng: np.random.Generator, failures_per_year: float, days: int) -> Life:
    """Failures as a Poisson process of the same rate for every unit and day; visits by the
    calendar; no faults.
    """
    life = Life(
        [],
        [_visit(day, "planned", rng) for day in visits(rng, days).tolist() if day >= 0],
        remembers=False,
    )
    for day in np.flatnonzero(rng.random(days) < failures_per_year / YEAR).tolist():
        _fail(rng, life, day, "sudden")
    return life


def _hazard(
    machine: Machine, rates: Rates, planned: NDArray[np.int64], *, reset: int, days: int
) -> NDArray[np.float64]:
    """Relative chance per day [D], mean about 1/YEAR: frailty × age × time since the last visit ×
    season.
    """
    day_D = np.arange(days)
    visited_D = np.full(days, reset)
    past = planned[(planned >= 0) & (planned < days)]
    visited_D[past] = np.maximum(visited_D[past], past)
    since_D = np.maximum(day_D - np.maximum.accumulate(visited_D), 0)
    aged_D = 0.3 + 0.07 * (machine.age + day_D / YEAR)
    worn_D = 0.4 + 1.2 * since_D / VISIT_EVERY
    season_D = 1.0 + 0.25 * np.cos(2 * np.pi * (day_D + rates.first_day_of_year - 213) / YEAR)
    hazard_D: NDArray[np.float64] = machine.frailty * aged_D * worn_D * season_D / YEAR
    return hazard_D


def _first(rng: np.random.Generator, chance_D: NDArray[np.float64], today: int) -> int:
    """The first day from today on at which the chance comes true; the number of days if it never
    does.
    """
    if today >= len(chance_D):
        return len(chance_D)
    hit = np.flatnonzero(rng.random(len(chance_D) - today) < chance_D[today:])
    return today + int(hit[0]) if len(hit) else len(chance_D)


def _grow(
    rng: np.random.Generator,
    machine: Machine,
    *,
    start: int,
    sudden: int,
    planned: NDArray[np.int64],
) -> tuple[Fault, Happening]:
    """A new fault and what ends it: its own failure, a visit that finds it, or a sudden failure in
    between.
    """
    weight_M = np.array([mode.weight for mode in machine.modes])
    mode = machine.modes[int(rng.choice(len(weight_M), p=weight_M / weight_M.sum()))]
    growth = int(rng.integers(mode.days[0], mode.days[1] + 1))
    harmless = bool(rng.random() < mode.harmless)
    fault = Fault(mode, start, 10**6, growth, harmless, size=float(rng.lognormal(0.05, 0.4)))
    coming = planned[planned > start]
    found = coming[rng.random(len(coming)) < FOUND * severity(fault, coming)]
    visit = int(found[0]) if len(found) else 10**6
    failure = 10**6 if harmless else start + growth
    stop = min(visit, failure, sudden)
    if stop == visit:
        return fault._replace(stop=stop), _visit(visit, "corrected", rng)
    return fault._replace(stop=stop), Happening(
        "failure", stop, stop, mode.name if stop == failure else "sudden"
    )


def _fail(rng: np.random.Generator, life: Life, day: int, mode: str) -> int:
    """Log a failure and its repair of 1–5 days; gives the first day after it."""
    end = day + int(rng.integers(1, 6)) - 1
    life.happenings.extend(
        [Happening("failure", day, end, mode), Happening("maintenance", day, end, "repair")]
    )
    return end + 1


def _visit(day: int, mode: str, rng: np.random.Generator) -> Happening:
    return Happening("maintenance", day, day + int(rng.integers(0, 2)), mode)


class Trouble(NamedTuple):
    """Share of readings missing, stuck spells per point and year, share of outliers."""

    gap_share: float
    stuck_per_year: float
    outlier_share: float


def observe(
    rng: np.random.Generator,
    x_UPD: Floats,
    base: Base,
    trouble: Trouble,
    *,
    lives: Sequence[Life],
    weather: Climate,
    fault_size: float,
) -> tuple[Floats, Bools]:
    """Lay faults over the readings, then sensor trouble; values rounded, and the mask of what was
    recorded.

    Sensor trouble is drawn from the generator alone: it does not depend on the faults. Repair days
    are mostly missing where the life has faults at all (not in a life without memory, whose
    readings know nothing of the events)."""
    x_UPD = x_UPD + fault_size * _shifts(base, lives, 0.6 + 0.4 * weather.load(base.kind))
    x_UPD = _stick(x_UPD, _spells(rng, x_UPD.shape, trouble.stuck_per_year / YEAR, (5, 30)))
    wild_UPD = rng.random(x_UPD.shape) < trouble.outlier_share
    size_UPD = rng.uniform(6, 15, x_UPD.shape) * rng.choice([-1.0, 1.0], x_UPD.shape)
    x_UPD = x_UPD + wild_UPD * size_UPD * base.noise_UP[..., None]
    lost_UPD = rng.random(x_UPD.shape) < trouble.gap_share / 2
    silent_U1D = _spells(
        rng, (len(x_UPD), 1, x_UPD.shape[-1]), trouble.gap_share / 2 / 10.0, (2, 18)
    )
    down_U1D = _repair_days(lives, x_UPD.shape[-1])[:, None, :] & (
        rng.random(x_UPD.shape) > REPORTED_WHEN_BROKEN
    )
    return record(x_UPD, base.kind), ~(lost_UPD | silent_U1D | down_U1D)


def _shifts(base: Base, lives: Sequence[Life], shown_D: Floats) -> Floats:
    """What faults add [U, P, D], in the points' units; full load shows a fault best."""
    shift_UPD = np.zeros((*base.level_UP.shape, len(shown_D)))
    place = {point.name: index for index, point in enumerate(base.kind.points)}
    noise = [point.noise for point in base.kind.points]
    for unit, life in enumerate(lives):
        for fault in life.faults:
            begin, stop = max(fault.start - BURN_IN, 0), min(fault.stop - BURN_IN, len(shown_D))
            if begin >= stop:
                continue
            size_D = (
                fault.size * severity(fault, np.arange(begin, stop) + BURN_IN) * shown_D[begin:stop]
            )
            for name, times in fault.mode.shifts.items():
                shift_UPD[unit, place[name], begin:stop] += times * noise[place[name]] * size_D
    return shift_UPD


def _repair_days(lives: Sequence[Life], days: int) -> Bools:
    """Days after the onset on which a unit stands still for repair [U, D]; none without signal."""
    down_UD = np.zeros((len(lives), days), bool)
    for unit, life in enumerate(lives):
        for item in life.happenings:
            if item.mode == "repair" and life.remembers:
                down_UD[unit, max(item.start + 1 - BURN_IN, 0) : max(item.end + 1 - BURN_IN, 0)] = (
                    True
                )
    return down_UD


def _spells(
    rng: np.random.Generator, shape: tuple[int, ...], chance: float, length: tuple[int, int]
) -> Bools:
    """Spells along the last axis that start with this chance per day and last length[0]…length[1]
    days.
    """
    days = shape[-1]
    step = np.zeros((*shape[:-1], days + 1), np.int32)
    *rows, first = np.nonzero(rng.random(shape) < chance)
    last = np.minimum(first + rng.integers(length[0], length[1] + 1, len(first)), days)
    np.add.at(step, (*rows, first), 1)
    np.add.at(step, (*rows, last), -1)
    return np.asarray(step[..., :-1].cumsum(axis=-1) > 0)


def _stick(x_UPD: Floats, stuck_UPD: Bools) -> Floats:
    """Repeat the last value before a stuck spell throughout it."""
    source = np.where(stuck_UPD, 0, np.arange(x_UPD.shape[-1]))
    return np.take_along_axis(x_UPD, np.maximum.accumulate(source, axis=-1), axis=-1)
