"""What the simulated fleet consists of: towns, buildings, equipment classes, their points and their
faults.

All numbers are daily means in the stated unit of measure (uom). They are typical catalogue values,
chosen by hand; nothing here is fitted to a real site."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
YEAR = 365.25
QUICK, SLOW = 0.6, 0.985  # day-to-day memory of weather-like noise and of harmless wandering
SIGNED_UOMS = {"degC", "K"}  # every other quantity cannot be negative


class Town(NamedTuple):
    """Climate of a town: annual mean and half the annual swing of the daily mean temperature,
    weather sd (degC).
    """

    name: str
    mean: float
    swing: float
    weather: float


class Building(NamedTuple):
    """Use of a building: share of full occupancy from Monday to Sunday, and whether public holidays
    empty it.
    """

    name: str
    week: tuple[float, float, float, float, float, float, float]
    holidays: bool


class Point(NamedTuple):
    """One measured variable of a class.

    `level` at the annual mean outdoor temperature and half load, `noise` the day-to-day sd,
    `spread` the sd of the level between units, `per_ten_kelvin` the change for 10 K outdoors,
    `per_load` from no load to full load. The limits hold for a unit at the nominal level and move
    with the unit's own level, as they are set at commissioning."""

    name: str
    uom: str
    level: float
    noise: float
    spread: float
    per_ten_kelvin: float
    per_load: float
    lower: float | None
    upper: float | None


class Mode(NamedTuple):
    """One way to fail: how often (weight), how long it grows (days), what it does to the points at
    full size.

    `shifts` are in multiples of the point's noise. `curve` is linear, convex (slow, then fast) or
    saturating. `harmless` is the share that stops at half size and waits for the next visit instead
    of ending in a failure."""

    name: str
    weight: float
    days: tuple[int, int]
    curve: str
    shifts: dict[str, float]
    harmless: float = 0.15


class Kind(NamedTuple):
    """An equipment class: code in the ids, cooling only or cooling and heating, rated kW, points,
    modes.
    """

    code: str
    heats: bool
    rated_kw: tuple[float, float]
    points: tuple[Point, ...]
    modes: tuple[Mode, ...]


TOWNS = (
    Town("Tokyo", 15.8, 10.6, 2.4),
    Town("Sapporo", 9.2, 13.0, 2.8),
    Town("Osaka", 17.1, 11.3, 2.2),
    Town("Fukuoka", 17.3, 10.5, 2.4),
    Town("Naha", 23.3, 6.0, 1.6),
)
BUILDINGS = (
    Building("office", (1.0, 1.0, 1.0, 1.0, 1.0, 0.35, 0.15), True),
    Building("hospital", (1.0, 1.0, 1.0, 1.0, 1.0, 0.8, 0.75), False),
    Building("hotel", (0.75, 0.75, 0.75, 0.8, 0.95, 1.0, 0.8), False),
    Building("shop", (0.8, 0.8, 0.8, 0.8, 0.9, 1.0, 1.0), False),
)
VENDORS = ("Aoba", "Hokuto", "Minato", "Sakura")

KINDS: dict[str, Kind] = {
    "ahu": Kind(
        "AHU",
        True,
        (20.0, 120.0),
        (
            Point("filter_differential_pressure", "Pa", 120.0, 6.0, 15.0, 0.0, 30.0, None, 200.0),
            Point("supply_air_temp", "degC", 17.0, 0.7, 0.8, -1.5, -1.0, 10.0, 23.0),
            Point("fan_current", "A", 14.0, 0.4, 2.0, 0.1, 2.5, None, 18.5),
            Point("valve_position", "%", 45.0, 4.0, 5.0, 3.0, 35.0, None, 95.0),
            Point("fan_vibration", "mm/s", 2.0, 0.2, 0.3, 0.0, 0.3, None, 3.7),
        ),
        (
            Mode(
                "filter_clogging",
                3.0,
                (60, 150),
                "linear",
                {"filter_differential_pressure": 14.5, "fan_current": -4.5, "valve_position": 2.5},
            ),
            Mode(
                "valve_stuck",
                2.0,
                (30, 70),
                "saturating",
                {"valve_position": 7.0, "supply_air_temp": 6.5},
            ),
            Mode(
                "bearing_wear",
                2.0,
                (50, 130),
                "convex",
                {"fan_vibration": 11.0, "fan_current": 4.5},
            ),
            Mode(
                "coil_fouling",
                1.5,
                (70, 150),
                "linear",
                {"supply_air_temp": 5.5, "valve_position": 6.5},
            ),
            Mode("sensor_drift", 1.0, (40, 120), "linear", {"supply_air_temp": -8.0}, 0.8),
        ),
    ),
    "chiller": Kind(
        "CH",
        False,
        (350.0, 1800.0),
        (
            Point("chilled_water_supply_temp", "degC", 7.0, 0.25, 0.4, 0.15, 0.4, 5.0, 8.8),
            Point("condenser_approach", "K", 2.2, 0.2, 0.3, 0.1, 0.8, None, 4.0),
            Point("compressor_current", "A", 180.0, 6.0, 20.0, 8.0, 50.0, None, 255.0),
            Point("evaporator_pressure", "kPa", 250.0, 5.0, 10.0, -2.0, -10.0, 218.0, 285.0),
            Point("vibration", "mm/s", 2.2, 0.2, 0.4, 0.0, 0.3, None, 4.0),
            Point("cop", "1", 5.0, 0.15, 0.3, -0.3, 0.2, 3.6, None),
        ),
        (
            Mode(
                "fouling",
                3.0,
                (70, 150),
                "linear",
                {"condenser_approach": 11.0, "compressor_current": 4.5, "cop": -6.5},
            ),
            Mode(
                "refrigerant_loss",
                2.5,
                (40, 120),
                "convex",
                {"evaporator_pressure": -9.0, "cop": -6.5, "chilled_water_supply_temp": 6.5},
            ),
            Mode(
                "bearing_wear",
                2.0,
                (50, 150),
                "convex",
                {"vibration": 11.5, "compressor_current": 3.5},
            ),
            Mode(
                "sensor_drift", 1.0, (40, 120), "linear", {"chilled_water_supply_temp": -8.0}, 0.8
            ),
        ),
    ),
    "cooling_tower": Kind(
        "CT",
        False,
        (400.0, 2000.0),
        (
            Point("outlet_water_temp", "degC", 25.0, 0.6, 0.6, 4.0, 1.5, None, 35.0),
            Point("approach", "K", 4.0, 0.35, 0.5, -0.3, 1.0, None, 6.8),
            Point("fan_current", "A", 22.0, 0.7, 2.0, 1.0, 5.0, None, 30.0),
            Point("fan_vibration", "mm/s", 3.0, 0.3, 0.5, 0.0, 0.4, None, 5.4),
            Point("water_conductivity", "mS/m", 60.0, 4.0, 6.0, 3.0, 6.0, None, 92.0),
        ),
        (
            Mode(
                "scaling",
                3.0,
                (70, 150),
                "linear",
                {"approach": 9.0, "outlet_water_temp": 5.5, "water_conductivity": 7.0},
            ),
            Mode(
                "belt_wear",
                2.0,
                (30, 90),
                "convex",
                {"fan_vibration": 9.0, "fan_current": -7.0, "approach": 4.5},
            ),
            Mode(
                "bearing_wear",
                2.0,
                (50, 130),
                "convex",
                {"fan_vibration": 11.0, "fan_current": 4.5},
            ),
            Mode("sensor_drift", 0.8, (40, 120), "linear", {"outlet_water_temp": 7.0}, 0.8),
        ),
    ),
    "fan_coil": Kind(
        "FCU",
        True,
        (2.0, 10.0),
        (
            Point("discharge_air_temp", "degC", 18.0, 0.8, 1.0, -2.0, -1.0, 9.0, 26.0),
            Point("fan_current", "A", 0.9, 0.04, 0.1, 0.0, 0.15, None, 1.25),
            Point("valve_position", "%", 40.0, 5.0, 6.0, 2.0, 35.0, None, 92.0),
            Point("drain_pan_level", "mm", 8.0, 1.2, 1.5, 1.0, 3.0, None, 18.0),
        ),
        (
            Mode(
                "filter_clogging",
                3.0,
                (50, 150),
                "linear",
                {"fan_current": -9.0, "discharge_air_temp": -4.5},
            ),
            Mode("drain_blockage", 2.0, (30, 80), "convex", {"drain_pan_level": 11.5}),
            Mode(
                "valve_stuck",
                2.0,
                (30, 70),
                "saturating",
                {"valve_position": 7.0, "discharge_air_temp": 5.5},
            ),
            Mode("motor_wear", 1.5, (50, 130), "convex", {"fan_current": 10.0}),
        ),
    ),
    "pump": Kind(
        "PMP",
        True,
        (5.0, 75.0),
        (
            Point("vibration", "mm/s", 2.4, 0.22, 0.4, 0.0, 0.3, None, 4.2),
            Point("bearing_temp", "degC", 48.0, 1.5, 2.5, 2.5, 4.0, None, 64.0),
            Point("current", "A", 32.0, 0.8, 3.0, 0.0, 5.0, None, 40.0),
            Point("discharge_pressure", "kPa", 320.0, 6.0, 15.0, 0.0, -15.0, 275.0, 370.0),
            Point("flow_rate", "m3/h", 60.0, 1.5, 5.0, 0.0, 12.0, 45.0, None),
        ),
        (
            Mode(
                "bearing_wear",
                3.0,
                (50, 150),
                "convex",
                {"vibration": 11.0, "bearing_temp": 7.0, "current": 2.5},
            ),
            Mode(
                "seal_leak",
                2.0,
                (30, 90),
                "linear",
                {"discharge_pressure": -8.0, "flow_rate": -4.5},
            ),
            Mode(
                "impeller_wear",
                2.0,
                (80, 150),
                "linear",
                {"flow_rate": -7.0, "discharge_pressure": -5.5, "current": -3.5},
            ),
            Mode(
                "strainer_clogging",
                2.0,
                (40, 120),
                "saturating",
                {"flow_rate": -8.0, "vibration": 4.5},
            ),
        ),
    ),
    "vrf_outdoor": Kind(
        "VRF",
        True,
        (22.0, 85.0),
        (
            Point("discharge_temp", "degC", 72.0, 2.5, 3.0, 3.0, 12.0, None, 100.0),
            Point("high_pressure", "MPa", 2.6, 0.08, 0.1, 0.15, 0.3, None, 3.4),
            Point("low_pressure", "MPa", 0.85, 0.03, 0.04, 0.03, -0.05, 0.65, 1.1),
            Point("compressor_current", "A", 16.0, 0.7, 2.0, 0.3, 6.0, None, 24.5),
            Point("superheat", "K", 6.0, 0.6, 0.7, 0.0, 0.6, 1.5, 11.0),
        ),
        (
            Mode(
                "refrigerant_loss",
                3.0,
                (40, 130),
                "convex",
                {"superheat": 9.0, "low_pressure": -8.0, "discharge_temp": 7.0},
            ),
            Mode(
                "fouling",
                2.5,
                (60, 150),
                "linear",
                {"high_pressure": 9.0, "compressor_current": 5.5, "discharge_temp": 3.5},
            ),
            Mode(
                "expansion_valve_stuck",
                2.0,
                (30, 60),
                "saturating",
                {"superheat": -8.0, "low_pressure": 5.5},
            ),
            Mode(
                "compressor_wear",
                1.5,
                (60, 150),
                "convex",
                {"compressor_current": 9.0, "discharge_temp": 6.5},
            ),
            Mode("sensor_drift", 0.8, (40, 120), "linear", {"high_pressure": -8.0}, 0.8),
        ),
    ),
}


class Climate(NamedTuple):
    """Weather and occupancy of a facility: daily mean temperature [D], its annual mean, loads [D]."""

    outdoor_D: Floats
    mean: float
    cooling_D: Floats
    cooling_or_heating_D: Floats

    def load(self, kind: Kind) -> Floats:
        """The load [D] of a class."""
        return self.cooling_or_heating_D if kind.heats else self.cooling_D


class Base(NamedTuple):
    """What is peculiar to each unit and point: level, gain, noise, limits (nan where there is
    none), all [U, P].
    """

    kind: Kind
    level_UP: Floats
    gain_UP: Floats
    noise_UP: Floats
    lower_UP: Floats
    upper_UP: Floats


def climate(
    rng: np.random.Generator, town: Town, building: Building, *, start: date, days: int
) -> Climate:
    """Season + weather, and the load it puts on cooling and heating in this building.

    >>> from hvac.simulate.equipment import BUILDINGS, TOWNS
    >>> tokyo = climate(np.random.default_rng(0), TOWNS[0], BUILDINGS[0], start=date(2023, 1, 1), days=365)
    >>> bool(tokyo.outdoor_D[180:240].mean() > 20 > 10 > tokyo.outdoor_D[:60].mean())
    True
    """
    day_D = np.datetime64(start, "D") + np.arange(days)
    of_year_D = (day_D - day_D.astype("datetime64[Y]")).astype(int)
    season_D = town.swing * np.cos(2 * np.pi * (of_year_D - 213) / YEAR)
    outdoor_D = town.mean + season_D + town.weather * _memory(rng, (days,), 0.75)
    occupied_D = 0.3 + 0.7 * _occupancy(building, day_D)
    cooling_D = np.clip((outdoor_D - 14.0) / 14.0, 0.05, 1.0) * occupied_D
    heating_D = np.clip((16.0 - outdoor_D) / 16.0, 0.05, 1.0) * occupied_D
    return Climate(outdoor_D, town.mean, cooling_D, np.maximum(cooling_D, heating_D))


def _occupancy(building: Building, day_D: NDArray[np.datetime64]) -> Floats:
    """Share of full occupancy [D]; New Year and Obon empty an office like a Sunday."""
    weekday_D = (day_D.astype(int) + 3) % 7  # 1970-01-01 was a Thursday
    if building.holidays:
        month_D = day_D.astype("datetime64[M]").astype(int) % 12 + 1
        of_month_D = (day_D - day_D.astype("datetime64[M]")).astype(int) + 1
        new_year_D = ((month_D == 12) & (of_month_D >= 29)) | ((month_D == 1) & (of_month_D <= 3))
        obon_D = (month_D == 8) & (of_month_D >= 13) & (of_month_D <= 16)
        weekday_D = np.where(new_year_D | obon_D, 6, weekday_D)
    occupied_D: Floats = np.array(building.week)[weekday_D]
    return occupied_D


def settle_value(rng: np.random.Generator, kind: Kind, *, units: int, noise: float) -> Base:
    """Draw each unit's own level, gain and noise; limits move with the level, rounded as on a
    record sheet.
    """
    shape = (units, len(kind.points))
    shift_UP = rng.standard_normal(shape) * [point.spread for point in kind.points]
    gain_UP = rng.lognormal(-0.02, 0.2, shape)
    noise_UP = rng.lognormal(-0.03, 0.25, shape) * [noise * point.noise for point in kind.points]
    level_UP = shift_UP + [point.level for point in kind.points]
    lower_UP = shift_UP + [np.nan if point.lower is None else point.lower for point in kind.points]
    upper_UP = shift_UP + [np.nan if point.upper is None else point.upper for point in kind.points]
    for place, point in enumerate(kind.points):
        places = _decimals(point.level) - 1
        lower_UP[:, place] = np.round(lower_UP[:, place], places)
        upper_UP[:, place] = np.round(upper_UP[:, place], places)
    return Base(kind, level_UP, gain_UP, noise_UP, lower_UP, upper_UP)


def operate(
    rng: np.random.Generator, kind: Kind, base: Base, weather: Climate, *, wander: float
) -> Floats:
    """Readings x_UPD of healthy units: level + weather + load + noise with memory + slow harmless
    wandering.
    """
    shape = (*base.level_UP.shape, len(weather.outdoor_D))
    per_ten_kelvin_P = np.array([point.per_ten_kelvin for point in kind.points])
    per_load_P = np.array([point.per_load for point in kind.points])
    warmth_D = (weather.outdoor_D - weather.mean) / 10.0
    driven_PD = per_ten_kelvin_P[:, None] * warmth_D + per_load_P[:, None] * (
        weather.load(kind) - 0.5
    )
    noise_UPD = 0.8 * _memory(rng, shape, QUICK) + 0.6 * rng.standard_normal(shape)
    noise_UPD += wander * _memory(rng, shape, SLOW)
    x_UPD: Floats = (
        base.level_UP[..., None]
        + base.gain_UP[..., None] * driven_PD
        + base.noise_UP[..., None] * noise_UPD
    )
    return x_UPD


def _memory(rng: np.random.Generator, shape: tuple[int, ...], phi: float) -> Floats:
    """Stationary AR(1) noise of unit variance along the last axis."""
    from scipy.signal import lfilter  # slow to import; every job reads this module's settings

    white = rng.standard_normal(shape) * np.sqrt(1 - phi**2)
    white[..., 0] /= np.sqrt(1 - phi**2)
    return np.asarray(lfilter([1.0], [1.0, -phi], white, axis=-1), dtype=np.float64)


def record(x_UPD: Floats, kind: Kind) -> Floats:
    """Round to what an instrument shows, and keep quantities that cannot be negative at 0 or above."""
    shown_UPD = np.empty_like(x_UPD)
    for place, point in enumerate(kind.points):
        shown_UPD[:, place] = np.round(x_UPD[:, place], _decimals(point.level))
        if point.uom not in SIGNED_UOMS:
            np.maximum(shown_UPD[:, place], 0.0, out=shown_UPD[:, place])
    return shown_UPD


def _decimals(level: float) -> int:
    """Decimals an instrument shows for values of this size: 3 below 3, 2 below 30, 1 above."""
    return 3 if level < 3 else 2 if level < 30 else 1
