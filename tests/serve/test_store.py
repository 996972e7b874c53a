"""The store on both databases: upserts, late data, claims, predictions, what a full disk or a lost server does."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from sqlalchemy import delete, select, text, update

from hvac.casework.outcome_codes import Outcome, OutcomeCode
from hvac.days import today
from hvac.panel.grid import Unit
from serve.graph.stages import Rows
from serve.memory.store import FLEET, CaseConflictError, KeyRow, Store, StoreError
from serve.memory.store_cases import CaseFacts
from serve.memory.store_outcomes import MaintenanceRow
from serve.memory.store_shadow import ShadowRow, ShadowSummary
from serve.memory.store_tables import METADATA, RECORDS
from tests.serve.serve_example import LAST, UNITS, reading_rows, scored, service_of

E1 = UNITS[0]


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = (
        str(tmp_path / "s.sqlite")
        if request.param == "sqlite"
        else request.getfixturevalue("postgres")
    )
    store = Store.open(url)
    with (
        store._database.write() as connection
    ):  # PostgreSQL's is the same for all tests
        for table in METADATA.sorted_tables:
            connection.execute(delete(table))
    yield store
    store.close()


def test_readings_come_back_as_they_were_sent(store: Store) -> None:
    rows = reading_rows(E1, 5)
    store.add(units=[(*E1, "ahu", 100)], readings=rows)
    found = store.readings(E1)
    assert found["value"].to_pylist() == [row[4] for row in rows]
    assert found["date"].cast(pa.int32()).to_pylist() == [row[3] for row in rows]
    assert found["known_at"].null_count == 5
    assert store.unit(E1) is not None


def test_an_alarm_is_noted_once_with_what_waits_to_be_sent(store: Store) -> None:
    assert store.open_episode(E1, "first", "{}", ["web", "mail"])
    assert not store.open_episode(E1, "second", "{}", ["web", "mail"])
    assert (store.told(), store.waiting_notices()) == ({E1}, 2)


def test_a_case_is_opened_once_with_its_first_change(store: Store) -> None:
    facts = CaseFacts(point="p", risks={}, thresholds={}, alarms=(), reasons=())
    case_id = store.open_case(E1, LAST, facts)
    assert case_id is not None
    assert store.open_case(E1, LAST, facts) is None
    (case,) = store.cases()
    (change,) = store.case_changes(case_id)
    assert (case.version, change.version) == (1, 1)
    changed = store.change_case(case, {"state": "done", "closed_day": LAST}, who="x")
    with pytest.raises(CaseConflictError):
        store.change_case(case, {"assignee": "Sato"}, who="y")
    assert store.cases() == [changed]
    assert store.open_case(E1, LAST, facts) is not None


@pytest.mark.parametrize(("closed_ago", "told"), [(0, set()), (3, {E1})])
def test_alarm_older_than_the_last_closing_is_told_again(
    store: Store, closed_ago: int, told: set[Unit]
) -> None:
    facts = CaseFacts(point="p", risks={}, thresholds={}, alarms=(), reasons=())
    store.open_episode(E1, "first", "{}", [])
    store.open_case(E1, LAST, facts, closed_day=today() - closed_ago)
    assert store.told() == told


def test_pairs_of_risks_are_summed_up_paged_and_dropped(store: Store) -> None:
    first = ShadowRow(*E1, "", 30, 20_000, 0.2, 0.4, 0.5, 0, 1, "a", "b", time.time())
    others = [
        first._replace(end_day=20_001, shift=-0.25, champion_alarm=1),
        first._replace(equipment_id="E2", champion_alarm=1, challenger_alarm=0),
        first._replace(facility_id="F2", since=0.0),
    ]
    store.add_shadow([first._replace(shift=9.0), *others])
    store.add_shadow([first])  # of the same window: it replaces the earlier
    assert store.shadow_summary("F1") == [
        ShadowSummary("a", "b", 30, 3, 2, 20_000, 20_001, 0.25, 1, 1, 1)
    ]
    assert store.shadow_rows("F1", most=1) == [others[0]]
    assert store.shadow_rows(first=2, most=9) == [first, others[1], others[2]]
    assert store.drop_shadow(28) == 1
    assert store.shadow_rows("F2", most=9) == []


def test_outcomes_and_maintenance_of_one_key_are_kept_once(store: Store) -> None:
    store.add(units=[(*E1, "ahu", 100)])
    codes: tuple[OutcomeCode, ...] = ("hit", "nothing_found")
    for code in codes:
        store.add_outcomes([(Outcome(E1, LAST, code, "Sato"), None)], "key")
    assert [row.code for row in store.outcomes(E1)] == ["nothing_found"]
    window = MaintenanceRow("F1", "", LAST, LAST + 3, "", "key")
    store.add_maintenance(window)
    store.add_maintenance(window._replace(reason="closed"))
    assert [row.reason for row in store.maintenance(on_day=LAST + 3)] == ["closed"]
    assert store.maintenance(on_day=LAST + 4) == []
    assert store.drop_maintenance(Unit("F1", ""), LAST)


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
        threading.Thread(
            target=lambda: found.extend(u for u, _ in store.claim_stale(2))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted(UNITS)
    assert store.claim_stale(10) == []


def test_equipment_that_changes_while_it_is_scored_stays_stale(
    store: Store, latest: Rows
) -> None:
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
    assert len(store.recent(0, *E1)) == 3


def test_equipment_set_aside_has_no_predictions_until_it_is_scored(
    store: Store, latest: Rows
) -> None:
    store.add(
        units=[(*unit, "ahu", None) for unit in UNITS], readings=reading_rows(E1, 2)
    )
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
    assert [row["risk"] for row in store.predictions()] == [
        row["risk"] for row in latest
    ]
    store.take_predictions(
        [{**row, "risk": 0.25} for row in latest], {tuple(u): v - 1 for u, v in late}
    )  # type: ignore[misc]
    assert [row["risk"] for row in store.predictions()] == [
        row["risk"] for row in latest
    ]
    store.take_predictions([{**row, "risk": 0.25} for row in latest], store.versions())
    assert {row["risk"] for row in store.predictions()} == {0.25}


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
    with store._database.engine.connect() as connection:  # the only one of the pool
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(StoreError, match="full"):
        store.add(readings=reading_rows(UNITS[1], 20_000))
    assert len(store.readings(E1)) == 50
    assert len(store.readings(UNITS[1])) == 0


def test_two_processes_share_a_file(tmp_path: Path) -> None:
    one, two = (
        Store.open(str(tmp_path / "s.sqlite")),
        Store.open(str(tmp_path / "s.sqlite")),
    )
    one.add(readings=reading_rows(E1, 5))
    two.add(readings=reading_rows(UNITS[1], 5))
    assert len(one.units()) == len(two.units()) == 2


def test_threads_do_not_wait_for_a_place_in_the_pool(store: Store) -> None:
    """More threads at once than connections are kept open."""
    store.add(units=[(*E1, "ahu", None)])
    together = threading.Barrier(20)

    def read(_: int) -> int:
        with store._database.engine.connect():
            together.wait(20)
            return len(store.units())

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(read, range(20))) == [1] * 20


def test_lost_connection_is_an_error_once_and_opened_again(store: Store) -> None:
    store.add(readings=reading_rows(E1, 5))
    if not store._database.is_postgres:
        pytest.skip("a file has no server to lose")
    others = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    )
    other = Store.open(store._database.url)
    with other._database.write() as connection:
        connection.execute(others)
    other.close()
    with pytest.raises(StoreError, match="cannot do this now"):
        store.readings(E1)
    assert len(store.readings(E1)) == 5


def test_postgres_without_its_driver_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"pip install 'hvac-foresight\[postgres\]'"):
        Store.open("postgresql://127.0.0.1:1/none")


def test_error_tells_no_values(store: Store) -> None:
    with pytest.raises(StoreError) as refused:
        store.add(readings=[("X", "Y", "secret point", LAST, None, None, None, None)])
    assert "INSERT" not in str(refused.value)
    if not store._database.is_postgres:  # which tells the row that it refused
        assert "secret point" not in str(refused.value)


def test_password_is_not_told_in_errors() -> None:
    with pytest.raises(StoreError) as told:
        Store.open("postgresql://someone:secret@127.0.0.1:1/none")
    assert "secret" not in str(told.value)


ANOTHER = """
import sys
from serve.memory.store import Store
store = Store(sys.argv[1])
store.add(units=[("F2", "E9", "ahu", None)])
store.close()
"""


def test_another_process_that_ends_takes_nothing_of_what_is_written_here_later(
    tmp_path: Path,
) -> None:
    """Whoever closes the file itself loses its locks: the other would delete the log of this process."""
    file = str(tmp_path / "s.sqlite")
    store = Store.open(file)
    row = ("F1", "E1", "p", 10, 1.0, None, None, None)
    store.add(readings=[row])
    both = [store._database.engine.connect() for _ in range(2)]  # two threads at once
    for connection in both:
        connection.close()
    subprocess.run([sys.executable, "-c", ANOTHER, file], check=True)
    store.add(readings=[(*row[:3], 11, *row[4:])])
    fresh = Store.open(file)
    assert len(fresh.readings(Unit("F1", "E1"))) == 2
    fresh.close()
    store.close()


# Records in one piece


PIECE = (Unit("F1", "E1"), 1)


def with_piece(store: Store) -> pa.Table:
    """One machine whose record is kept in one piece."""
    store.add(
        readings=[
            ("F1", "E1", "p", 10 + n, float(n), None, None, None) for n in range(5)
        ]
    )
    readings = store.readings(PIECE[0])
    store.keep_records({PIECE: readings})
    return readings


def test_piece_is_the_record_of_its_version(store: Store) -> None:
    readings = with_piece(store)
    kept = store.kept_record(*PIECE)
    assert kept is not None
    assert kept.equals(readings)
    assert store.kept_record(PIECE[0], 2) is None
    assert store.kept_record(Unit("F1", "E2"), 1) is None


def test_new_readings_leave_a_piece_behind_and_other_changes_take_it_along(
    store: Store,
) -> None:
    readings = with_piece(store)
    store.add(events=[("F1", "E1", "failure", 3, 4, None)])
    store.add(units=[("F1", "E1", "pump", 5)])
    store.mark_stale([("F1", "E1")])
    kept = store.kept_record(PIECE[0], 4)
    assert kept is not None
    assert kept.equals(readings)
    store.add(readings=[("F1", "E1", "p", 11, 9.0, None, None, None)])
    assert store.kept_record(PIECE[0], 5) is None
    store.add(events=[("F1", "E1", "failure", 30, 31, None)])
    assert store.kept_record(PIECE[0], 6) is None
    store.load_readings([("F1", "E1", "p", 12, 9.0, None, None, None)])
    assert store.kept_record(PIECE[0], 7) is None


def test_record_that_has_changed_since_it_was_read_is_not_kept(store: Store) -> None:
    with_piece(store)
    old = store.readings(PIECE[0])
    store.add(readings=[("F1", "E1", "p", 20, 9.0, None, None, None)])
    store.keep_records({PIECE: old.slice(0, 2)})
    kept = store.kept_record(*PIECE)
    assert kept is not None
    assert len(kept) == 5  # of then
    assert store.kept_record(PIECE[0], 2) is None


def test_damaged_piece_counts_as_none(store: Store) -> None:
    with_piece(store)
    with store._database.write() as connection:
        (content,) = connection.execute(select(RECORDS.c.content)).one()
    for damaged in (
        b"half of it",
        content[: len(content) // 2],
        content[:-9] + b"\x01" + content[-8:],
    ):
        with store._database.write() as connection:
            connection.execute(update(RECORDS).values(content=damaged))
        assert store.kept_record(*PIECE) is None


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
    holder = subprocess.Popen(
        [sys.executable, "-c", CLAIM, url], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "3\n"
    assert store.claim_stale(10) == []
    holder.kill()
    holder.wait()
    assert len(store.claim_stale(10)) == 3
    assert store.claim_stale(10) == []
