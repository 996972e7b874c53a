"""How the columns of one readings file are written, settled before any of it is read.

One light pass over the texts of the number and date columns; what is kept of them does not grow
with the file. A column that can be read both ways takes the decimal sign that the file's other
columns prove; where none does it is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from hvac.arrays import Ints
from hvac.errors import InputError
from hvac.readings.date_notations import DateStyle
from hvac.readings.date_survey import DateSurvey
from hvac.readings.date_texts import Days, parse_days
from hvac.readings.files import open_table
from hvac.readings.formats import read_raw
from hvac.readings.local_days import Clock
from hvac.readings.number_survey import NumberSurvey, refuse_either
from hvac.readings.number_texts import Numbers, NumberStyle, parse_numbers
from hvac.readings.raw_columns import RawBatch
from hvac.readings.sources import SourceConfig
from hvac.readings.text_values import MISSING, Column, is_number, is_text
from hvac.readings.wide_tables import notes_on_columns

NUMBERS = ("value", "lower_limit", "upper_limit")
DATES = ("date", "known_at")
_PLAIN_NUMBERS = NumberStyle()


class Notation(NamedTuple):
    """Styles by the file's names of its columns; a column that is not named is written plainly.

    `notes` tell what was guessed.
    """

    numbers: dict[str, NumberStyle]
    dates: dict[str, DateStyle]
    notes: tuple[str, ...] = ()


PLAIN = Notation({}, {})


class SettledFile(NamedTuple):
    """A readings file whose notation is known; `notes` tell what was guessed, for the summary."""

    notation: Notation
    batches: Iterator[RawBatch]
    notes: tuple[str, ...]


def read_settled(path: str, source: SourceConfig, *, batch_rows: int) -> SettledFile:
    """Settle how a file is written, and stream its batches.

    A file of one batch is read once, a longer one twice.
    """
    file = open_table(path, source)
    batches = read_raw(file, source, batch_rows=batch_rows)
    first = list(islice(batches, 2))
    if len(first) < 2 or not _needs_survey(first[0]):
        notation = settle(first, source, path, delimiter=file.delimiter)
        batches = chain(first, batches)
    else:
        notation = settle(chain(first, batches), source, path, delimiter=file.delimiter)
        batches = read_raw(file, source, batch_rows=batch_rows)
    notes = (*file.notes, *notes_on_columns(file, source), *notation.notes)
    return SettledFile(notation, batches, notes)


def settle(
    batches: Iterable[RawBatch],
    source: SourceConfig,
    path: str,
    *,
    delimiter: str = ",",
) -> Notation:
    """Return how the columns are written.

    Where `;` parts the columns, a comma that may be either is a decimal comma. Raises InputError
    that names the setting where the notation cannot be told.
    """
    numbers: dict[str, NumberSurvey] = {}
    dates: dict[str, DateSurvey] = {}
    for raw in batches:
        _survey_numbers(raw, source, numbers)
        _survey_dates(raw, source, dates)
    usual = "," if delimiter == ";" else ""
    number_styles = settle_numbers(numbers, path, usual)
    date_styles = {name: dates[name].style(f"{path}, column {name}") for name in dates}
    notes = _guessed_commas(numbers) if usual else ()
    return Notation(number_styles, date_styles, notes)


def _survey_numbers(
    raw: RawBatch, source: SourceConfig, surveys: dict[str, NumberSurvey]
) -> None:
    for column in NUMBERS:
        for name, part in _text_columns(raw, column):
            surveys.setdefault(name, NumberSurvey(source)).add(part)


def _survey_dates(
    raw: RawBatch, source: SourceConfig, surveys: dict[str, DateSurvey]
) -> None:
    for column in DATES:
        if column in raw.columns and not pa.types.is_temporal(raw.columns[column].type):
            name = raw.names.get(column, column)
            surveys.setdefault(name, DateSurvey(source)).add(raw.columns[column])


def _guessed_commas(surveys: dict[str, NumberSurvey]) -> tuple[str, ...]:
    """Return a note on the first column whose commas prove nothing; none where there is none."""
    for survey in surveys.values():
        if survey.either and not survey.proven and not survey.given:
            return (
                f"{survey.either} was read with a decimal comma, as ; parts the columns",
            )
    return ()


def settle_numbers(
    surveys: dict[str, NumberSurvey], path: str, usual: str = ""
) -> dict[str, NumberStyle]:
    """Return the styles of a file's number columns.

    `usual` is the decimal sign of columns that prove none. Raises InputError where a decimal sign
    cannot be told and none is usual.
    """
    signs = {
        name: survey.decimal(f"{path}, column {name}")
        for name, survey in surveys.items()
    }
    proven = {survey.proven for survey in surveys.values() if survey.proven}
    common = proven.pop() if len(proven) == 1 else ""
    styles = {}
    for name, survey in surveys.items():
        sign = signs[name] or common or usual
        if survey.dotted and not (survey.proven or survey.given) and common == ",":
            sign = ","
        if not sign:
            raise refuse_either(f"{path}, column {name}", survey.either)
        styles[name] = survey.style(sign)
    return styles


def _needs_survey(raw: RawBatch) -> bool:
    """Tell whether the notation of any column depends on the file as a whole."""
    for name in (*NUMBERS, *DATES):
        if name not in raw.columns:
            continue
        kind = raw.columns[name].type
        if is_text(kind) or (name in DATES and is_number(kind)):
            return True
    return False


def _text_columns(raw: RawBatch, column: str) -> Iterator[tuple[str, pa.Array]]:
    """Give the file's text columns behind one of ours: several for a wide table's values."""
    if column not in raw.columns or not is_text(raw.columns[column].type):
        return
    if column != "value" or raw.value_names is None:
        yield raw.names.get(column, column), raw.columns[column]
        return
    for name, rows in _rows_by_name(raw.value_names):
        yield name, raw.columns[column].take(pa.array(rows))


def _rows_by_name(names: pa.StringArray) -> Iterator[tuple[str, Ints]]:
    """Give the rows of each value column of a wide table."""
    coded = names.dictionary_encode()
    code = coded.indices.to_numpy()
    order = np.argsort(code, kind="stable")
    ends = np.cumsum(np.bincount(code, minlength=len(coded.dictionary)))
    places = np.split(order, ends[:-1])
    yield from zip(coded.dictionary.to_pylist(), places, strict=True)


def read_numbers(
    raw: RawBatch, column: str, source: SourceConfig, notation: Notation
) -> Numbers:
    """Parse one of our number columns, each column of a wide table in its own style."""
    texts = raw.columns[column]
    if column != "value" or raw.value_names is None:
        style = notation.numbers.get(raw.names.get(column, column), _PLAIN_NUMBERS)
        return parse_numbers(texts, source.missing_values, style)
    styles = set(notation.numbers.values())
    if len(styles) <= 1:
        style = styles.pop() if styles else _PLAIN_NUMBERS
        return parse_numbers(texts, source.missing_values, style)
    value = np.full(len(texts), np.nan)
    state = np.full(len(texts), MISSING, dtype=np.int8)
    with_unit = as_word = 0
    for name, rows in _rows_by_name(raw.value_names):
        style = notation.numbers.get(name, _PLAIN_NUMBERS)
        part = parse_numbers(texts.take(pa.array(rows)), source.missing_values, style)
        value[rows] = part.value
        state[rows] = part.state
        with_unit += part.with_unit
        as_word += part.as_word
    return Numbers(value, state, with_unit, as_word)


def read_days(
    column: Column,
    facility: pa.StringArray,
    source: SourceConfig,
    *,
    where: str,
    style: DateStyle,
) -> Days:
    """Parse a date column.

    Raises InputError, which begins with `where`, if stamps carry a zone and none is given.
    """
    clock = Clock(source.time_zone, source.facility_time_zones)
    try:
        return parse_days(
            column, facility, clock=clock, missing=source.missing_values, style=style
        )
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def read_table_days(
    column: Column, facility: pa.StringArray, source: SourceConfig, *, where: str
) -> Days:
    """Settle and parse a date column of a table that is held whole (events, equipment)."""
    survey = DateSurvey(source)
    survey.add(column)
    return read_days(column, facility, source, where=where, style=survey.style(where))
