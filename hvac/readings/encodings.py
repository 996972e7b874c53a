"""The encoding of a text table: known, guessed (with a note), or refused.

UTF-8 proves itself. Any other text is read as cp932 only where the result looks Japanese: nearly
any file decodes as cp932, be it cp1252 (`K舁temaschine`), GB18030 or EUC-JP.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hvac.arrays import Bools
from hvac.errors import InputError
from hvac.readings.sources import ENCODINGS
from hvac.storage import open_filesystem

BLOCK_BYTES = 4 << 20
OTHERS = ("cp1252", "mac_roman", "euc_jp", "gb18030", "big5")
_HALF_WIDTH = (0xFF61, 0xFFA0)
_PRIVATE = (0xE000, 0xF900)
# No other text is read in these without error.
_UNMISTAKABLE = ("utf", "iso2022", "iso-2022", "hz", "ascii", "us-ascii")
_UTF_16_AND_32 = ("utf-16", "utf16", "utf-32", "utf32")

Watch = Callable[[bytes, str], None]


class Encoding(NamedTuple):
    """The name of an encoding, and a note for the summary ('' where it is certain)."""

    name: str
    note: str = ""


def settle_encoding(path: str, given: str | None) -> Encoding:
    """Return the encoding of a file; `given` is what source.encoding says.

    Raises InputError, which names source.encoding, where it cannot be told.
    """
    if given is not None:
        return _check_given(path, given)
    marks = _Marks(path)
    failure = first_undecodable(path, "utf-8-sig", marks)
    if marks.escapes:
        raise InputError(
            f"{path}: expected {_expected()}, found ISO-2022-JP text: set source.encoding:"
            " iso-2022-jp"
        )
    if failure is None:
        return Encoding("utf-8-sig")
    letters = _Letters()
    other = first_undecodable(path, "cp932", letters)
    if other is not None:
        failures = f"utf-8: {failure}; cp932: {other}"
        raise InputError(
            f"{path}: none of the encodings fits ({failures}); name it in source.encoding"
        )
    _refuse_implausible(path, letters)
    return Encoding(
        "cp932", "read as cp932: a guess, which source.encoding: cp932 confirms"
    )


def _expected() -> str:
    return ", ".join(ENCODINGS)


def _check_given(path: str, given: str) -> Encoding:
    """Return the named encoding, or UTF-8 for a file that is UTF-8 beyond doubt.

    Events may come from another system than the readings beside them.
    """
    name = given.lower()
    as_utf8 = Encoding("utf-8-sig", f"read as utf-8, which it is, and not as {given}")
    if name.startswith(_UTF_16_AND_32) and _is_plain_utf8(path):
        return as_utf8
    failure = first_undecodable(path, given)
    if failure is not None:
        raise InputError(
            f"{path}: expected text in {given}, found {failure}; {_fitting(path)}"
        )
    if name.startswith(_UNMISTAKABLE):
        return Encoding(given)
    marks = _Marks("")
    if first_undecodable(path, "utf-8-sig", marks) is None and marks.beyond_ascii:
        return as_utf8
    return Encoding(given)


def _fitting(path: str) -> str:
    for encoding in ENCODINGS:
        if first_undecodable(path, encoding) is None:
            return f"it reads as {encoding}: set source.encoding: {encoding}"
    return "name another in source.encoding"


def _is_plain_utf8(path: str) -> bool:
    """Tell whether a file is UTF-8 without NUL bytes, which UTF-16 and UTF-32 are full of."""
    zeros: list[bool] = []
    failure = first_undecodable(
        path, "utf-8-sig", lambda block, _: zeros.append(b"\0" in block)
    )
    return failure is None and not any(zeros)


def first_undecodable(
    path: str, encoding: str, watch: Watch | None = None
) -> str | None:
    """Decode a whole file block by block, and say where that fails; None where it does not.

    `watch` is called with every block and its text.
    """
    system, inner = open_filesystem(path)
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    done = 0
    line = 1
    with system.open_input_stream(inner) as stream:
        while True:
            chunk = stream.read(BLOCK_BYTES)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeError as error:
                if watch:
                    watch(chunk, "")
                return _where(error, done + len(chunk), line)
            if watch:
                watch(chunk, text)
            if not chunk:
                return None
            done += len(chunk)
            line += chunk.count(b"\n")


def _where(error: UnicodeError, done: int, line: int) -> str:
    """Say where decoding fails, after `done` bytes of a file, the last of them in error."""
    if not isinstance(error, UnicodeDecodeError):  # UTF-16 without its mark
        return f"no text in it ({error})"
    start = done - len(error.object) + error.start
    row = line + error.object[: error.start].count(b"\n")
    return f"byte 0x{error.object[error.start]:02x} at position {start} (row {row})"


class _Marks:
    """What other encodings leave in bytes that are ASCII: NUL bytes and escape sequences."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.first = True
        self.escapes = self.beyond_ascii = False

    def __call__(self, block: bytes, text: str) -> None:
        if self.first and self.path:
            _refuse_wide(self.path, block[:65_536])
        self.first = False
        self.escapes = self.escapes or b"\x1b$" in block or b"\x1b(J" in block
        self.beyond_ascii = self.beyond_ascii or not block.isascii()


def _refuse_wide(path: str, start: bytes) -> None:
    """Refuse UTF-16 and UTF-32, in which every other byte of digits and commas is NUL."""
    zeros = np.frombuffer(start, dtype=np.uint8) == 0
    if not len(zeros) or zeros.mean() < 0.2:
        return
    if zeros.mean() > 0.6:
        name = "utf-32"
        big_endian = zeros[0]
    else:
        name = "utf-16"
        big_endian = zeros[::2].mean() > zeros[1::2].mean()
    kind = name.upper()
    without = ""
    if not start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        name += "-be" if big_endian else "-le"
        without = " without a mark"
    raise InputError(
        f"{path}: expected {_expected()}, found {kind} text{without}: set source.encoding: {name}"
    )


class _Letters:
    """Counts of the characters of a cp932 text by how likely they are in a Japanese table."""

    def __init__(self) -> None:
        self.common = self.rare = self.private = self.half = self.lone = 0
        self.example = ""

    def __call__(self, block: bytes, text: str) -> None:
        if text.isascii():
            return
        code = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
        half = _within(code, _HALF_WIDTH)
        private = _within(code, _PRIVATE)
        common = _common()[np.minimum(code, 0xFFFF)] & ~(half | private)
        rare = (code > 0x7F) & ~(half | private | common)
        lone = _lone(code, half)
        self.common += int(common.sum())
        self.rare += int(rare.sum())
        self.private += int(private.sum())
        self.half += int(half.sum())
        self.lone += int(lone.sum())
        odd = np.flatnonzero(private | rare | lone)
        if not len(odd):
            odd = np.flatnonzero(half)
        if not self.example and len(odd):
            self.example = _cell(text, int(odd[0]))

    @property
    def implausible(self) -> bool:
        """Tell whether this is hardly Japanese."""
        return bool(self.private or self.lone or 2 * self.rare > self.common)


def _within(code: NDArray[np.uint32], bounds: tuple[int, int]) -> Bools:
    return (code >= bounds[0]) & (code < bounds[1])


def _lone(code: NDArray[np.uint32], half: Bools) -> Bools:
    """Tell which signs stand alone in or at a Latin word: `21ｰC` and `K獲te` are no Japanese.

    These are half-width katakana beside a letter, and any sign between a letter and a small letter.
    """
    small = np.pad((code >= ord("a")) & (code <= ord("z")), 1)
    capital = (code >= ord("A")) & (code <= ord("Z"))
    latin = small | np.pad(capital, 1)
    beside = np.pad(half, 1)
    alone = half & ~(beside[:-2] | beside[2:])
    katakana = alone & (latin[:-2] | latin[2:])
    return katakana | ((code > 0x7F) & latin[:-2] & small[2:])


@lru_cache(maxsize=1)
def _common() -> Bools:
    """Tell which characters are signs, kana or first-level kanji: rows 0x81 to 0x97 of cp932."""
    common = np.zeros(0x10000, dtype=bool)
    for lead in range(0x81, 0x98):
        for trail in (*range(0x40, 0x7F), *range(0x80, 0xFD)):
            for character in bytes((lead, trail)).decode("cp932", "ignore"):
                if not character.isascii():
                    common[ord(character)] = True
    return common


def _cell(text: str, place: int) -> str:
    """Return the cell around a character."""
    start = max((text.rfind(sign, 0, place) for sign in ',;\t\n"'), default=-1) + 1
    return re.split(r'[,;\t\r\n"]', text[start : start + 60], maxsplit=1)[0]


def _refuse_implausible(path: str, letters: _Letters) -> None:
    ambiguous = (
        letters.half
        and not letters.common
        and first_undecodable(path, "euc_jp") is None
    )
    if not (letters.implausible or ambiguous):
        return
    example = letters.example.encode("cp932", "replace")
    readings = [f"{letters.example!r} as cp932"]
    for other in OTHERS:
        with suppress(UnicodeDecodeError):
            readings.append(f"{example.decode(other)!r} as {other}")
    raise InputError(
        f"{path}: the encoding cannot be told: it is not UTF-8, and reads {', '.join(readings)}:"
        " set source.encoding to the one that is right"
    )
