"""Say in Japanese what a sentence says in English: refusals, notes and remedies, on pages.

The code words its sentences in English, where they arise. `sentences.yaml` holds both languages
side by side: the English with {braces} for what differs finds the sentence and takes it apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Final, NamedTuple

from hvac.json_values import branch
from hvac.words import read_texts

FILE: Final = "sentences.yaml"
BRACES: Final = re.compile(r"{(\w+)}")
NUMBER: Final = re.compile(r"n\d*")
WITHIN: Final = "text"  # a sentence within a sentence

Words = Callable[[str], str]


class Template(NamedTuple):
    """A sentence in both languages: a pattern of the English one, the Japanese one to fill."""

    pattern: re.Pattern[str]
    japanese: str


def translated(
    text: str, language: str, words_of: Mapping[str, Words] | None = None
) -> str:
    """Return a sentence in a language; one that is not known stays English.

    Args:
        text: a sentence as the code words it.
        language: `en` or `ja`.
        words_of: what words are called, by the name of their braces.

    >>> translated("a.csv: 3 events have no end yet and are taken as still open", "ja")
    'a.csv：終了日のない 3 件のイベントは、継続中として扱いました'
    >>> translated("It rains.", "ja")
    'It rains.'
    """
    return text if language == "en" else _filled(text, _sentences(), words_of or {})


def _filled(
    text: str, templates: Sequence[Template], words_of: Mapping[str, Words]
) -> str:
    for template in templates:
        match = template.pattern.fullmatch(text)
        if match is None:
            continue
        parts = match.groupdict()
        shown = {name: _part(name, part, words_of) for name, part in parts.items()}
        if WITHIN not in parts or shown[WITHIN] != parts[WITHIN]:
            return template.japanese.format(**shown)
    return text


def _part(name: str, text: str, words_of: Mapping[str, Words]) -> str:
    """Return what stood in braces: a sentence, a phrase or a word in Japanese, or as it is."""
    kind = name.rstrip("0123456789")
    if kind in words_of:
        return words_of[kind](text)
    return _filled(text, _sentences() if kind == WITHIN else _phrases(kind), words_of)


@cache
def _sentences() -> tuple[Template, ...]:
    return _templates(read_texts("hvac", FILE)["sentences"])


@cache
def _phrases(kind: str) -> tuple[Template, ...]:
    return _templates(branch(read_texts("hvac", FILE), "phrases").get(kind) or [])


def _templates(pairs: object) -> tuple[Template, ...]:
    assert isinstance(pairs, list), "the file is ours"
    return tuple(Template(_pattern(pair["en"]), pair["ja"]) for pair in pairs)


def _pattern(english: str) -> re.Pattern[str]:
    """Return the pattern of a sentence; braces stand for words, those named n for a number."""
    pattern = ""
    for place, part in enumerate(BRACES.split(english)):
        any_words = r"[-\d.,%]+" if NUMBER.fullmatch(part) else ".+?"
        pattern += f"(?P<{part}>{any_words})" if place % 2 else re.escape(part)
    return re.compile(pattern, re.DOTALL)
