"""The words of the pages, in English and Japanese: `texts.yaml`."""

from __future__ import annotations

from hvac.explain.reason import reason_of
from hvac.explain.wording import reason_headline
from hvac.panel.names import NO_NAMES, Names
from hvac.scoring.latest_rows import RankedUnit
from hvac.words import LANGUAGES, Texts, read_texts


class PageWords(Texts):
    """The texts of one language.

    >>> PageWords("ja")("risk.within", days=30, percent=37)
    '30 日以内に異常が始まる確率 37 %'
    >>> PageWords("en").name("status", "something_else")
    'something_else'
    """

    def __init__(self, language: str, names: Names = NO_NAMES) -> None:
        super().__init__(language, read_texts("serve.http", "texts.yaml"))
        self.names = names

    def named(self, of: str, given: str, facility_id: str = "") -> str:
        """Return the display name of a facility, equipment, point or class, else its id."""
        return self.names.shown(of, given, self.language, facility_id)

    def unit_of(self, point: str) -> str:
        """Return a point's unit of measure in brackets; "" where it is not known."""
        unit = self.names.unit(point).strip()
        return f" [{unit}]" if unit else ""

    def first_reason(self, entry: RankedUnit) -> str:
        """Write the strongest reason for an entry's alarm; nothing where there is none."""
        reasons = [reason_of(reason) for reason in entry["reasons"] or ()]
        if not reasons or reasons[0].log_odds <= 0:
            return ""
        return reason_headline(reasons[0], self.language, self.names)

    @property
    def other(self) -> str:
        """Return the other language."""
        return LANGUAGES[1 - LANGUAGES.index(self.language)]
