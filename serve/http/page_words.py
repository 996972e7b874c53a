"""The words of the pages, in English and Japanese: `texts.yaml`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

from hvac.json_values import JsonObject, branch

LANGUAGES = ("en", "ja")


class PageWords:
    """The texts of one language.

    >>> PageWords("ja")("risk.within", days=30, percent=37)
    '30 日以内に異常が始まる確率 37 %'
    >>> PageWords("en").name("status", "something_else")
    'something_else'
    """

    def __init__(self, language: str) -> None:
        self.language = language

    @property
    def other(self) -> str:
        """Return the other language."""
        return LANGUAGES[1 - LANGUAGES.index(self.language)]

    def __call__(self, key: str, **values: object) -> str:
        """Return the text at a dotted key, with its {braces} filled in."""
        leaf = branch(_texts(), *key.split("."))
        return str(leaf[self.language]).format(**values)

    def name(self, group: str, word: str) -> str:
        """Return the word for an identifier; the identifier itself where there is none."""
        leaf = branch(_texts(), group, word)
        return str(leaf[self.language]) if leaf else word


@cache
def _texts() -> JsonObject:
    loaded: JsonObject = yaml.safe_load(
        Path(__file__).with_name("texts.yaml").read_text(encoding="utf-8")
    )
    return loaded
