"""Take what the batch jobs wrote into the store: readings, events, equipment, newest predictions,
bundles.

python -m serve.load [workspace=runs/demo] [store=postgresql://…]     (after ray_jobs.daily: only
what is new)
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import logging
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple, get_args

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from hvac.config import read_overrides
from hvac.days import EPOCH
from hvac.errors import HvacError
from hvac.panel.daily_readings import Aggregate
from hvac.panel.grid import daily
from hvac.panel.registry import Registry
from hvac.scoring.latest_rows import LatestRow
from hvac.storage import (
    AnyPath,
    file_sha256,
    matching,
    parquet_dataset,
    place,
    read_mark,
    read_parquet,
)
from serve.memory.database import Row
from serve.memory.published_pairs import pairs_mark
from serve.memory.step_records import LoadedTables, read_note
from serve.memory.store import FLEET, Store, reading_rows, serving
from serve.memory.store_tables import EventRow
from serve.memory.watched_bundles import (
    assign_canary,
    load_pairs,
    note_watched,
    workspace_bundles,
)
from serve.settings import ServeConfig, read_serve_config

log = logging.getLogger(__name__)
LOADED = "loaded"
ROWS = 100_000
HISTORY_DAYS = 90


class LoadCounts(NamedTuple):
    """Counts of new parts of readings, of equipment whose predictions were taken over, and of
    equipment to be scored again.
    """

    parts: int
    units: int
    to_be_scored: int


def load(store: Store, config: ServeConfig) -> LoadCounts | None:
    """Take over what is new in the workspace since the last load; None where there is nothing new.

    A part of readings is a file that is never changed, so that only new ones are read. Predictions
    are taken over where the service would have made the same: by the bundle that serves the
    equipment now (another may have been promoted), and from all its readings (none were sent by
    `POST /v1/readings`). Other equipment keeps what it has and is scored again by the service.
    Interrupted, it is done again by the next call: readings are upserts, and what was taken is
    noted last.
    """
    workspace = place(config.workspace)
    panel = workspace / "panel"
    before_note = read_note(LoadedTables, store.note(LOADED))
    if not (panel / "units.parquet").exists():
        return None
    parts = _parts(panel / "readings")
    latest_file = workspace / "latest.parquet"
    bundles = workspace_bundles(workspace)
    trained, challengers = bundles.serving, bundles.challengers
    now_note = LoadedTables(
        parts=sorted(parts),
        latest=_stamp(latest_file),
        bundles=trained,
        challengers=challengers,
        speaks_in=sorted(bundles.speaks_in),
        pairs=pairs_mark(workspace) if challengers else "",
    )
    if now_note == before_note:
        return None
    parts_before = set(before_note.parts)
    new = sorted(set(parts) - parts_before)
    gone = len(parts_before - set(parts))
    log.info(
        "store: loading %d of %d parts of %s", len(new), len(parts), config.workspace
    )
    if gone:
        log.warning(
            "store: %d parts were replaced or are gone; readings that only they had stay in the"
            " store",
            gone,
        )
    registry = Registry.load(panel)
    latest = now_note.latest is not None
    store.add(units=list(_units(registry)), events=list(_events(registry)), stale=False)
    aggregate = _aggregate(workspace)
    for bucket, names in _by_bucket(new).items():
        every = [part for name, part in parts.items() if _bucket(name) == bucket]
        _load_bucket(store, every, [parts[name] for name in names], aggregate)
    if trained != before_note.bundles:
        of_fleet = {(FLEET, name): bundle for name, bundle in trained.items()}
        store.assign(of_fleet, stale=False)
    assign_canary(store, before_note, now_note)
    rows = read_parquet(latest_file).to_pylist() if latest else []
    versions = store.versions()
    _load_history(store, workspace / "scores" / "history", registry)
    note_watched(store, bundles)
    taken, others = _sorted_out(rows, store)
    store.take_predictions(taken, versions)
    if config.shadow.keep_days:
        load_pairs(store, workspace, before_note, now_note)
        store.drop_shadow(config.shadow.keep_days)
    store.mark_stale(others if latest or not trained else set(registry.kinds))
    store.remember(LOADED, now_note.model_dump_json())
    scored = {_unit(row) for row in taken}
    return LoadCounts(len(new), len(scored), store.stale_count())


def _load_history(store: Store, folder: AnyPath, registry: Registry) -> None:
    """Take over the scores of the last days: how the risk of each machine moved."""
    if not folder.exists():
        return
    dates = sorted(
        {
            part.parent.name.removeprefix("end_date=")
            for part in matching(folder, "*/*/*")
        }
    )
    first = dates[-1:] and dt.date.fromisoformat(dates[-1]) - dt.timedelta(
        days=HISTORY_DAYS
    )
    for date in dates:
        if first and dt.date.fromisoformat(date) >= first:
            store.take_history(_history_rows(folder, date, registry))


def _history_rows(folder: AnyPath, date: str, registry: Registry) -> list[Row]:
    """Return the scores of one day as rows of the store's history."""
    rows: list[Row] = []
    for part in matching(folder, f"*/end_date={date}/*.parquet"):
        for row in parquet_dataset([part]).to_table().to_pylist():
            if _unit(row) in registry.kinds:
                key = (
                    *_unit(row),
                    row["point_id"] or "",
                    row["horizon"],
                    _day(row["end_date"]),
                )
                rows.append(
                    (*key, row["risk"], int(bool(row["alarm"])), row["bundle_id"])
                )
    return rows


def _sorted_out(
    rows: list[LatestRow], store: Store
) -> tuple[list[LatestRow], set[tuple[str, str]]]:
    """Return the predictions that the service would have made, and the equipment of the others."""
    assigned = store.assignments()
    pushed = store.pushed()
    others = {
        _unit(row)
        for row in rows
        if _unit(row) in pushed
        or row["bundle_id"] != serving(assigned, row["facility_id"], row["class"])
    }
    return [row for row in rows if _unit(row) not in others], others


def _unit(row: LatestRow) -> tuple[str, str]:
    return row["facility_id"], row["equipment_id"]


def _parts(readings: AnyPath) -> dict[str, pads.Fragment]:
    """Return the files of readings, by their path below the folder."""
    fragments = parquet_dataset(readings).get_fragments()
    return {
        PurePosixPath(fragment.path)
        .as_posix()
        .rpartition("panel/readings/")[2]: fragment
        for fragment in fragments
    }


def _by_bucket(names: Iterable[str]) -> dict[str, list[str]]:
    names_of_bucket: dict[str, list[str]] = defaultdict(list)
    for name in names:
        names_of_bucket[_bucket(name)].append(name)
    return names_of_bucket


def _bucket(part: str) -> str:
    return part.rpartition("/")[0]


def _load_bucket(
    store: Store,
    every: Sequence[pads.Fragment],
    new: Sequence[pads.Fragment],
    aggregate: Aggregate,
) -> None:
    """Upsert the days from the first one of the new parts on, each as the jobs see it: from all
    parts of the bucket.
    """
    days = []
    for part in new:
        dates = part.to_table(columns=["date"])["date"]
        days.append(pc.min(dates).as_py())
    first = min((day for day in days if day is not None), default=None)
    if first is None:
        return
    tables = [part.to_table(filter=pads.field("date") >= first) for part in every]
    table = daily(pa.concat_tables(tables, promote_options="default"), aggregate)
    for start in range(0, len(table), ROWS):
        store.load_readings(reading_rows(table.slice(start, ROWS)))


def _aggregate(workspace: AnyPath) -> Aggregate:
    """Return how the jobs make one reading of several of a day; "mean", their default, before they
    have run.
    """
    record = read_mark(workspace / "steps" / "featurize.json")
    aggregate = record.get("asked", {}).get("windows", {}).get("aggregate")
    return next((known for known in get_args(Aggregate) if known == aggregate), "mean")


def _stamp(file: AnyPath) -> str | None:
    """Return the hash of a file, None where there is none."""
    return file_sha256(file) if file.exists() else None


def _units(registry: Registry) -> Iterator[tuple[str, str, str, int | None]]:
    for unit, name in registry.kinds.items():
        yield (*unit, name, registry.install_days[unit])


def _day(day: dt.date) -> int:
    return (day - EPOCH).days


def _events(registry: Registry) -> Iterator[EventRow]:
    for row in registry.events.to_pylist():
        start = _day(row["start"])
        end = _day(row["end"] or row["start"])
        yield (
            row["facility_id"],
            row["equipment_id"],
            row["kind"],
            start,
            end,
            row["point_id"],
        )


def main(given: list[str] | None = None) -> int:
    """Load, and print what was taken over."""
    parser = argparse.ArgumentParser(prog="python -m serve.load", description=__doc__)
    parser.add_argument(
        "settings",
        nargs="*",
        metavar="key=value",
        help="settings of the service (serve/settings.py)",
    )
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        stream=sys.stderr,
    )
    try:
        config = read_serve_config(read_overrides(parser.parse_args(given).settings))
        counts = load(Store.open(config.store_url), config)
    except HvacError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    summary = counts._asdict() if counts else {"nothing_new_in": str(config.workspace)}
    sys.stdout.write(f"{json.dumps(summary)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
