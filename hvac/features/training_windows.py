"""The windows of a unit that train, validate or test: labelled, with their split.

Legend: B windows, C points, H horizons. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa

from hvac.arrays import Bools, DayNumbers, Strings
from hvac.features.describing import describe
from hvac.features.recipe import Recipe
from hvac.features.scene import Scene
from hvac.features.table import Windows
from hvac.panel.events import inside_episode
from hvac.panel.follow_up import FollowUp
from hvac.panel.grid import Panel
from hvac.panel.labels import onset_labels, value_labels
from hvac.panel.rhythm import Rhythm, expected_share, rhythm
from hvac.panel.splits import PURGED, Splitter
from hvac.panel.windows import OK, WindowConfig

IN_EPISODE = "in_episode"
MakeWindows = Callable[[Scene, DayNumbers, Recipe], Windows]


def label(scene: Scene, windows: Windows, recipe: Recipe) -> Windows:
    """Return the same windows with `y_BH`, `known_BH` and `w_BH`."""
    end_day_B = windows.end_day_B
    horizons = recipe.windows.horizons
    if recipe.labels.label == "value_at":
        limits = {"lower_TC": scene.lower_TC, "upper_TC": scene.upper_TC}
        y_BH, known_BH = value_labels(
            end_day_B, scene.panel, horizons=horizons, **limits
        )
        whole_BH = np.ones(y_BH.shape, np.float32)
        return replace(windows, y_BH=y_BH, known_BH=known_BH, w_BH=whole_BH)
    of_events = recipe.labels.source == "events"
    last_day = (
        scene.panel.last_day
    )  # events out of limits come from readings, and end with them
    follow_up = (
        scene.record.follow_up if of_events else FollowUp(end=last_day, until=last_day)
    )
    assert follow_up is not None, (
        "a unit whose events are predicted is followed until some day"
    )
    onset_N = scene.targets.start_N
    y_BH, known_BH, w_BH = onset_labels(
        end_day_B, onset_N, horizons=horizons, follow_up=follow_up
    )
    if not of_events:
        known_BH &= _read_enough(scene.panel, end_day_B, recipe.windows)
    return replace(windows, y_BH=y_BH, known_BH=known_BH, w_BH=w_BH.astype(np.float32))


def _read_enough(panel: Panel, end_day_B: DayNumbers, config: WindowConfig) -> Bools:
    """Tell whether enough was read in each horizon to say that values were inside limits [B, H]."""
    point_rhythm = rhythm(panel)
    if point_rhythm.sparse_C.any():
        return _read_by_rhythm(panel, end_day_B, config, point_rhythm)
    total_T = np.cumsum(panel.observed_TC.mean(axis=1))
    observed = np.concatenate([[0.0], total_T])
    last = len(observed) - 1
    row_B1 = (end_day_B - panel.first_day + 1)[:, None]
    stop_BH = row_B1 + np.array(config.horizons)
    upto_BH = observed[np.minimum(stop_BH, last)]
    seen_BH = upto_BH - observed[np.minimum(row_B1, last)]
    return np.asarray(seen_BH >= config.min_observed * np.array(config.horizons))


def _read_by_rhythm(
    panel: Panel, end_day_B: DayNumbers, config: WindowConfig, point_rhythm: Rhythm
) -> Bools:
    none_1C = np.zeros((1, len(panel.points)))
    seen_TC = np.concatenate([none_1C, np.cumsum(panel.observed_TC, axis=0)])
    last = len(seen_TC) - 1
    start_B = np.minimum(end_day_B - panel.first_day + 1, last)
    enough = []
    for days in config.horizons:
        stop_B = np.minimum(start_B + days, last)
        share_BC = (seen_TC[stop_B] - seen_TC[start_B]) / days
        share_B = expected_share(
            share_BC, end_day_B + days, point_rhythm.gap_C, point_rhythm.known_C
        )
        enough.append(share_B >= config.min_observed)
    return np.stack(enough, axis=1)


def training_windows(
    scene: Scene, recipe: Recipe, splitter: Splitter, *, make: MakeWindows = describe
) -> tuple[Windows, Counter[str]]:
    """Return all windows of a unit that train, validate or test, labelled.

    Returns also how many were left out, by reason. `make` may be `bare_windows` where windows are
    only counted.
    """
    days = np.arange(scene.panel.first_day, scene.panel.last_day + 1, dtype=np.int32)
    split_B = splitter.assign(scene.panel.unit, days)
    on_grid_B = _on_grid(days, split_B, recipe.windows)
    days = days[on_grid_B]
    split_B = split_B[on_grid_B]
    inside_B = inside_episode(days, scene.targets)
    purged = int((split_B == PURGED).sum())
    left_out: Counter[str] = Counter({PURGED: purged})
    left_out[IN_EPISODE] = int((inside_B & (split_B != PURGED)).sum())
    keep_B = (split_B != PURGED) & ~inside_B
    windows = with_split(make(scene, days[keep_B], recipe), split_B[keep_B])
    status_B = windows.column("status")
    left_out.update(str(status) for status in status_B if status != OK)
    return label(scene, windows.take(status_B == OK), recipe), left_out


def _on_grid(days: DayNumbers, split_B: Strings, config: WindowConfig) -> Bools:
    dense_B = np.isin(split_B, ["train", PURGED])
    stride_B = np.where(dense_B, config.train_stride, config.evaluation_stride)
    return np.asarray(days % stride_B == 0)


def with_split(windows: Windows, split_B: Strings) -> Windows:
    """Return the same windows with their split written in."""
    place = windows.keys.column_names.index("split")
    split = pa.array(split_B.tolist(), pa.string())
    keys = windows.keys.set_column(place, "split", split)
    return replace(windows, keys=keys)
