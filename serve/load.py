"""Fill an empty store with what the batch jobs wrote: readings, events, equipment, newest predictions, bundles."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from hvac.panel.readings import CANONICAL
from hvac.panel.registry import Registry
from hvac.storage import parquet_dataset, place, read_parquet
from serve.records import day_number
from serve.settings import ServeConfig
from serve.store import FLEET, Store, reading_rows

log = logging.getLogger(__name__)
LOADED = "loaded workspace"
ROWS = 100_000


def fill(store: Store, config: ServeConfig) -> bool:
    """Load the workspace's tables into a store that was never filled; False where there is nothing to do."""
    workspace = place(config.workspace)
    panel = workspace / "panel"
    if store.note(LOADED) or not (panel / "units.parquet").exists():
        return False
    log.info("store: loading %s", config.workspace)
    registry = Registry.load(panel)
    store.add(units=list(_units(registry)), events=list(_events(registry)), stale=False)
    for batch in parquet_dataset(panel / "readings").to_batches(batch_size=ROWS):
        table = pa.Table.from_batches([batch]).select(CANONICAL.names)
        store.load_readings(reading_rows(table))
    latest = workspace / "latest.parquet"
    if latest.exists():
        store.save_predictions(read_parquet(latest).to_pylist())
    bundles = workspace / "steps" / "train.json"
    if bundles.exists():
        found: dict[str, str] = json.loads(bundles.read_text(encoding="utf-8"))["bundles"]
        store.assign({(FLEET, name): bundle for name, bundle in found.items()}, stale=not latest.exists())
    store.remember(LOADED, str(config.workspace))
    log.info("store: %d pieces of equipment loaded", len(store.units()))
    return True


def _units(registry: Registry) -> Iterator[tuple[str, str, str, int | None]]:
    for unit, name in registry.kinds.items():
        yield (*unit, name, registry.install_days[unit])


def _events(registry: Registry) -> Iterator[tuple[Any, ...]]:
    for row in registry.events.to_pylist():
        start, end = day_number(row["start"]), day_number(row["end"] or row["start"])
        yield (row["facility_id"], row["equipment_id"], row["kind"], start, end, row["point_id"])
