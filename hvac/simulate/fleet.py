"""A simulated HVAC fleet: weather, load, growing faults, visits, repairs, sensor trouble, events.

Every (facility, class) draws from its own seeded streams, so a facility comes out the same whether
it is generated alone or with others, and one class does not change another.

Shapes: U units of one class in one facility, P points of the class, D reported days, as in `x_UPD`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from hvac.arrays import Bools, Floats, Ints
from hvac.days import EPOCH
from hvac.simulate.catalogue import KINDS, Kind
from hvac.simulate.faults import (
    BURN_IN,
    Life,
    Machine,
    Rates,
    fault_starts,
    live,
    live_without_memory,
)
from hvac.simulate.observation import Trouble, observe
from hvac.simulate.operation import YEAR, Climate, climate, operate, settle_value
from hvac.simulate.simulate_config import SimulateConfig
from hvac.simulate.towns import BUILDINGS, TOWNS, VENDORS

READINGS = pa.schema(
    [
        ("facility_id", pa.string()),
        ("equipment_id", pa.string()),
        ("point_id", pa.string()),
        ("date", pa.date32()),
        ("value", pa.float64()),
        ("lower_limit", pa.float64()),
        ("upper_limit", pa.float64()),
    ]
)
EVENTS = pa.schema(
    [
        ("facility_id", pa.string()),
        ("equipment_id", pa.string()),
        ("kind", pa.string()),
        ("start", pa.date32()),
        ("end", pa.date32()),
        ("point_id", pa.string()),
        ("mode", pa.string()),
    ]
)
EQUIPMENT = pa.schema(
    [
        ("facility_id", pa.string()),
        ("equipment_id", pa.string()),
        ("class", pa.string()),
        ("install_date", pa.date32()),
        ("vendor", pa.string()),
        ("model", pa.string()),
        ("rated_kw", pa.float64()),
        ("town", pa.string()),
        ("building", pa.string()),
    ]
)


class Fleet(NamedTuple):
    """Canonical Arrow tables.

    `events.mode` is the simulated truth, `events.end` is null where it lies after the record.
    """

    readings: pa.Table
    events: pa.Table
    equipment: pa.Table


def simulate(config: SimulateConfig) -> Fleet:
    """Return the whole fleet in memory, ordered by facility, class, equipment, point, date.

    >>> config = SimulateConfig(facilities=1, equipment_per_class=2, classes=("pump",), days=30)
    >>> fleet = simulate(config)
    >>> fleet.equipment["equipment_id"].to_pylist()
    ['F001-PMP-001', 'F001-PMP-002']
    >>> sorted(set(fleet.readings["point_id"].to_pylist()))
    ['bearing_temp', 'current', 'discharge_pressure', 'flow_rate', 'vibration']
    """
    return _join(simulate_facilities(config))


def simulate_facilities(config: SimulateConfig) -> Iterator[Fleet]:
    """Give one facility at a time, in flat memory; together the same rows as `simulate`.

    >>> config = SimulateConfig(facilities=2, equipment_per_class=1, classes=("ahu",), days=10)
    >>> [fleet.equipment["town"][0].as_py() for fleet in simulate_facilities(config)]
    ['Tokyo', 'Sapporo']
    """
    for facility in range(config.facilities):
        yield _join(_simulate_class(config, facility, name) for name in config.classes)


def _join(fleets: Iterable[Fleet]) -> Fleet:
    readings, events, equipment = zip(*fleets, strict=True)
    return Fleet(
        pa.concat_tables(readings),
        pa.concat_tables(events),
        pa.concat_tables(equipment),
    )


class _Group(NamedTuple):
    """The units of one class in one facility."""

    config: SimulateConfig
    facility: int
    name: str
    kind: Kind

    @property
    def facility_id(self) -> str:
        return f"F{self.facility + 1:03d}"

    @property
    def equipment_ids(self) -> list[str]:
        count = self.config.equipment_per_class
        return [
            f"{self.facility_id}-{self.kind.code}-{number + 1:03d}"
            for number in range(count)
        ]

    def stream(self, purpose: str) -> np.random.Generator:
        """Return a generator for (seed, facility, class, purpose)."""
        return _stream(self.config.seed, self.facility, f"{self.name}/{purpose}")


def _stream(seed: int, facility: int, purpose: str) -> np.random.Generator:
    entropy = [seed, facility, zlib.crc32(purpose.encode())]
    return np.random.default_rng(np.random.SeedSequence(entropy))


def _simulate_class(config: SimulateConfig, facility: int, name: str) -> Fleet:
    group = _Group(config, facility, name, KINDS[name])
    weather = climate(
        _stream(config.seed, facility, "weather"),
        TOWNS[facility % len(TOWNS)],
        BUILDINGS[facility % len(BUILDINGS)],
        start=config.start,
        days=config.days,
    )
    equipment, age_U = _register(group)
    lives = _lives(group, age_U)
    return Fleet(_readings(group, weather, lives), _events(group, lives), equipment)


def _register(group: _Group) -> tuple[pa.Table, Floats]:
    """Draw the equipment register (設備台帳), and each unit's age in years at the start [U]."""
    rng = group.stream("register")
    config = group.config
    count = config.equipment_per_class
    age_U = rng.uniform(0.5, 20.0, count)
    installed_U = _first_day(config) - (age_U * YEAR).astype(np.int32)
    vendors = [VENDORS[index] for index in rng.integers(0, len(VENDORS), count)]
    rated_U = np.round(rng.uniform(*group.kind.rated_kw, count), 1)
    models = []
    for vendor, rated_kw in zip(vendors, rated_U, strict=True):
        models.append(f"{vendor[0]}{group.kind.code}-{int(rated_kw)}")
    columns: dict[str, Any] = {
        "facility_id": [group.facility_id] * count,
        "equipment_id": group.equipment_ids,
        "class": [group.name] * count,
        "install_date": pa.array(installed_U, pa.int32()).cast(pa.date32()),
        "vendor": vendors,
        "model": models,
        "rated_kw": rated_U,
        "town": [TOWNS[group.facility % len(TOWNS)].name] * count,
        "building": [BUILDINGS[group.facility % len(BUILDINGS)].name] * count,
    }
    return pa.table(columns, schema=EQUIPMENT), age_U


def _lives(group: _Group, age_U: Floats) -> list[Life]:
    config = group.config
    rng = group.stream("events")
    days = BURN_IN + config.days
    if config.no_signal:
        return [live_without_memory(rng, config.failures_per_year, days) for _ in age_U]
    rates = Rates(
        sudden=config.failures_per_year * config.sudden_share,
        growing=fault_starts(
            config.failures_per_year * (1.0 - config.sudden_share), config.lemons
        ),
        first_day_of_year=config.start.timetuple().tm_yday,
    )
    shape = 1.0 / config.lemons**2
    frailty_U = rng.gamma(shape, 1.0 / shape, len(age_U))
    lives = []
    for frailty, age in zip(frailty_U.tolist(), age_U.tolist(), strict=True):
        machine = Machine(frailty, age - BURN_IN / YEAR, group.kind.modes)
        lives.append(live(rng, machine, rates, days))
    return lives


def _events(group: _Group, lives: list[Life]) -> pa.Table:
    """Return the event log of the reported days, by unit and start."""
    first = _first_day(group.config)
    last = first + group.config.days - 1
    rows: list[dict[str, Any]] = []
    for equipment_id, life in zip(group.equipment_ids, lives, strict=True):
        for item in sorted(life.happenings, key=lambda item: (item.start, item.kind)):
            start = item.start - BURN_IN + first
            end = item.end - BURN_IN + first
            if first <= start <= last:
                rows.append(
                    {
                        "facility_id": group.facility_id,
                        "equipment_id": equipment_id,
                        "kind": item.kind,
                        "start": EPOCH + timedelta(days=start),
                        "end": EPOCH + timedelta(days=end) if end <= last else None,
                        "mode": item.mode,
                    }
                )
    return pa.Table.from_pylist(rows, schema=EVENTS)


def _readings(group: _Group, weather: Climate, lives: list[Life]) -> pa.Table:
    """Return the readings of one class in one facility; missing days have no row."""
    config = group.config
    base = settle_value(
        group.stream("levels"),
        group.kind,
        units=config.equipment_per_class,
        noise=config.noise,
    )
    x_UPD = operate(
        group.stream("noise"), group.kind, base, weather, wander=config.wander
    )
    trouble = Trouble(config.gap_share, config.stuck_per_year, config.outlier_share)
    x_UPD, observed_UPD = observe(
        group.stream("trouble"),
        x_UPD,
        base,
        trouble,
        lives=lives,
        weather=weather,
        fault_size=config.fault_size,
    )
    observed_UPD &= np.arange(config.days) % config.read_every == 0
    return _table(
        group, x_UPD, observed_UPD, lower_UP=base.lower_UP, upper_UP=base.upper_UP
    )


def _table(
    group: _Group,
    x_UPD: Floats,
    observed_UPD: Bools,
    *,
    lower_UP: Floats,
    upper_UP: Floats,
) -> pa.Table:
    points, days = x_UPD.shape[1:]
    kept = np.flatnonzero(observed_UPD)
    series, day = np.divmod(kept, days)
    unit, point = np.divmod(series, points)
    columns = {
        "facility_id": _words([group.facility_id], np.zeros_like(unit)),
        "equipment_id": _words(group.equipment_ids, unit),
        "point_id": _words([point.name for point in group.kind.points], point),
        "date": pa.array((day + _first_day(group.config)).astype(np.int32)).cast(
            pa.date32()
        ),
        "value": pa.array(x_UPD.ravel()[kept]),
        "lower_limit": pa.array(lower_UP.ravel()[series], from_pandas=True),
        "upper_limit": pa.array(upper_UP.ravel()[series], from_pandas=True),
    }
    return pa.table(columns, schema=READINGS)


def _words(words: list[str], index: Ints) -> pa.Array:
    """Return the words at some places, as plain strings, without a Python object per row."""
    places = pa.array(index.astype(np.int32))
    return pa.DictionaryArray.from_arrays(places, pa.array(words)).cast(pa.string())


def _first_day(config: SimulateConfig) -> int:
    return (config.start - EPOCH).days
