"""The words of figures and report, in English and Japanese: `texts.yaml` and what reads it."""

from __future__ import annotations

from collections.abc import Sequence

from hvac.errors import HvacError
from hvac.json_values import JsonObject
from hvac.words import LANGUAGES, Texts, read_texts

COMMON = "texts.yaml"


class Words(Texts):
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
            raise HvacError(
                f"language: expected one of {', '.join(LANGUAGES)}, found {language!r}"
            )
        super().__init__(language, texts(file))
        self.file = file

    def join(self, parts: Sequence[str]) -> str:
        """Join the parts with the language's separator."""
        return self("separator").join(parts)


def texts(file: str = COMMON) -> dict[str, JsonObject]:
    """Return all texts, read once: nested groups whose leaves are {en, ja}.

    Those of another file come over the common ones.
    """
    common = read_texts("hvac.report", COMMON)
    return common if file == COMMON else common | read_texts("hvac.report", file)


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
