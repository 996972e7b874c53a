"""A simulated fleet as pandas tables."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd

from hvac.simulate.fleet import simulate
from hvac.simulate.simulate_config import SimulateConfig


class FleetTables(NamedTuple):
    """Readings, events and register of a simulated fleet."""

    readings: pd.DataFrame
    events: pd.DataFrame
    equipment: pd.DataFrame


def simulate_fleet(**settings: Any) -> FleetTables:
    """Simulate a fleet of HVAC equipment with weather, faults that grow, visits and repairs.

    Args:
        settings: as in a run file's `simulate` section: `facilities`, `equipment_per_class`,
            `classes`, `days`, `seed`, …

    >>> fleet = simulate_fleet(facilities=1, equipment_per_class=2, classes=("pump",), days=30)
    >>> fleet.equipment["equipment_id"].tolist()
    ['F001-PMP-001', 'F001-PMP-002']
    """
    fleet = simulate(SimulateConfig(**settings))
    return FleetTables(*(table.to_pandas() for table in fleet))
