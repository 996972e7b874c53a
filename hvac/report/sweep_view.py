"""A sweep, the content of sweep.json, as one language shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from hvac.evaluation.sweep_importance import Importance
from hvac.report.figures import as_data_uri
from hvac.report.texts import Words
from hvac.report.view import Image

Trial = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class SweepDrawing:
    """An SVG inside the page."""

    svg: Markup
    caption: str
    kind: str = "drawing"


@dataclass(frozen=True)
class SweepView:
    """A sweep (the content of sweep.json) as one language shows it."""

    sweep: Mapping[str, Any]
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
        return next(trial for trial in self.trials if trial["trial"] == self.sweep["best"])

    @property
    def space(self) -> Mapping[str, Mapping[str, list[Any]]]:
        """Return the distribution that was searched, by setting."""
        space: Mapping[str, Mapping[str, list[Any]]] = self.sweep["search"]["space"]
        return space

    @property
    def model(self) -> str:
        """Return the family's name in words."""
        return self.words.name("model", self.sweep["family"])

    def picture(self, name: str, figure: Figure) -> Image:
        """Return a figure with its caption."""
        alt = self.words(f"figure.{name}.alt")
        caption = self.words(f"figure.{name}.caption")
        return Image(uri=as_data_uri(figure), alt=alt, caption=caption)
