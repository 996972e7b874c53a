"""Write a simulated fleet as canonical Parquet."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from hvac.simulate.fleet import Fleet
from hvac.storage import AnyPath, as_given, write_parquet


def write_canonical(fleets: Iterable[Fleet], folder: str | AnyPath) -> None:
    """Write `readings/part-<facility>.parquet`, `events.parquet` and `equipment.parquet`.

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
    write_parquet(pa.concat_tables(equipment), folder / "equipment.parquet")
