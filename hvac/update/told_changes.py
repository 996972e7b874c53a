"""What was tried on the serving model and changed, in words, for pages and the report."""

from __future__ import annotations

from typing import Final, NamedTuple

from hvac.sentences import translated
from hvac.update.champions import Champions, Change
from hvac.words import LANGUAGES, Texts, read_texts

SHOWN: Final = 10


class ToldChange(NamedTuple):
    """A change in words, by language; `day` is that of the run, in UTC."""

    day: str
    words: dict[str, str]


class ToldChanges(NamedTuple):
    """Whether all machines get the risks of the model as trained, and the newest changes."""

    as_trained: bool
    changes: list[ToldChange]


def told_changes(champions: Champions, most: int = SHOWN) -> ToldChanges:
    """Tell the newest changes first; runs that left all as it is only where one is the newest.

    >>> trained = {"ahu": "ahu-1"}
    >>> champions = Champions(trained=trained, champion=trained)
    >>> changes = champions.noted("kept", "by hand").noted("kept", "no candidate is surely better")
    >>> told_changes(changes).changes[0].words["en"]
    'Nothing was changed: no candidate is surely better'
    >>> len(told_changes(changes).changes)
    1
    """
    newest = list(reversed(champions.history))
    shown = [one for n, one in enumerate(newest) if n == 0 or one.action != "kept"]
    is_changed = champions.champion != champions.trained or champions.speaks_in
    return ToldChanges(not is_changed, [_told(change) for change in shown[:most]])


def _told(change: Change) -> ToldChange:
    words = {}
    for language in LANGUAGES:
        texts = Texts(language, read_texts("hvac.update", "told_changes.yaml"))
        why = translated(change.why, language)
        action = texts(f"action.{change.action}")
        words[language] = texts("and_why", action=action, why=why)
    return ToldChange(change.at[:10], words)
