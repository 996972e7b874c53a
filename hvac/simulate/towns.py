"""Where simulated equipment stands, and who made it: towns, buildings, vendors."""

from __future__ import annotations

from typing import NamedTuple


class Town(NamedTuple):
    """Climate of a town, in degC.

    `mean` is the annual mean of the daily mean temperature, `swing` half its annual range, and
    `weather` the standard deviation of the weather.
    """

    name: str
    mean: float
    swing: float
    weather: float


class Building(NamedTuple):
    """Use of a building: share of full occupancy by weekday, and whether public holidays empty it.

    `week` runs from Monday to Sunday.
    """

    name: str
    week: tuple[float, float, float, float, float, float, float]
    holidays: bool


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
