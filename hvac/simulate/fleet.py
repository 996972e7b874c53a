"""A simulated HVAC fleet: weather, load, faults that grow, visits, repairs, sensor trouble; and its
event log.

Every (facility, class) draws from its own seeded streams, so a facility comes out the same whether
it is generated alone or with others, and one class does not change another.

Shapes: U units of one class in one facility, P points of the class, D reported days, as in `x_UPD`.
"""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field, model_validator

from hvac.config import Config, Seed
from hvac.simulate.equipment import (
    BUILDINGS,
    KINDS,
    TOWNS,
    VENDORS,
    YEAR,
    Climate,
    Floats,
    Kind,
    climate,
    operate,
    settle_value,
)
from hvac.simulate.faults import (
    BURN_IN,
    Life,
    Machine,
    Rates,
    Trouble,
    fault_starts,
    live,
    live_without_memory,
    observe,
)
from hvac.storage import AnyPath, as_given, write_parquet, writing

__all__ = [
    "Fleet",
    "SimulateConfig",
    "simulate",
    "simulate_facilities",
    "write_canonical",
    "write_inspection_csv",
]

EPOCH = date(1970, 1, 1)
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

HEADERS = (
    "点検ID",
    "共通分類コード",
    "テナントid",
    "設備id",
    "チェック項目id",
    "上限値",
    "下限値",
    "実施日時",
    "実施結果の値",
)
MISSING = ("－", "欠測", "")
FULL_WIDTH = str.maketrans("0123456789.-,", "０１２３４５６７８９．－，")
WIDE_SHARE = 0.03  # values typed in full-width characters
MARKED_SHARE = 0.7  # missing days that have a row with a missing mark; the others have no row


class SimulateConfig(Config):
    """Size, length and difficulty of a simulated fleet.

    `equipment_per_class` counts per facility. `no_signal` keeps the readings free of faults and
    draws failures from a Poisson process of the same rate for every unit, so that neither readings
    nor history tell anything.

    >>> SimulateConfig(classes=("boiler",))
    Traceback (most recent call last):
    ...
    hvac.errors.ConfigError: ... unknown class 'boiler'; known: ahu, chiller, cooling_tower, fan_coil, pump, ...
    """

    facilities: int = Field(4, ge=1)
    equipment_per_class: int = Field(12, ge=1)
    classes: tuple[str, ...] = (
        "ahu",
        "chiller",
        "cooling_tower",
        "fan_coil",
        "pump",
        "vrf_outdoor",
    )
    start: date = date(2021, 4, 1)
    days: int = Field(1095, ge=1)
    seed: Seed = 7
    failures_per_year: float = Field(1.15, ge=0, le=2.0)
    sudden_share: float = Field(0.27, ge=0, le=1)  # failures without any precursor
    no_signal: bool = False
    fault_size: float = Field(1.0, ge=0)  # scales what faults do to readings
    noise: float = Field(1.0, gt=0)  # scales day-to-day noise
    wander: float = Field(0.6, ge=0)  # slow harmless drift, in multiples of the noise
    lemons: float = Field(0.9, ge=0.01)  # coefficient of variation of frailty between units
    gap_share: float = Field(
        0.03, ge=0, lt=1
    )  # readings missing: half single days, half spells of a whole unit
    stuck_per_year: float = Field(0.15, ge=0)  # spells of a constant value, per point
    outlier_share: float = Field(0.0005, ge=0, le=1)
    read_every: int = Field(1, ge=1)  # days between readings: 30 for monthly inspections

    @model_validator(mode="after")
    def _know_the_classes(self) -> Self:
        for name in self.classes:
            if name not in KINDS:
                raise ValueError(f"unknown class '{name}'; known: {', '.join(sorted(KINDS))}")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"a class is named twice: {', '.join(self.classes)}")
        return self


class Fleet(NamedTuple):
    """Canonical Arrow tables; `events.mode` is the truth, `events.end` is null where it lies after
    the record.
    """

    readings: pa.Table
    events: pa.Table
    equipment: pa.Table


def simulate(config: SimulateConfig) -> Fleet:
    """The whole fleet in memory, ordered by facility, class, equipment, point, date.

    >>> fleet = simulate(SimulateConfig(facilities=1, equipment_per_class=2, classes=("pump",), days=30))
    >>> fleet.equipment["equipment_id"].to_pylist()
    ['F001-PMP-001', 'F001-PMP-002']
    >>> sorted(set(fleet.readings["point_id"].to_pylist()))
    ['bearing_temp', 'current', 'discharge_pressure', 'flow_rate', 'vibration']
    """
    return _join(simulate_facilities(config))


def simulate_facilities(config: SimulateConfig) -> Iterator[Fleet]:
    """One facility at a time, in flat memory; together the same rows as `simulate`.

    >>> config = SimulateConfig(facilities=2, equipment_per_class=1, classes=("ahu",), days=10)
    >>> [fleet.equipment["town"][0].as_py() for fleet in simulate_facilities(config)]
    ['Tokyo', 'Sapporo']
    """
    for facility in range(config.facilities):
        yield _join(_simulate_class(config, facility, name) for name in config.classes)


def write_canonical(fleets: Iterable[Fleet], folder: str | AnyPath) -> None:
    """Write `readings/part-<facility>.parquet`, `events.parquet`, `equipment.parquet`, one facility
    after the other.

    A fleet of several facilities goes to one part file, named after its first: pass
    `simulate_facilities`."""
    folder = as_given(folder)
    events, equipment = [], []
    for fleet in fleets:
        facility = fleet.equipment["facility_id"][0].as_py()
        write_parquet(fleet.readings, folder / "readings" / f"part-{facility}.parquet")
        events.append(fleet.events)
        equipment.append(fleet.equipment)
    write_parquet(pa.concat_tables(events), folder / "events.parquet")
    write_parquet(pa.concat_tables(equipment), folder / "equipment.parquet")


def write_inspection_csv(fleet: Fleet, path: str | AnyPath, *, seed: int = 0) -> None:
    """Write readings as one cp932 CSV: dates like 2024/3/1 5:04, some full-width digits, thousands
    commas, marks.

    Most of the missing days get a row with `－`, `欠測` or nothing as the value. Meant for small
    fleets (a Python string per cell).

    >>> import tempfile
    >>> from pathlib import Path
    >>> fleet = simulate(SimulateConfig(facilities=1, equipment_per_class=1, classes=("pump",), days=5))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_inspection_csv(fleet, Path(folder) / "record.csv")
    ...     Path(folder, "record.csv").read_text(encoding="cp932").splitlines()[0]
    '点検ID,共通分類コード,テナントid,設備id,チェック項目id,上限値,下限値,実施日時,実施結果の値'
    """
    rng = np.random.default_rng(seed)
    with writing(as_given(path), "w", encoding="cp932", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(HEADERS)
        writer.writerows(_rows(fleet, rng))


def _join(fleets: Iterable[Fleet]) -> Fleet:
    readings, events, equipment = zip(*fleets, strict=True)
    return Fleet(pa.concat_tables(readings), pa.concat_tables(events), pa.concat_tables(equipment))


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
        return [f"{self.facility_id}-{self.kind.code}-{number + 1:03d}" for number in range(count)]

    def stream(self, purpose: str) -> np.random.Generator:
        """A generator of its own for (seed, facility, class, purpose)."""
        return _stream(self.config.seed, self.facility, f"{self.name}/{purpose}")


def _stream(seed: int, facility: int, purpose: str) -> np.random.Generator:
    return np.random.default_rng(
        np.random.SeedSequence([seed, facility, zlib.crc32(purpose.encode())])
    )


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
    """The register of equipment (設備台帳), and the age of each unit in years at the start [U]."""
    rng, config = group.stream("register"), group.config
    count = config.equipment_per_class
    age_U = rng.uniform(0.5, 20.0, count)
    installed_U = _first_day(config) - (age_U * YEAR).astype(np.int32)
    vendor = [VENDORS[index] for index in rng.integers(0, len(VENDORS), count)]
    rated_U = np.round(rng.uniform(*group.kind.rated_kw, count), 1)
    columns: dict[str, Any] = {
        "facility_id": [group.facility_id] * count,
        "equipment_id": group.equipment_ids,
        "class": [group.name] * count,
        "install_date": pa.array(installed_U, pa.int32()).cast(pa.date32()),
        "vendor": vendor,
        "model": [
            f"{maker[0]}{group.kind.code}-{int(kw)}"
            for maker, kw in zip(vendor, rated_U, strict=True)
        ],
        "rated_kw": rated_U,
        "town": [TOWNS[group.facility % len(TOWNS)].name] * count,
        "building": [BUILDINGS[group.facility % len(BUILDINGS)].name] * count,
    }
    return pa.table(columns, schema=EQUIPMENT), age_U


def _lives(group: _Group, age_U: Floats) -> list[Life]:
    config, rng = group.config, group.stream("events")
    days = BURN_IN + config.days
    if config.no_signal:
        return [live_without_memory(rng, config.failures_per_year, days) for _ in age_U]
    rates = Rates(
        sudden=config.failures_per_year * config.sudden_share,
        growing=fault_starts(config.failures_per_year * (1.0 - config.sudden_share), config.lemons),
        first_day_of_year=config.start.timetuple().tm_yday,
    )
    shape = 1.0 / config.lemons**2
    frailty_U = rng.gamma(shape, 1.0 / shape, len(age_U))
    machines = (
        Machine(frailty, age - BURN_IN / YEAR, group.kind.modes)
        for frailty, age in zip(frailty_U.tolist(), age_U.tolist(), strict=True)
    )
    return [live(rng, machine, rates, days) for machine in machines]


def _events(group: _Group, lives: list[Life]) -> pa.Table:
    """The event log of the reported days, by unit and start."""
    first, last = _first_day(group.config), _first_day(group.config) + group.config.days - 1
    rows: list[tuple[str, str, int, int | None, str]] = []
    for equipment_id, life in zip(group.equipment_ids, lives, strict=True):
        for item in sorted(life.happenings, key=lambda item: (item.start, item.kind)):
            start, end = item.start - BURN_IN + first, item.end - BURN_IN + first
            if first <= start <= last:
                rows.append(
                    (equipment_id, item.kind, start, end if end <= last else None, item.mode)
                )
    equipment, kind, starts, ends, mode = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    columns = {
        "facility_id": pa.array([group.facility_id] * len(rows), pa.string()),
        "equipment_id": pa.array(equipment, pa.string()),
        "kind": pa.array(kind, pa.string()),
        "start": pa.array(starts, pa.int32()).cast(pa.date32()),
        "end": pa.array(ends, pa.int32()).cast(pa.date32()),
        "point_id": pa.nulls(len(rows), pa.string()),
        "mode": pa.array(mode, pa.string()),
    }
    return pa.table(columns, schema=EVENTS)


def _readings(group: _Group, weather: Climate, lives: list[Life]) -> pa.Table:
    """Readings of one class in one facility; missing days have no row."""
    config = group.config
    base = settle_value(
        group.stream("levels"), group.kind, units=config.equipment_per_class, noise=config.noise
    )
    x_UPD = operate(group.stream("noise"), group.kind, base, weather, wander=config.wander)
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
    return _table(group, x_UPD, observed_UPD, lower_UP=base.lower_UP, upper_UP=base.upper_UP)


def _table(
    group: _Group,
    x_UPD: Floats,
    observed_UPD: NDArray[np.bool_],
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
        "date": pa.array((day + _first_day(group.config)).astype(np.int32)).cast(pa.date32()),
        "value": pa.array(x_UPD.ravel()[kept]),
        "lower_limit": pa.array(lower_UP.ravel()[series], from_pandas=True),
        "upper_limit": pa.array(upper_UP.ravel()[series], from_pandas=True),
    }
    return pa.table(columns, schema=READINGS)


def _words(words: list[str], index: NDArray[np.int64]) -> pa.Array:
    """The words at these places, as plain strings, without a Python object per row."""
    return pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int32)), pa.array(words)).cast(
        pa.string()
    )


def _first_day(config: SimulateConfig) -> int:
    return (config.start - EPOCH).days


def _rows(fleet: Fleet, rng: np.random.Generator) -> Iterator[tuple[object, ...]]:
    kind = dict(
        zip(
            fleet.equipment["equipment_id"].to_pylist(),
            fleet.equipment["class"].to_pylist(),
            strict=True,
        )
    )
    frame = _with_missing_days(fleet.readings.to_pandas(date_as_object=False), rng)
    names = zip(
        *(frame[name].tolist() for name in ("facility_id", "equipment_id", "point_id")), strict=True
    )
    values = zip(
        *(frame[name].tolist() for name in ("upper_limit", "lower_limit", "value")), strict=True
    )
    rows = zip(names, frame["date"].dt.date.tolist(), values, strict=True)
    for number, ((facility, equipment, point), day, (upper, lower, value)) in enumerate(
        rows, start=1
    ):
        when = f"{day.year}/{day.month}/{day.day} {rng.integers(5, 18)}:{rng.integers(0, 60):02d}"
        name = (kind[equipment], facility, equipment, point)
        yield (number, *name, _written(upper), _written(lower), when, _typed(value, rng))


def _with_missing_days(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Add a row without a value for most of the days a series lacks; in order of date, as records
    are kept.
    """
    series = ["facility_id", "equipment_id", "point_id"]
    limits = frame.drop_duplicates(series)[[*series, "lower_limit", "upper_limit"]]
    days = pd.DataFrame(
        {
            "date": (
                pd.date_range(frame["date"].min(), frame["date"].max()).astype(frame["date"].dtype)
            )
        }
    )
    full = limits.merge(days, how="cross").merge(
        frame[[*series, "date", "value"]], how="left", on=[*series, "date"]
    )
    kept = full["value"].notna() | (rng.random(len(full)) < MARKED_SHARE)
    return full[kept].sort_values(["date", *series], kind="stable")


def _written(value: float) -> str:
    return "" if np.isnan(value) else f"{value:,g}"


def _typed(value: float, rng: np.random.Generator) -> str:
    """A value as an inspector types it: sometimes full-width, thousands with commas, a mark where
    missing.
    """
    if np.isnan(value):
        return MISSING[int(rng.integers(0, len(MISSING)))]
    text = f"{value:,}"
    return text.translate(FULL_WIDTH) if rng.random() < WIDE_SHARE else text
