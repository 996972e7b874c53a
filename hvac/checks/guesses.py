"""Settings of a source that were guessed, each with why and what else it might be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hvac.readings.sources import SourceConfig


@dataclass(frozen=True)
class Guess:
    """A setting that was guessed: what it is, why, and what else it might be."""

    value: Any
    why: str
    others: str = ""


@dataclass(kw_only=True)
class Guesses:
    """Guesses by setting of the section `source`; mappings of columns under `columns.<ours>`."""

    readings: str
    events: str | None = None
    equipment: str | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    found: dict[str, Guess] = field(default_factory=dict)

    @property
    def source(self) -> SourceConfig:
        """Return the source that the guesses make."""
        return SourceConfig(**self.settings)

    @property
    def settings(self) -> dict[str, Any]:
        """Return the settings of the source."""
        paths = {
            "readings": self.readings,
            "events": self.events,
            "equipment": self.equipment,
        }
        settings: dict[str, Any] = {name: path for name, path in paths.items() if path}
        for key, guess in self.found.items():
            section, _, name = key.partition(".")
            if name:
                settings.setdefault(section, {})[name] = guess.value
            else:
                settings[section] = guess.value
        if settings.get("format") == "wide":
            settings.setdefault("wide", {})
        for name, value in self.given.items():
            both = isinstance(value, Mapping) and isinstance(
                settings.get(name), Mapping
            )
            settings[name] = {**settings[name], **value} if both else value
        return settings

    @property
    def columns_given(self) -> dict[str, str]:
        """Return the file's names of columns that the user knows, by ours."""
        return dict(self.given.get("columns", {}))
