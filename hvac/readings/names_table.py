"""The table of display names: what facilities, equipment, points, classes and events are called.

    of, id, facility_id, en, ja, unit, location, criticality

One row per thing; all columns but `of` and `id` may be absent or empty.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Final

import pyarrow as pa

from hvac.errors import InputError, nearest
from hvac.readings.model_files import read_building_model
from hvac.readings.small_tables import SmallTable
from hvac.readings.sources import SourceConfig
from hvac.readings.table_paths import table_files

THINGS: Final = ("facility", "equipment", "point", "class", "event")
OPTIONAL: Final = ("facility_id", "en", "ja", "unit", "location", "criticality")
JAPANESE: Final = re.compile(r"[ぁ-んァ-ヶ一-龠]")
NAMES: Final = pa.schema([(name, pa.string()) for name in ("of", "id", *OPTIONAL)])


def read_names(source: SourceConfig) -> pa.Table:
    """Read the table of display names (`source.names`): NAMES, empty where there is none.

    Raises:
        InputError: the table cannot be read, or names something else than `THINGS`.
    """
    files = table_files(source.names, "source.names")
    tables = [_names_of(file, source) for file in files]
    table = pa.concat_tables([NAMES.empty_table(), *tables])
    if source.building_model is None:
        return table
    return _laid_over(_names_of_model(source.building_model), table)


def _laid_over(model: pa.Table, table: pa.Table) -> pa.Table:
    """Return the rows of both; what a row of the table leaves empty is the model's."""
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in [*model.to_pylist(), *table.to_pylist()]:
        key = (row["of"], row["id"], row["facility_id"] or "")
        texts = {name: text for name, text in row.items() if text}
        rows[key] = {**rows.get((*key[:2], ""), {}), **rows.get(key, {}), **texts}
    return pa.Table.from_pylist(list(rows.values()), schema=NAMES)


def _names_of_model(path: str) -> pa.Table:
    """Return the names and units of measure that a building model has."""
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    units: dict[str, set[str]] = defaultdict(set)
    for point, point_id in read_building_model(path).points:
        units[point_id].add(point.unit)
        _add_name(rows, ("facility", point.facility.id, ""), point.facility.name)
        _add_name(rows, ("equipment", point.equipment.id, ""), point.equipment.name)
        _add_name(rows, ("point", point_id, ""), point_id.replace("_", " "))
    for point_id, of_point in units.items():
        if len(of_point) == 1:
            row = rows.setdefault(("point", point_id, ""), _row("point", point_id, ""))
            row["unit"] = next(iter(of_point))
    return pa.Table.from_pylist(list(rows.values()), schema=NAMES)


def _add_name(
    rows: dict[tuple[str, str, str], dict[str, str]],
    key: tuple[str, str, str],
    name: str,
) -> None:
    if name and name != key[1]:
        language = "ja" if JAPANESE.search(name) else "en"
        rows.setdefault(key, _row(*key))[language] = name


def _row(of: str, given: str, facility_id: str) -> dict[str, str]:
    return {"of": of, "id": given, "facility_id": facility_id}


def _names_of(file: str, source: SourceConfig) -> pa.Table:
    table = SmallTable(file, source, ("of", "id"), OPTIONAL)
    columns = [
        table.text(name, ids=name in ("id", "facility_id")) for name in NAMES.names
    ]
    pairs = zip(*(column.to_pylist() for column in columns[:2]), strict=True)
    for row, (thing, given) in enumerate(pairs, 1):
        if given is None:
            raise InputError(
                f"{file}: row {row} has no id: give the id that the readings use"
            )
        if thing not in THINGS:
            near = nearest(str(thing), THINGS)
            hint = (
                f"did you mean '{near}'?"
                if near
                else f"expected one of {', '.join(THINGS)}"
            )
            raise InputError(f"{file}: row {row} is of {thing!r}: {hint}")
    return pa.table(columns, schema=NAMES)
