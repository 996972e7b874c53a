"""From a panel to what the models see: the one function behind featurize, score and serving.

Legend: U units, D end days of each, B = U·D windows, C points, T days of the grids, L lookback
days, N events, S summaries. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypedDict

import numpy as np
import pyarrow as pa

from hvac.arrays import Bools, DayNumbers, Float32s, Floats, Ints
from hvac.compiled import compiled
from hvac.features.context import ContextSpec, StoredContext, context
from hvac.features.peers import PeerLevel
from hvac.features.recent import recent_of_units
from hvac.features.residuals import ResidualFit, known_together, residuals
from hvac.features.statistics import statistics
from hvac.features.table import KEY_SCHEMA, Windows
from hvac.features.unit_grids import UnitEvents, UnitGrids
from hvac.json_values import JsonObject
from hvac.panel.cutting import Cut, cut, cut_units
from hvac.panel.daily_readings import ALWAYS_KNOWN
from hvac.panel.events import Events, limit_events, no_events
from hvac.panel.follow_up import FollowUp
from hvac.panel.grid import Panel
from hvac.panel.labels import LabelConfig
from hvac.panel.limits import panel_limits
from hvac.panel.unit_fits import UnitFits
from hvac.panel.windows import Scale, WindowConfig, fit_scale

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
    """A panel with its limits, its usual level, and its events, limit episodes among them."""

    panel: Panel
    record: UnitRecord
    events: Events
    targets: Events
    lower_TC: Floats
    upper_TC: Floats
    scale: Scale


def scenes(panel: Panel, recipe: Recipe, record: UnitRecord) -> list[Scene]:
    """Return the units of a panel with their events: itself, or one per point (`by: point`)."""
    panels = panel.by_point() if recipe.windows.by == "point" else [panel]
    return [_scene(unit_panel, recipe, record) for unit_panel in panels]


def _scene(panel: Panel, recipe: Recipe, record: UnitRecord) -> Scene:
    scale = fit_scale(panel, recipe.windows.normalise)
    lower_TC, upper_TC = panel_limits(panel, recipe.limits, scale)
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
        scale=scale,
    )


def describe(scene: Scene, end_day_B: DayNumbers, recipe: Recipe) -> Windows:
    """Describe the windows of a unit that end on given days."""
    grids = grids_of([scene], recipe)
    return describe_units(grids, np.asarray(end_day_B, dtype=np.int32)[None], recipe)


def describe_units(grids: UnitGrids, end_UD: DayNumbers, recipe: Recipe) -> Windows:
    """Describe the windows of units that end on given days, unit after unit.

    They hold values, statistics, context and summaries of the last days; no embedding, no label.
    `status` says why one has no score (`learning`, `insufficient_data`).

    Args:
        grids: the units.
        end_UD: last days of the windows, as many for each unit.
        recipe: of their class.
    """
    normal_UCT = grids.normalised()
    first_day_U = grids.first_day_U
    windows = cut_units(
        normal_UCT, grids.known_UCT, first_day_U, end_UD, grids.fits, recipe.windows
    )
    blocks = _recent_blocks(grids, normal_UCT, end_UD)
    return Windows(
        keys=_keys(grids, windows, recipe),
        points=grids.points_U[0] if recipe.windows.by == "equipment" else None,
        observed_B=windows.share_B.astype(np.float32),
        persistence_B=_persistence(grids, end_UD).astype(np.float32),
        x_BCL=windows.x_BCL.astype(np.float32),
        f_BCF=statistics(windows.x_BCL).astype(np.float32),
        k_BK=context(grids, windows, recipe.context).astype(np.float32),
        n_BCS=blocks["n_BCS"],
        r_BCS=blocks["r_BCS"],
        d_BCS=blocks["d_BCS"],
        e_BCS=blocks["e_BCS"],
    )


def bare_windows(scene: Scene, end_day_B: DayNumbers, recipe: Recipe) -> Windows:
    """Return the windows of a unit that end on given days, with their status and no content."""
    windows = cut(scene.panel, end_day_B, recipe.windows, scene.scale)
    observed_B = windows.share_B.astype(np.float32)
    return Windows(keys=_keys(grids_of([scene], recipe), windows, recipe), observed_B=observed_B)


def grids_of(
    scenes: Sequence[Scene], recipe: Recipe, last: Sequence[int] | None = None, days: int = 0
) -> UnitGrids:
    """Lay units together.

    Args:
        scenes: the units.
        recipe: of their class.
        last: the last day of each grid; by default the last of the record.
        days: how long the grids are; 0: as the longest record.
    """
    panels = [scene.panel for scene in scenes]
    scales = [scene.scale for scene in scenes]
    last_U = [panel.last_day for panel in panels] if last is None else last
    longest = max(day - panel.first_day + 1 for day, panel in zip(last_U, panels, strict=True))
    days = days or longest
    shape = (len(scenes), len(panels[0].points), days)
    value_UCT, lower_UCT, upper_UCT = (np.full(shape, np.nan) for _ in range(3))
    known_UCT = np.full(shape, ALWAYS_KNOWN, dtype=np.int32)
    for u, (scene, day) in enumerate(zip(scenes, last_U, strict=True)):
        stop = day - scene.panel.first_day + 1
        start = max(stop - days, 0)
        rows = np.s_[u, :, days - (stop - start) :]
        value_UCT[rows] = scene.panel.value_TC[start:stop].T
        known_UCT[rows] = scene.panel.known_TC[start:stop].T
        lower_UCT[rows] = scene.lower_TC[start:stop].T
        upper_UCT[rows] = scene.upper_TC[start:stop].T
    installed = [scene.record.install_day for scene in scenes]
    built = [
        panel.first_day if day is None else min(day, panel.first_day)
        for panel, day in zip(panels, installed, strict=True)
    ]
    return UnitGrids(
        unit_U=tuple(panel.unit for panel in panels),
        point_U=tuple(panel.point_id for panel in panels),
        points_U=tuple(panel.points for panel in panels),
        class_U=tuple(scene.record.class_name for scene in scenes),
        first_day_U=np.array([day - days + 1 for day in last_U], dtype=np.int32),
        built_U=np.array(built, dtype=np.int32),
        value_UCT=value_UCT,
        known_UCT=known_UCT,
        lower_UCT=lower_UCT,
        upper_UCT=upper_UCT,
        fits=UnitFits.of(panels, scales, recipe.windows.normalise),
        residual_fit=ResidualFit.of(panels, scales),
        events=UnitEvents.of(
            [scene.events for scene in scenes], recipe.context.kinds, recipe.labels.kinds
        ),
        peers=tuple(scene.record.peers for scene in scenes),
        measured_by_limits=recipe.windows.normalise == "limits",
    )


def _recent_blocks(grids: UnitGrids, normal_UCT: Floats, end_UD: DayNumbers) -> dict[str, Float32s]:
    """Summarise the last days of each point.

    The values are normalised, as read, minus the peers', and minus what other points predict.
    """
    known_UCT = grids.known_UCT
    at_once_UC = np.full(normal_UCT.shape[:2], ALWAYS_KNOWN, dtype=np.int32)
    apart_UCT, peers_ready_UC = grids.deviations(normal_UCT)
    residual_UCT = residuals(normal_UCT, grids.residual_fit)
    together_UCT = known_together(normal_UCT, known_UCT)
    series = {
        "n_BCS": (normal_UCT, known_UCT, grids.fits.ready_UC),
        "r_BCS": (grids.value_UCT, known_UCT, at_once_UC),
        "d_BCS": (apart_UCT, known_UCT, peers_ready_UC),
        "e_BCS": (residual_UCT, together_UCT, grids.residual_fit.ready_UC),
    }
    blocks = {}
    for name, (value_UCT, known_of_UCT, ready_UC) in series.items():
        block_BCS = recent_of_units(
            value_UCT, known_of_UCT, end_UD, first_day_U=grids.first_day_U, from_day_UC=ready_UC
        )
        blocks[name] = block_BCS.astype(np.float32)
    return blocks


def _keys(grids: UnitGrids, windows: Cut, recipe: Recipe) -> pa.Table:
    each = len(windows.end_day_B) // len(grids)
    count = len(windows.end_day_B)
    facility, equipment = zip(*grids.unit_U, strict=True)
    row_B = np.repeat(np.arange(len(grids)), each)
    columns = []
    for names in (facility, equipment, grids.point_U):
        columns.append(pa.array(names, pa.string()).take(pa.array(row_B)))
    columns.append(pa.array([recipe.class_name] * count, pa.string()))
    end_date = pa.array(windows.end_day_B, pa.int32()).cast(pa.date32())
    split = pa.nulls(count, pa.string())
    status = windows.status_B.tolist()
    columns += [end_date, split, pa.array(status, pa.string())]
    return pa.table(columns, schema=KEY_SCHEMA)


def _persistence(grids: UnitGrids, end_UD: DayNumbers) -> Floats:
    """Return the share of the last 30 observed days out of limits [B].

    Without limits it is the number of target events in the last 90 days.
    """
    persistence_UD = np.zeros(end_UD.shape)
    events = grids.events
    readings = grids.value_UCT, grids.known_UCT, grids.lower_UCT, grids.upper_UCT
    known = events.first_U, events.known_N, events.target_N
    _persist(*readings, grids.first_day_U, *known, end_UD, persistence_UD)
    return persistence_UD.ravel()


@compiled
def _persist(  # noqa: PLR0913 - a compiled kernel takes arrays, no objects
    value_UCT: Floats,
    known_UCT: DayNumbers,
    lower_UCT: Floats,
    upper_UCT: Floats,
    first_day_U: DayNumbers,
    first_U: Ints,
    known_N: DayNumbers,
    target_N: Bools,
    end_UD: DayNumbers,
    persistence_UD: Floats,
) -> None:
    units, points, days = value_UCT.shape
    for u in range(units):
        for d in range(end_UD.shape[1]):
            end = end_UD[u, d]
            row = end - first_day_U[u]
            last = min(max(row, 0), days - 1)
            limited, seen, outside, events = False, 0, 0, 0
            for c in range(points):
                limited |= np.isfinite(lower_UCT[u, c, last]) or np.isfinite(upper_UCT[u, c, last])
                for t in range(max(row - RECENT_DAYS + 1, 0), min(row + 1, days)):
                    value = value_UCT[u, c, t]
                    if np.isfinite(value) and known_UCT[u, c, t] <= end:
                        seen += 1
                        outside += value < lower_UCT[u, c, t] or value > upper_UCT[u, c, t]
            for n in range(first_U[u], first_U[u + 1]):
                events += target_N[n] and end - EVENT_DAYS < known_N[n] <= end
            persistence_UD[u, d] = outside / max(seen, 1) if limited else events
