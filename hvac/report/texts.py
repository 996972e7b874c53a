"""The words of figures and report, in English and Japanese: `texts.yaml` and what reads it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import yaml

from hvac.errors import HvacError

LANGUAGES = ("en", "ja")
COMMON = "texts.yaml"


class Words:
    """Hold the texts of one language.

    A `file` beside texts.yaml adds groups of its own, or puts others in their place. An unknown
    language raises HvacError.

    >>> Words("ja")("horizon", days=30)
    '30 日以内'
    >>> Words("en").name("model", "my_own_model")
    'my_own_model'
    """

    def __init__(self, language: str, file: str = COMMON) -> None:
        if language not in LANGUAGES:
            raise HvacError(f"language: expected one of {', '.join(LANGUAGES)}, found {language!r}")
        self.language, self.file = language, file

    def __call__(self, key: str, **values: object) -> str:
        """Return the text at a dotted key, with its {braces} filled in.

        Raises:
            KeyError: if the key does not exist.
        """
        leaf: Any = texts(self.file)
        for part in key.split("."):
            leaf = leaf[part]
        return str(leaf[self.language]).format(**values)

    def name(self, group: str, word: str) -> str:
        """Return the word for an identifier of the data (model, reason, …), else the identifier."""
        leaf = texts(self.file)[group].get(word)
        return str(leaf[self.language]) if leaf else word

    def join(self, parts: Sequence[str]) -> str:
        """Join the parts with the language's separator."""
        return self("separator").join(parts)


@cache
def texts(file: str = COMMON) -> dict[str, Any]:
    """Return all texts, read once: nested groups whose leaves are {en, ja}.

    Those of another file come over the common ones.
    """
    loaded: dict[str, Any] = yaml.safe_load(
        resources.files("hvac.report").joinpath(file).read_text(encoding="utf-8")
    )
    return loaded if file == COMMON else texts() | loaded


def languages_from(first: str) -> list[str]:
    """Return all languages, `first` in front.

    Raises:
        HvacError: if the first language is unknown.
    """
    Words(first)
    return sorted(LANGUAGES, key=lambda language: language != first)


def in_order(horizons: Sequence[str]) -> list[str]:
    """Sort the horizons, each once, rising; words that are no number come last."""
    return sorted(
        set(horizons),
        key=lambda word: (not word.isdigit(), int(word) if word.isdigit() else 0, word),
    )
