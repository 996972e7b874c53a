"""Pushed readings are laid into the record in memory as the store would give it back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from serve.memory.store import Store, StoreError
from serve.work.record_cache import RecordCache
from tests.serve.serve_example import LAST, UNITS, filled

E1 = UNITS[0]


def rows(
    *values: float, first: int = LAST + 1, point: str = "p", **more: Any
) -> list[Any]:
    limits = more.get("limits", (None, None))
    return [
        (*E1, point, first + n, value, *limits, None) for n, value in enumerate(values)
    ]


def in_order(table: pa.Table) -> pa.Table:
    return table.sort_by(
        [("point_id", "ascending"), ("date", "ascending")]
    ).combine_chunks()


@pytest.mark.parametrize(
    "pushed",
    [
        rows(1.0, 2.0),
        rows(3.0, first=LAST - 5),
        [*rows(4.0), *rows(5.0)],
        rows(6.0, point="q", limits=(1.0, 9.0)),
        [*rows(7.0, first=LAST - 400), *rows(8.0)],
    ],
)
def test_laid_record_is_that_of_the_store(
    tmp_path: Path, pushed: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, store, _ = filled(tmp_path)
    cache = RecordCache(store)
    before = store.unit(E1)
    assert before is not None
    cache.of(before)
    store.add(readings=pushed)
    cache.lay([(before, pushed)])
    now = store.unit(E1)
    assert now is not None
    expected = store.readings(E1)
    monkeypatch.setattr(
        Store, "readings", lambda *_: pytest.fail("the record was read again")
    )
    table, events = cache.of(now)
    assert in_order(table).equals(in_order(expected))
    assert [row[2] for row in events] == ["failure"]


def test_record_that_another_process_has_changed_is_read_again(tmp_path: Path) -> None:
    _, store, _ = filled(tmp_path)
    cache = RecordCache(store)
    before = store.unit(E1)
    assert before is not None
    cache.of(before)
    store.add(readings=rows(50.0, first=LAST - 9))  # another process
    mine = rows(1.0)
    store.add(readings=mine)
    cache.lay([(before, mine)])
    now = store.unit(E1)
    assert now is not None
    assert in_order(cache.of(now)[0]).equals(in_order(store.readings(E1)))


def test_what_memory_has_no_room_for_is_read_in_one_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, store, _ = filled(tmp_path)
    cache = RecordCache(store, most=1)
    first, second = (unit for unit in store.units()[:2])
    table, events = cache.of(first)
    assert store.kept_record(E1, first.version) is None
    cache.of(second)
    kept = store.kept_record(E1, first.version)
    assert kept is not None
    assert kept.equals(table)
    monkeypatch.setattr(
        Store, "readings", lambda *_: pytest.fail("the record was read row by row")
    )
    assert cache.of(first)[1] == events
    assert cache.of(second)[0].num_rows  # kept when the first came back


def test_pushed_readings_are_laid_into_a_record_that_memory_does_not_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, store, _ = filled(tmp_path)
    cache = RecordCache(store, most=1)
    before, other = store.units()[:2]
    cache.of(before)
    cache.of(other)
    mine = rows(1.0, 2.0)
    store.add(readings=mine)
    expected = in_order(store.readings(E1))
    monkeypatch.setattr(
        Store, "readings", lambda *_: pytest.fail("the record was read row by row")
    )
    cache.lay([(before, mine)])
    now = store.unit(E1)
    assert now is not None
    assert in_order(cache.of(now)[0]).equals(expected)


def test_store_that_cannot_keep_records_answers_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any) -> None:
        raise StoreError("the disk is full")

    _, store, _ = filled(tmp_path)
    caplog.set_level("INFO")
    cache = RecordCache(store, most=1)
    monkeypatch.setattr(Store, "keep_records", refuse)
    first, second = store.units()[:2]
    tables = [cache.of(unit)[0] for unit in (first, second, first)]
    assert tables[0].equals(tables[2])
    assert "the disk is full" in caplog.text
