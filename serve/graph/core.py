"""The stages as plain functions on bundles, the same that the batch jobs call; no Ray, no HTTP.

    asks ─prepare→ Group (windows with statistics, context, embedding) ┬─risks→ risk_BH ───────┐
                                                                       └─outlooks→ forecasts
                                                                       ──┴─assemble→ Arrow rows

Legend: B windows, H horizons.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from hvac.arrays import Floats
from hvac.days import EPOCH
from hvac.errors import InputError
from hvac.features.peers import PeerLevel
from hvac.features.recipe import Recipe
from hvac.features.scene import Scene, UnitRecord, scenes
from hvac.features.table import Windows, concat
from hvac.models.family import NEEDS, prepared
from hvac.panel.grid import unit_panel
from hvac.scoring.bundle import Bundle as Bundle
from hvac.scoring.explanations import explain_newest
from hvac.scoring.latest import newest_risks as newest_risks
from hvac.scoring.latest_records import latest_records
from hvac.scoring.latest_rows import LatestRow
from hvac.scoring.newest_windows import Newest, newest
from hvac.scoring.outlooks import DrivingOutlooks, PointOutlook, outlooks
from hvac.scoring.outlooks import driving_outlooks as driving_outlooks
from hvac.scoring.usual_levels import usual_levels
from serve.graph.asks import Ask, events_of
from serve.graph.published_peers import PeerLevels as PeerLevels
from serve.graph.ready import ready_rows as ready_rows
from serve.graph.ready import ready_windows as ready_windows
from serve.graph.rows import ExplainedRow, OutlookRow, Rows
from serve.graph.shelf import Shelf as Shelf
from serve.graph.shelf import about_fresh as about_fresh
from serve.graph.shelf import about_one as about_one
from serve.graph.shelf import bundle_path as bundle_path


@dataclass(frozen=True, kw_only=True)
class Group:
    """Newest windows of several asks that one bundle serves; `ask_B` holds the number of each
    window's ask, `asked_B` the ask.
    """

    bundle_id: str
    latest: Newest
    ask_B: tuple[int, ...]
    asked_B: tuple[Ask, ...]


def prepare(shelf: Shelf, asks: Sequence[Ask]) -> list[Group]:
    """Make the newest window of every ask (one per point where the bundle is `by: point`), embedded
    where needed.

    Raises:
        InputError: an ask has no reading of any of the bundle's points.
        BundleError: a bundle is not there or damaged.
    """
    of_bundle: dict[tuple[str, int | None], list[int]] = defaultdict(list)
    for number, ask in enumerate(asks):
        of_bundle[ask.bundle_id, ask.end_day].append(number)
    return [
        _group(shelf, [asks[n] for n in numbers], numbers, bundle_id, end_day)
        for (bundle_id, end_day), numbers in of_bundle.items()
    ]


def _group(
    shelf: Shelf,
    asks: list[Ask],
    numbers: list[int],
    bundle_id: str,
    end_day: int | None,
) -> Group:
    bundle = shelf(bundle_id)
    numbered_scenes = [
        (number, scene, ask)
        for ask, number in zip(asks, numbers, strict=True)
        for scene in _scenes(
            ask, bundle.recipe, _level(shelf.peers, ask, bundle.recipe)
        )
    ]
    latest = newest(
        [scene for _, scene, _ in numbered_scenes], bundle.recipe, end_day=end_day
    )
    ready = prepared(latest.windows, bundle.needs, lambda: bundle.encoder)
    latest = replace(latest, windows=ready)
    return Group(
        bundle_id=bundle_id,
        latest=latest,
        ask_B=tuple(number for number, _, _ in numbered_scenes),
        asked_B=tuple(ask for _, _, ask in numbered_scenes),
    )


def _level(peers: PeerLevels | None, ask: Ask, recipe: Recipe) -> PeerLevel | None:
    """Return the level a unit is compared with; None where there is none of all points of the
    bundle.
    """
    level = peers(ask.class_name, ask.unit.facility_id) if peers else None
    return level if level and set(recipe.points) <= set(level.points) else None


def _scenes(ask: Ask, recipe: Recipe, level: PeerLevel | None) -> list[Scene]:
    panel = unit_panel(
        ask.readings, ask.unit, recipe.points, aggregate=recipe.windows.aggregate
    )
    unit_scenes = [] if panel is None else scenes(panel, recipe, _record(ask, level))
    if panel is None or not unit_scenes:
        points = sorted(set(ask.readings["point_id"].to_pylist()))
        raise InputError(
            f"{ask.unit.facility_id} {ask.unit.equipment_id}: expected readings of"
            f" {', '.join(recipe.points)} (class {recipe.class_name}), found"
            f" {', '.join(points[:5]) or 'none'}"
        )
    if ask.end_day is not None and ask.end_day < panel.first_day:
        first_date, end_date = (
            EPOCH + timedelta(days=day) for day in (panel.first_day, ask.end_day)
        )
        raise InputError(
            f"{' '.join(ask.unit)}: end_date {end_date} is before its first reading ({first_date})"
        )
    return unit_scenes


def _record(ask: Ask, level: PeerLevel | None) -> UnitRecord:
    return UnitRecord(
        events=events_of(ask),
        install_day=ask.install_day,
        class_name=ask.class_name,
        peers=level,
    )


def risks_of_many(many: Sequence[tuple[Bundle, Windows]]) -> list[Floats]:
    """Return risks [B, H] for each of several tables of windows; tables of one bundle are scored in
    one pass.
    """
    of_bundle: dict[str, list[int]] = defaultdict(list)
    for number, (bundle, _) in enumerate(many):
        of_bundle[bundle.name].append(number)
    risk_of_item: dict[int, Floats] = {}
    for numbers in of_bundle.values():
        bundle = many[numbers[0]][0]
        windows = concat([many[n][1] for n in numbers])
        risk_BH = newest_risks(bundle, windows)
        risk_of_item |= zip(
            numbers,
            np.split(risk_BH, np.cumsum([len(many[n][1]) for n in numbers])[:-1]),
            strict=True,
        )
    return [risk_of_item[number] for number in range(len(many))]


def assemble(
    bundle: Bundle,
    group: Group,
    risk_BH: Floats,
    driving: DrivingOutlooks,
) -> Rows:
    """Return the rows of one group as in `latest.parquet`, each with the number of its ask in
    `ask`.
    """
    rows = latest_records(group.latest, risk_BH, driving, bundle)
    rows_per_window = len(bundle.horizons)
    numbered: Rows = []
    for place, row in enumerate(rows):
        numbered.append({**row, "ask": group.ask_B[place // rows_per_window]})
    return numbered


def rows_in_order(groups: Iterable[Rows]) -> Rows:
    """Return the rows of all groups in the order of the asks, then of points and horizons."""
    rows = [row for group in groups for row in group]
    return sorted(
        rows, key=lambda row: (row["ask"], row["point_id"] or "", row["horizon"])
    )


def shared_out(rows: Iterable[LatestRow], sizes: Sequence[int]) -> list[Rows]:
    """Divide rows of requests that were answered together; `sizes` holds each request's number of
    asks.

    >>> shared_out([{"ask": 0}, {"ask": 2}], [2, 1])
    [[{'ask': 0}], [{'ask': 0}]]
    """
    ends = np.cumsum(sizes)
    rows_of_requests: list[Rows] = [[] for _ in sizes]
    for row in rows:
        request = int(np.searchsorted(ends, row["ask"], side="right"))
        rows_of_requests[request].append(
            {**row, "ask": row["ask"] - int(ends[request] - sizes[request])}
        )
    return rows_of_requests


def explanations(
    shelf: Shelf, asks: Sequence[Ask], detailed: bool
) -> list[ExplainedRow]:
    """Return why each window that can be scored has its risks: reasons by horizon, past cases.

    Each has the number of its ask in `ask`, and its point where points are scored alone; where
    `detailed`, what is behind each reason too.

    Raises:
        BundleError: a bundle was made before reasons, or its family has none.
    """
    rows: list[ExplainedRow] = []
    for group in prepare(shelf, asks):
        bundle = shelf(group.bundle_id)
        points = group.latest.windows.column("point_id").tolist()
        explained = explain_newest(bundle, group.latest, detailed=detailed)
        end_days = group.latest.windows.end_day_B.tolist()
        for b, explanation in enumerate(explained):
            if explanation is not None:
                scene = group.latest.scenes[b]
                row: ExplainedRow = {
                    "ask": group.ask_B[b],
                    "point_id": points[b],
                    "reasons": dict(
                        zip(bundle.horizons, explanation.reasons_H, strict=True)
                    ),
                    "cases": explanation.cases,
                    "details": dict(
                        zip(bundle.horizons, explanation.details_H, strict=False)
                    ),
                    "usual": usual_levels(scene, bundle.recipe, end_days[b])
                    if detailed
                    else {},
                }
                rows.append(row)
    return rows


def all_outlooks(
    bundle: Bundle, latest: Newest, horizons: Sequence[int]
) -> list[list[OutlookRow]]:
    """Forecast every point of every window, in physical units, for each horizon. Windows that
    cannot be scored get [].
    """
    rows_of_windows: list[list[OutlookRow]] = []
    x_BCL = np.asarray(latest.windows.x_BCL)
    for x_CL, frame, ok in zip(x_BCL, latest.frames, latest.ok_B, strict=True):
        rows: list[OutlookRow] = []
        if ok:
            of_horizons = outlooks(bundle, x_CL, frame, horizons)
            for horizon, of_points in zip(horizons, of_horizons, strict=True):
                rows += [_outlook_row(horizon, outlook) for outlook in of_points]
        rows_of_windows.append(rows)
    return rows_of_windows


def _outlook_row(horizon: int, outlook: PointOutlook) -> OutlookRow:
    return {
        "horizon": horizon,
        "point": outlook.point,
        "value_D": outlook.value_D.tolist(),
        "low_D": outlook.low_D.tolist(),
        "high_D": outlook.high_D.tolist(),
        "crossing": outlook.crossing,
        "method": outlook.method,
    }


def slim(windows: Windows, bundle: Bundle) -> Windows:
    """Keep only what the bundle's family looks at, as the windows travel to the next stage."""
    needed = {NEEDS[need] for need in bundle.needs}
    dropped: dict[str, None] = {
        name: None for name in NEEDS.values() if name not in needed
    }
    keys = windows.keys.select(["facility_id", "status"])
    return replace(windows, keys=keys, **dropped)  # type: ignore[arg-type]  # names of arrays only


def values_only(latest: Newest) -> Newest:
    """Keep only the values and states of windows and their frames: what the forecast looks at."""
    windows = Windows(
        keys=latest.windows.keys.select(["status"]),
        observed_B=latest.windows.observed_B,
        x_BCL=latest.windows.x_BCL,
    )
    return replace(latest, windows=windows, scenes=())
