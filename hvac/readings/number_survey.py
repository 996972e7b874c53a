"""What the texts of a whole column prove about how its numbers are written.

A comma is a decimal sign or parts thousands; `13,612` alone does not tell. What cannot be thousands
(`0,125`, `21,5`, `1.234,5`) proves a decimal comma, what cannot be decimals (`1,234.5`,
`1,234,567`, `21.5`) a decimal point.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hvac.errors import InputError
from hvac.readings.number_texts import (
    FACTORS,
    PLAIN_DOT,
    QUANTITIES,
    SPACED,
    UNITS,
    WORDS,
    NumberStyle,
    is_infinite,
    number_pattern,
    numeric_marks,
    split_unit,
    text_marks,
)
from hvac.readings.sources import SourceConfig
from hvac.readings.text_values import Column, as_text, normal

MOST_UNITS = 50  # of distinct texts behind numbers that are remembered of a column
_EITHER_WAY = r"^[+-]?[1-9]\d{0,2}\.\d{3}$"


class NumberSurvey:
    """The notation of one number column, looked at batch by batch.

    It remembers an example of each proof.

    >>> survey = NumberSurvey(SourceConfig(readings="a.csv"))
    >>> survey.add(pa.array(["13,612", "0,125"]))
    >>> survey.decimal("a.csv, column value")
    ','
    """

    def __init__(self, source: SourceConfig) -> None:
        self.given = source.decimal
        self.missing = source.missing_values
        self.thousands = {sign: _thousands(sign, source.thousands) for sign in ".,"}
        if source.thousands in (".", ","):
            self.given = self.given or ("," if source.thousands == "." else ".")
        self.point = self.comma = self.either = ""  # examples of each decimal sign
        self.bare = False  # whether any number has no unit
        self.words = False  # whether any text is a word such as 良
        self.texts = False  # whether any text is no number at all
        self.dotted = False  # 1.234, which a decimal comma beside it makes 1234
        self.units: set[str] = set()

    def add(self, column: Column) -> None:
        """Look at the texts of a batch."""
        text = as_text(column)
        plain = pc.match_substring_regex(text, PLAIN_DOT)
        self._add_plain(text.filter(plain))
        for odd_text in pc.unique(text.filter(pc.invert(plain))).to_pylist():
            self._add_odd(odd_text)

    def _add_plain(self, text: pa.StringArray) -> None:
        if not self.bare and len(text):
            value = np.array(pc.cast(text, pa.float64()))
            self.bare = not np.isin(value, numeric_marks(self.missing)).all()
        if self.point:
            return
        dotted = text.filter(pc.match_substring(text, "."))
        if "." in self.thousands[","]:
            either = pc.match_substring_regex(dotted, _EITHER_WAY)
            self.dotted = self.dotted or bool(pc.any(either).as_py())
            dotted = dotted.filter(pc.invert(either))
        self.point = dotted[0].as_py() if len(dotted) else ""

    def _add_odd(self, text: str) -> None:
        plain = normal(text)
        marks = text_marks(self.missing)
        if text in marks or plain in marks or is_infinite(plain):
            return
        if plain in WORDS:
            self.words = True
            return
        number, unit = split_unit(plain)
        if not self._remember(number):
            self.texts = True
            return
        self.bare = self.bare or not unit
        if unit and len(self.units) < MOST_UNITS:
            self.units.add(unit)

    def _remember(self, number: str) -> bool:
        """Keep a number as the example of what it proves; tell whether it is a number."""
        with_point, with_comma = (
            number_pattern(sign, self.thousands[sign]).fullmatch(number)
            for sign in ".,"
        )
        if with_point and not with_comma:
            self.point = self.point or number
        elif with_comma and not with_point:
            self.comma = self.comma or number
        elif with_point and "," in number:
            self.either = self.either or number
        return bool(with_point or with_comma)

    def decimal(self, where: str) -> str:
        """Return the decimal sign that is given or proven; '' where commas can be read both ways.

        Raises InputError, which begins with `where`, where both signs are proven.
        """
        if self.given:
            return self.given
        if self.point and self.comma:
            raise InputError(
                f"{where}: {self.comma!r} has a decimal comma and {self.point!r} a decimal point:"
                " set source.decimal to the one that holds, and what is written otherwise is"
                " rejected"
            )
        if self.comma:
            return ","
        return "." if self.point or not self.either else ""

    @property
    def proven(self) -> str:
        """Return the decimal sign that the column's own texts prove, or ''."""
        if self.comma:
            return ","
        return "." if self.point else ""

    def style(self, decimal: str) -> NumberStyle:
        """Return how the column is read with a decimal sign."""
        units, mixed = self._readable_units()
        words = self.words and not (self.bare or self.units or self.texts)
        return NumberStyle(decimal, self.thousands[decimal], units, mixed, words)

    def _readable_units(self) -> tuple[frozenset[str], frozenset[str]]:
        """Return the units to read, and those that stand beside others of their quantity."""
        mixed: frozenset[str] = frozenset()
        for quantity in QUANTITIES:
            units = self.units & set(quantity)
            if len(units) > 1:
                mixed |= units
        others = self.bare or self.words or self.texts
        if len(self.units) == 1 and not others and not self.units & FACTORS:
            return frozenset(self.units), mixed
        return (UNITS & self.units) - mixed, mixed


def _thousands(decimal: str, given: str | None) -> str:
    other = "." if decimal == "," else ","
    allowed = other + SPACED if given is None else given
    return allowed.replace(decimal, "")


def refuse_either(where: str, example: str) -> InputError:
    """Return the error for a column whose commas can be read both ways."""
    thousands = example.replace(",", "")
    decimals = example.replace(",", ".")
    return InputError(
        f"{where}: {example!r} may be {thousands} or {decimals}, and no other text there tells"
        " which: set source.decimal: ',' (a decimal comma) or source.decimal: '.' (commas part"
        " thousands)"
    )
