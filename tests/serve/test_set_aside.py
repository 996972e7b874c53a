"""One unit that cannot be scored, for whatever reason, harms nobody else, and everybody is told."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hvac.errors import ConfigError
from hvac.panel.grid import Unit
from serve import service_metrics
from serve.bodies.problems import TooSlow, is_passing
from serve.keys import make_key
from serve.memory.store import FLEET, Store
from serve.rescoring import rescore, rescore_forever
from serve.service import Service
from serve.settings import Limits
from serve.work.request_limits import within
from tests.models.models_example import bundle
from tests.serve.damaged_bundles import weights
from tests.serve.serve_example import (
    LAST,
    UNITS,
    body_readings,
    client_of,
    filled,
    reading_rows,
    scored,
    service_of,
)

BAD = Unit("F2", "bad")


def as_bad(unit: Unit) -> list[tuple[Any, ...]]:
    return [(*unit, *row[2:]) for row in reading_rows(UNITS[0])]


def with_odd_id(service: Service) -> Unit:
    """A row of an older version, whose id is none."""
    unit = Unit("F2", "a\x01b")
    service.store.add(units=[(*unit, "ahu", None)], readings=as_bad(unit))
    return unit


def without_a_bundle(service: Service) -> Unit:
    service.store.add(units=[(*BAD, "boiler", None)], readings=as_bad(BAD))
    return BAD


def with_a_damaged_bundle(service: Service) -> Unit:
    folder = bundle(seed=9).save(service.config.bundle_folder)
    (folder / "model.safetensors").write_bytes(b"nothing")
    service.store.add(units=[(*BAD, "boiler", None)], readings=as_bad(BAD))
    service.store.assign({("F2", "boiler"): folder.name})
    return BAD


def whose_bundle_raises(service: Service) -> Unit:
    predict = service.stages.predict

    async def failing(asks: Any) -> Any:
        if any(ask.unit == BAD for ask in asks):
            raise RuntimeError("/secret/path")
        return await predict(asks)

    service.stages.predict = failing  # type: ignore[method-assign]
    service.store.add(units=[(*BAD, "ahu", None)], readings=as_bad(BAD))
    return BAD


def whose_bundle_gives_nan(service: Service) -> Unit:
    """Assigned by the batch jobs, so that no promotion looked at it."""
    folder = bundle(seed=9).save(service.config.bundle_folder)
    weights(lambda array: array * np.nan)(folder)
    service.store.add(units=[(*BAD, "boiler", None)], readings=as_bad(BAD))
    service.store.assign({("F2", "boiler"): folder.name})
    return BAD


def that_takes_too_long(service: Service) -> Unit:
    predict = service.stages.predict

    async def slow(asks: Any) -> Any:
        if any(ask.unit == BAD for ask in asks):
            await asyncio.sleep(60)
        return await predict(asks)

    service.stages.predict = slow  # type: ignore[method-assign]
    service.store.add(units=[(*BAD, "ahu", None)], readings=as_bad(BAD))
    return BAD


def without_readings_of_its_points(service: Service) -> Unit:
    service.store.add(
        units=[(*BAD, "ahu", None)], readings=[(*BAD, "q", LAST, 1.0, None, None, None)]
    )
    return BAD


WAYS = (
    with_odd_id, without_a_bundle, with_a_damaged_bundle, whose_bundle_raises, whose_bundle_gives_nan,
    that_takes_too_long, without_readings_of_its_points,
)  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_unit_that_cannot_be_scored_is_set_aside_and_the_others_are_scored(
    tmp_path: Path, way: Callable[[Service], Unit]
) -> None:
    service = service_of(
        tmp_path, limits={"timeout_s": 2 if way is that_takes_too_long else 30}
    )
    unit = way(service)
    started = time.monotonic()
    scored(service)
    assert time.monotonic() - started < 15
    assert {(row["facility_id"], row["equipment_id"]) for row in service.rows()} == set(
        UNITS
    )
    assert service.store.stale_count() == 0
    with client_of(service) as client:
        told = client.get("/readyz").json()
        assert [
            (each["facility_id"], each["equipment_id"]) for each in told["set_aside"]
        ] == [unit]
        assert told["set_aside"][0]["reason"]
        for inside in (str(tmp_path), "secret", "Traceback"):
            assert inside not in str(told)
        assert "hvac_set_aside 1.0" in client.get("/metrics").text


def test_page_and_api_of_a_unit_set_aside_say_why_in_both_languages(
    tmp_path: Path,
) -> None:
    service = service_of(tmp_path)
    without_a_bundle(service)
    scored(service)
    with client_of(service) as client:
        assert "boiler" in client.get("/v1/equipment/F2/bad").json()["set_aside"]
        english, japanese = (
            client.get(f"/equipment/F2/bad?lang={name}").text for name in ("en", "ja")
        )
    assert "cannot be scored" in english
    assert "no bundle scores" in english
    assert "判定できません" in japanese
    assert "を判定するモデルがありません" in japanese
    assert "no bundle scores" not in japanese


def test_unit_set_aside_is_tried_again_when_its_record_changes_or_a_bundle_is_promoted(
    tmp_path: Path,
) -> None:
    service = service_of(tmp_path)
    store = service.store
    without_readings_of_its_points(service)
    scored(service)
    assert list(store.aside()) == [BAD]
    store.add(readings=as_bad(BAD))
    scored(service)
    assert store.aside() == {}
    assert service.rows(*BAD)
    other = Unit("F3", "of another class")
    store.add(units=[(*other, "fan", None)], readings=as_bad(other))
    scored(service)
    assert list(store.aside()) == [other]
    store.assign({(FLEET, "fan"): service.rows(*BAD)[0]["bundle_id"]})
    scored(service)
    assert store.aside() == {}


def test_round_ends_though_every_unit_of_it_fails(tmp_path: Path) -> None:
    service = service_of(tmp_path)

    async def fail(_: Any) -> Any:
        raise KeyError("whatever")

    service.stages.predict = fail  # type: ignore[method-assign]
    assert asyncio.run(rescore(service)) == 3
    assert asyncio.run(rescore(service)) == 0
    assert len(service.store.aside()) == 3


def test_store_that_is_away_or_a_worker_that_died_sets_nobody_aside(
    tmp_path: Path,
) -> None:
    service = service_of(tmp_path)
    died = type("ActorDiedError", (Exception,), {})

    async def fail(_: Any) -> Any:
        raise died

    service.stages.predict, predict = fail, service.stages.predict  # type: ignore[method-assign]
    with pytest.raises(died):
        asyncio.run(rescore(service))
    assert service.store.aside() == {}
    service.stages.predict = predict  # type: ignore[method-assign]
    scored(service)
    assert (
        len({row["equipment_id"] + row["facility_id"] for row in service.rows()}) == 3
    )


def test_what_was_set_aside_is_tried_once_more_after_a_start(tmp_path: Path) -> None:
    service = service_of(tmp_path)
    for claim in service.store.claim_stale(10):
        service.store.set_aside(claim, "the bundles could not be reached")

    async def a_while() -> None:
        loop = asyncio.create_task(rescore_forever(service))
        for _ in range(200):
            await asyncio.sleep(0.05)
            if len(service.rows()) == 9:
                break
        loop.cancel()

    asyncio.run(a_while())
    assert service.store.aside() == {}


def test_stages_that_answer_nothing_set_nobody_aside(tmp_path: Path) -> None:
    """As while a cluster is still starting."""
    service = service_of(tmp_path, limits={"timeout_s": 0.2})

    async def hang(*_: Any, **__: Any) -> Any:
        await asyncio.sleep(60)

    service.stages.predict = service.stages.about = hang  # type: ignore[method-assign]
    with pytest.raises(TooSlow):
        asyncio.run(rescore(service))
    assert service.store.aside() == {}
    assert len(service.store.claim_stale(10)) == 3


def test_key_of_a_facility_sees_only_its_own_units_set_aside(tmp_path: Path) -> None:
    service = service_of(tmp_path)
    without_a_bundle(service)
    scored(service)
    keys = {
        name: make_key(service.store, name, facility_id=name) for name in ("F1", "F2")
    }
    with client_of(service, keys=True) as client:
        told = {
            name: client.get("/readyz", headers={"x-api-key": key}).json()
            for name, key in keys.items()
        }
        assert client.get("/readyz").json() == {"status": "ready"}
    assert told["F1"]["set_aside"] == []
    assert told["F2"]["set_aside"][0]["equipment_id"] == "bad"


def test_promotion_by_another_replica_counts_at_once(tmp_path: Path) -> None:
    """Though this one still remembers which bundles served a second ago."""
    service = scored(service_of(tmp_path))
    other = bundle(seed=7).save(service.config.bundle_folder).name
    service.bundle_for("F1", "ahu")
    Store.open(service.config.store_url).assign({(FLEET, "ahu"): other})
    scored(service)
    assert {row["bundle_id"] for row in service.rows()} == {other}


def test_rows_of_an_older_version_that_hold_no_number_are_shown_as_unknown(
    tmp_path: Path,
) -> None:
    service = scored(service_of(tmp_path))
    inf, nan = float("inf"), float("nan")
    service.store.save_predictions(
        [{**row, "risk": nan, "forecast": [inf] * 3} for row in service.rows(*UNITS[0])]
    )
    service.store.load_readings([(*UNITS[0], "p", LAST, inf, None, inf, None)])
    with client_of(service) as client:
        for path in ("/", "/equipment", "/facility/F1", "/equipment/F1/E1", "/ranking.csv", "/v1/facilities",
                     "/v1/facilities/F1/ranking", "/v1/equipment/F1/E1"):  # fmt: skip
            told = client.get(path, headers={"accept": "text/html"})
            assert told.status_code == 200, (path, told.text)


# Versions


def test_change_during_scoring_is_not_lost_though_the_clock_steps_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, store, _ = filled(tmp_path)
    real = time.time
    claims = store.claim_stale(10)
    monkeypatch.setattr(time, "time", lambda: real() - 0.3)
    store.add(readings=[(*UNITS[0], "p", LAST, 99.0, None, None, None)])
    store.save_predictions([], claims)
    assert [unit for unit, _ in store.claim_stale(10)] == [UNITS[0]]


def test_lease_of_a_clock_that_was_an_hour_ahead_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, store, _ = filled(tmp_path)
    real = time.time
    with monkeypatch.context() as ahead:
        ahead.setattr(time, "time", lambda: real() + 3600)
        store.claim_stale(10)
    assert len(store.claim_stale(10)) == 3


def test_prediction_of_an_older_version_does_not_replace_a_newer_one(
    tmp_path: Path,
) -> None:
    service = service_of(tmp_path)
    store = service.store
    late = store.claim_stale(10)
    store.release(late)
    store.add(readings=[(*unit, "p", LAST, 25.0, None, None, None) for unit in UNITS])
    scored(service)
    newer = store.predictions()
    older = [{**row, "risk": 0.125} for row in service.rows()]
    store.save_predictions(older, late)
    assert store.predictions() == newer


def test_loaded_prediction_is_left_out_where_the_unit_has_changed_or_has_a_later_day(
    tmp_path: Path,
) -> None:
    service = scored(service_of(tmp_path))
    store, rows = service.store, service.rows()
    versions = store.versions()
    store.add(readings=[(*UNITS[0], "p", LAST, 25.0, None, None, None)])
    scored(service)
    before = store.predictions(*UNITS[0])
    early = [
        {**row, "end_date": row["end_date"].replace(year=2001)}
        for row in rows
        if row["facility_id"] == "F2"
    ]
    store.take_predictions(
        [{**row, "risk": 0.125} for row in rows if row["facility_id"] == "F1"] + early,
        versions,
    )
    assert store.predictions(*UNITS[0]) == before
    assert {row["risk"] for row in store.predictions(*UNITS[1])} == {0.125}
    assert {row["end_date"][:4] for row in store.predictions("F2")} != {"2001"}


def test_page_opened_while_readings_are_loaded_shows_them_afterwards(
    tmp_path: Path,
) -> None:
    service = scored(service_of(tmp_path))
    service.record(UNITS[0])  # kept in memory for this version
    service.store.load_readings([(*UNITS[0], "p", LAST, 77.0, None, None, None)])
    assert 77.0 in service.record(UNITS[0])[1]["value"].to_pylist()


# Schemas


def test_store_of_the_schema_before_is_brought_up_to_date(tmp_path: Path) -> None:
    file = tmp_path / "s.sqlite"
    filled(tmp_path / "new")
    with sqlite3.connect(tmp_path / "new" / "store.sqlite") as new:
        new.executescript(
            "DROP TABLE waiting; DROP TABLE scored; DROP TABLE set_aside; DROP TABLE store_schema;"
            "DROP TABLE episodes; DROP TABLE notices; DROP TABLE cases; DROP TABLE case_changes;"
            "DROP TABLE outcomes; DROP TABLE maintenance; DROP TABLE shadow; DROP TABLE records;"
            "DELETE FROM notes WHERE name = 'schema';"
            "CREATE TABLE stale (facility_id TEXT, equipment_id TEXT, since DOUBLE PRECISION NOT NULL, leased DOUBLE "
            "PRECISION NOT NULL, PRIMARY KEY (facility_id, equipment_id));"
            "INSERT INTO stale VALUES ('F1', 'E1', 1.0, 2.0);"
            "INSERT INTO notes VALUES ('unscored F1 E1', 'whatever');"
        )
        new.execute("VACUUM INTO ?", (str(file),))
    store = Store.open(str(file))
    assert [unit for unit, _ in store.claim_stale(10)] == [UNITS[0]]
    assert len(store.readings(UNITS[0])) > 0
    assert Store.open(str(file)).note("schema") == "2"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("CREATE TABLE units (a TEXT)", "schema"),
        (
            "CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT); INSERT INTO notes VALUES ('schema', '3')",
            "schema 3",
        ),
        ("CREATE TABLE readings (what TEXT, ever TEXT)", "schema"),
    ],
)
def test_store_of_another_schema_is_refused_in_a_sentence(
    tmp_path: Path, script: str, words: str
) -> None:
    with sqlite3.connect(tmp_path / "s.sqlite") as other:
        other.executescript(script)
    with pytest.raises(ConfigError, match=words):
        Store.open(str(tmp_path / "s.sqlite"))


def test_metrics_know_of_failed_rounds() -> None:
    assert b"hvac_rescoring_failed_total" in service_metrics.exposition()


def test_pushed_readings_of_a_unit_set_aside_are_still_shown(tmp_path: Path) -> None:
    service = service_of(tmp_path)
    body = {"facility_id": "F1", "equipment_id": "odd", "class": "ahu"}
    readings = [{**row, "point_id": "q"} for row in body_readings(UNITS[0], 3)]
    with client_of(service) as client:
        told = client.post(
            "/v1/readings", json={"units": [{**body, "readings": readings}]}
        )
        assert told.json()["unknown_points"] == [
            {
                "facility_id": "F1",
                "equipment_id": "odd",
                "point_id": "q",
                "readings": 3,
                "nearest": None,
            }
        ]
        scored(service)
        assert len(client.get("/v1/equipment/F1/odd").json()["readings"]) == 3


def test_time_that_ran_out_elsewhere_is_not_told_as_that_of_the_answer() -> None:
    """A connection that gives up says nothing about how much was asked for: it may pass."""

    async def work() -> None:
        raise TimeoutError("the store did not answer")

    with pytest.raises(TimeoutError, match="the store did not answer") as caught:
        asyncio.run(within(work(), Limits()))
    assert is_passing(caught.value)
    with pytest.raises(TooSlow, match=r"no answer within 0\.01 s"):
        asyncio.run(within(asyncio.sleep(5), Limits(), 0.01))
