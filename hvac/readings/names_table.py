"""The table of display names: what facilities, equipment, points, classes and events are called.

    of, id, facility_id, en, ja, unit, location, criticality

One row per thing; all columns but `of` and `id` may be absent or empty.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from hvac.errors import InputError, nearest
from hvac.readings.small_tables import SmallTable
from hvac.readings.sources import SourceConfig
from hvac.readings.table_paths import table_files

THINGS: Final = ("facility", "equipment", "point", "class", "event")
OPTIONAL: Final = ("facility_id", "en", "ja", "unit", "location", "criticality")
NAMES: Final = pa.schema([(name, pa.string()) for name in ("of", "id", *OPTIONAL)])


def read_names(source: SourceConfig) -> pa.Table:
    """Read the table of display names (`source.names`): NAMES, empty where there is none.

    Raises:
        InputError: the table cannot be read, or names something else than `THINGS`.
    """
    files = table_files(source.names, "source.names")
    return pa.concat_tables([NAMES.empty_table(), *(_names_of(file, source) for file in files)])


def _names_of(file: str, source: SourceConfig) -> pa.Table:
    table = SmallTable(file, source, ("of", "id"), OPTIONAL)
    columns = [table.text(name, ids=name in ("id", "facility_id")) for name in NAMES.names]
    pairs = zip(*(column.to_pylist() for column in columns[:2]), strict=True)
    for row, (thing, given) in enumerate(pairs, 1):
        if given is None:
            raise InputError(f"{file}: row {row} has no id: give the id that the readings use")
        if thing not in THINGS:
            near = nearest(str(thing), THINGS)
            hint = f"did you mean '{near}'?" if near else f"expected one of {', '.join(THINGS)}"
            raise InputError(f"{file}: row {row} is of {thing!r}: {hint}")
    return pa.table(columns, schema=NAMES)
