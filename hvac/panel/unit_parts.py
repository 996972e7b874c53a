"""Deal units to train, validation and test, evenly among failing and other units and facilities."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Literal

from hvac.errors import SplitError
from hvac.panel.grid import Unit
from hvac.panel.split_config import UNIT_SHARES, SplitConfig
from hvac.storage import name_hash

Part = Literal["train", "validation", "test"]
Half = Literal["tune", "cal"]
MIN_UNITS = 4


def deal(
    config: SplitConfig, classes: Mapping[Unit, str], failing: Collection[Unit]
) -> dict[str, list[Unit]]:
    """Return the units of each class in an order whose every stretch holds its share of each kind.

    The kinds are failing and other units, and those of each facility. The order depends on the
    seed, the units' ids, and who fails; not on the order in which units come.
    """
    by_class: dict[str, list[Unit]] = defaultdict(list)
    for unit, name in classes.items():
        by_class[name].append(unit)
    return {
        name: _spread(config, units, failing)
        for name, units in sorted(by_class.items())
    }


def _spread(
    config: SplitConfig, units: Sequence[Unit], failing: Collection[Unit]
) -> list[Unit]:
    place: dict[Unit, float] = {}
    by_hash = partial(_hash, config)
    for fails in (True, False):
        stratum = sorted(
            (unit for unit in units if (unit in failing) == fails), key=by_hash
        )
        within: dict[Unit, float] = {}
        for facility in sorted({unit.facility_id for unit in stratum}):
            of_facility = [unit for unit in stratum if unit.facility_id == facility]
            within |= _even_places(of_facility, _share(config, facility, str(fails)))
        stratum.sort(key=within.__getitem__)  # stable: by hash where places are equal
        place |= _even_places(stratum, _share(config, str(fails)))
    return sorted(units, key=lambda unit: (place[unit], by_hash(unit)))


def _even_places(units: Sequence[Unit], offset: float) -> dict[Unit, float]:
    """Return places in [0, 1), equally far apart; `offset` in [0, 1) sets the first one."""
    return {unit: (rank + offset) / len(units) for rank, unit in enumerate(units)}


def _hash(config: SplitConfig, unit: Unit) -> bytes:
    return name_hash(config.seed, *unit)


def _share(config: SplitConfig, *names: str) -> float:
    """Return a number in [0, 1) drawn by the seed and some names."""
    return int.from_bytes(name_hash(config.seed, *names)[:6], "big") / 2**48


def unit_parts(
    config: SplitConfig, dealt: Mapping[str, list[Unit]]
) -> dict[Unit, Part]:
    """Return every unit's part, by its place among the dealt units of its class.

    Raises SplitError where a class has too few units.
    """
    parts: dict[Unit, Part] = {}
    for name, units in dealt.items():
        _check_count(config, name, len(units))
        if config.fold is None:
            cuts = _cuts(len(units))
        else:
            units, cuts = _turn(units, config.fold, config.folds)
        for place, unit in enumerate(units):
            parts[unit] = _part(place, cuts)
    return parts


def _check_count(config: SplitConfig, name: str, count: int) -> None:
    if config.kind != "time" and count < MIN_UNITS:
        raise SplitError(
            f"class {name!r} has {count} units; a split by {config.kind} needs at least"
            f" {MIN_UNITS} (train, tune, cal, test): use splits.kind: time, or pool classes"
            " with windows.class: all"
        )
    if config.fold is not None and count < max(config.folds, MIN_UNITS + 1):
        raise SplitError(
            f"class {name!r} has {count} units, too few to test some of them in each of"
            f" {config.folds} turns: set fewer splits.folds, or pool classes with"
            " windows.class: all"
        )


def _turn(
    units: list[Unit], fold: int, folds: int
) -> tuple[list[Unit], tuple[int, int]]:
    """Return units in an order that ends with those of the fold, and where the parts begin.

    Validation is a quarter of the others, at least 2 units.
    """
    start = round(len(units) * fold / folds)
    stop = round(len(units) * (fold + 1) / folds)
    others = units[stop:] + units[:start]
    validation = min(round(len(others) * 0.75), len(others) - 2)
    return others + units[start:stop], (validation, len(others))


def _cuts(count: int) -> tuple[int, int]:
    """Return the places where validation and test begin: about 60/20/20.

    At least 2 units validate and 1 tests.
    """
    test = min(round(count * UNIT_SHARES[1]), count - 1)
    validation = min(round(count * UNIT_SHARES[0]), test - 2)
    return max(validation, 1), test


def _part(place: int, cuts: tuple[int, int]) -> Part:
    if place < cuts[0]:
        return "train"
    return "validation" if place < cuts[1] else "test"


def facility_parts(
    config: SplitConfig, classes: Mapping[Unit, str], dealt: Mapping[str, list[Unit]]
) -> dict[Unit, Part]:
    """Return every unit's part where one facility is tested; a quarter of the others validates.

    Raises SplitError where there is no other facility, or the one to test is not there.
    """
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
    for units in dealt.values():
        others = [unit for unit in units if unit.facility_id != test]
        quarter = max(round(len(others) * 0.25), 2)
        validation = max(len(others) - quarter, 1)
        for place, unit in enumerate(others):
            parts[unit] = "train" if place < validation else "validation"
    return parts | {unit: "test" for unit in classes if unit.facility_id == test}


def halves(
    config: SplitConfig,
    dealt: Mapping[str, list[Unit]],
    part: Mapping[Unit, Part],
    failing: Collection[Unit],
) -> dict[Unit, Half]:
    """Deal validation units to tune and cal in turn, by event and facility.

    Under a split by time every unit validates; units that do not are in `tune`.
    """
    by_unit: dict[Unit, Half] = {}
    for units in dealt.values():
        by_unit |= dict.fromkeys(units, "tune")
        validating = [
            u for u in units if config.kind == "time" or part[u] == "validation"
        ]
        # stable: in the dealt order within
        validating.sort(key=lambda unit: (unit not in failing, unit.facility_id))
        by_unit |= dict.fromkeys(validating[1::2], "cal")
    return by_unit
