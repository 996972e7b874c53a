"""The words of the detector's figures and report.

They are in `texts.yaml` of this package; what is not there comes from the main report's.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import yaml

from hvac.json_values import JsonObject, branch
from hvac.report.texts import Words


class DetectWords(Words):
    """Hold the texts of one language.

    >>> DetectWords("ja")("axis.step"), DetectWords("en")("separator")
    ('時点', ', ')
    """

    def __call__(self, key: str, **values: object) -> str:
        """Return the text at a dotted key, with its {braces} filled in.

        Raises:
            KeyError: if the key does not exist.
        """
        leaf = detector_text(key)
        if not leaf:
            return super().__call__(key, **values)
        return str(leaf[self.language]).format(**values)

    def name(self, group: str, word: str) -> str:
        """Return the word for an identifier of the data, else the identifier itself."""
        leaf = branch(detector_text(group), word)
        return str(leaf[self.language]) if leaf else word


def detector_text(key: str) -> JsonObject:
    """Return the leaf or group of this package at a dotted key, {} where there is none."""
    return branch(_texts(), *key.split("."))


@cache
def _texts() -> JsonObject:
    loaded: JsonObject = yaml.safe_load(
        resources.files("hvac.detect").joinpath("texts.yaml").read_text(encoding="utf-8")
    )
    return loaded
