"""How train, tune, cal and test are told apart: the configuration of the four splits."""

from __future__ import annotations

import datetime as dt
from typing import Literal, Self

from pydantic import Field, model_validator

from hvac.config import Config, Seed

UNIT_SHARES = (0.6, 0.8)


class SplitConfig(Config):
    """How train, tune, cal and test are told apart."""

    kind: Literal["time", "equipment", "facility", "both"] = "time"
    """What parts the windows: dates, units, facilities, or dates and units at once."""
    t1: dt.date | None = None
    """Last day of training windows under a split by time; none: 60 % of the windows end by then."""
    t2: dt.date | None = None
    """Day after which windows test under a split by time; none: 80 % of the windows end by then."""
    test_facility: str | None = None
    """Facility to test under a split by facility; none: the last one by its id."""
    fold: int | None = Field(default=None, ge=0)
    """Which share of the units to test, from 0 to `folds` - 1; none: the last fifth."""
    folds: int = Field(default=5, ge=3)
    """How many shares of the units are tested in turn, where `fold` is set."""
    seed: Seed = 0
    """Starts the hash by which units are dealt."""

    @model_validator(mode="after")
    def _fold_is_one_of_them(self) -> Self:
        if self.fold is not None and (
            self.kind != "equipment" or self.fold >= self.folds
        ):
            raise ValueError(
                f"fold is {self.fold}: expected 0 to {self.folds - 1}, and kind: equipment"
            )
        return self
