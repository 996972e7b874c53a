"""Where the tables lie: the source configuration, and the list of files behind a path, folder, glob
or URL.
"""

from __future__ import annotations

import codecs
import datetime as dt
import difflib
import glob
import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal, Self
from urllib.parse import unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pyarrow import fs as pafs
from pydantic import Field, field_validator, model_validator

from hvac.config import Config
from hvac.errors import InputError
from hvac.storage import Place, as_given, open_filesystem, unreadable

SUFFIXES = (".parquet", ".pq", ".csv", ".csv.gz", ".csv.bz2", ".csv.zst")
NO_TABLES = ("punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined")
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"  # the folder of rows whose partition column is null
ENCODINGS = ("utf-8-sig", "utf-8", "cp932")
SIGNS = {
    "comma": ",",
    "point": ".",
    "semicolon": ";",
    "tab": "\t",
    "bar": "|",
    "space": " ",
}  # easier on a command line
SEPARATORS = (",", ".", "'", "’", " ")  # what may part the thousands of a number
MISSING = (
    *(
        "",
        "-",
        "--",
        "---",
        "－",
        "ー",
        "―",
        "−",
        "欠測",
        "欠損",
        "未測定",
        "NA",
        "N/A",
        "#N/A",
        "n/a",
    ),
    *("nan", "NaN", "NAN", "null", "NULL", "None", "NaT"),
)
READING_FIELDS = (
    "facility_id",
    "equipment_id",
    "point_id",
    "date",
    "value",
    "lower_limit",
    "upper_limit",
    "known_at",
)
OTHER_FIELDS = (
    "class",
    "kind",
    "start",
    "end",
    "install_date",
    "end_of_follow_up",
    "end_date",
    "values_sequence",
)
FIELDS = (*READING_FIELDS, *OTHER_FIELDS, "label_30d", "label_60d", "label_90d")


class WideConfig(Config):
    """A wide table: a row per date, a column per point.

    `facility_column` names the column of facility ids; `facility_id` is one id for the whole table
    (give exactly one of the two; the same for equipment). `points` maps value columns to point ids;
    empty: all other columns, under their own names.

    >>> WideConfig(facility_id="F1", equipment_column="AHU").date_column
    'date'
    """

    facility_column: str | None = None
    facility_id: str | None = None
    equipment_column: str | None = None
    equipment_id: str | None = None
    date_column: str = "date"
    points: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_origin_of_each_id(self) -> Self:
        for owner in ("facility", "equipment"):
            given = [
                getattr(self, f"{owner}_column") is not None,
                getattr(self, f"{owner}_id") is not None,
            ]
            if sum(given) != 1:
                raise ValueError(
                    f"wide tables need either {owner}_column or {owner}_id (one of the two)"
                )
        names = list(self.points.values())
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"points: {', '.join(twice)} stands for several columns: give each its own point id"
            )
        return self


class SourceConfig(Config):
    """The tables to read and how their files are written.

    `columns` maps our names to the file's (`{"value": "測定値"}`). `encoding` None tries utf-8-sig,
    utf-8, cp932, each strictly; files that are UTF-8 are read as such whatever it says. `delimiter`
    None is taken from the header (`,`, else `;`, tab or `|`). `skip_rows` lines above the header of
    readings files are left out.

    `decimal` and `thousands` tell how numbers are written; None settles it per column of a file,
    and refuses a column that can be read both ways. Signs may be named: comma, point, semicolon,
    tab, bar, space. `missing_values` adds texts and numbers to the marks that say "not measured".
    `date_format` is the strptime format of dates (such as `%d/%m/%Y`); the usual notations are read
    beside it.

    Timestamps that carry a time zone become the local day of their facility (`facility_time_zones`,
    else `time_zone`, which is required for them); those without one are local already.

    `min_matching`: the share of the events that must be of equipment which has readings; below it
    nothing is read.

    >>> SourceConfig(readings="readings.parquet").format
    'canonical'
    >>> SourceConfig(readings="a.csv", missing_values=[-9999]).missing_values[-1]
    '-9999'
    >>> SourceConfig(readings="a.csv", columns={"valeu": "v"})
    Traceback (most recent call last):
    ...
    hvac.errors.ConfigError: SourceConfig is not valid: unknown name 'valeu' in columns: did you mean 'value'? ...
    """

    format: Literal["canonical", "inspection", "wide", "seed"] = "canonical"
    readings: str | tuple[str, ...]
    events: str | tuple[str, ...] | None = None
    equipment: str | tuple[str, ...] | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    encoding: str | None = None
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    skip_rows: int = Field(default=0, ge=0)
    decimal: Literal[".", ","] | None = None
    thousands: str | None = Field(default=None, max_length=1)
    date_format: str | None = None
    time_zone: str | None = None
    facility_time_zones: dict[str, str] = Field(default_factory=dict)
    missing_values: tuple[str, ...] = MISSING
    min_matching: float = Field(default=0.9, ge=0, le=1)
    wide: WideConfig | None = None

    @field_validator("decimal", "thousands", "delimiter", mode="before")
    @classmethod
    def _take_signs_by_name(cls, given: Any) -> Any:
        return SIGNS.get(given, given) if isinstance(given, str) else given

    @field_validator("missing_values", mode="before")
    @classmethod
    def _add_to_the_defaults(cls, given: Any) -> tuple[str, ...]:
        marks = given if isinstance(given, list | tuple) else [given]
        return tuple(dict.fromkeys([*MISSING, *map(_mark, marks)]))

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        _check_names(self.columns)
        _check_zones(zone for zone in (self.time_zone, *self.facility_time_zones.values()) if zone)
        _check_encoding(self.encoding)
        _check_separators(self.decimal, self.thousands, self.delimiter)
        _check_date_format(self.date_format)
        if self.format == "wide" and self.wide is None:
            raise ValueError(
                "format 'wide' needs the section 'wide' (facility, equipment, date_column, points)"
            )
        return self


def _check_names(columns: dict[str, str]) -> None:
    for name in columns:
        if name not in FIELDS:
            near = difflib.get_close_matches(name, FIELDS, n=1)
            hint = f"did you mean '{near[0]}'? " if near else ""
            raise ValueError(
                f"unknown name '{name}' in columns: {hint}Known names: {', '.join(FIELDS)}"
            )


def _check_zones(zones: Iterable[str]) -> None:
    for zone in zones:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f"unknown time zone '{zone}': expected a name such as Asia/Tokyo"
            ) from None


def _check_encoding(encoding: str | None) -> None:
    try:
        known = codecs.lookup(encoding or "utf-8").name not in NO_TABLES
        "".encode(encoding or "utf-8")
    except (LookupError, UnicodeError):
        known = False
    if not known:
        raise ValueError(
            f"unknown encoding '{encoding}': expected a name such as utf-8, utf-8-sig, cp932"
        )


def _mark(given: Any) -> str:
    """Return a missing mark as text; YAML may have read it as a number or as null."""
    if isinstance(given, bool):
        raise ValueError(f"{given} is yes or no in YAML: write the mark in quotes")
    return "" if given is None else str(given)


def _check_separators(decimal: str | None, thousands: str | None, delimiter: str | None) -> None:
    if delimiter and not delimiter.isascii():
        raise ValueError(
            f"delimiter {delimiter!r}: expected one ASCII sign such as ',', ';' or tab"
        )
    if thousands and thousands not in SEPARATORS:
        known = ", ".join(map(repr, SEPARATORS))
        raise ValueError(
            f"unknown thousands {thousands!r}: expected one of {known}, or '' for none"
        )
    if decimal and decimal == thousands:
        raise ValueError(f"decimal and thousands are both {decimal!r}: a number cannot be read so")


def _check_date_format(given: str | None) -> None:
    if given is None:
        return
    day = dt.datetime(2024, 3, 19, tzinfo=dt.UTC)
    try:
        read = dt.datetime.strptime(day.strftime(given), given)
    except ValueError as error:
        raise ValueError(
            f"date_format {given!r} is no strptime format ({error}): expected one such as %d/%m/%Y"
        ) from None
    if read.date() != day.date():
        raise ValueError(
            f"date_format {given!r} tells no day: expected year, month and day, e.g. %d/%m/%Y"
        )


def source_files(source: SourceConfig) -> list[str]:
    """The readings files of a source, sorted, without repeats; each can be given to
    `read_readings`.

    Folders are searched through all levels for the endings of `SUFFIXES`; names that begin with '_'
    or '.' are left out. Raises InputError where a path, folder, glob or URL leads to no file."""
    files = table_files(source.readings, "source.readings")
    if not files:
        raise InputError("source.readings names no file: expected a file, folder, glob or URL")
    return files


def table_files(given: str | Sequence[str] | None, setting: str) -> list[str]:
    """The files that a setting leads to, sorted, without repeats: those of a file, folder, glob or
    URL; [] for None.

    Raises InputError, which names the setting, where a path leads to no file.
    """
    paths = (given,) if isinstance(given, str) else given or ()
    return sorted({file for path in paths for file in _expand(path, setting)})


def passed_over(given: str | Sequence[str] | None) -> list[str]:
    """Files in the folders of a setting that are no tables by their endings, and so are not read."""
    paths = (given,) if isinstance(given, str) else given or ()
    return sorted(
        {file for path in paths for file in _listed(path) if not file.lower().endswith(SUFFIXES)}
    )


def hive_values(path: str) -> dict[str, str]:
    """Columns told by the folders of a hive-partitioned table.

    >>> hive_values("lake/facility_id=F%201/part-0.parquet")
    {'facility_id': 'F 1'}
    """
    found = as_given(path)
    folders = (found.key if isinstance(found, Place) else path).split("/")[:-1]
    pairs = [folder.partition("=") for folder in folders if "=" in folder]
    return {key: "" if value == NO_VALUE else unquote(value) for key, _, value in pairs}


def _expand(path: str, setting: str) -> list[str]:
    remote = "://" in path
    wild = any(mark in path for mark in ("*[" if remote else "*?["))
    if wild and not os.path.exists(path):
        files = (
            _glob_remote(path)
            if remote
            else [os.path.normpath(hit) for hit in glob.glob(path, recursive=True)]
        )
        found = [file for hit in files for file in _walk(hit)]
    else:
        found = _walk(path)
    if not found:
        others = [file.rpartition("/")[2] for file in _listed(path)[:3]]
        there = f", there are {', '.join(others)}" if others else ""
        raise InputError(
            f"{path}: no file found: expected {', '.join(SUFFIXES)}{there}; correct {setting}"
        )
    return found


def _walk(path: str) -> list[str]:
    """The file itself, whatever its ending, or the table files below a folder; [] where there is
    nothing.
    """
    kind, _ = _look(path)
    if kind == pafs.FileType.File:
        return [path]
    return [file for file in _listed(path) if file.lower().endswith(SUFFIXES)]


def _listed(path: str) -> list[str]:
    """All files below a folder but those whose name, or a folder's on the way, begins with '_' or
    '.'.
    """
    kind, inner = _look(path)
    if kind != pafs.FileType.Directory:
        return []
    system, inner = open_filesystem(path)
    try:
        entries = system.get_file_info(pafs.FileSelector(inner, recursive=True))
    except OSError as error:
        raise unreadable(path, error) from error
    files = [entry.path for entry in entries if entry.type == pafs.FileType.File]
    return [_with_scheme(file, path) for file in files if not _hidden(file, inner)]


def _look(path: str) -> tuple[pafs.FileType, str]:
    """What lies at a path, and the path as its file system writes it."""
    system, inner = open_filesystem(path)
    try:
        return system.get_file_info(inner).type, inner
    except OSError as error:
        raise unreadable(path, error) from error


def _hidden(file: str, folder: str) -> bool:
    parts = file.removeprefix(folder).strip("/").split("/")
    return any(part.startswith(("_", ".")) for part in parts)


def _with_scheme(file: str, origin: str) -> str:
    """The path of a file that a file system listed, written as `origin` is: a URL where that is
    one.
    """
    found = as_given(origin)
    if not isinstance(found, Place):
        return file
    base = found.inner.strip("/").removesuffix(found.key).strip("/")
    return str(replace(found, key=file.strip("/").removeprefix(base).strip("/")))


def _glob_remote(path: str) -> list[str]:
    from fsspec.implementations.arrow import ArrowFSWrapper  # type: ignore[import-untyped]

    system, pattern = open_filesystem(path)
    try:
        hits = ArrowFSWrapper(system).glob(pattern)
    except OSError as error:
        raise unreadable(path, error) from error
    return [_with_scheme(str(hit), path) for hit in hits]


def file_stamp(path: str) -> str:
    """What identifies a file's content: SHA-256 of a local file, size and modification time of a
    remote one.
    """
    system, inner = open_filesystem(path)
    if system.type_name == "local":
        digest = hashlib.sha256()
        with open(inner, "rb") as file:
            while block := file.read(2**22):
                digest.update(block)
        return digest.hexdigest()
    info = system.get_file_info(inner)
    return f"{path} {info.size} {info.mtime_ns}"
