"""The settings that turn the record of a class of equipment into windows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

from hvac.features.context import ContextSpec, StoredContext
from hvac.json_values import JsonObject
from hvac.panel.labels import LabelConfig
from hvac.panel.windows import WindowConfig


class StoredRecipe(TypedDict):
    """A `Recipe` as JSON holds it."""

    class_name: str
    points: list[str]
    windows: JsonObject
    labels: JsonObject
    context: StoredContext
    limits: dict[str, list[float]]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The settings that turn a panel of one class into windows; a bundle keeps them."""

    class_name: str
    points: tuple[str, ...]
    windows: WindowConfig
    labels: LabelConfig
    context: ContextSpec
    limits: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """Return C, the number of points in a window."""
        return 1 if self.windows.by == "point" else len(self.points)

    @property
    def window_points(self) -> tuple[str, ...]:
        """Return the points that every window has, in their order; none where each has its own."""
        return () if self.windows.by == "point" else self.points

    def to_json(self) -> StoredRecipe:
        """Return the recipe as plain values."""
        return {
            "class_name": self.class_name,
            "points": list(self.points),
            "windows": self.windows.model_dump(mode="json", by_alias=True),
            "labels": self.labels.model_dump(mode="json"),
            "context": self.context.to_json(),
            "limits": {name: list(pair) for name, pair in self.limits.items()},
        }

    @classmethod
    def from_json(cls, stored: StoredRecipe) -> Recipe:
        """Return the recipe that `to_json` wrote."""
        return cls(
            class_name=stored["class_name"],
            points=tuple(stored["points"]),
            windows=WindowConfig(**stored["windows"]),
            labels=LabelConfig(**stored["labels"]),
            context=ContextSpec.from_json(stored["context"]),
            limits={
                name: (pair[0], pair[1]) for name, pair in stored["limits"].items()
            },
        )
