"""The three stages as plain functions on bundles, the same that the batch jobs call; no Ray, no
HTTP.

    asks ─prepare→ Group (windows with statistics, context, embedding) ┬─risks→ risk_BH ───────┐
                                                                       └─outlooks→ forecasts
                                                                       ──┴─assemble→ Arrow rows

Legend: B windows, H horizons.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from hvac.errors import BundleError, InputError
from hvac.features.describe import Recipe, UnitRecord, scenes
from hvac.features.peers import PeerLevel
from hvac.features.table import Windows, concat
from hvac.models.family import NEEDS, prepared
from hvac.panel.grid import unit_panel
from hvac.panel.registry import EPOCH
from hvac.scoring.bundle import Bundle as Bundle
from hvac.scoring.latest import Newest, latest_records, newest, outlooks
from hvac.scoring.latest import driving_outlooks as driving_outlooks
from hvac.scoring.latest import newest_risks as newest_risks
from hvac.storage import AnyPath, matching
from serve.graph.asks import Ask, events_of
from serve.graph.published_peers import PeerLevels as PeerLevels
from serve.graph.ready import ready_rows as ready_rows
from serve.graph.ready import ready_windows as ready_windows

Floats = Any
log = logging.getLogger(__name__)


def warm(folder: AnyPath) -> None:
    """Do once what the first request would wait for: imports, compiled functions, an encoder's
    first pass.
    """
    for manifest in matching(folder, "[!.]*/manifest.json"):
        try:
            return try_out(Bundle.load(manifest.parent))
        except BundleError as error:  # it may serve nobody: the others must not wait for it
            log.warning("%s", error)
    return None


def try_out(bundle: Bundle) -> None:
    """Judge and forecast a few windows. Raises BundleError where anything the bundle needs is
    damaged.
    """
    bundle.check()


class Shelf:
    """Bundles by id, the least recently used put back when there are too many; safe among threads.

    `peers` gives the level that a unit is compared with; without it no unit has one.
    """

    def __init__(self, folder: AnyPath, size: int, peers: PeerLevels | None = None) -> None:
        self.folder, self.size, self.peers = folder, size, peers
        self._bundles: OrderedDict[str, Bundle] = OrderedDict()
        self._lock = Lock()

    def __call__(self, bundle_id: str) -> Bundle:
        """A bundle, read when it is not in memory. Raises BundleError where there is none, or it is
        damaged.
        """
        with self._lock:
            if bundle_id not in self._bundles:
                self._bundles[bundle_id] = Bundle.load(bundle_path(self.folder, bundle_id))
                while len(self._bundles) > self.size:
                    self._bundles.popitem(last=False)
            self._bundles.move_to_end(bundle_id)
            return self._bundles[bundle_id]

    def drop(self, bundle_id: str) -> None:
        """Forget a bundle, so that it is read anew."""
        with self._lock:
            self._bundles.pop(bundle_id, None)


def bundle_path(folder: AnyPath, bundle_id: str) -> AnyPath:
    """Folder of a bundle. Raises BundleError where the id is no plain name or nothing is there."""
    try:
        if bundle_id == Path(bundle_id).name and (folder / bundle_id / "manifest.json").is_file():
            return folder / bundle_id
    except (OSError, ValueError):  # a name no folder can have
        pass
    raise BundleError(f"there is no bundle {bundle_id[:80]!r} here")


@dataclass(frozen=True, kw_only=True)
class Group:
    """Windows of several asks that one bundle serves; `ask_B` says which ask each belongs to."""

    bundle_id: str
    made: Newest
    ask_B: tuple[int, ...]


def prepare(shelf: Shelf, asks: Sequence[Ask]) -> list[Group]:
    """The newest window of every ask (one per point where the bundle is `by: point`), embedded
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
    shelf: Shelf, asks: list[Ask], numbers: list[int], bundle_id: str, end_day: int | None
) -> Group:
    bundle = shelf(bundle_id)
    found = [
        (number, scene)
        for ask, number in zip(asks, numbers, strict=True)
        for scene in _scenes(ask, bundle.recipe, _level(shelf.peers, ask, bundle.recipe))
    ]
    made = newest([scene for _, scene in found], bundle.recipe, end_day=end_day)
    ready = prepared(made.windows, bundle.model.config.needs, lambda: bundle.encoder)
    made = replace(made, windows=ready)
    return Group(bundle_id=bundle_id, made=made, ask_B=tuple(number for number, _ in found))


def _level(peers: PeerLevels | None, ask: Ask, recipe: Recipe) -> PeerLevel | None:
    """Return the level a unit is compared with; None where there is none of all points of the
    bundle.
    """
    level = peers(ask.class_name, ask.unit.facility_id) if peers else None
    return level if level and set(recipe.points) <= set(level.points) else None


def _scenes(ask: Ask, recipe: Recipe, level: PeerLevel | None) -> list[Any]:
    panel = unit_panel(ask.readings, ask.unit, recipe.points, aggregate=recipe.windows.aggregate)
    made = [] if panel is None else scenes(panel, recipe, _record(ask, level))
    if panel is None or not made:
        found = sorted(set(ask.readings["point_id"].to_pylist()))
        raise InputError(
            f"{ask.unit.facility_id} {ask.unit.equipment_id}: expected readings of"
            f" {', '.join(recipe.points)} (class {recipe.class_name}), found"
            f" {', '.join(found[:5]) or 'none'}"
        )
    if ask.end_day is not None and ask.end_day < panel.first_day:
        first, wanted = (EPOCH + timedelta(days=day) for day in (panel.first_day, ask.end_day))
        raise InputError(
            f"{' '.join(ask.unit)}: end_date {wanted} is before its first reading ({first})"
        )
    return made


def _record(ask: Ask, level: PeerLevel | None) -> UnitRecord:
    return UnitRecord(
        events=events_of(ask), install_day=ask.install_day, class_name=ask.class_name, peers=level
    )


def risks_of_many(many: Sequence[tuple[Bundle, Windows]]) -> list[Floats]:
    """Second stage: risks [B, H] of several tables of windows, those of one bundle in one pass."""
    of_bundle: dict[str, list[int]] = defaultdict(list)
    for number, (bundle, _) in enumerate(many):
        of_bundle[bundle.name].append(number)
    found: dict[int, Floats] = {}
    for numbers in of_bundle.values():
        risk_BH = newest_risks(many[numbers[0]][0], concat([many[n][1] for n in numbers]))
        found |= zip(
            numbers,
            np.split(risk_BH, np.cumsum([len(many[n][1]) for n in numbers])[:-1]),
            strict=True,
        )
    return [found[number] for number in range(len(many))]


def assemble(
    bundle: Bundle, group: Group, risk_BH: Floats, outlook_B: Sequence[dict[int, Any]]
) -> list[dict[str, Any]]:
    """The rows of one group, as in `latest.parquet`, with the number of the ask in `ask`."""
    rows = latest_records(group.made, risk_BH, outlook_B, bundle)
    each = len(bundle.horizons)
    return [{**row, "ask": group.ask_B[place // each]} for place, row in enumerate(rows)]


def rows_in_order(groups: Iterable[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Rows of all groups, in the order of the asks."""
    rows = [row for group in groups for row in group]
    return sorted(rows, key=lambda row: (row["ask"], row["point_id"] or "", row["horizon"]))


def shared_out(rows: Iterable[dict[str, Any]], sizes: Sequence[int]) -> list[list[dict[str, Any]]]:
    """Rows of requests that were answered together, to each its own; `sizes` are their numbers of
    asks.

    >>> shared_out([{"ask": 0}, {"ask": 2}], [2, 1])
    [[{'ask': 0}], [{'ask': 0}]]
    """
    ends = np.cumsum(sizes)
    found: list[list[dict[str, Any]]] = [[] for _ in sizes]
    for row in rows:
        request = int(np.searchsorted(ends, row["ask"], side="right"))
        found[request].append({**row, "ask": row["ask"] - int(ends[request] - sizes[request])})
    return found


def all_outlooks(
    bundle: Bundle, made: Newest, horizons: Sequence[int]
) -> list[list[dict[str, Any]]]:
    """Every point's forecast of every window that can be scored, in physical units; [] for the
    others.
    """
    return [
        (
            [
                {
                    "horizon": h,
                    **{
                        k: v.tolist() if isinstance(v, np.ndarray) else v
                        for k, v in one._asdict().items()
                    },
                }
                for h, told in zip(horizons, outlooks(bundle, x_CL, frame, horizons), strict=True)
                for one in told
            ]
            if ok
            else []
        )
        for x_CL, frame, ok in zip(
            np.asarray(made.windows.x_BCL), made.frames, made.ok_B, strict=True
        )
    ]


def slim(windows: Windows, bundle: Bundle) -> Windows:
    """Only what the bundle's family looks at: what travels to the next stage."""
    needed = {NEEDS[need] for need in bundle.model.config.needs}
    dropped: dict[str, Any] = {name: None for name in NEEDS.values() if name not in needed}
    return replace(windows, keys=windows.keys.select(["facility_id", "status"]), **dropped)


def values_only(made: Newest) -> Newest:
    """What the forecast looks at."""
    windows = Windows(
        keys=made.windows.keys.select(["status"]),
        observed_B=made.windows.observed_B,
        x_BCL=made.windows.x_BCL,
    )
    return replace(made, windows=windows)


def about(bundle: Bundle) -> dict[str, Any]:
    """What is worth knowing of a bundle."""
    thresholds = dict(
        zip(map(str, bundle.horizons), bundle.decision.threshold_H.tolist(), strict=True)
    )
    return {
        "bundle_id": bundle.name,
        "class": bundle.recipe.class_name,
        "family": bundle.family,
        "by": bundle.recipe.windows.by,
        "points": list(bundle.recipe.points),
        "lookback_days": bundle.recipe.windows.lookback,
        "horizons_days": list(bundle.horizons),
        "thresholds": thresholds,
        "event_kinds": list(bundle.recipe.labels.kinds),
    }


def about_one(shelf: Shelf, bundle_id: str) -> dict[str, Any]:
    """`about` by id."""
    return about(shelf(bundle_id))


def about_fresh(shelf: Shelf, bundle_id: str) -> dict[str, Any]:
    """`about` of a bundle that is read anew and tried out. Raises BundleError where anything of it
    is damaged.
    """
    found = Bundle.load(bundle_path(shelf.folder, bundle_id))
    try_out(found)
    shelf.drop(bundle_id)
    return about(found)
