"""Columns of tables as texts, and the states that a parsed row can be in.

Numbers are parsed in `number_texts`, days in `date_texts`, whole columns at a time. Arrow reads
what follows the plain notation; Python reads the rest, each distinct text once.
"""

from __future__ import annotations

import unicodedata
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hvac.arrays import Bools

READ, MISSING, TEXT, INFINITE, UNREADABLE, OUT_OF_RANGE, MIXED_UNIT, DAY_OR_MONTH = (
    range(8)
)

Column: TypeAlias = pa.Array | pa.ChunkedArray
"""A column of a table, in one piece or in several."""
_MINUS = str.maketrans({"−": "-", "‐": "-", "–": "-", "ー": "-"})


def as_text(column: Column) -> pa.Array:
    """Return any Arrow column as one string array, spaces at the ends cut off, null as ''.

    >>> as_text(pa.array([" 007", None])).to_pylist(), as_text(pa.array([7.0, 8.0])).to_pylist()
    (['007', ''], ['7', '8'])
    """
    column = one_array(column)
    if pa.types.is_null(column.type):
        return pa.array([""] * len(column), pa.string())
    without_cast = (pa.types.is_nested, pa.types.is_binary, pa.types.is_duration)
    if any(test(column.type) for test in without_cast):
        texts = ["" if item is None else str(item) for item in column.to_pylist()]
        return pa.array(texts, pa.string())
    text = pc.fill_null(pc.cast(column, pa.string()), "")
    return pc.utf8_trim_whitespace(text)


def one_array(column: Column) -> pa.Array:
    """Return a column as one contiguous array without a dictionary."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = (
            pa.concat_arrays(column.chunks)
            if column.num_chunks
            else pa.array([], column.type)
        )
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def flags(mask: pa.BooleanArray) -> Bools:
    """Return a boolean Arrow array without nulls as a numpy array."""
    return np.asarray(mask.to_numpy(zero_copy_only=False), dtype=bool)


def is_number(kind: pa.DataType) -> bool:
    """Tell whether an Arrow type holds numbers (or yes and no)."""
    tests = (
        pa.types.is_floating,
        pa.types.is_integer,
        pa.types.is_decimal,
        pa.types.is_boolean,
    )
    return any(test(kind) for test in tests)


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a column of an Arrow type is read as texts.

    >>> is_text(pa.string()), is_text(pa.dictionary(pa.int8(), pa.string())), is_text(pa.date32())
    (True, True, False)
    """
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return not (is_number(kind) or pa.types.is_temporal(kind) or pa.types.is_null(kind))


def normal(text: str) -> str:
    """Return a text with full-width characters, circled units and odd minus signs made plain.

    >>> normal("－１２．５㎪"), normal(" 21.5℃ ")
    ('-12.5kPa', '21.5°C')
    """
    return unicodedata.normalize("NFKC", text).translate(_MINUS).strip()
