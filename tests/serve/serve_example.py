"""A small service: two facilities, one bundle of one point, a store in a file; the stages in this process, no Ray."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from fastapi.testclient import TestClient

from hvac.days import EPOCH
from hvac.panel.grid import Unit
from hvac.scoring.bundle import Bundle
from serve.graph.stages import LocalStages
from serve.http.api import make_api
from serve.http.door import Door
from serve.memory.store import FLEET, Store
from serve.rescoring import rescore
from serve.service import Service
from serve.settings import ServeConfig
from tests.models.models_example import bundle

TODAY = dt.datetime.now(dt.UTC).date()
LAST = (TODAY - EPOCH).days - 1
UNITS = (Unit("F1", "E1"), Unit("F1", "E2"), Unit("F2", "E1"))
DAYS = 200


def values(unit: Unit, days: int = DAYS) -> np.ndarray:
    """A noisy level with, for F1 E2, a rise at the end."""
    rng = np.random.default_rng(abs(hash_of(unit)))
    rise = (
        np.r_[np.zeros(days - 60), np.linspace(0, 8, 60)]
        if unit == UNITS[1] and days > 60
        else 0
    )
    return rng.normal(20, 1, days) + rise


def hash_of(unit: Unit) -> int:
    return sum(map(ord, "".join(unit)))


def reading_rows(
    unit: Unit, days: int = DAYS, *, last: int = LAST
) -> list[tuple[Any, ...]]:
    """Rows of `store.READING`."""
    found = values(unit, days)
    return [
        (*unit, "p", last - days + 1 + i, float(v), 10.0, 30.0, None)
        for i, v in enumerate(found)
    ]


def body_readings(unit: Unit, days: int = DAYS) -> list[dict[str, Any]]:
    """The same as the body of a request."""
    return [
        {"point_id": row[2], "date": str(EPOCH + dt.timedelta(days=row[3])), "value": row[4], "lower_limit": row[5],
         "upper_limit": row[6]} for row in reading_rows(unit, days)
    ]  # fmt: skip


@cache
def usual() -> Bundle:
    """Make the bundle that serves unless another is given, once: it takes longer than all else of a service."""
    return bundle()


def filled(
    folder: Path, made: Bundle | None = None, **settings: Any
) -> tuple[ServeConfig, Store, str]:
    """Settings, a filled store, and the id of the bundle that serves the fleet's class ahu."""
    config = ServeConfig(
        workspace=folder, store=str(folder / "store.sqlite"), **settings
    )
    name = (made or usual()).save(folder / "bundles").name
    store = Store.open(config.store_url)
    store.add(
        units=[(*unit, "ahu", 10_000) for unit in UNITS],
        readings=[row for unit in UNITS for row in reading_rows(unit)],
        events=[(*UNITS[0], "failure", LAST - 150, LAST - 148, None)],
    )
    store.assign({(FLEET, "ahu"): name})
    return config, store, name


def service_of(folder: Path, made: Bundle | None = None, **settings: Any) -> Service:
    config, store, _ = filled(folder, made, **settings)
    return Service(config, store, LocalStages(config.bundle_folder, 4))


def scored(service: Service) -> Service:
    """The same, with everything that waits scored."""
    while asyncio.run(rescore(service)):
        pass
    return service


@contextmanager
def client_of(service: Service, *, keys: bool = False) -> Iterator[TestClient]:
    api = make_api(service, Door(service.store, keys=keys))
    with TestClient(
        api, base_url="http://127.0.0.1", raise_server_exceptions=False
    ) as client:
        yield client
