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
    """The texts of one language; a `file` beside texts.yaml adds groups of its own, or puts others
    in their place.

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
        """The text at a dotted key, with its {braces} filled in; a KeyError names a key that does
        not exist.
        """
        leaf: Any = texts(self.file)
        for part in key.split("."):
            leaf = leaf[part]
        return str(leaf[self.language]).format(**values)

    def name(self, group: str, word: str) -> str:
        """The word for an identifier of the data (model, reason, …); the identifier itself where
        there is none.
        """
        leaf = texts(self.file)[group].get(word)
        return str(leaf[self.language]) if leaf else word

    def join(self, parts: Sequence[str]) -> str:
        """A list in words."""
        return self("separator").join(parts)


@cache
def texts(file: str = COMMON) -> dict[str, Any]:
    """All texts, read once: nested groups whose leaves are {en, ja}; those of another file over the
    common ones.
    """
    loaded: dict[str, Any] = yaml.safe_load(
        resources.files("hvac.report").joinpath(file).read_text(encoding="utf-8")
    )
    return loaded if file == COMMON else texts() | loaded


def in_order(horizons: Sequence[str]) -> list[str]:
    """Horizons rising; words that are no number last."""
    return sorted(
        set(horizons),
        key=lambda word: (not word.isdigit(), int(word) if word.isdigit() else 0, word),
    )
