"""Settings of abstention: when "needs a look" is said in place of an alarm."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hvac.config import Config, Share


class AbstainConfig(Config):
    """When to say "needs a look" in place of an alarm, or of silence."""

    policy: Literal["budget", "none"] = "budget"
    """`budget`: keep only alarms that hold a promise on false alarms; `none`: keep all."""
    false_alarms_per_unit_year: float = Field(default=1.0, gt=0)
    """False alarm episodes that a unit may have in a year, among alarms that are kept."""
    confidence: Share = 0.9
    """How surely the promise is to hold."""
    most: Share = 0.15
    """Largest share of windows that may be withheld."""
    least_similar: int = Field(default=1, ge=0)
    """Fewest other machines that must have looked alike, for silence to be trusted."""
