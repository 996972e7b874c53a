"""Texts in English and Japanese, looked up by dotted keys; numbers as people read them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources

import yaml

from hvac.json_values import JsonObject, branch

LANGUAGES = ("en", "ja")


class Texts:
    """The texts of one language.

    Args:
        language: `en` or `ja`.
        leaves: nested groups whose leaves are {en, ja}.

    >>> greeting = {"hello": {"en": "Hello {name}", "ja": "{name} さん"}}
    >>> Texts("ja", greeting)("hello", name="Sato")
    'Sato さん'
    """

    def __init__(self, language: str, leaves: JsonObject) -> None:
        self.language = language
        self.leaves = leaves

    def __call__(self, key: str, **values: object) -> str:
        """Return the text at a dotted key, with its {braces} filled in.

        Raises:
            KeyError: if the key does not exist.
        """
        leaf = branch(self.leaves, *key.split("."))
        if not leaf:
            raise KeyError(key)
        text = str(leaf[self.language])
        if self.language == "ja":
            text = _without_blanks(text, values)
        return text.format(**values)

    def name(self, group: str, word: str) -> str:
        """Return the word for an identifier of the data (model, reason, …), else the identifier."""
        leaf = branch(self.leaves[group], word)
        return str(leaf[self.language]) if leaf else word


def _without_blanks(text: str, values: Mapping[str, object]) -> str:
    """Take the blank away between a word to be filled in and the next, where both are Japanese.

    >>> [_without_blanks("{point} が高い", {"point": name}) for name in ("給気温度", "flow")]
    ['{point}が高い', '{point} が高い']
    """
    for name, value in values.items():
        if isinstance(value, str) and value and not value[-1].isascii():
            text = re.sub(rf"(?<={{{name}}}) (?=[^\x00-\x7f])", "", text)
    return text


@cache
def read_texts(package: str, file: str) -> dict[str, JsonObject]:
    """Read a YAML file of texts that lies in a package, once."""
    text = resources.files(package).joinpath(file).read_text(encoding="utf-8")
    leaves: dict[str, JsonObject] = yaml.safe_load(text)
    return leaves


def short_number(value: float) -> str:
    """Write a value with three significant digits.

    >>> short_number(1234.5), short_number(0.01234), short_number(-3.0)
    ('1,234', '0.0123', '-3')
    """
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "–"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{min(digits, 8)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
