"""From a panel to what the models see: the one function behind featurize, score and serving.

Legend: B windows, C points, L lookback days, H horizons. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hvac.features.context import ContextSpec, context
from hvac.features.peers import PeerLevel, deviations
from hvac.features.recent import recent
from hvac.features.residuals import residuals
from hvac.features.statistics import statistics
from hvac.features.table import KEY_SCHEMA, Windows
from hvac.panel.daily_readings import ALWAYS_KNOWN
from hvac.panel.events import Events, inside_episode, limit_events, no_events
from hvac.panel.follow_up import FollowUp
from hvac.panel.grid import Bools, Days, Floats, Panel
from hvac.panel.labels import LabelConfig, onset_labels, value_labels
from hvac.panel.limits import panel_limits
from hvac.panel.rhythm import Rhythm, rhythm
from hvac.panel.splits import PURGED, Splitter
from hvac.panel.windows import OK, Cut, Scale, WindowConfig, cut, fit_scale

RECENT_DAYS = 30
EVENT_DAYS = 90
IN_EPISODE = "in_episode"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that turns a panel of one class into windows; a bundle keeps it."""

    class_name: str
    points: tuple[str, ...]
    windows: WindowConfig
    labels: LabelConfig
    context: ContextSpec
    limits: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """C, the number of points in a window."""
        return 1 if self.windows.by == "point" else len(self.points)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "class_name": self.class_name,
            "points": list(self.points),
            "windows": self.windows.model_dump(mode="json", by_alias=True),
            "labels": self.labels.model_dump(mode="json"),
            "context": self.context.to_json(),
            "limits": {name: list(pair) for name, pair in self.limits.items()},
        }

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Recipe:
        """The recipe that `to_json` wrote."""
        return cls(
            class_name=found["class_name"],
            points=tuple(found["points"]),
            windows=WindowConfig(**found["windows"]),
            labels=LabelConfig(**found["labels"]),
            context=ContextSpec.from_json(found["context"]),
            limits={name: (pair[0], pair[1]) for name, pair in found["limits"].items()},
        )


@dataclass(frozen=True, kw_only=True)
class UnitRecord:
    """What is known of a unit beside its readings."""

    events: Events = field(default_factory=no_events)
    install_day: int | None = None
    class_name: str = ""
    follow_up: FollowUp | None = None  # only labels of events ask for it
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
    """The units of a panel: itself, or one per point (`by: point`)."""
    panels = panel.by_point() if recipe.windows.by == "point" else [panel]
    return [_scene(each, recipe, record) for each in panels]


def _scene(panel: Panel, recipe: Recipe, record: UnitRecord) -> Scene:
    lower_TC, upper_TC = panel_limits(
        panel, fitted=recipe.limits, normalise=recipe.windows.normalise
    )
    events = record.events.of_point(panel.point_id)
    if recipe.labels.source == "limits":
        found = limit_events(panel, lower_TC, upper_TC)
        joined = Events(*(np.concatenate(pair) for pair in zip(events, found, strict=True)))
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


def describe(scene: Scene, end_day_B: Days, recipe: Recipe, scale: Scale | None = None) -> Windows:
    """Windows of a unit that end on given days: values, statistics, context; no embedding, no
    label.

    Every asked window comes back; `status` says why one has no score (`learning`,
    `insufficient_data`)."""
    scale = scale or fit_scale(scene.panel, recipe.windows.normalise)
    made = cut(scene.panel, end_day_B, recipe.windows, scale)
    return Windows(
        keys=_keys(scene, made, recipe),
        observed_B=made.share_B.astype(np.float32),
        persistence_B=_persistence(scene, made).astype(np.float32),
        x_BCL=made.x_BCL.astype(np.float32),
        f_BCF=statistics(made.x_BCL).astype(np.float32),
        k_BK=_context(scene, made, recipe).astype(np.float32),
        **_recent_blocks(scene, end_day_B, scale),
    )


def _recent_blocks(scene: Scene, end_day_B: Days, scale: Scale) -> dict[str, Any]:
    """Summarise the last days of each point in four ways: normalised, as read, against peers,
    against other points.
    """
    panel = scene.panel
    with np.errstate(invalid="ignore"):
        normal_TC = (panel.value_TC - scale.centre_TC) / scale.spread_TC
    at_once_C = np.full(len(panel.points), ALWAYS_KNOWN, dtype=np.int32)
    peers, others = deviations(panel, scale, scene.record.peers), residuals(panel, scale)
    series = {
        "n_BCS": (normal_TC, panel.known_TC, scale.ready_C),
        "r_BCS": (panel.value_TC, panel.known_TC, at_once_C),
        "d_BCS": (peers.value_TC, panel.known_TC, peers.ready_C),
        "e_BCS": others,
    }
    return {
        name: (
            recent(
                value_TC, known_TC, end_day_B, first_day=panel.first_day, from_day_C=ready_C
            ).astype(np.float32)
        )
        for name, (value_TC, known_TC, ready_C) in series.items()
    }


def _keys(scene: Scene, made: Cut, recipe: Recipe) -> pa.Table:
    count = len(made.end_day_B)
    same = [*scene.panel.unit, scene.panel.point_id, recipe.class_name]
    columns = [pa.array([value] * count, pa.string()) for value in same]
    columns += [
        pa.array(made.end_day_B, pa.int32()).cast(pa.date32()),
        pa.nulls(count, pa.string()),
    ]
    return pa.table([*columns, pa.array(made.status_B.tolist(), pa.string())], schema=KEY_SCHEMA)


def _context(scene: Scene, made: Cut, recipe: Recipe) -> Floats:
    install_day, class_name = scene.record.install_day, scene.record.class_name
    return context(
        scene.panel,
        made,
        scene.events,
        spec=recipe.context,
        install_day=install_day,
        class_name=class_name,
    )


def _persistence(scene: Scene, made: Cut) -> Floats:
    """Share of the last 30 observed days out of limits; without limits, target events in the last
    90 days.
    """
    panel, end_B = scene.panel, made.end_day_B
    known_N = np.sort(scene.targets.known_N)
    upto_B, before_B = (
        np.searchsorted(known_N, day, side="right") for day in (end_B, end_B - EVENT_DAYS)
    )
    with np.errstate(invalid="ignore"):
        outside_TC = (panel.value_TC < scene.lower_TC) | (panel.value_TC > scene.upper_TC)
    row_BL = end_B[:, None] - panel.first_day - np.arange(RECENT_DAYS)
    inside_BL = (row_BL >= 0) & (row_BL < len(outside_TC))
    row_BL = np.clip(row_BL, 0, len(outside_TC) - 1)
    known_BLC = panel.known_TC[row_BL] <= end_B[:, None, None]
    seen_BLC = panel.observed_TC[row_BL] & inside_BL[:, :, None] & known_BLC
    share_B = (outside_TC[row_BL] & seen_BLC).sum(axis=(1, 2)) / np.maximum(
        seen_BLC.sum(axis=(1, 2)), 1
    )
    limited_B = np.isfinite(scene.lower_TC[row_BL[:, 0]]) | np.isfinite(
        scene.upper_TC[row_BL[:, 0]]
    )
    return np.where(limited_B.any(axis=1), share_B, (upto_B - before_B).astype(np.float64))


def label(scene: Scene, windows: Windows, recipe: Recipe) -> Windows:
    """Return the same windows with `y_BH`, `known_BH` and `w_BH`."""
    end_day_B, horizons = windows.end_day_B, recipe.windows.horizons
    if recipe.labels.label == "value_at":
        limits = {"lower_TC": scene.lower_TC, "upper_TC": scene.upper_TC}
        y_BH, known_BH = value_labels(end_day_B, scene.panel, horizons=horizons, **limits)
        return replace(windows, y_BH=y_BH, known_BH=known_BH, w_BH=np.ones(y_BH.shape, np.float32))
    of_events = recipe.labels.source == "events"
    last_day = scene.panel.last_day  # limits are told by readings, and end with them
    follow_up = scene.record.follow_up if of_events else FollowUp(end=last_day, until=last_day)
    assert follow_up is not None, "a unit whose events are predicted is followed until some day"
    onset_N = scene.targets.start_N
    y_BH, known_BH, w_BH = onset_labels(end_day_B, onset_N, horizons=horizons, follow_up=follow_up)
    if not of_events:
        known_BH &= _read_enough(scene.panel, end_day_B, recipe.windows)
    return replace(windows, y_BH=y_BH, known_BH=known_BH, w_BH=w_BH.astype(np.float32))


def _read_enough(panel: Panel, end_day_B: Days, config: WindowConfig) -> npt.NDArray[np.bool_]:
    """Whether enough of what is read in each horizon was, to say that values were inside their
    limits.
    """
    often = rhythm(panel)
    if often.sparse_C.any():
        return _read_by_rhythm(panel, end_day_B, config, often)
    observed = np.concatenate([[0.0], np.cumsum(panel.observed_TC.mean(axis=1))])
    row_B = end_day_B - panel.first_day + 1
    stop_BH = row_B[:, None] + np.array(config.horizons)
    seen_BH = (
        observed[np.minimum(stop_BH, len(observed) - 1)]
        - observed[np.minimum(row_B, len(observed) - 1)][:, None]
    )
    return np.asarray(seen_BH >= config.min_observed * np.array(config.horizons))


def _read_by_rhythm(
    panel: Panel, end_day_B: Days, config: WindowConfig, often: Rhythm
) -> npt.NDArray[np.bool_]:
    seen_TC = np.concatenate(
        [np.zeros((1, len(panel.points))), np.cumsum(panel.observed_TC, axis=0)]
    )
    start_B = np.minimum(end_day_B - panel.first_day + 1, len(seen_TC) - 1)
    enough = []
    for days in config.horizons:
        stop_B = np.minimum(start_B + days, len(seen_TC) - 1)
        share_B = often.expected((seen_TC[stop_B] - seen_TC[start_B]) / days, end_day_B + days)
        enough.append(share_B >= config.min_observed)
    return np.stack(enough, axis=1)


def training_windows(
    scene: Scene, recipe: Recipe, splitter: Splitter
) -> tuple[Windows, Counter[str]]:
    """All windows of a unit that train, validate or test, labelled; and how many were left out, by
    reason.
    """
    days = np.arange(scene.panel.first_day, scene.panel.last_day + 1, dtype=np.int32)
    split_B = splitter.assign(scene.panel.unit, days)
    on_grid_B = _on_grid(days, split_B, recipe.windows)
    days, split_B = days[on_grid_B], split_B[on_grid_B]
    inside_B = inside_episode(days, scene.targets)
    left_out: Counter[str] = Counter({PURGED: int((split_B == PURGED).sum())})
    left_out[IN_EPISODE] = int((inside_B & (split_B != PURGED)).sum())
    keep_B = (split_B != PURGED) & ~inside_B
    windows = with_split(describe(scene, days[keep_B], recipe), split_B[keep_B])
    status_B = windows.column("status")
    left_out.update(str(status) for status in status_B if status != OK)
    return label(scene, windows.take(status_B == OK), recipe), left_out


def _on_grid(days: Days, split_B: npt.NDArray[np.str_], config: WindowConfig) -> Bools:
    stride_B = np.where(
        np.isin(split_B, ["train", PURGED]), config.train_stride, config.evaluation_stride
    )
    return np.asarray(days % stride_B == 0)


def with_split(windows: Windows, split_B: npt.NDArray[np.str_]) -> Windows:
    """The same windows with their split written in."""
    place = windows.keys.column_names.index("split")
    keys = windows.keys.set_column(place, "split", pa.array(split_B.tolist(), pa.string()))
    return replace(windows, keys=keys)
