"""What the dates of a whole column prove about their notation.

All of them may be Excel's serial days, and day and month may be mistaken for each other.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hvac.errors import InputError
from hvac.readings.date_notations import FIRST_SERIAL, LAST_SERIAL, DateStyle
from hvac.readings.date_words import day_or_month_first, month_first
from hvac.readings.number_texts import numeric_marks, text_marks
from hvac.readings.sources import SourceConfig
from hvac.readings.text_values import Column, as_text, is_number, is_text, one_array

_SERIAL = r"^[2-7]\d{4}(\.\d+)?$"
_DAY_OR_MONTH = r"^[0-9０-９]{1,2}[/.\-／．－][0-9０-９]{1,2}[/.\-／．－][0-9０-９]{4}"


class DateSurvey:
    """The notation of one date column, looked at batch by batch.

    >>> survey = DateSurvey(SourceConfig(readings="a.csv"))
    >>> survey.add(pa.array(["45292", "45293.5"]))
    >>> survey.style("a.csv, column date")
    DateStyle(format=None, serials=True)
    """

    def __init__(self, source: SourceConfig) -> None:
        self.format = source.date_format
        self.missing = source.missing_values
        self.serial = False  # whether any date may be a serial day
        self.other = False  # whether any date is none
        self.ambiguous = ""  # the first date that may begin with the day or the month

    def add(self, column: Column) -> None:
        """Look at a batch."""
        column = one_array(column)
        if is_number(column.type):
            self._add_numbers(column)
        elif is_text(column.type):
            self._add_texts(as_text(column))

    def _add_numbers(self, column: pa.Array) -> None:
        numbers = pc.cast(pc.drop_null(column), pa.float64(), safe=False)
        value = np.array(numbers, dtype=np.float64)
        marked = np.isin(value, numeric_marks(self.missing))
        value = value[~marked & np.isfinite(value)]
        serial = (value >= FIRST_SERIAL) & (value < LAST_SERIAL)
        self.serial |= bool(serial.any())
        self.other |= not serial.all()

    def _add_texts(self, text: pa.StringArray) -> None:
        marks = pa.array(sorted(text_marks(self.missing)), pa.string())
        serial = pc.match_substring_regex(text, _SERIAL)
        self.serial |= bool(pc.any(serial).as_py())
        is_mark = pc.is_in(text, marks)
        self.other |= not pc.all(pc.or_(serial, is_mark)).as_py()
        if not self.ambiguous:
            candidates = text.filter(pc.match_substring_regex(text, _DAY_OR_MONTH))
            dates = pc.unique(candidates).to_pylist()
            self.ambiguous = next(filter(day_or_month_first, dates), "")

    def style(self, where: str) -> DateStyle:
        """Return how the column is read.

        Raises InputError, which begins with `where`, where day and month can be taken for each
        other.
        """
        if self.ambiguous and self.format is None:
            day_first = day_or_month_first(self.ambiguous)
            raise InputError(
                f"{where}: {self.ambiguous!r} may begin with the day or the month, which is never"
                f" guessed: set source.date_format: '{day_first}' or"
                f" '{month_first(day_first)}'"
            )
        return DateStyle(self.format, self.serial and not self.other)
