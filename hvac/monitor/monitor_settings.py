"""The `monitor:` section of a run: what is watched, and how often a monitor may alert in vain."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field

from hvac.config import Config

Monitor = Literal["data", "inputs", "scores", "calibration"]
MONITORS: tuple[Monitor, ...] = ("data", "inputs", "scores", "calibration")


class MonitorConfig(Config):
    """What is watched day by day, and how often each monitor may alert where nothing changes."""

    enabled: bool = True
    """Whether `daily` runs the monitors after it has scored."""
    monitors: tuple[Monitor, ...] = Field(default=MONITORS, min_length=1)
    """Which monitors run."""
    alerts_per_year: float = Field(default=1.0, gt=0, le=50)
    """Alerts that each monitor may raise in a year of the whole fleet where nothing changes."""
    reference_weeks: int = Field(default=52, ge=26, le=260)
    """Weeks before `since` that show what is usual; less than 52 do not hold every season."""
    since: dt.date | None = None
    """First day that is watched; default: the day after the training windows of the bundles."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Starts the draws that thresholds are chosen by."""
