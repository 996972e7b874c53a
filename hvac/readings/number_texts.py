"""Text and number columns into numbers, whole columns at a time, once it is settled how a column is
written.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hvac.readings.text_values import (
    INFINITE,
    MISSING,
    MIXED_UNIT,
    READ,
    TEXT,
    as_text,
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
    *(("°c", "°f"), ("%", "%rh"), ("pa", "hpa", "kpa", "mpa"), ("w", "kw"), ("wh", "kwh", "mwh")),
    *(("a", "ma"), ("v", "kv"), ("hz",), ("rpm",), ("mm/s",), ("m3/h", "l/min"), ("ppm",)),
)
FACTORS = frozenset(("k", "千", "万", "億"))  # these change the number, and are read nowhere
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

    `thousands`: the signs that may part groups of three. `units`: what may stand behind a number,
    in lower case; `mixed`: units that the column uses beside others of the same quantity. `words`:
    whether all of it are words such as 良 and 否."""

    decimal: str = "."
    thousands: str = "," + SPACED
    units: frozenset[str] = frozenset()
    mixed: frozenset[str] = frozenset()
    words: bool = False


class Numbers(NamedTuple):
    """`value` float64 [n] (nan unless READ), `state` int8 [n], and how many rows had a unit or were
    words.
    """

    value: NDArray[np.float64]
    state: NDArray[np.int8]
    with_unit: int = 0
    as_word: int = 0


class _Odd(NamedTuple):
    value: float
    state: int
    with_unit: bool = False
    as_word: bool = False


PLAIN = NumberStyle()


def parse_numbers(column: Any, missing: tuple[str, ...], style: NumberStyle = PLAIN) -> Numbers:
    """Numbers of a column: full-width digits, parted thousands and the units of its style are
    understood.

    States: READ, MISSING (null, nan, one of `missing`, or a number equal to one of them), INFINITE,
    MIXED_UNIT, TEXT (anything else).

    >>> parse_numbers(pa.array(["１２．５", "1,234.5", "欠測", "abc"]), ("欠測",)).value
    array([  12.5, 1234.5,    nan,    nan])
    >>> parse_numbers(pa.array(["21,5", "1.234,5", "-9999,0"]), ("-9999",), NumberStyle(",", ".")).value
    array([  21.5, 1234.5,    nan])
    """
    column = one_array(column)
    if is_number(column.type):
        exact = pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        single = pa.types.is_float32(column.type) or pa.types.is_float16(column.type)
        numbers = _numbers(np.array(exact, dtype=np.float64))
        return _without(numbers, numeric_marks(missing, single=single))
    return _without(_text_numbers(as_text(column), missing, style), numeric_marks(missing))


def _numbers(value: NDArray[np.float64]) -> Numbers:
    state = np.where(np.isnan(value), MISSING, np.where(np.isinf(value), INFINITE, READ)).astype(
        np.int8
    )
    return Numbers(np.where(state == READ, value, np.nan), state)


def _without(numbers: Numbers, marks: NDArray[np.float64]) -> Numbers:
    """Make missing what equals one of the numeric marks."""
    if not len(marks):
        return numbers
    marked = np.isin(numbers.value, marks)
    value = np.where(marked, np.nan, numbers.value)
    return numbers._replace(
        value=value, state=np.where(marked, MISSING, numbers.state).astype(np.int8)
    )


@lru_cache(maxsize=64)
def numeric_marks(missing: tuple[str, ...], *, single: bool = False) -> NDArray[np.float64]:
    """Return the missing marks that are numbers; `single`: as a column of single precision holds
    them.

    >>> numeric_marks(("欠測", "-9999", "255"))
    array([-9999.,   255.])
    """
    pattern = number_pattern(".", "")
    value = np.array(
        [float(mark) for mark in map(normal, missing) if pattern.fullmatch(mark)], dtype=np.float64
    )
    return value.astype(np.float32).astype(np.float64) if single else value


@lru_cache(maxsize=64)
def text_marks(missing: tuple[str, ...]) -> frozenset[str]:
    """Return the missing marks as they are and made plain; blank is one always."""
    return frozenset(missing) | {normal(mark) for mark in missing} | {""}


@lru_cache(maxsize=64)
def number_pattern(decimal: str, thousands: str) -> re.Pattern[str]:
    """Return what a number looks like; only groups of three, the first not of 0, are thousands.

    >>> [bool(number_pattern(".", ",").fullmatch(text)) for text in ("1,234.5", "0,125", "21,5", ".5")]
    [True, False, False, True]
    """
    point = re.escape(decimal)
    grouped = (
        rf"[1-9]\d{{0,2}}(?P<part>[{re.escape(thousands)}])\d{{3}}(?:(?P=part)\d{{3}})*"
        if thousands
        else "(?!)"
    )
    whole = rf"(?:{grouped}|\d+)"
    return re.compile(rf"[+-]?(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?", re.ASCII)


def split_unit(plain: str) -> tuple[str, str]:
    """Return a plain text's number and what stands behind it, in lower case; no number: the text
    itself.

    >>> split_unit("21.5 °C"), split_unit("21.5"), split_unit("abc")
    (('21.5', '°c'), ('21.5', ''), ('abc', ''))
    """
    found = None if _BARE.fullmatch(plain) else _WITH_UNIT.fullmatch(plain)
    return (found["number"].strip(), found["unit"].casefold()) if found else (plain, "")


def is_infinite(plain: str) -> bool:
    """Tell whether a text says infinity."""
    return _INFINITE.fullmatch(plain) is not None


def _text_numbers(text: Any, missing: tuple[str, ...], style: NumberStyle) -> Numbers:
    comma = style.decimal == ","
    plain = pc.match_substring_regex(text, _PLAIN_COMMA if comma else PLAIN_DOT)
    digits = pc.if_else(plain, text, None)
    digits = pc.replace_substring(digits, ",", ".") if comma else digits
    value, state, *_ = _numbers(np.array(pc.cast(digits, pa.float64()), dtype=np.float64))
    odd = np.flatnonzero(~plain.to_numpy(zero_copy_only=False))
    if not len(odd):
        return Numbers(value, state)
    coded = text.take(pa.array(odd)).dictionary_encode()
    read = [_odd_number(one, text_marks(missing), style) for one in coded.dictionary.to_pylist()]
    code = coded.indices.to_numpy()
    often = np.bincount(code, minlength=len(read))
    value[odd] = np.array([one.value for one in read])[code]
    state[odd] = np.array([one.state for one in read], dtype=np.int8)[code]
    told = [sum(int(n) for n, one in zip(often, read, strict=True) if one[part]) for part in (2, 3)]
    return Numbers(value, state, *told)


def _odd_number(text: str, marks: frozenset[str], style: NumberStyle) -> _Odd:
    plain = normal(text)
    if text in marks or plain in marks:
        return _Odd(np.nan, MISSING)
    if style.words and plain in WORDS:
        return _Odd(WORDS[plain], READ, as_word=True)
    number, unit = split_unit(plain)
    if unit in style.mixed:
        return _Odd(np.nan, MIXED_UNIT)
    if (unit and unit not in style.units) or not number_pattern(
        style.decimal, style.thousands
    ).fullmatch(number):
        return _Odd(np.nan, INFINITE if is_infinite(plain) else TEXT)
    for sign in style.thousands:
        number = number.replace(sign, "")
    value = float(number.replace(style.decimal, "."))
    return _Odd(np.nan, INFINITE) if np.isinf(value) else _Odd(value, READ, with_unit=unit != "")
