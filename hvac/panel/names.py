"""Display names: what people call facilities, equipment, points, classes and kinds of events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import pyarrow as pa

from hvac.readings.names_table import NAMES
from hvac.storage import AnyPath, read_parquet, write_parquet

FILE: Final = "names.parquet"


class Name(NamedTuple):
    """What is known of one thing beside its id; "" where nothing is."""

    en: str = ""
    ja: str = ""
    unit: str = ""
    location: str = ""
    criticality: str = ""


UNNAMED: Final = Name()


class Names:
    """Names by what they are of (facility, equipment, point, class, event) and id.

    Equipment may have the same id in several facilities; then its name is by facility, too.

    >>> names = Names({("point", "sat", ""): Name("supply air", "給気温度", "°C")})
    >>> names.shown("point", "sat", "ja"), names.shown("point", "rat", "ja")
    ('給気温度', 'rat')
    """

    def __init__(self, name_of: Mapping[tuple[str, str, str], Name]) -> None:
        self.name_of = name_of

    def name(self, of: str, given: str, facility_id: str = "") -> Name:
        """Return what is known of a thing; an empty name where nothing is."""
        of_facility = self.name_of.get((of, given, facility_id))
        return of_facility or self.name_of.get((of, given, ""), UNNAMED)

    def shown(self, of: str, given: str, language: str, facility_id: str = "") -> str:
        """Return the name of a thing in a language, else in the other one, else its id."""
        name = self.name(of, given, facility_id)
        both = (name.ja, name.en) if language == "ja" else (name.en, name.ja)
        return both[0] or both[1] or given

    def unit(self, point: str | None) -> str:
        """Return a point's unit of measure with a space before it; "" where it is not known."""
        unit = self.name("point", point or "").unit
        return f" {unit}" if unit else ""


NO_NAMES: Final = Names({})


def names_of(table: pa.Table) -> Names:
    """Return the names in a table (`hvac.readings.names_table.NAMES`)."""
    name_of = {}
    for row in table.to_pylist():
        key = (row["of"], row["id"], row["facility_id"] or "")
        name_of[key] = Name(*(row[field] or "" for field in Name._fields))
    return Names(name_of)


def save_names(table: pa.Table, panel: AnyPath) -> None:
    """Write the table of names into the folder of the panel, where it is another than before."""
    file = panel / FILE
    before = read_parquet(file).cast(NAMES) if file.exists() else NAMES.empty_table()
    if not table.equals(before):
        write_parquet(table, file)


def load_names(panel: AnyPath) -> Names:
    """Return the names that were saved with a panel; none where there are none."""
    file = panel / FILE
    return names_of(read_parquet(file).cast(NAMES)) if file.exists() else NO_NAMES
