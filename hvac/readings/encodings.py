"""In which encoding a text table is written: known, guessed (and then said to be), or refused.

UTF-8 proves itself. Any other text is read as cp932 only where the result looks Japanese: nearly
any file decodes as cp932, be it cp1252 (`K舁temaschine`), GB18030 or EUC-JP."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hvac.errors import InputError
from hvac.readings.sources import ENCODINGS
from hvac.storage import open_filesystem

BLOCK_BYTES = 4 << 20
OTHERS = ("cp1252", "mac_roman", "euc_jp", "gb18030", "big5")
_HALF_WIDTH = (0xFF61, 0xFFA0)
_PRIVATE = (0xE000, 0xF900)
_OF_ITS_OWN = (
    "utf",
    "iso2022",
    "iso-2022",
    "hz",
    "ascii",
    "us-ascii",
)  # no other text is read in these without error

Watch = Callable[[bytes, str], None]


class Encoding(NamedTuple):
    """The name of an encoding, and what is to be said about it ('' where it is certain)."""

    name: str
    note: str = ""


def settle_encoding(path: str, given: str | None) -> Encoding:
    """Return the encoding of a file. Raises InputError, which names source.encoding, where it
    cannot be told.
    """
    if given is not None:
        return _given(path, given)
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
    return Encoding("cp932", "read as cp932: a guess, which source.encoding: cp932 confirms")


def _expected() -> str:
    return ", ".join(ENCODINGS)


def _given(path: str, given: str) -> Encoding:
    """The named encoding, but for a file that is UTF-8 beyond doubt (events beside readings of
    another system).
    """
    if given.lower().startswith(("utf-16", "utf16", "utf-32", "utf32")) and _is_plain_utf8(path):
        return Encoding("utf-8-sig", f"read as utf-8, which it is, and not as {given}")
    failure = first_undecodable(path, given)
    if failure is None:
        if given.lower().startswith(_OF_ITS_OWN):
            return Encoding(given)
        marks = _Marks("")
        if first_undecodable(path, "utf-8-sig", marks) is None and marks.beyond_ascii:
            return Encoding("utf-8-sig", f"read as utf-8, which it is, and not as {given}")
        return Encoding(given)
    fits = next((other for other in ENCODINGS if first_undecodable(path, other) is None), None)
    hint = (
        f"it reads as {fits}: set source.encoding: {fits}"
        if fits
        else "name another in source.encoding"
    )
    raise InputError(f"{path}: expected text in {given}, found {failure}; {hint}")


def _is_plain_utf8(path: str) -> bool:
    """Whether a file is UTF-8 without NUL bytes, which UTF-16 and UTF-32 are full of."""
    zeros: list[bool] = []
    failure = first_undecodable(path, "utf-8-sig", lambda block, _: zeros.append(b"\0" in block))
    return failure is None and not any(zeros)


def first_undecodable(path: str, encoding: str, watch: Watch | None = None) -> str | None:
    """Decode a whole file block by block, and return where that fails; `watch` sees every block and
    its text.
    """
    system, inner = open_filesystem(path)
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    done, line = 0, 1
    with system.open_input_stream(inner) as stream:
        while True:
            chunk = stream.read(BLOCK_BYTES)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeError as error:
                if watch:
                    watch(chunk, "")
                if not isinstance(error, UnicodeDecodeError):  # UTF-16 without its mark
                    return f"no text in it ({error})"
                start = done - (len(error.object) - len(chunk)) + error.start
                row = line + error.object[: error.start].count(b"\n")
                return f"byte 0x{error.object[error.start]:02x} at position {start} (row {row})"
            if watch:
                watch(chunk, text)
            if not chunk:
                return None
            done, line = done + len(chunk), line + chunk.count(b"\n")


class _Marks:
    """Looks for what other encodings leave in bytes that are ASCII: NUL bytes and escape sequences."""

    def __init__(self, path: str) -> None:
        self.path, self.first = path, True
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
    if zeros.mean() < 0.2 if len(zeros) else True:
        return
    if zeros.mean() > 0.6:
        name, kind = ("utf-32-be" if zeros[0] else "utf-32-le"), "UTF-32"
    else:
        name, kind = (
            ("utf-16-be" if zeros[::2].mean() > zeros[1::2].mean() else "utf-16-le"),
            "UTF-16",
        )
    marked = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    name = name[:6] if marked else name
    without = "" if marked else " without a mark"
    raise InputError(
        f"{path}: expected {_expected()}, found {kind} text{without}: set source.encoding: {name}"
    )


class _Letters:
    """Counts the characters of a cp932 text by how likely they are in a Japanese table."""

    def __init__(self) -> None:
        self.common = self.rare = self.private = self.half = self.lone = 0
        self.example = ""

    def __call__(self, block: bytes, text: str) -> None:
        if text.isascii():
            return
        code = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
        half, private = _within(code, _HALF_WIDTH), _within(code, _PRIVATE)
        common = _common()[np.minimum(code, 0xFFFF)] & ~(half | private)
        rare = (code > 0x7F) & ~(half | private | common)
        lone = _lone(code, half)
        for name, flags in (
            ("common", common),
            ("rare", rare),
            ("private", private),
            ("half", half),
            ("lone", lone),
        ):
            setattr(self, name, getattr(self, name) + int(flags.sum()))
        odd = np.flatnonzero(private | rare | lone)
        odd = odd if len(odd) else np.flatnonzero(half)
        if not self.example and len(odd):
            self.example = _cell(text, int(odd[0]))

    @property
    def implausible(self) -> bool:
        """Whether this is hardly Japanese."""
        return bool(self.private or self.lone or 2 * self.rare > self.common)


def _within(code: NDArray[np.uint32], bounds: tuple[int, int]) -> NDArray[np.bool_]:
    return (code >= bounds[0]) & (code < bounds[1])


def _lone(code: NDArray[np.uint32], half: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Signs that stand alone in or at a Latin word: `21ｰC` and `K獲te` are no Japanese.

    These are half-width katakana beside a letter, and any sign between a letter and a small letter.
    """
    small = np.pad((code >= ord("a")) & (code <= ord("z")), 1)
    latin = small | np.pad((code >= ord("A")) & (code <= ord("Z")), 1)
    beside = np.pad(half, 1)
    katakana = half & ~(beside[:-2] | beside[2:]) & (latin[:-2] | latin[2:])
    return katakana | ((code > 0x7F) & latin[:-2] & small[2:])


@lru_cache(maxsize=1)
def _common() -> NDArray[np.bool_]:
    """Signs, kana and the kanji of the first level: rows 0x81 to 0x97 of cp932."""
    pairs = (
        bytes((lead, trail))
        for lead in range(0x81, 0x98)
        for trail in (*range(0x40, 0x7F), *range(0x80, 0xFD))
    )
    known = np.zeros(0x10000, dtype=bool)
    for pair in pairs:
        sign = pair.decode("cp932", "ignore")
        known[[ord(one) for one in sign if not one.isascii()]] = True
    return known


def _cell(text: str, place: int) -> str:
    """The cell around a character."""
    start = max((text.rfind(sign, 0, place) for sign in ',;\t\n"'), default=-1) + 1
    return re.split(r'[,;\t\r\n"]', text[start : start + 60], maxsplit=1)[0]


def _refuse_implausible(path: str, letters: _Letters) -> None:
    ambiguous = letters.half and not letters.common and first_undecodable(path, "euc_jp") is None
    if not (letters.implausible or ambiguous):
        return
    written = letters.example.encode("cp932", "replace")
    told = [f"{letters.example!r} as cp932"]
    for other in OTHERS:
        try:
            told.append(f"{written.decode(other)!r} as {other}")
        except UnicodeDecodeError:
            continue
    raise InputError(
        f"{path}: the encoding cannot be told: it is not UTF-8, and reads {', '.join(told)}: set"
        " source.encoding to the one that is right"
    )
