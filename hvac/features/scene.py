"""A unit with all that is known of it, and units laid together on grids.

Legend: U units, C points, T days. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hvac.arrays import Floats
from hvac.features.peers import PeerLevel
from hvac.features.recipe import Recipe
from hvac.features.residuals import ResidualFit
from hvac.features.unit_grids import UnitEvents, UnitGrids
from hvac.panel.daily_readings import ALWAYS_KNOWN
from hvac.panel.events import Events, limit_events, no_events
from hvac.panel.follow_up import FollowUp
from hvac.panel.grid import Panel
from hvac.panel.limits import panel_limits
from hvac.panel.unit_fits import UnitFits
from hvac.panel.windows import Scale, fit_scale


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


def grids_of(
    scenes: Sequence[Scene],
    recipe: Recipe,
    last: Sequence[int] | None = None,
    days: int = 0,
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
    longest = max(
        day - panel.first_day + 1 for day, panel in zip(last_U, panels, strict=True)
    )
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
            [scene.events for scene in scenes],
            recipe.context.kinds,
            recipe.labels.kinds,
        ),
        peers=tuple(scene.record.peers for scene in scenes),
        measured_by_limits=recipe.windows.normalise == "limits",
    )
