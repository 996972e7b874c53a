"""The store on both databases: upserts, late data, claims, predictions, what a full disk or a lost server does."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hvac.errors import ConfigError
from hvac.panel.grid import Unit
from serve.graph.stages import Rows
from serve.memory.store import FLEET, KeyRow, Store, StoreError
from tests.serve.serve_example import LAST, UNITS, reading_rows, scored, service_of

E1 = UNITS[0]


def postgres_binary(name: str) -> str | None:
    found = shutil.which(name)
    return found or next(
        (str(p) for p in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None
    )


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL of this module's own, on a free port of 127.0.0.1."""
    initdb, server = postgres_binary("initdb"), postgres_binary("postgres")
    if not initdb or not server:
        pytest.skip("PostgreSQL (Debian's package postgresql) is not installed")
    folder = tmp_path_factory.mktemp("pg")
    user: dict[str, Any] = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        user = {"user": "nobody"}
        for each in (folder, *folder.parents):
            if each == Path("/tmp"):
                break
            each.chmod(0o755)
        shutil.chown(folder, "nobody")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    subprocess.run(
        [initdb, "-D", folder / "data", "-U", "hvac", "-A", "trust"],
        check=True,
        capture_output=True,
        **user,
    )
    command = [
        server,
        "-D",
        folder / "data",
        "-p",
        str(port),
        "-h",
        "127.0.0.1",
        "-k",
        folder,
        "-F",
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **user
    )
    url = f"postgresql://hvac@127.0.0.1:{port}/postgres"
    try:
        _wait_for(url)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(url: str) -> None:
    import psycopg

    for _ in range(600):
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            time.sleep(0.1)
    raise AssertionError("PostgreSQL did not start")


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = (
        str(tmp_path / "s.sqlite")
        if request.param == "sqlite"
        else request.getfixturevalue("postgres")
    )
    made = Store.open(url)
    if made._database.is_postgres:
        with made._transaction() as run:
            kept = "units, readings, events, predictions, history, assignments, api_keys"
            run(f"TRUNCATE waiting, scored, set_aside, {kept}")
            run("DELETE FROM notes WHERE name <> 'schema'")
    yield made
    made.close()


def test_readings_come_back_as_they_were_sent(store: Store) -> None:
    rows = reading_rows(E1, 5)
    store.add(units=[(*E1, "ahu", 100)], readings=rows)
    found = store.readings(E1)
    assert found["value"].to_pylist() == [row[4] for row in rows]
    assert found["date"].cast(pa.int32()).to_pylist() == [row[3] for row in rows]
    assert found["known_at"].null_count == 5
    assert store.unit(E1) is not None


def test_sending_the_same_readings_twice_is_the_same_as_once(store: Store) -> None:
    for _ in range(2):
        store.add(readings=reading_rows(E1, 5))
    assert len(store.readings(E1)) == 5


def test_a_later_value_of_a_day_takes_the_place_of_the_earlier(store: Store) -> None:
    store.add(readings=reading_rows(E1, 5))
    store.add(readings=[(*E1, "p", LAST, 99.0, None, None, None)])
    assert sorted(store.readings(E1)["value"].to_pylist())[-1] == 99.0
    assert len(store.readings(E1)) == 5


def test_version_rises_with_every_change_and_the_class_is_kept(store: Store) -> None:
    store.add(units=[(*E1, "ahu", 100)], readings=reading_rows(E1, 2))
    store.add(readings=reading_rows(E1, 1))
    found = store.unit(E1)
    assert found is not None
    assert (found.class_name, found.install_day, found.version) == ("ahu", 100, 2)


def test_changed_equipment_is_claimed_by_one_only(store: Store) -> None:
    store.add(readings=[row for unit in UNITS for row in reading_rows(unit, 2)])
    found: list[Unit] = []
    threads = [
        threading.Thread(target=lambda: found.extend(u for u, _ in store.claim_stale(2)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted(UNITS)
    assert store.claim_stale(10) == []


def test_equipment_that_changes_while_it_is_scored_stays_stale(store: Store, latest: Rows) -> None:
    store.add(readings=[row for unit in UNITS for row in reading_rows(unit, 2)])
    claims = store.claim_stale(10)
    store.add(readings=[(*E1, "p", LAST, 50.0, None, None, None)])
    store.save_predictions(latest, claims)
    assert [unit for unit, _ in store.claim_stale(10)] == [E1]


def test_predictions_come_back_and_history_keeps_one_row_per_window(
    store: Store, latest: Rows
) -> None:
    store.add(readings=[row for unit in UNITS for row in reading_rows(unit, 2)])
    for _ in range(2):
        store.save_predictions(latest)
    rows = store.predictions("F1", "E1")
    assert [row["horizon"] for row in rows] == [30, 60, 90]
    assert [row["risk"] for row in rows] == [row["risk"] for row in latest[:3]]
    assert len(store.history(E1)) == 3


def test_equipment_set_aside_has_no_predictions_until_it_is_scored(
    store: Store, latest: Rows
) -> None:
    store.add(units=[(*unit, "ahu", None) for unit in UNITS], readings=reading_rows(E1, 2))
    store.save_predictions(latest)
    store.set_aside(store.claim_stale(1)[0], "because")
    (unit,) = store.aside()
    assert store.aside(unit) == {unit: "because"}
    assert store.predictions(*unit) == []
    assert store.stale_count() == 2
    assert store.stale_count(lambda facility: facility == "F2") <= 1
    store.mark_stale([unit])
    claims = [claim for claim in store.claim_stale(10) if claim[0] == unit]
    store.save_predictions([row for row in latest if row["equipment_id"] == unit.equipment_id
                            and row["facility_id"] == unit.facility_id], claims)  # fmt: skip
    assert store.aside() == {}


def test_change_and_promotion_while_equipment_is_scored_are_not_lost(
    store: Store, latest: Rows
) -> None:
    store.add(units=[(*unit, "ahu", None) for unit in UNITS])
    for change in (
        lambda: store.add(readings=reading_rows(E1, 1)),
        lambda: store.assign({(FLEET, "ahu"): "other"}),
    ):
        claims = store.claim_stale(10)
        change()
        store.save_predictions(latest, claims)
        assert E1 in [unit for unit, _ in store.claim_stale(10)]
        store.release(claims)


def test_late_answer_does_not_replace_a_newer_one(store: Store, latest: Rows) -> None:
    store.add(units=[(*unit, "ahu", None) for unit in UNITS])
    late = store.claim_stale(10)
    store.mark_stale(UNITS)
    store.release(late)
    store.save_predictions(latest, store.claim_stale(10))
    store.save_predictions([{**row, "risk": 0.125} for row in latest], late)
    store.set_aside(late[0], "too late")
    assert [row["risk"] for row in store.predictions()] == [row["risk"] for row in latest]
    store.take_predictions(
        [{**row, "risk": 0.25} for row in latest], {tuple(u): v - 1 for u, v in late}
    )  # type: ignore[misc]
    assert [row["risk"] for row in store.predictions()] == [row["risk"] for row in latest]
    store.take_predictions([{**row, "risk": 0.25} for row in latest], store.versions())
    assert {row["risk"] for row in store.predictions()} == {0.25}


def test_schema_before_is_migrated_and_a_later_one_refused(store: Store) -> None:
    url = store._database.url
    store.add(units=[(*E1, "ahu", None)])
    with store._transaction() as run:
        run("DROP TABLE waiting")
        run("DELETE FROM notes WHERE name = 'schema'")
        run(
            "CREATE TABLE stale (facility_id TEXT, equipment_id TEXT, since DOUBLE PRECISION, leased DOUBLE PRECISION)"
        )
        run("INSERT INTO stale VALUES (?, ?, 1, 2)", E1)
    assert [unit for unit, _ in Store.open(url).claim_stale(10)] == [E1]
    store.remember("schema", "99")
    with pytest.raises(ConfigError, match="schema 99"):
        Store.open(url)
    store.remember("schema", "2")


def test_assigning_a_bundle_marks_what_it_serves(store: Store) -> None:
    store.add(units=[(*E1, "ahu", None), (*UNITS[2], "pump", None)], stale=False)
    store.assign({(FLEET, "ahu"): "one"})
    assert [unit for unit, _ in store.claim_stale(10)] == [E1]
    assert store.assignments() == {(FLEET, "ahu"): "one"}


def test_assigning_for_one_facility_leaves_the_others(store: Store) -> None:
    store.add(units=[(*unit, "ahu", None) for unit in UNITS], stale=False)
    store.assign({("F2", "ahu"): "own"})
    assert [unit for unit, _ in store.claim_stale(10)] == [UNITS[2]]


def test_keys_are_kept_by_hash_and_withdrawn_by_name(store: Store) -> None:
    store.add_key(KeyRow("abc", "plant", "F1", "push"))
    assert store.api_keys() == [KeyRow("abc", "plant", "F1", "push")]
    assert (store.drop_keys("plant"), store.api_keys()) == (1, [])


def test_failed_write_changes_nothing(store: Store) -> None:
    store.add(readings=reading_rows(E1, 2))
    with pytest.raises(StoreError):
        store.add(
            units=[("X", "Y", "ahu", None)],
            readings=[("X", "Y", "p", LAST, None, None, None, None)],
        )
    assert store.unit(Unit("X", "Y")) is None


def test_full_disk_is_one_sentence_and_loses_nothing(tmp_path: Path) -> None:
    """SQLite's own page limit gives the very error of a full disk (SQLITE_FULL)."""
    store = Store.open(str(tmp_path / "s.sqlite"))
    store.add(readings=reading_rows(E1, 50))
    pages = store._database._connection().execute("PRAGMA page_count").fetchone()[0]
    store._database._connection().execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(StoreError, match="full"):
        store.add(readings=reading_rows(UNITS[1], 20_000))
    assert len(store.readings(E1)) == 50
    assert len(store.readings(UNITS[1])) == 0


def test_two_processes_share_a_file(tmp_path: Path) -> None:
    one, two = Store.open(str(tmp_path / "s.sqlite")), Store.open(str(tmp_path / "s.sqlite"))
    one.add(readings=reading_rows(E1, 5))
    two.add(readings=reading_rows(UNITS[1], 5))
    assert len(one.units()) == len(two.units()) == 2


def test_password_is_not_told_in_errors() -> None:
    with pytest.raises(StoreError) as told:
        Store.open("postgresql://someone:secret@127.0.0.1:1/none")
    assert "secret" not in str(told.value)


@pytest.fixture(scope="module")
def latest(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """Predictions of the three pieces of equipment."""
    service = scored(service_of(tmp_path_factory.mktemp("latest")))
    return service.rows()


CLAIM = """
import sys, time
from serve.memory.store import Store
print(len(Store.open(sys.argv[1]).claim_stale(10)), flush=True)
time.sleep(60)
"""


def test_claims_of_a_process_that_was_killed_are_free_at_once(tmp_path: Path) -> None:
    url = str(tmp_path / "store.sqlite")
    store = Store.open(url)
    store.add(units=[("F", f"E{k}", "ahu", None) for k in range(3)])
    holder = subprocess.Popen([sys.executable, "-c", CLAIM, url], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "3\n"
    assert store.claim_stale(10) == []
    holder.kill()
    holder.wait()
    assert len(store.claim_stale(10)) == 3
    assert store.claim_stale(10) == []
