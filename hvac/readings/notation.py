"""How the columns of one readings file are written, settled over the file as a whole before any of
it is read.

One light pass over the texts of the number and date columns; what is kept of them does not grow
with the file. A column that can be read both ways takes the decimal sign that the file's other
columns prove; where none does it is refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hvac.errors import InputError
from hvac.readings.date_survey import DateSurvey
from hvac.readings.date_texts import Clock, DateStyle, Days, parse_days
from hvac.readings.files import open_table
from hvac.readings.formats import RawBatch, read_raw
from hvac.readings.number_survey import NumberSurvey, refuse_either
from hvac.readings.number_texts import Numbers, NumberStyle, parse_numbers
from hvac.readings.sources import SourceConfig
from hvac.readings.text_values import MISSING, is_number, is_text

NUMBERS = ("value", "lower_limit", "upper_limit")
DATES = ("date", "known_at")


class Notation(NamedTuple):
    """Styles by the file's names of its columns; a column that is not named is written plainly.

    `notes`: what was guessed.
    """

    numbers: dict[str, NumberStyle]
    dates: dict[str, DateStyle]
    notes: tuple[str, ...] = ()


PLAIN = Notation({}, {})


class SettledFile(NamedTuple):
    """A readings file of which is known how it is written; `notes`: what was guessed, for the
    summary.
    """

    notation: Notation
    batches: Iterator[RawBatch]
    notes: tuple[str, ...]


def read_settled(path: str, source: SourceConfig, *, batch_rows: int) -> SettledFile:
    """Settle how a file is written, and stream its batches; a file of one batch is read once, a
    longer one twice.
    """
    file = open_table(path, source)
    batches = read_raw(file, source, batch_rows=batch_rows)
    first = list(islice(batches, 2))
    if len(first) < 2 or not _surveyed(first[0]):
        notation = settle(first, source, path, delimiter=file.delimiter)
        return SettledFile(notation, chain(first, batches), (*file.notes, *notation.notes))
    notation = settle(chain(first, batches), source, path, delimiter=file.delimiter)
    return SettledFile(
        notation, read_raw(file, source, batch_rows=batch_rows), (*file.notes, *notation.notes)
    )


def settle(
    batches: Iterable[RawBatch], source: SourceConfig, path: str, *, delimiter: str = ","
) -> Notation:
    """Return how the columns are written. Raises InputError that names the setting where that
    cannot be told.

    Where `;` parts the columns, a comma that may be either is a decimal comma: that is why they are
    parted so."""
    numbers: dict[str, NumberSurvey] = {}
    dates: dict[str, DateSurvey] = {}
    for raw in batches:
        for column in NUMBERS:
            for name, part in _parts(raw, column):
                numbers.setdefault(name, NumberSurvey(source)).add(part)
        for column in DATES:
            if column in raw.columns and not pa.types.is_temporal(raw.columns[column].type):
                dates.setdefault(raw.names.get(column, column), DateSurvey(source)).add(
                    raw.columns[column]
                )
    usual = "," if delimiter == ";" else ""
    open_ones = [
        survey
        for survey in numbers.values()
        if not survey.proven and not survey.given and survey.either
    ]
    notes = [
        f"{survey.either} was read with a decimal comma, as ; parts the columns"
        for survey in open_ones[:1]
    ]
    return Notation(
        number_styles(numbers, path, usual),
        {name: survey.style(f"{path}, column {name}") for name, survey in dates.items()},
        tuple(notes) if usual else (),
    )


def number_styles(
    surveys: dict[str, NumberSurvey], path: str, usual: str = ""
) -> dict[str, NumberStyle]:
    """Return the styles of a file's number columns; `usual` is the decimal sign of what cannot be
    told.

    Raises InputError where a decimal sign cannot be told and none is usual.
    """
    signs = {name: survey.decimal(f"{path}, column {name}") for name, survey in surveys.items()}
    proven = {survey.proven for survey in surveys.values() if survey.proven}
    (common,) = proven if len(proven) == 1 else ("",)
    styles = {}
    for name, survey in surveys.items():
        sign = signs[name] or common or usual
        if survey.dotted and not (survey.proven or survey.given) and common == ",":
            sign = ","
        if not sign:
            raise refuse_either(f"{path}, column {name}", survey.either)
        styles[name] = survey.style(sign)
    return styles


def _surveyed(raw: RawBatch) -> bool:
    """Whether a batch has a column whose notation depends on the file as a whole."""
    texts = [raw.columns[name] for name in (*NUMBERS, *DATES) if name in raw.columns]
    dates = [raw.columns[name] for name in DATES if name in raw.columns]
    return any(is_text(column.type) for column in texts) or any(
        is_number(column.type) for column in dates
    )


def _parts(raw: RawBatch, column: str) -> Iterator[tuple[str, Any]]:
    """The text columns of the file behind one of ours: one, or the value columns of a wide table."""
    if column not in raw.columns or not is_text(raw.columns[column].type):
        return
    if column != "value" or raw.value_names is None:
        yield raw.names.get(column, column), raw.columns[column]
        return
    for name, rows in _rows_by_name(raw.value_names):
        yield name, raw.columns[column].take(pa.array(rows))


def _rows_by_name(names: Any) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """The rows of each value column of a wide table."""
    coded = names.dictionary_encode()
    order = np.argsort(coded.indices.to_numpy(), kind="stable")
    ends = np.cumsum(np.bincount(coded.indices.to_numpy(), minlength=len(coded.dictionary)))
    yield from zip(coded.dictionary.to_pylist(), np.split(order, ends[:-1]), strict=True)


def read_numbers(raw: RawBatch, column: str, source: SourceConfig, notation: Notation) -> Numbers:
    """Parse one of our number columns, each column of a wide table in its own style."""
    found = raw.columns[column]
    if column != "value" or raw.value_names is None:
        style = notation.numbers.get(raw.names.get(column, column), NumberStyle())
        return parse_numbers(found, source.missing_values, style)
    if len(set(notation.numbers.values())) <= 1:
        return parse_numbers(
            found, source.missing_values, next(iter(notation.numbers.values()), NumberStyle())
        )
    value, state = np.full(len(found), np.nan), np.full(len(found), MISSING, dtype=np.int8)
    units = words = 0
    for name, rows in _rows_by_name(raw.value_names):
        style = notation.numbers.get(name, NumberStyle())
        part = parse_numbers(found.take(pa.array(rows)), source.missing_values, style)
        value[rows], state[rows] = part.value, part.state
        units, words = units + part.with_unit, words + part.as_word
    return Numbers(value, state, units, words)


def read_days(
    column: Any, facility: Any, source: SourceConfig, *, where: str, style: DateStyle
) -> Days:
    """Parse a date column. Raises InputError, which begins with `where`, if stamps carry a zone and
    none is given.
    """
    clock = Clock(source.time_zone, source.facility_time_zones)
    try:
        return parse_days(column, facility, clock=clock, missing=source.missing_values, style=style)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def read_table_days(column: Any, facility: Any, source: SourceConfig, *, where: str) -> Days:
    """Settle and parse a date column of a table that is held whole (events, equipment)."""
    survey = DateSurvey(source)
    survey.add(column)
    return read_days(column, facility, source, where=where, style=survey.style(where))
