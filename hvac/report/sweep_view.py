"""A sweep, the content of sweep.json, as one language shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from markupsafe import Markup
from matplotlib.figure import Figure

from hvac.evaluation.sweep_importance import Importance
from hvac.json_values import Json, JsonObject
from hvac.report.figures import as_data_uri
from hvac.report.texts import Words
from hvac.report.view import Image


class ScheduledSettings(TypedDict):
    """Settings that held after an epoch."""

    after_epoch: int
    settings: dict[str, Json]


class Trial(TypedDict):
    """One trial: its settings, its score (None if it failed), and what it measured every epoch.

    `schedule` holds the settings that a population changed, by epoch; `why` tells why it failed.
    """

    trial: str
    status: str
    epochs: int
    seconds: float | None
    value: float | None
    settings: JsonObject
    schedule: list[ScheduledSettings]
    rows: list[dict[str, float | None]]
    why: str | None


class Search(TypedDict):
    """The part of the `tune` section that the page shows."""

    algorithm: str
    metric: str
    space: dict[str, dict[str, list[Json]]]


class Sweep(TypedDict):
    """The content of sweep.json; `before` holds the settings before the sweep."""

    name: str
    created: str
    folder: str
    family: str
    horizons: list[int]
    search: Search
    before: dict[str, Json]
    best: str
    trials: list[Trial]


@dataclass(frozen=True, kw_only=True)
class SweepDrawing:
    """An SVG inside the page."""

    svg: Markup
    caption: str
    kind: str = "drawing"


@dataclass(frozen=True)
class SweepView:
    """A sweep (the content of sweep.json) as one language shows it."""

    sweep: Sweep
    words: Words
    importance: Importance | None

    @property
    def trials(self) -> list[Trial]:
        """Return all trials."""
        return list(self.sweep["trials"])

    @property
    def scored(self) -> list[Trial]:
        """Return the trials with a score."""
        return [trial for trial in self.trials if trial["value"] is not None]

    @property
    def best(self) -> Trial:
        """Return the best trial."""
        return next(
            trial for trial in self.trials if trial["trial"] == self.sweep["best"]
        )

    @property
    def space(self) -> dict[str, dict[str, list[Json]]]:
        """Return the distribution that was searched, by setting."""
        return self.sweep["search"]["space"]

    @property
    def model(self) -> str:
        """Return the family's name in words."""
        return self.words.name("model", self.sweep["family"])

    def picture(self, name: str, figure: Figure) -> Image:
        """Return a figure with its caption."""
        alt = self.words(f"figure.{name}.alt")
        caption = self.words(f"figure.{name}.caption")
        return Image(uri=as_data_uri(figure), alt=alt, caption=caption)
