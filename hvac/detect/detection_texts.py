"""The words of the detector's figures and report: `texts.yaml` of this package, then those of the
main report.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import yaml

from hvac.report.texts import Words


class DetectWords(Words):
    """The texts of one language.

    >>> DetectWords("ja")("axis.step"), DetectWords("en")("separator")
    ('時点', ', ')
    """

    def __call__(self, key: str, **values: object) -> str:
        """The text at a dotted key, with its {braces} filled in; a KeyError names a key that does
        not exist.
        """
        leaf = own_text(key)
        return (
            str(leaf[self.language]).format(**values) if leaf else super().__call__(key, **values)
        )

    def name(self, group: str, word: str) -> str:
        """The word for an identifier of the data; the identifier itself where there is none."""
        leaf = own_text(group).get(word)
        return str(leaf[self.language]) if leaf else word


def own_text(key: str) -> dict[str, Any]:
    """The leaf or group of this package at a dotted key, {} where there is none."""
    found: Any = _texts()
    for part in key.split("."):
        found = found.get(part, {})
    return dict(found)


@cache
def _texts() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(
        resources.files("hvac.detect").joinpath("texts.yaml").read_text(encoding="utf-8")
    )
    return loaded
