"""Text and number columns into numbers, once it is settled how a column is written."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hvac.arrays import Floats, Int8s
from hvac.readings.text_values import (
    INFINITE,
    MISSING,
    MIXED_UNIT,
    READ,
    TEXT,
    Column,
    as_text,
    flags,
    is_number,
    normal,
    one_array,
)

SPACED = "'’ "  # what parts thousands and is never a decimal sign
WORDS = {
    **dict.fromkeys(("良", "良好", "正常", "○", "〇", "◯"), 1.0),
    **dict.fromkeys(("否", "不良", "異常", "×", "✕", "✗"), 0.0),
}
QUANTITIES = (
    *(
        ("°c", "°f"),
        ("%", "%rh"),
        ("pa", "hpa", "kpa", "mpa"),
        ("w", "kw"),
        ("wh", "kwh", "mwh"),
    ),
    *(
        ("a", "ma"),
        ("v", "kv"),
        ("hz",),
        ("rpm",),
        ("mm/s",),
        ("m3/h", "l/min"),
        ("ppm",),
    ),
)
FACTORS = frozenset(
    ("k", "千", "万", "億")
)  # these change the number, and are read nowhere
UNITS = frozenset(unit for family in QUANTITIES for unit in family)

PLAIN_DOT = r"^[+-]?\d{1,40}(\.\d{0,40})?([eE][+-]?\d{1,2})?$"
_PLAIN_COMMA = r"^[+-]?\d{1,40}(,\d{0,40})?([eE][+-]?\d{1,2})?$"
_INFINITE = re.compile(r"[+-]?(inf(inity)?|∞)", re.IGNORECASE)
_DIGITS = r"[+-]?[0-9.,'’ ]*?[0-9][.,]?(?:[eE][+-]?[0-9]+)?"
_BARE = re.compile(_DIGITS)
_UNIT = (  # letters and signs; m2 and m3/h, but not 12:30 or 0x10
    r"(?:[^\W\d_]|[°%€$¥£/])+(?:[23](?:/(?:h|min|s))?)?"
)
_WITH_UNIT = re.compile(rf"(?P<number>{_DIGITS})\s*(?P<unit>{_UNIT})")


class NumberStyle(NamedTuple):
    """How the numbers of one column are written.

    `thousands` holds the signs that may part groups of three. `units` may stand behind a number, in
    lower case; `mixed` are units that the column uses beside others of the same quantity. `words`
    tells whether the column holds only words such as 良 and 否.
    """

    decimal: str = "."
    thousands: str = "," + SPACED
    units: frozenset[str] = frozenset()
    mixed: frozenset[str] = frozenset()
    words: bool = False


class Numbers(NamedTuple):
    """A number column that is read.

    `value` float64 [n] is nan unless its `state` int8 [n] is READ; `with_unit` and `as_word` count
    the rows that had a unit behind the number, or were words.
    """

    value: Floats
    state: Int8s
    with_unit: int = 0
    as_word: int = 0


class _Number(NamedTuple):
    value: float
    state: int
    with_unit: bool = False
    as_word: bool = False


PLAIN = NumberStyle()


def parse_numbers(
    column: Column, missing: tuple[str, ...], style: NumberStyle = PLAIN
) -> Numbers:
    """Return the numbers of a column.

    Understood are full-width digits, parted thousands and the units of its style. States: READ,
    MISSING (null, nan, one of `missing`, or a number equal to one of them), INFINITE, MIXED_UNIT,
    TEXT (anything else).

    >>> parse_numbers(pa.array(["１２．５", "1,234.5", "欠測", "abc"]), ("欠測",)).value
    array([  12.5, 1234.5,    nan,    nan])
    >>> german = NumberStyle(",", ".")
    >>> parse_numbers(pa.array(["21,5", "1.234,5", "-9999,0"]), ("-9999",), german).value
    array([  21.5, 1234.5,    nan])
    """
    column = one_array(column)
    if is_number(column.type):
        floats = pc.cast(column, pa.float64(), safe=False)
        exact = floats.to_numpy(zero_copy_only=False)
        single = pa.types.is_float32(column.type) or pa.types.is_float16(column.type)
        numbers = _numbers(np.array(exact, dtype=np.float64))
        return _without_marks(numbers, numeric_marks(missing, single=single))
    numbers = _text_numbers(as_text(column), missing, style)
    return _without_marks(numbers, numeric_marks(missing))


def _numbers(value: Floats) -> Numbers:
    is_odd = [np.isnan(value), np.isinf(value)]
    state = np.select(is_odd, [MISSING, INFINITE], READ).astype(np.int8)
    return Numbers(np.where(state == READ, value, np.nan), state)


def _without_marks(numbers: Numbers, marks: Floats) -> Numbers:
    """Make missing what equals one of the numeric marks."""
    if not len(marks):
        return numbers
    marked = np.isin(numbers.value, marks)
    value = np.where(marked, np.nan, numbers.value)
    state = np.where(marked, MISSING, numbers.state).astype(np.int8)
    return numbers._replace(value=value, state=state)


@lru_cache(maxsize=64)
def numeric_marks(missing: tuple[str, ...], *, single: bool = False) -> Floats:
    """Return the missing marks that are numbers, or with `single` their nearest float32.

    >>> numeric_marks(("欠測", "-9999", "255"))
    array([-9999.,   255.])
    """
    pattern = number_pattern(".", "")
    marks = [float(mark) for mark in map(normal, missing) if pattern.fullmatch(mark)]
    value = np.array(marks, dtype=np.float64)
    return value.astype(np.float32).astype(np.float64) if single else value


@lru_cache(maxsize=64)
def text_marks(missing: tuple[str, ...]) -> frozenset[str]:
    """Return the missing marks, as they are and made plain; a blank is always one of them."""
    return frozenset(missing) | {normal(mark) for mark in missing} | {""}


@lru_cache(maxsize=64)
def number_pattern(decimal: str, thousands: str) -> re.Pattern[str]:
    """Return a pattern of numbers; thousands come in groups of three, the first not of 0.

    >>> pattern = number_pattern(".", ",")
    >>> [bool(pattern.fullmatch(text)) for text in ("1,234.5", "0,125", "21,5", ".5")]
    [True, False, False, True]
    """
    point = re.escape(decimal)
    grouped = "(?!)"  # matches nothing
    if thousands:
        signs = re.escape(thousands)
        grouped = rf"[1-9]\d{{0,2}}(?P<part>[{signs}])\d{{3}}(?:(?P=part)\d{{3}})*"
    whole = rf"(?:{grouped}|\d+)"
    return re.compile(
        rf"[+-]?(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?", re.ASCII
    )


def split_unit(plain: str) -> tuple[str, str]:
    """Return a plain text's number and the unit behind it, in lower case.

    A text that holds no number comes back whole, without a unit.

    >>> split_unit("21.5 °C"), split_unit("21.5"), split_unit("abc")
    (('21.5', '°c'), ('21.5', ''), ('abc', ''))
    """
    match = None if _BARE.fullmatch(plain) else _WITH_UNIT.fullmatch(plain)
    if match is None:
        return plain, ""
    return match["number"].strip(), match["unit"].casefold()


def is_infinite(plain: str) -> bool:
    """Tell whether a text means infinity."""
    return _INFINITE.fullmatch(plain) is not None


def _text_numbers(
    text: pa.StringArray, missing: tuple[str, ...], style: NumberStyle
) -> Numbers:
    comma = style.decimal == ","
    plain = pc.match_substring_regex(text, _PLAIN_COMMA if comma else PLAIN_DOT)
    digits = pc.if_else(plain, text, None)
    digits = pc.replace_substring(digits, ",", ".") if comma else digits
    written = np.array(pc.cast(digits, pa.float64()), dtype=np.float64)
    value, state, *_ = _numbers(written)
    odd = np.flatnonzero(~flags(plain))
    if not len(odd):
        return Numbers(value, state)
    coded = text.take(pa.array(odd)).dictionary_encode()
    marks = text_marks(missing)
    numbers = [_odd_number(text, marks, style) for text in coded.dictionary.to_pylist()]
    code = coded.indices.to_numpy()
    columns = np.array(numbers, dtype=np.float64)[code]
    value[odd] = columns[:, 0]
    state[odd] = columns[:, 1]
    with_unit, as_word = columns[:, 2:].sum(axis=0)
    return Numbers(value, state, int(with_unit), int(as_word))


def _odd_number(text: str, marks: frozenset[str], style: NumberStyle) -> _Number:
    """Read one text that is not written plainly."""
    plain = normal(text)
    if text in marks or plain in marks:
        return _Number(np.nan, MISSING)
    if style.words and plain in WORDS:
        return _Number(WORDS[plain], READ, as_word=True)
    number, unit = split_unit(plain)
    if unit in style.mixed:
        return _Number(np.nan, MIXED_UNIT)
    known_unit = not unit or unit in style.units
    pattern = number_pattern(style.decimal, style.thousands)
    if not (known_unit and pattern.fullmatch(number)):
        return _Number(np.nan, INFINITE if is_infinite(plain) else TEXT)
    for sign in style.thousands:
        number = number.replace(sign, "")
    value = float(number.replace(style.decimal, "."))
    if np.isinf(value):
        return _Number(np.nan, INFINITE)
    return _Number(value, READ, with_unit=unit != "")
