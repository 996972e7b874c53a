"""Size, length and difficulty of a simulated fleet."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Literal, Self

from pydantic import Field, model_validator

from hvac.config import Config, Seed
from hvac.simulate.catalogue import KINDS


class SimulateConfig(Config):
    """Size, length and difficulty of a simulated fleet.

    >>> SimulateConfig(classes=("boiler",))
    Traceback (most recent call last):
    ...
    hvac.errors.ConfigError: ... unknown class 'boiler'; known: ahu, chiller, cooling_tower, ...
    """

    facilities: int = Field(4, ge=1)
    """How many facilities."""
    equipment_per_class: int = Field(12, ge=1)
    """How many machines of each class in each facility."""
    classes: tuple[str, ...] = (
        "ahu",
        "chiller",
        "cooling_tower",
        "fan_coil",
        "pump",
        "vrf_outdoor",
    )
    """Classes of equipment to simulate."""
    start: date = date(2021, 4, 1)
    """First day of the record, unless it ends yesterday (`until`)."""
    until: Literal["yesterday"] | None = None
    """`yesterday`: the record ends on the day before it is made. Figures then move with the date."""
    days: int = Field(1095, ge=1)
    """Days of the record."""
    seed: Seed = 7
    """Starts all random draws."""
    failures_per_year: float = Field(1.15, ge=0, le=2.0)
    """Failures of a machine a year, on average."""
    sudden_share: float = Field(0.27, ge=0, le=1)
    """Share of failures without any precursor."""
    no_signal: bool = False
    """Whether failures come at random, so that neither readings nor history announce them."""
    fault_size: float = Field(1.0, ge=0)
    """Scales what faults do to readings."""
    noise: float = Field(1.0, gt=0)
    """Scales day-to-day noise."""
    wander: float = Field(0.6, ge=0)
    """Slow harmless drift, in multiples of the noise."""
    lemons: float = Field(0.9, ge=0.01)
    """Coefficient of variation of frailty between machines."""
    gap_share: float = Field(0.03, ge=0, lt=1)
    """Share of readings that are missing: half single days, half spells of a whole machine."""
    stuck_per_year: float = Field(0.15, ge=0)
    """Spells of a constant value, per point and year."""
    outlier_share: float = Field(0.0005, ge=0, le=1)
    """Share of readings that are outliers."""
    read_every: int = Field(1, ge=1)
    """Days between readings, such as 30 for monthly inspections."""

    def dated(self) -> Self:
        """Return the settings with a fixed first day, as of today where they end yesterday."""
        if self.until is None:
            return self
        today = datetime.now().astimezone().date()
        return self.replace(start=today - timedelta(days=self.days), until=None)

    @model_validator(mode="after")
    def _know_the_classes(self) -> Self:
        for name in self.classes:
            if name not in KINDS:
                raise ValueError(
                    f"unknown class '{name}'; known: {', '.join(sorted(KINDS))}"
                )
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"a class is named twice: {', '.join(self.classes)}")
        return self
