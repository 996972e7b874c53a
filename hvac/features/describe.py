"""From a panel to what the models see: the one function behind featurize, score and serving.

Legend: B windows, C points, L lookback days. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

import numpy as np
import pyarrow as pa

from hvac.arrays import DayNumbers, Float32s, Floats
from hvac.features.context import ContextSpec, StoredContext, context
from hvac.features.peers import PeerLevel, deviations
from hvac.features.recent import recent
from hvac.features.residuals import residuals
from hvac.features.statistics import statistics
from hvac.features.table import KEY_SCHEMA, Windows
from hvac.json_values import JsonObject
from hvac.panel.daily_readings import ALWAYS_KNOWN
from hvac.panel.events import Events, limit_events, no_events
from hvac.panel.follow_up import FollowUp
from hvac.panel.grid import Panel
from hvac.panel.labels import LabelConfig
from hvac.panel.limits import panel_limits
from hvac.panel.windows import Cut, Scale, WindowConfig, cut, fit_scale

RECENT_DAYS = 30
EVENT_DAYS = 90
IN_EPISODE = "in_episode"


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
            limits={name: (pair[0], pair[1]) for name, pair in stored["limits"].items()},
        )


@dataclass(frozen=True, kw_only=True)
class UnitRecord:
    """What is known of a unit beside its readings."""

    events: Events = field(default_factory=no_events)
    install_day: int | None = None
    class_name: str = ""
    follow_up: FollowUp | None = None  # only labels of events need it
    peers: PeerLevel | None = None


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A panel with its limits and its events, limit episodes among them."""

    panel: Panel
    record: UnitRecord
    events: Events
    targets: Events
    lower_TC: Floats
    upper_TC: Floats


def scenes(panel: Panel, recipe: Recipe, record: UnitRecord) -> list[Scene]:
    """Return the units of a panel with their events: itself, or one per point (`by: point`)."""
    panels = panel.by_point() if recipe.windows.by == "point" else [panel]
    return [_scene(unit_panel, recipe, record) for unit_panel in panels]


def _scene(panel: Panel, recipe: Recipe, record: UnitRecord) -> Scene:
    lower_TC, upper_TC = panel_limits(
        panel, fitted=recipe.limits, normalise=recipe.windows.normalise
    )
    events = record.events.of_point(panel.point_id)
    if recipe.labels.source == "limits":
        outside = limit_events(panel, lower_TC, upper_TC)
        pairs = zip(events, outside, strict=True)
        joined = Events(*(np.concatenate(pair) for pair in pairs))
        events = joined.where(np.argsort(joined.start_N, kind="stable"))
    targets = events.of_kinds(recipe.labels.kinds)
    return Scene(
        panel=panel,
        record=record,
        events=events,
        targets=targets,
        lower_TC=lower_TC,
        upper_TC=upper_TC,
    )


def describe(
    scene: Scene, end_day_B: DayNumbers, recipe: Recipe, scale: Scale | None = None
) -> Windows:
    """Describe the windows of a unit that end on given days.

    They hold values, statistics, context and summaries of the last days; no embedding, no label.
    There is one window per day; `status` says why one has no score (`learning`,
    `insufficient_data`). `scale` is given by a caller that has fitted it already.
    """
    scale = scale or fit_scale(scene.panel, recipe.windows.normalise)
    windows = cut(scene.panel, end_day_B, recipe.windows, scale)
    k_BK = context(
        scene.panel,
        windows,
        scene.events,
        spec=recipe.context,
        install_day=scene.record.install_day,
        class_name=scene.record.class_name,
    )
    blocks = _recent_blocks(scene, end_day_B, scale)
    return Windows(
        keys=_keys(scene, windows, recipe),
        points=scene.panel.points if recipe.windows.by == "equipment" else None,
        observed_B=windows.share_B.astype(np.float32),
        persistence_B=_persistence(scene, end_day_B).astype(np.float32),
        x_BCL=windows.x_BCL.astype(np.float32),
        f_BCF=statistics(windows.x_BCL).astype(np.float32),
        k_BK=k_BK.astype(np.float32),
        n_BCS=blocks["n_BCS"],
        r_BCS=blocks["r_BCS"],
        d_BCS=blocks["d_BCS"],
        e_BCS=blocks["e_BCS"],
    )


def bare_windows(scene: Scene, end_day_B: DayNumbers, recipe: Recipe) -> Windows:
    """Return the windows of a unit that end on given days, with their status and no content."""
    windows = cut(scene.panel, end_day_B, recipe.windows)
    observed_B = windows.share_B.astype(np.float32)
    return Windows(keys=_keys(scene, windows, recipe), observed_B=observed_B)


def _recent_blocks(scene: Scene, end_day_B: DayNumbers, scale: Scale) -> dict[str, Float32s]:
    """Summarise the last days of each point.

    The values are normalised, as read, minus the peers', and minus what other points predict.
    """
    panel = scene.panel
    with np.errstate(invalid="ignore"):
        normal_TC = (panel.value_TC - scale.centre_TC) / scale.spread_TC
    at_once_C = np.full(len(panel.points), ALWAYS_KNOWN, dtype=np.int32)
    peers = deviations(panel, scale, scene.record.peers)
    series = {
        "n_BCS": (normal_TC, panel.known_TC, scale.ready_C),
        "r_BCS": (panel.value_TC, panel.known_TC, at_once_C),
        "d_BCS": (peers.value_TC, panel.known_TC, peers.ready_C),
        "e_BCS": residuals(panel, scale),
    }
    blocks = {}
    for name, (value_TC, known_TC, ready_C) in series.items():
        block_BCS = recent(
            value_TC, known_TC, end_day_B, first_day=panel.first_day, from_day_C=ready_C
        )
        blocks[name] = block_BCS.astype(np.float32)
    return blocks


def _keys(scene: Scene, windows: Cut, recipe: Recipe) -> pa.Table:
    count = len(windows.end_day_B)
    names = [*scene.panel.unit, scene.panel.point_id, recipe.class_name]
    columns = [pa.array([name] * count, pa.string()) for name in names]
    end_date = pa.array(windows.end_day_B, pa.int32()).cast(pa.date32())
    split = pa.nulls(count, pa.string())
    status = windows.status_B.tolist()
    columns += [end_date, split, pa.array(status, pa.string())]
    return pa.table(columns, schema=KEY_SCHEMA)


def _persistence(scene: Scene, end_B: DayNumbers) -> Floats:
    """Return the share of the last 30 observed days out of limits [B].

    Without limits it is the number of target events in the last 90 days.
    """
    panel = scene.panel
    known_N = np.sort(scene.targets.known_N)
    upto_B = np.searchsorted(known_N, end_B, side="right")
    before_B = np.searchsorted(known_N, end_B - EVENT_DAYS, side="right")
    with np.errstate(invalid="ignore"):
        outside_TC = (panel.value_TC < scene.lower_TC) | (panel.value_TC > scene.upper_TC)
    row_BL = end_B[:, None] - panel.first_day - np.arange(RECENT_DAYS)
    inside_BL = (row_BL >= 0) & (row_BL < len(outside_TC))
    row_BL = np.clip(row_BL, 0, len(outside_TC) - 1)
    known_BLC = panel.known_TC[row_BL] <= end_B[:, None, None]
    seen_BLC = panel.observed_TC[row_BL] & inside_BL[:, :, None] & known_BLC
    outside_B = (outside_TC[row_BL] & seen_BLC).sum(axis=(1, 2))
    share_B = outside_B / np.maximum(seen_BLC.sum(axis=(1, 2)), 1)
    last_B = row_BL[:, 0]
    limited_BC = np.isfinite(scene.lower_TC[last_B]) | np.isfinite(scene.upper_TC[last_B])
    events_B = (upto_B - before_B).astype(np.float64)
    return np.where(limited_BC.any(axis=1), share_B, events_B)
