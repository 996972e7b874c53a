"""Guess how a user's tables are written: format, columns, origin of ids, time zone.

Each guess says why, and what else it might be. What cannot be guessed is refused in one sentence.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import PurePosixPath
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from hvac.checks.column_names import (
    OF_EVENTS,
    OF_READINGS,
    OF_REGISTER,
    column_pattern,
    match_names,
)
from hvac.checks.guesses import Guess, Guesses
from hvac.errors import InputError
from hvac.panel.joins import folded
from hvac.readings.date_words import proven_formats
from hvac.readings.files import iter_table, open_table
from hvac.readings.formats import INSPECTION
from hvac.readings.gate import read_readings
from hvac.readings.id_patterns import ids_of_columns
from hvac.readings.sources import SourceConfig
from hvac.readings.table_file import TableFile
from hvac.readings.table_paths import hive_values, source_files, table_files

UNICODE: Final = ("utf-8", "utf-8-sig", "ascii")
SAMPLE_ROWS: Final = 2_000
ROWS_AT_ONCE: Final = 100_000
FILES_LOOKED_AT: Final = 20  # of readings, for the order of day and month
BATCHES_LOOKED_AT: Final = 10  # of each
ONE_SITE: Final = "site"
TEXTS_OF_LONG: Final = 2  # columns of texts beside one of numbers: machine and point
NEEDED: Final = ("equipment_id", "kind", "start")
NUMBER: Final = re.compile(r"[-+－]?[\d０-９][^/]*$")
DATE: Final = re.compile(r"\s*\d{1,4}\s*[-./年]\s*\d{1,2}\s*[-./月]\s*\d{1,4}")


def guess_source(
    readings: str,
    *,
    events: str | None,
    equipment: str | None,
    given: Mapping[str, Any],
) -> Guesses:
    """Guess how tables are written.

    Args:
        readings: file, folder, glob or URL.
        events: those of the event log, if there is one.
        equipment: those of the register, if there is one.
        given: settings of the source that the user knows.

    Raises:
        InputError: something cannot be guessed; the sentence says what.
    """
    guesses = Guesses(
        readings=readings, events=events, equipment=equipment, given=given
    )
    later = ("wide", "format", "building_model")
    known = {name: value for name, value in given.items() if name not in later}
    plain = SourceConfig(readings=readings, **known)
    files = source_files(plain)
    file = open_table(files[0], plain)
    _guess_format(guesses, file, files, plain)
    for setting, fields in (("events", OF_EVENTS), ("equipment", OF_REGISTER)):
        path = getattr(guesses, setting)
        for name in table_files(path, f"source.{setting}")[:1]:
            table = open_table(name, plain, setting=f"source.{setting}")
            _guess_small(guesses, table, fields)
    _guess_notation(guesses, files[0])
    return guesses


def _guess_format(
    guesses: Guesses, file: TableFile, files: Sequence[str], plain: SourceConfig
) -> None:
    columns = [name for name in file.columns if name]
    if set(map(folded, INSPECTION.values())) >= set(map(folded, columns)) - {
        "点検id"
    } and (folded(INSPECTION["value"]) in set(map(folded, columns))):
        guesses.found["format"] = Guess(
            "inspection", "the columns are those of the 点検記録"
        )
        return
    if "values_sequence" in columns:
        guesses.found["format"] = Guess(
            "seed", "a column values_sequence holds ready windows"
        )
        return
    if guesses.given.get("building_model"):
        guesses.found["format"] = Guess(
            "wide", "a building model says what its columns are"
        )
        names = _with_date(guesses, file, _matched(guesses, columns, ("date",)))
        guesses.found["wide.date_column"] = Guess(
            names["date"], "by its name or its values"
        )
        return
    matched = _matched(guesses, columns, OF_READINGS, hive_values(file.path))
    names = _with_date(guesses, file, matched)
    if _is_long(file, names) or guesses.given.get("format") == "canonical":
        _guess_long(guesses, file, names)
    else:
        _guess_wide(guesses, file, files, names, plain)


def _with_date(
    guesses: Guesses, file: TableFile, names: dict[str, str]
) -> dict[str, str]:
    """Add the one column whose values are dates, where none is called so."""
    if "date" in names:
        return names
    free = [name for name in file.columns if name and name not in names.values()]
    dates = [name for name in free if _are_dates(file, name)]
    if len(dates) != 1:
        listed = ", ".join(file.columns[:20])
        raise InputError(
            f"{file.path}: no column looks like a date among {listed}: name it by"
            " source.columns.date=<column> (a reading a row) or source.wide.date_column=<column>"
        )
    return {**names, "date": dates[0]}


def _is_long(file: TableFile, names: Mapping[str, str]) -> bool:
    """Tell whether a table has a reading a row: values in one column, named by texts beside it."""
    if {"date", "value", "equipment_id"} <= set(names):
        return True
    numbers = [name for name in _number_columns(file) if name != names["date"]]
    texts = [name for name in _text_columns(file) if name != names["date"]]
    return len(numbers) == 1 and len(texts) >= TEXTS_OF_LONG


def _matched(
    guesses: Guesses,
    columns: Sequence[str],
    fields: Sequence[str],
    folders: Mapping[str, str] = {},
) -> dict[str, str]:
    """Return the columns of our fields: those that the user named, then those called so."""
    named = guesses.columns_given
    known = {ours: named[ours] for ours in fields if named.get(ours) in columns}
    free = [name for name in columns if name not in known.values()]
    return known | match_names(
        free, [ours for ours in fields if ours not in known], folders
    )


def _guess_long(guesses: Guesses, file: TableFile, names: Mapping[str, str]) -> None:
    by_key = guesses.found
    by_key["format"] = Guess("canonical", "a reading a row", "wide, inspection, seed")
    _map_columns(guesses, file, names, by="readings")
    _require(file, names, ("equipment_id", "point_id", "value"))
    if "facility_id" not in names:
        by_key["facility_id"] = Guess(
            ONE_SITE,
            "no column looks like a facility: all is one site",
            "columns.facility_id",
        )


def _require(file: TableFile, names: Mapping[str, str], fields: Sequence[str]) -> None:
    """Raise InputError that names every field without a column, and what to add."""
    missing = [ours for ours in fields if ours not in names]
    if missing:
        free = ", ".join(name for name in file.columns if name not in names.values())
        settings = " ".join(f"source.columns.{ours}=<column>" for ours in missing)
        raise InputError(
            f"{file.path}: no column looks like {' or '.join(missing)}, among {free}: add {settings}"
        )


def _map_columns(
    guesses: Guesses, file: TableFile, names: Mapping[str, str], *, by: str
) -> None:
    """Map the columns that are called otherwise than ours."""
    given = guesses.columns_given
    for ours, theirs in names.items():
        before = guesses.found.get(f"columns.{ours}")
        if ours in given or folded(theirs) == ours:
            continue
        if before and before.value != theirs:
            raise InputError(
                f"{file.path}: {ours} is {theirs!r} here and {before.value!r} in the other tables:"
                " give the column one name in all of them"
            )
        others = [name for name in file.columns if name not in names.values()]
        guess = Guess(theirs, f"by its name, in {by}", ", ".join(others[:8]))
        guesses.found[f"columns.{ours}"] = guess


def _guess_wide(
    guesses: Guesses,
    file: TableFile,
    files: Sequence[str],
    names: Mapping[str, str],
    plain: SourceConfig,
) -> None:
    """Guess where a wide table's machines and facilities are named."""
    by_key = guesses.found
    by_key["format"] = Guess(
        "wide", "a date column and many others", "canonical, with columns"
    )
    by_key["wide.date_column"] = Guess(names["date"], "by its name")
    numbers = [name for name in _number_columns(file) if name != names["date"]]
    pattern = column_pattern(numbers)
    if pattern:
        names = {"date": names["date"]}
    values = [name for name in numbers if name not in names.values()]
    if not values:
        raise InputError(
            f"{file.path}: no column beside {names['date']!r} holds numbers"
        )
    by_path = []
    if "equipment_id" in names:
        by_key["wide.equipment_column"] = Guess(names["equipment_id"], "by its name")
    elif pattern:
        machines = {
            ids["equipment_id"] for ids in ids_of_columns(pattern, values).values()
        }
        why = f"the columns are {len(machines)} machines with the same points"
        by_key["wide.pattern"] = Guess(
            pattern, why, "wide.equipment_id for one machine"
        )
    elif len(files) > 1:
        by_path.append("equipment_id")
    else:
        name = PurePosixPath(file.path).name.split(".")[0]
        by_key["wide.equipment_id"] = Guess(
            name, "one file, taken for one machine", "wide.pattern"
        )
    folders = {PurePosixPath(path).parent.name for path in files}
    if "facility_id" in names:
        by_key["wide.facility_column"] = Guess(names["facility_id"], "by its name")
    elif len(folders) > 1:
        by_path.insert(0, "facility_id")
    else:
        by_key["facility_id"] = Guess(
            ONE_SITE, "nothing names a facility: all is one site"
        )
    if by_path:
        ends = "[^/]+$" if by_path == ["facility_id"] else r"\.[^/]+$"
        pattern = "/".join(f"(?P<{name}>[^/]+?)" for name in by_path)
        pattern += f"/{ends}" if by_path == ["facility_id"] else ends
        why = " and ".join(
            {"facility_id": "the folder's", "equipment_id": "the file's"}[name]
            for name in by_path
        )
        by_key["path_pattern"] = Guess(
            f"(?:^|/){pattern}", f"{why} name", "wide.equipment_id"
        )


def _number_columns(file: TableFile) -> list[str]:
    """Return the columns whose texts are numbers, in the first rows."""
    names = [name for name in file.columns if name and file.columns.count(name) == 1]
    batch = next(iter_table(file, names, batch_rows=SAMPLE_ROWS), None)
    if batch is None:
        raise InputError(
            f"{file.path}: expected readings below the header, found 0 rows"
        )
    return [name for name in names if _are_numbers(batch.table[name])]


def _text_columns(file: TableFile) -> list[str]:
    """Return the columns whose texts are no numbers, in the first rows."""
    numbers = _number_columns(file)
    return [name for name in file.columns if name and name not in numbers]


def _are_dates(file: TableFile, name: str) -> bool:
    """Tell whether the texts of a column are dates, in the first rows."""
    batch = next(iter_table(file, [name], batch_rows=SAMPLE_ROWS), None)
    texts = [text for text in (batch.table[name].to_pylist() if batch else ()) if text]
    return bool(texts) and sum(
        bool(DATE.match(str(text))) for text in texts
    ) >= 0.9 * len(texts)


def _are_numbers(column: pa.ChunkedArray) -> bool:
    if not pa.types.is_string(column.type):
        return bool(
            pa.types.is_floating(column.type) or pa.types.is_integer(column.type)
        )
    texts = [text.strip() for text in column.to_pylist() if text and text.strip()]
    numbers = [bool(NUMBER.match(text)) and not DATE.match(text) for text in texts]
    return bool(texts) and sum(numbers) >= 0.5 * len(texts)


def _guess_small(guesses: Guesses, file: TableFile, fields: Sequence[str]) -> None:
    """Map the columns of the event log or the register."""
    inspection = {ours: INSPECTION[ours] for ours in fields if ours in INSPECTION}
    known = {ours: name for ours, name in inspection.items() if name in file.columns}
    free = [name for name in file.columns if name not in known.values()]
    names = known | _matched(
        guesses, free, [ours for ours in fields if ours not in known]
    )
    what = "events" if "kind" in fields else "register"
    _require(file, names, [ours for ours in NEEDED if ours in fields])
    if "facility_id" not in names and "facility_id" not in guesses.settings:
        raise InputError(
            f"{file.path}: no column looks like the facility: add it to the {what}, or give all the"
            " same by source.facility_id=<facility>"
        )
    others = {
        ours: name for ours, name in names.items() if name != inspection.get(ours)
    }
    _map_columns(guesses, file, others, by=what)


def _guess_notation(guesses: Guesses, path: str) -> None:
    """Read the first file; guess how its dates are written and their time zone, name its encoding."""
    encoding = open_table(path, guesses.source).encoding
    if encoding and encoding not in UNICODE and "encoding" not in guesses.given:
        why = "the bytes of the first file are no UTF-8"
        guesses.found["encoding"] = Guess(encoding, why, "cp932, cp1252, utf-8")
    if guesses.source.ready_windows:
        return
    try:
        _try_reading(guesses, path)
    except InputError as error:
        if "source.date_format" not in str(error) or "date_format" in guesses.given:
            raise
        _guess_date_format(guesses, path, error)
        _try_reading(guesses, path)


def _try_reading(guesses: Guesses, path: str) -> None:
    """Read the first rows of a file; guess the time zone where its stamps need one."""
    try:
        next(iter(read_readings(path, guesses.source)), None)
    except InputError as error:
        if "source.time_zone" not in str(error) or "time_zone" in guesses.given:
            raise
        zone, why = local_zone()
        guesses.found["time_zone"] = Guess(zone, why, "Asia/Tokyo, Europe/Berlin, UTC")


def _guess_date_format(guesses: Guesses, path: str, refusal: InputError) -> None:
    """Take the format that dates of the first file prove, as 13.4.2024 does; raise where none does.

    Raise, too, where another table proves the other order: most of its dates would be read wrong.
    """
    proven = _proven_in(open_table(path, guesses.source))
    if len(proven) != 1:
        raise refusal
    ((date_format, example),) = proven.items()
    for file in _others(guesses, path):
        for other, text in _proven_in(file, BATCHES_LOOKED_AT).items():
            if _begins_with_day(other) != _begins_with_day(date_format):
                raise InputError(
                    f"{file.path}: {text!r} proves another order of day and month than {example!r}"
                    f" in {path}: write the dates of all tables alike, best as 2024-03-01"
                )
    why = f"{example} can be nothing else"
    guesses.found["date_format"] = Guess(date_format, why)


def _begins_with_day(date_format: str) -> bool:
    return date_format.index("%d") < date_format.index("%m")


def _others(guesses: Guesses, path: str) -> Iterator[TableFile]:
    """Open the small tables, and some of the other files of readings."""
    source = guesses.source
    files = [file for file in source_files(source) if file != path]
    for file in files[:: max(1, -(-len(files) // FILES_LOOKED_AT))]:
        yield open_table(file, source)
    for setting in ("events", "equipment"):
        name = f"source.{setting}"
        for file in table_files(getattr(guesses, setting), name):
            yield open_table(file, source, setting=name)


def _proven_in(file: TableFile, batches: int | None = None) -> dict[str, str]:
    """Return the formats that dates of a file, or of its first batches, prove, each with its proof."""
    names = [name for name in file.columns if name and _are_dates(file, name)]
    if not names:
        return {}
    texts = (
        str(text)
        for batch in islice(iter_table(file, names, batch_rows=ROWS_AT_ONCE), batches)
        for name in names
        for text in pc.unique(batch.table[name]).to_pylist()
        if text
    )
    return proven_formats(texts)


def local_zone() -> tuple[str, str]:
    """Return this machine's time zone, else UTC, and why."""
    path = os.path.realpath("/etc/localtime")
    name = path.partition("zoneinfo/")[2]
    if name and name not in ("UTC", "Etc/UTC", "Universal", "Zulu"):
        return name, "stamps are in UTC; this is the zone of this machine"
    return "UTC", "stamps are in UTC; nothing tells where the machines stand"
