"""The four splits: by time, by equipment, by facility, by both; purged so that no label window
crosses a border.

Legend: B windows. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from hvac.config import Config, Seed
from hvac.errors import SplitError
from hvac.panel.grid import Days, Unit

Part = Literal["train", "validation", "test"]
SPLITS = ("train", "tune", "cal", "test")
PURGED = "purged"
UNIT_SHARES = (0.6, 0.8)
EPOCH = dt.date(1970, 1, 1)
MIN_UNITS = 4


class SplitConfig(Config):
    """How train, tune, cal and test are told apart.

    Under `equipment`, `fold` (of `folds`) says which share of the units is tested, so that in as
    many turns as there are folds every unit is tested once; without it the last fifth is."""

    kind: Literal["time", "equipment", "facility", "both"] = "time"
    t1: dt.date | None = None
    t2: dt.date | None = None
    test_facility: str | None = None
    fold: int | None = Field(default=None, ge=0)
    folds: int = Field(default=5, ge=3)
    seed: Seed = 0

    @model_validator(mode="after")
    def _fold_is_one_of_them(self) -> Self:
        if self.fold is not None and (self.kind != "equipment" or self.fold >= self.folds):
            raise ValueError(
                f"fold is {self.fold}: expected 0 to {self.folds - 1}, and kind: equipment"
            )
        return self


@dataclass(frozen=True, kw_only=True)
class Splitter:
    """Assigns every window to train, tune, cal, test or `purged` (out of every part)."""

    config: SplitConfig
    part: Mapping[Unit, Part]
    half: Mapping[Unit, Literal["tune", "cal"]]
    t1: int
    t2: int
    purge: int

    def assign(self, unit: Unit, end_day_B: Days) -> npt.NDArray[np.str_]:
        """One word per window of a unit."""
        part_B = (
            self._by_time(end_day_B)
            if self.config.kind in ("time", "both")
            else np.full(len(end_day_B), "any")
        )
        if self.config.kind != "time":
            own = self.part[unit]
            part_B = np.where((part_B == "any") | (part_B == own), own, PURGED)
        return np.where(part_B == "validation", self.half[unit], part_B)

    def _by_time(self, day_B: Days) -> npt.NDArray[np.str_]:
        train = day_B <= self.t1 - self.purge
        validation = (day_B > self.t1) & (day_B <= self.t2 - self.purge)
        return np.select(
            [train, validation, day_B > self.t2], ["train", "validation", "test"], PURGED
        )

    @property
    def training_end(self) -> int:
        """Last day whose readings training may see when it fits limits."""
        return self.t1 if self.config.kind in ("time", "both") else 2**30

    def trains(self, unit: Unit) -> bool:
        """Whether any window of the unit can be a training window."""
        return self.config.kind == "time" or self.part[unit] == "train"


def make_splitter(
    config: SplitConfig,
    classes: Mapping[Unit, str],
    *,
    spans: Mapping[Unit, Sequence[tuple[int, int]]],
    lookback: int,
    purge: int,
    onsets: Mapping[Unit, Days] = {},
) -> Splitter:
    """Decide every unit's part and the two borders.

    Args:
        classes: class of every unit; units are dealt within each class, by a seeded hash of their
            ids, evenly among those with an event and those without, and among facilities.
        spans: first and last days of the stretches of every unit's record; borders lie at 60 and 80
            % of the window ends in them.
        lookback: days of a window.
        purge: the longest horizon.
        onsets: days of each unit's predicted events. Under a split by time only those until T2
            count.

    Raises:
        SplitError: the record is too short for the purge, or has too few units; the message names a
            split that fits.
    """
    days = [span for found in spans.values() for span in found]
    t1, t2 = _borders(config, days, lookback)
    smallest = min(Counter(classes.values()).values())
    if config.kind in ("time", "both"):
        record = min(first for first, _ in days), max(last for _, last in days)
        _check_days(t1, t2, days=record, lookback=lookback, purge=purge, smallest=smallest)
    if config.kind == "time" and smallest < 2:
        raise SplitError(
            "a time split needs at least 2 units in every class (one to tune, one to calibrate); a"
            " class has only 1: pool classes with windows.class: all, or add equipment"
        )
    until = t2 if config.kind in ("time", "both") else 2**30
    failing = {unit for unit, onset_N in onsets.items() if (onset_N <= until).any()}
    dealt = _dealt(config, classes, failing)
    part = (
        _facility_parts(config, classes, dealt)
        if config.kind == "facility"
        else _unit_parts(config, dealt)
    )
    half = _halves(config, dealt, part, failing)
    return Splitter(config=config, part=part, half=half, t1=t1, t2=t2, purge=purge)


def _borders(
    config: SplitConfig, days: Sequence[tuple[int, int]], lookback: int
) -> tuple[int, int]:
    """Return the days before which 60 and 80 % of the windows end, where the run file names none."""
    first = min(start for start, _ in days)
    change = np.zeros(max(stop for _, stop in days) - first + 2, dtype=np.int64)
    for start, stop in days:
        if stop >= start + lookback - 1:
            change[start + lookback - 1 - first] += 1
            change[stop - first + 1] -= 1
    ending = np.cumsum(np.cumsum(change))
    quantiles = [first + int(np.searchsorted(ending, share * ending[-1])) for share in UNIT_SHARES]
    given = [None if day is None else (day - EPOCH).days for day in (config.t1, config.t2)]
    t1, t2 = (
        quantile if day is None else day for quantile, day in zip(quantiles, given, strict=True)
    )
    return t1, t2


def _check_days(
    t1: int, t2: int, *, days: tuple[int, int], lookback: int, purge: int, smallest: int
) -> None:
    first, last = days
    if first + lookback - 1 <= t1 - purge and t1 < t2 - purge and t2 < last:
        return
    raise SplitError(
        f"a time split needs training windows (lookback {lookback} days) that end {purge} days"
        f" before t1={_date(t1)}, validation windows between t1 and {purge} days before"
        f" t2={_date(t2)}, and a test after t2; the record runs from {_date(first)} to"
        f" {_date(last)} ({last - first + 1} days), which is too short for that: "
        + (
            "use splits.kind: equipment, or "
            if smallest >= MIN_UNITS
            else "bring a longer record, or "
        )
        + "set splits.t1 and splits.t2"
    )


def _date(day: int) -> str:
    return (EPOCH + dt.timedelta(days=day)).isoformat()


def _dealt(
    config: SplitConfig, classes: Mapping[Unit, str], failing: Collection[Unit]
) -> dict[str, list[Unit]]:
    """Order the units of each class so that every stretch holds its share of failing units, and of
    each facility's.

    The order depends on the seed, the units' ids, and who fails; not on the order in which units
    come."""
    by_class: dict[str, list[Unit]] = defaultdict(list)
    for unit, name in classes.items():
        by_class[name].append(unit)
    return {name: _spread(config, units, failing) for name, units in sorted(by_class.items())}


def _spread(config: SplitConfig, units: Sequence[Unit], failing: Collection[Unit]) -> list[Unit]:
    place: dict[Unit, float] = {}
    for fails in (True, False):
        stratum = [unit for unit in units if (unit in failing) == fails]
        within: dict[Unit, float] = {}
        for facility in sorted({unit.facility_id for unit in stratum}):
            own = sorted(
                (unit for unit in stratum if unit.facility_id == facility),
                key=partial(_hash, config),
            )
            within |= _even_places(own, _share(config, facility, str(fails)))
        ordered = sorted(stratum, key=lambda unit: (within[unit], _hash(config, unit)))
        place |= _even_places(ordered, _share(config, str(fails)))
    return sorted(units, key=lambda unit: (place[unit], _hash(config, unit)))


def _even_places(units: Sequence[Unit], offset: float) -> dict[Unit, float]:
    """Return places in [0, 1), equally far apart; `offset` in [0, 1) is where the first one lies."""
    return {unit: (rank + offset) / len(units) for rank, unit in enumerate(units)}


def _hash(config: SplitConfig, unit: Unit) -> bytes:
    return hashlib.sha256(f"{config.seed}\x1f{unit[0]}\x1f{unit[1]}".encode()).digest()


def _share(config: SplitConfig, *names: str) -> float:
    """Return a number in [0, 1) drawn by the seed and some names."""
    digest = hashlib.sha256("\x1f".join((str(config.seed), *names)).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _unit_parts(config: SplitConfig, dealt: Mapping[str, list[Unit]]) -> dict[Unit, Part]:
    parts: dict[Unit, Part] = {}
    for name, units in dealt.items():
        if config.kind != "time" and len(units) < MIN_UNITS:
            raise SplitError(
                f"class {name!r} has {len(units)} units; a split by {config.kind} needs at least"
                f" {MIN_UNITS} (train, tune, cal, test): use splits.kind: time, or pool classes"
                " with windows.class: all"
            )
        if config.fold is not None and len(units) < max(config.folds, MIN_UNITS + 1):
            raise SplitError(
                f"class {name!r} has {len(units)} units, too few to test some of them in each of"
                f" {config.folds} turns: set fewer splits.folds, or pool classes with"
                " windows.class: all"
            )
        turned, cuts = (
            (units, _cuts(len(units)))
            if config.fold is None
            else _turned(units, config.fold, config.folds)
        )
        parts |= {u: _part(i, cuts) for i, u in enumerate(turned)}
    return parts


def _turned(units: list[Unit], fold: int, folds: int) -> tuple[list[Unit], tuple[int, int]]:
    """Units in an order that ends with those of the fold; where validation (a quarter of the
    others) and test begin.
    """
    start, stop = (round(len(units) * (fold + i) / folds) for i in (0, 1))
    others = [*units[stop:], *units[:start]]
    return [*others, *units[start:stop]], (
        min(round(len(others) * 0.75), len(others) - 2),
        len(others),
    )


def _cuts(n: int) -> tuple[int, int]:
    """Positions where validation and test begin: about 60/20/20, with ≥ 2 units to validate and ≥ 1
    to test.
    """
    second = min(round(n * UNIT_SHARES[1]), n - 1)
    return max(min(round(n * UNIT_SHARES[0]), second - 2), 1), second


def _part(place: int, cuts: tuple[int, int]) -> Part:
    return "train" if place < cuts[0] else "validation" if place < cuts[1] else "test"


def _facility_parts(
    config: SplitConfig, classes: Mapping[Unit, str], dealt: Mapping[str, list[Unit]]
) -> dict[Unit, Part]:
    facilities = sorted({unit.facility_id for unit in classes})
    test = config.test_facility or facilities[-1]
    if len(facilities) < 2:
        raise SplitError(
            f"a split by facility needs at least 2 facilities, the record has only {facilities[0]}:"
            " use splits.kind: time or equipment"
        )
    if test not in facilities:
        raise SplitError(
            f"splits.test_facility is {test!r}; expected one of {', '.join(facilities)}, with"
            " another left to train on"
        )
    parts: dict[Unit, Part] = {}
    for everyone in dealt.values():
        units = [unit for unit in everyone if unit.facility_id != test]
        cut = max(len(units) - max(round(len(units) * 0.25), 2), 1)
        parts |= {u: "train" if i < cut else "validation" for i, u in enumerate(units)}
    return parts | {u: "test" for u in classes if u.facility_id == test}


def _halves(
    config: SplitConfig,
    dealt: Mapping[str, list[Unit]],
    part: Mapping[Unit, Part],
    failing: Collection[Unit],
) -> dict[Unit, Literal["tune", "cal"]]:
    """Deal validation units to tune and cal in turn, by event and facility (by time every unit is
    one of them).
    """
    halves: dict[Unit, Literal["tune", "cal"]] = {}
    for units in dealt.values():
        chosen = units if config.kind == "time" else [u for u in units if part[u] == "validation"]
        ordered = sorted(
            chosen, key=lambda unit: (unit not in failing, unit.facility_id)
        )  # stable: dealt order within
        halves |= {u: "tune" if i % 2 == 0 else "cal" for i, u in enumerate(ordered)}
    return {u: halves.get(u, "tune") for units in dealt.values() for u in units}
