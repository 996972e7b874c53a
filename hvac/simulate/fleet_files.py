"""Write a simulated fleet as canonical Parquet."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from hvac.cells import write_csv_for_people
from hvac.simulate.fleet import Fleet
from hvac.simulate.fleet_names import simulated_names
from hvac.storage import AnyPath, as_given, write_parquet


def write_canonical(fleets: Iterable[Fleet], folder: str | AnyPath) -> None:
    """Write `readings/part-<facility>.parquet`, `events`, `equipment` and `names.csv`.

    Each fleet goes to one part file, named after its first facility: pass `simulate_facilities`.
    """
    folder = as_given(folder)
    events = []
    equipment = []
    for fleet in fleets:
        facility = fleet.equipment["facility_id"][0].as_py()
        write_parquet(fleet.readings, folder / "readings" / f"part-{facility}.parquet")
        events.append(fleet.events)
        equipment.append(fleet.equipment)
    write_parquet(pa.concat_tables(events), folder / "events.parquet")
    register = pa.concat_tables(equipment)
    write_parquet(register, folder / "equipment.parquet")
    names = simulated_names(register)
    write_csv_for_people(
        [list(names[0]), *(row.values() for row in names)], folder / "names.csv"
    )
