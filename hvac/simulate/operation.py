"""Healthy equipment in operation: weather, load, and readings of units before any fault.

Shapes: U units of one class in one facility, P points of the class, D reported days.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import numpy as np

from hvac.arrays import Floats, Times
from hvac.simulate.catalogue import Kind
from hvac.simulate.towns import Building, Town

YEAR = 365.25
QUICK = 0.6  # day-to-day memory of weather-like noise
SLOW = 0.985  # day-to-day memory of harmless wandering
SIGNED_UOMS = {"degC", "K"}  # every other quantity cannot be negative


class Climate(NamedTuple):
    """Weather and load of a facility: daily mean temperature [D], its annual mean, loads [D]."""

    outdoor_D: Floats
    mean: float
    cooling_D: Floats
    cooling_or_heating_D: Floats

    def load(self, kind: Kind) -> Floats:
        """Return the load of a class, 0 to 1 [D]."""
        return self.cooling_or_heating_D if kind.heats else self.cooling_D


class Base(NamedTuple):
    """What differs between units: level, gain, noise and limits of each point [U, P].

    A limit is nan where there is none.
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
    """Draw season and weather, and the load they put on cooling and heating in this building.

    >>> from hvac.simulate.towns import BUILDINGS, TOWNS
    >>> rng, start = np.random.default_rng(0), date(2023, 1, 1)
    >>> tokyo = climate(rng, TOWNS[0], BUILDINGS[0], start=start, days=365)
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


def _occupancy(building: Building, day_D: Times) -> Floats:
    """Return the share of full occupancy [D]; New Year and Obon empty an office like a Sunday."""
    weekday_D = (day_D.astype(int) + 3) % 7  # 1970-01-01 was a Thursday
    if building.holidays:
        month_D = day_D.astype("datetime64[M]").astype(int) % 12 + 1
        of_month_D = (day_D - day_D.astype("datetime64[M]")).astype(int) + 1
        before_D = (month_D == 12) & (of_month_D >= 29)
        after_D = (month_D == 1) & (of_month_D <= 3)
        new_year_D = before_D | after_D
        obon_D = (month_D == 8) & (of_month_D >= 13) & (of_month_D <= 16)
        weekday_D = np.where(new_year_D | obon_D, 6, weekday_D)
    occupied_D: Floats = np.array(building.week)[weekday_D]
    return occupied_D


def settle_value(
    rng: np.random.Generator, kind: Kind, *, units: int, noise: float
) -> Base:
    """Draw each unit's level, gain and noise.

    Limits move with the level, rounded as on a record sheet.
    """
    shape = (units, len(kind.points))
    shift_UP = rng.standard_normal(shape) * [point.spread for point in kind.points]
    gain_UP = rng.lognormal(-0.02, 0.2, shape)
    noise_UP = rng.lognormal(-0.03, 0.25, shape) * [
        noise * point.noise for point in kind.points
    ]
    level_UP = shift_UP + [point.level for point in kind.points]
    lower_UP = shift_UP + [
        np.nan if point.lower is None else point.lower for point in kind.points
    ]
    upper_UP = shift_UP + [
        np.nan if point.upper is None else point.upper for point in kind.points
    ]
    for place, point in enumerate(kind.points):
        places = _decimals(point.level) - 1
        lower_UP[:, place] = np.round(lower_UP[:, place], places)
        upper_UP[:, place] = np.round(upper_UP[:, place], places)
    return Base(kind, level_UP, gain_UP, noise_UP, lower_UP, upper_UP)


def operate(
    rng: np.random.Generator, kind: Kind, base: Base, weather: Climate, *, wander: float
) -> Floats:
    """Return readings x_UPD of healthy units.

    They are level + weather + load + noise with memory + slow harmless wandering.
    """
    shape = (*base.level_UP.shape, len(weather.outdoor_D))
    per_ten_kelvin_P = np.array([point.per_ten_kelvin for point in kind.points])
    per_load_P = np.array([point.per_load for point in kind.points])
    warmth_D = (weather.outdoor_D - weather.mean) / 10.0
    load_D = weather.load(kind) - 0.5
    driven_PD = per_ten_kelvin_P[:, None] * warmth_D + per_load_P[:, None] * load_D
    noise_UPD = 0.8 * _memory(rng, shape, QUICK) + 0.6 * rng.standard_normal(shape)
    noise_UPD += wander * _memory(rng, shape, SLOW)
    x_UPD: Floats = (
        base.level_UP[..., None]
        + base.gain_UP[..., None] * driven_PD
        + base.noise_UP[..., None] * noise_UPD
    )
    return x_UPD


def _memory(rng: np.random.Generator, shape: tuple[int, ...], phi: float) -> Floats:
    """Draw stationary AR(1) noise of unit variance along the last axis."""
    from scipy.signal import (
        lfilter,
    )  # slow to import; every job reads this module's settings

    white = rng.standard_normal(shape) * np.sqrt(1 - phi**2)
    white[..., 0] /= np.sqrt(1 - phi**2)
    filtered = lfilter([1.0], [1.0, -phi], white, axis=-1)
    return np.asarray(filtered, dtype=np.float64)


def record(x_UPD: Floats, kind: Kind) -> Floats:
    """Round to what an instrument shows; keep quantities without a sign at 0 or above."""
    shown_UPD = np.empty_like(x_UPD)
    for place, point in enumerate(kind.points):
        shown_UPD[:, place] = np.round(x_UPD[:, place], _decimals(point.level))
        if point.uom not in SIGNED_UOMS:
            np.maximum(shown_UPD[:, place], 0.0, out=shown_UPD[:, place])
    return shown_UPD


def _decimals(level: float) -> int:
    """Return the decimals an instrument shows for values of this size."""
    if level < 3:
        return 3
    return 2 if level < 30 else 1
