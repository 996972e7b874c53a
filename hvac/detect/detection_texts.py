"""The words of the detector's figures and report: `texts.yaml` of this package over the main
report's.
"""

from __future__ import annotations

from functools import cache

from hvac.json_values import JsonObject, branch
from hvac.report.texts import Words, texts
from hvac.words import read_texts


class DetectWords(Words):
    """Hold the texts of one language.

    >>> DetectWords("ja")("axis.step"), DetectWords("en")("separator")
    ('時点', ', ')
    """

    def __init__(self, language: str) -> None:
        super().__init__(language)
        self.leaves = _all_texts()


@cache
def _all_texts() -> dict[str, JsonObject]:
    leaves = dict(texts())
    for name, group in read_texts("hvac.detect", "texts.yaml").items():
        leaves[name] = group if "en" in group else {**branch(leaves, name), **group}
    return leaves
