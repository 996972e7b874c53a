"""The source configuration: where the tables lie and how their files are written."""

from __future__ import annotations

import codecs
import datetime as dt
from collections.abc import Iterable
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, field_validator, model_validator

from hvac.config import Config
from hvac.errors import unknown_name
from hvac.json_values import Json
from hvac.readings.id_patterns import check_pattern, groups_of
from hvac.readings.wide_config import WideConfig, WidePoint

__all__ = ["SourceConfig", "WideConfig", "WidePoint"]

NO_TABLES = ("punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined")
ENCODINGS = ("utf-8-sig", "utf-8", "cp932")
# Names of signs, easier on a command line.
SIGNS = {
    "comma": ",",
    "point": ".",
    "semicolon": ";",
    "tab": "\t",
    "bar": "|",
    "space": " ",
}
SEPARATORS = (",", ".", "'", "’", " ")  # what may part the thousands of a number
MISSING = (
    *("", "-", "--", "---", "－", "ー", "―", "−"),
    *("欠測", "欠損", "未測定", "NA", "N/A", "#N/A", "n/a"),
    *("nan", "NaN", "NAN", "null", "NULL", "None", "NaT"),
)
PATH_EXAMPLE = r"'(?P<facility_id>[^/]+)/(?P<equipment_id>[^/]+)\.csv$'"
FIELDS = (
    *("facility_id", "equipment_id", "point_id", "date", "value"),
    *("lower_limit", "upper_limit", "known_at", "class", "kind", "start", "end"),
    *("install_date", "end_of_follow_up", "end_date", "values_sequence"),
    *("label_30d", "label_60d", "label_90d"),
)


def _path_pattern(pattern: str | None) -> str | None:
    return check_pattern(pattern, example=PATH_EXAMPLE)


class SourceConfig(Config):
    """The tables to read and how their files are written.

    >>> SourceConfig(readings="readings.parquet").format
    'canonical'
    >>> SourceConfig(readings="a.csv", missing_values=[-9999]).missing_values[-1]
    '-9999'
    >>> SourceConfig(readings="a.csv", columns={"valeu": "v"})
    Traceback (most recent call last):
    ...
    hvac.errors.ConfigError: SourceConfig is not valid: unknown name 'valeu' in columns: did you ...
    """

    format: Literal["canonical", "inspection", "wide", "seed"] = "canonical"
    """Layout of the readings; `wide` has a column per point, `seed` the predecessor's windows."""
    readings: str | tuple[str, ...]
    """File, folder, glob or URL of the readings, or several of them."""
    events: str | tuple[str, ...] | None = None
    """File, folder, glob or URL of the event log; none: there are no events."""
    equipment: str | tuple[str, ...] | None = None
    """File, folder, glob or URL of the equipment register; none: nothing but ids is known."""
    names: str | tuple[str, ...] | None = None
    """File, folder, glob or URL of display names; none: ids are shown."""
    building_model: str | None = None
    """Haystack grid (csv, zinc, json) or Brick model (ttl) that says what a wide table's columns are."""
    columns: dict[str, str] = Field(default_factory=dict)
    """The file's names of columns by ours, such as `{value: 測定値}`."""
    facility_id: str | None = Field(default=None, min_length=1)
    """Facility of every row of tables that have no column of facilities."""
    path_pattern: Annotated[str | None, AfterValidator(_path_pattern)] = None
    """Pattern of readings files' paths that gives ids, such as `(?P<equipment_id>[^/]+)\\.csv$`."""
    encoding: str | None = None
    """Encoding of the files; none tries utf-8-sig, utf-8, cp932; what is UTF-8 is read as such."""
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    """Sign or its name between the columns; none takes it from the header: `,`, `;`, tab or `|`."""
    skip_rows: int = Field(default=0, ge=0)
    """Rows above the header of readings files, which are left out."""
    decimal: Literal[".", ","] | None = None
    """Decimal sign, or its name; none settles it per column, and refuses what is unclear."""
    thousands: str | None = Field(default=None, max_length=1)
    """Sign that parts thousands, or its name; none allows all but the decimal sign."""
    date_format: str | None = None
    """The strptime format of dates, such as `%d/%m/%Y`; the usual notations are read beside it."""
    time_zone: str | None = None
    """Zone whose day a stamp with a time zone becomes; required for stamps in UTC."""
    facility_time_zones: dict[str, str] = Field(default_factory=dict)
    """Zones by facility id, where they differ from `time_zone`."""
    missing_values: tuple[str, ...] = MISSING
    """More texts and numbers that mean "not measured", beside the usual marks."""
    min_matching: float = Field(default=0.9, ge=0, le=1)
    """Least share of the events of equipment that has readings; below it nothing is read."""
    wide: WideConfig | None = None
    """The columns of a wide table; required by `format: wide`."""

    @property
    def ready_windows(self) -> bool:
        """Tell whether the files hold ready windows and no readings, as the predecessor's do."""
        return self.format == "seed"

    @field_validator("decimal", "thousands", "delimiter", mode="before")
    @classmethod
    def _take_signs_by_name(cls, given: Json) -> Json:
        return SIGNS.get(given, given) if isinstance(given, str) else given

    @field_validator("missing_values", mode="before")
    @classmethod
    def _add_to_the_defaults(cls, given: Json) -> tuple[str, ...]:
        marks = given if isinstance(given, list | tuple) else [given]
        return tuple(dict.fromkeys([*MISSING, *map(_mark, marks)]))

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        _check_names(self.columns)
        _check_zones(
            zone
            for zone in (self.time_zone, *self.facility_time_zones.values())
            if zone
        )
        _check_encoding(self.encoding)
        _check_separators(self.decimal, self.thousands, self.delimiter)
        _check_date_format(self.date_format)
        if self.format == "wide" and self.wide is None:
            raise ValueError(
                "format 'wide' needs the section 'wide' (facility, equipment, date_column, points)"
            )
        if self.building_model is not None:
            _check_building_model(self.format, self.wide, self.path_pattern)
        elif self.format == "wide" and self.wide is not None:
            _check_origins(self.wide, self.path_pattern, self.facility_id)
        return self


def _check_building_model(
    table_format: str, wide: WideConfig | None, path_pattern: str | None
) -> None:
    """Raise ValueError where ids have another origin than the building model."""
    if table_format != "wide":
        raise ValueError(
            "building_model says what the columns of a wide table are: set source.format: wide"
        )
    given = [
        name for name in ("equipment_id", "point_id") if name in groups_of(path_pattern)
    ]
    others = ["path_pattern"] if given else []
    for name in ("equipment_id", "point_id"):
        others += wide.origins(name) if wide else []
    if others:
        raise ValueError(
            f"building_model and {', '.join(dict.fromkeys(others))} both say what the columns are:"
            " give one of them"
        )


def _check_origins(
    wide: WideConfig, path_pattern: str | None, facility_id: str | None
) -> None:
    """Raise ValueError where an id of a wide table has no origin, or several."""
    by_path = groups_of(path_pattern)
    for owner in ("facility", "equipment"):
        origins = wide.origins(f"{owner}_id") + ["path_pattern"] * (
            f"{owner}_id" in by_path
        )
        if not origins and owner == "facility" and facility_id:
            continue
        if len(origins) != 1:
            given = f"; found {', '.join(origins)}" if origins else ""
            raise ValueError(
                f"wide tables need either wide.{owner}_column or wide.{owner}_id (one of the two),"
                f" or {owner}_id in wide.pattern, wide.points or path_pattern{given}"
            )
    if "point_id" in by_path and wide.origins("point_id"):
        raise ValueError(
            "point_id comes from path_pattern and from wide: give one of the two"
        )
    if wide.pattern and not wide.origins("point_id") and "point_id" not in by_path:
        raise ValueError(
            "wide.pattern gives no point_id: name it there, or in path_pattern"
        )


def _check_names(columns: dict[str, str]) -> None:
    for name in columns:
        if name not in FIELDS:
            raise ValueError(
                unknown_name(f"name '{name}' in columns", name, FIELDS, "names")
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


def _mark(given: Json) -> str:
    """Return a missing mark as text; YAML may have read it as a number or as null."""
    if isinstance(given, bool):
        raise ValueError(f"{given} is yes or no in YAML: write the mark in quotes")
    return "" if given is None else str(given)


def _check_separators(
    decimal: str | None, thousands: str | None, delimiter: str | None
) -> None:
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
        raise ValueError(
            f"decimal and thousands are both {decimal!r}: a number cannot be read so"
        )


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
