"""One rule for what may come in: a reading is taken or refused alike by file, by the API and from what a job wrote."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from hvac.errors import InputError
from hvac.panel.grid import Unit
from hvac.readings.accepted import newest_day
from hvac.readings.gate import CANONICAL, SourceConfig, read_all
from serve.load import load
from serve.memory.store import Store
from serve.service import Service
from serve.settings import ServeConfig
from tests.serve.serve_example import client_of, scored, service_of
from tests.serve.test_app import write_workspace

SOUND: dict[str, Any] = {
    "facility_id": "F1", "equipment_id": "E1", "point_id": "p", "date": "2024-03-01", "value": 21.5,
}  # fmt: skip
TAKEN = {
    "slash": {"facility_id": "本社/北館"},
    "128 characters": {"equipment_id": "x" * 128},
    "dots": {"facility_id": ".."},
    "emoji": {"point_id": "温度😀"},
    "tomorrow": {"date": str(newest_day())},
    "first day": {"date": "1970-01-01"},
    "largest": {"value": 1e15},
    "spaces around": {"equipment_id": " E1　"},
}
REFUSED = {
    "129 characters": {"equipment_id": "x" * 129},
    "control character": {"equipment_id": "E\x071"},
    "C1 control character": {"facility_id": "F\x85A"},
    "empty": {"facility_id": ""},
    "only spaces": {"point_id": "　 "},
    "nan": {"equipment_id": "nan"},
    "None": {"facility_id": "None"},
    "after tomorrow": {"date": str(newest_day() + dt.timedelta(days=1))},
    "2042": {"date": "2042-03-01"},
    "before 1970": {"date": "1969-12-31"},
    "no such day": {"date": "2024-02-30"},
    "too large": {"value": 1.1e15},
    "infinite": {"value": "inf"},
    "text": {"value": "abc"},
    "truth": {"value": "true"},
}
EVERY = [
    pytest.param(change, name in TAKEN, id=name)
    for name, change in (TAKEN | REFUSED).items()
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return scored(service_of(tmp_path_factory.mktemp("service")))


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with client_of(service) as client:
        yield client


def by_file(row: dict[str, Any], folder: Path) -> pa.Table:
    """What the gate lets through of a CSV with this row."""
    path = folder / "readings.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, SOUND)
        writer.writeheader()
        writer.writerow(row)
    try:
        return pa.concat_tables(
            [one.readings for one in read_all(SourceConfig(readings=str(path)))]
        )
    except InputError:
        return CANONICAL.empty_table()


@pytest.mark.parametrize(("change", "taken"), EVERY)
def test_reading_has_the_same_answer_by_file_and_api(
    change: dict[str, Any], taken: bool, client: TestClient, tmp_path: Path
) -> None:
    row = SOUND | change
    assert len(by_file(row, tmp_path)) == taken
    reading = {name: row[name] for name in ("point_id", "date", "value")}
    unit = {
        "facility_id": row["facility_id"],
        "equipment_id": row["equipment_id"],
        "class": "ahu",
    }
    told = client.post(
        "/v1/readings", json={"units": [{**unit, "readings": [reading]}]}
    )
    assert told.status_code == (202 if taken else 422), told.text


@pytest.mark.parametrize(
    "change", [pytest.param(change, id=name) for name, change in TAKEN.items()]
)
def test_what_the_gate_let_through_is_loaded_and_can_be_asked_for(
    change: dict[str, Any], service: Service, client: TestClient, tmp_path: Path
) -> None:
    table = by_file(SOUND | change, tmp_path)
    write_workspace(tmp_path / "run", service.rows(), service.store)
    pq.write_table(table, tmp_path / "run" / "panel" / "readings" / "part.parquet")
    config = ServeConfig(workspace=tmp_path / "run")
    store = Store.open(config.store_url)
    load(store, config)
    (row,) = table.to_pylist()
    unit = Unit(row["facility_id"], row["equipment_id"])
    found = [
        each for each in store.readings(unit).to_pylist() if each["date"] == row["date"]
    ]
    assert [each["value"] for each in found if each["point_id"] == row["point_id"]] == [
        row["value"]
    ]
