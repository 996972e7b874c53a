"""A pushed day answers with its new risk, and the stream tells alarms as they change."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from hvac.days import EPOCH
from serve.bodies.problems import Busy
from serve.bodies.schemas import PushedUnit
from serve.graph.stages import LocalStages
from serve.http.alarm_events import event_stream
from serve.memory.store import Store
from serve.rescoring import rescore
from serve.service import Service
from serve.work import alarm_watch
from serve.work.alarm_watch import AlarmChange
from tests.serve.serve_example import LAST, UNITS, client_of, scored, service_of

E1, E2, F2 = UNITS


def pushed(unit: Any, value: float, *, day: int = LAST + 1) -> dict[str, Any]:
    readings = [
        {"point_id": "p", "date": str(EPOCH + dt.timedelta(days=day)), "value": value}
    ]
    return {**unit._asdict(), "readings": readings}


def test_waiting_answers_with_the_risk_of_the_new_day(tmp_path: Path) -> None:
    service = scored(service_of(tmp_path))
    with client_of(service) as client:
        units = [pushed(E1, 20.0), pushed(F2, 20.0)]
        at_once = client.post("/v1/readings", json={"units": units}).json()
        assert at_once["predictions"] is None
        told = client.post("/v1/readings?wait=true", json={"units": units})
        assert told.status_code == 202
        body = told.json()
        assert body["to_be_scored"] == 0
        assert body["set_aside"] == []
        assert [(p["facility_id"], p["equipment_id"]) for p in body["predictions"]] == [
            E1,
            F2,
        ]
        for prediction in body["predictions"]:
            assert prediction["end_date"] == str(EPOCH + dt.timedelta(days=LAST + 1))
        shown = client.get(f"/v1/equipment/{E1.facility_id}/{E1.equipment_id}").json()
        assert shown["predictions"] == body["predictions"][:1]


def test_waiting_says_what_cannot_be_scored(tmp_path: Path) -> None:
    service = scored(service_of(tmp_path))
    for file in service.config.bundle_folder.glob("*/model.safetensors"):
        file.write_bytes(b"damaged")
    stages = LocalStages(service.config.bundle_folder, 4)
    fresh = Service(service.config, service.store, stages)
    with client_of(fresh) as client:
        body = client.post(
            "/v1/readings?wait=true", json={"units": [pushed(E1, 20.0)]}
        ).json()
        assert body["predictions"] == []
        assert [unit["equipment_id"] for unit in body["set_aside"]] == [E1.equipment_id]
        assert "damaged" in body["set_aside"][0]["reason"]


def test_waiting_waits_for_what_another_process_scores(tmp_path: Path) -> None:
    service = scored(service_of(tmp_path))

    async def race() -> Any:
        units = [unit_body(E1, 21.0)]
        await service.push(units, lambda _: True)
        claims = service.store.claim_units([E1])
        assert claims
        assert service.store.claim_units([E1]) == []
        told = asyncio.create_task(service.push(units, lambda _: True, wait=True))
        await asyncio.sleep(0.1)
        assert not told.done()
        service.store.release(claims)
        return await told

    stored = asyncio.run(race())
    assert stored.predictions[0].end_date == EPOCH + dt.timedelta(days=LAST + 1)


def unit_body(unit: Any, value: float) -> PushedUnit:
    return PushedUnit(**pushed(unit, value))


# The stream


async def first(changes: Any, count: int) -> list[AlarmChange]:
    found = []
    async for change in changes:
        if change is not None:
            found.append(change)
        if len(found) == count:
            break
    await changes.aclose()
    return found


def alarmed(store: Store, unit: Any, alarm: bool) -> None:
    """Keep predictions of a unit that alarm, or do not, at every horizon."""
    rows: list[Any] = []
    for row in store.predictions(*unit):
        end = dt.date.fromisoformat(row["end_date"])
        rows.append(
            {**row, "end_date": end, "alarm": alarm, "point_id": row["point_id"]}
        )
    store.save_predictions(rows)


def test_stream_tells_what_is_there_then_what_begins_and_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarm_watch, "LOOK_EVERY_S", 0.02)
    service = scored(service_of(tmp_path))
    for unit in UNITS:
        alarmed(service.store, unit, unit == E2)

    async def listen() -> list[AlarmChange]:
        listening = asyncio.create_task(
            first(service.alarm_watch.changes(lambda _: True), 9)
        )
        await asyncio.sleep(0.1)
        alarmed(service.store, E1, True)
        await asyncio.sleep(0.1)
        alarmed(service.store, E2, False)
        return await asyncio.wait_for(listening, 10)

    found = asyncio.run(listen())
    told = [
        (change.change, change.alarm.equipment_id, change.alarm.horizon)
        for change in found
    ]
    horizons = (30, 60, 90)
    assert told == [
        *(("present", "E2", h) for h in horizons),
        *(("began", "E1", h) for h in horizons),
        *(("ended", "E2", h) for h in horizons),
    ]
    assert [change.number for change in found[3:]] == list(range(1, 7))


def test_stream_shows_a_key_its_own_facilities_only(tmp_path: Path) -> None:
    service = scored(service_of(tmp_path))
    for unit in UNITS:
        alarmed(service.store, unit, True)
    found = asyncio.run(
        first(service.alarm_watch.changes(lambda name: name == "F2"), 3)
    )
    assert {change.alarm.facility_id for change in found} == {"F2"}


def test_event_is_a_line_of_json_that_names_the_alarm(tmp_path: Path) -> None:
    service = scored(service_of(tmp_path))
    alarmed(service.store, E1, True)

    async def texts() -> list[str]:
        lines = event_stream(service.alarm_watch.changes(lambda _: True), 20)
        found = [await anext(lines) for _ in range(2)]
        await lines.aclose()
        return found

    retry, text = asyncio.run(texts())
    assert retry == "retry: 500\n\n"
    number, kind, data, *rest = text.split("\n")
    assert (number, kind, rest) == ("id: 0", "event: present", ["", ""])
    body = json.loads(data.removeprefix("data: "))
    assert (body["facility_id"], body["equipment_id"], body["days"]) == (*E1, 30)
    assert body["change"] == "present"
    assert 0 <= body["risk"] <= 1


def test_quiet_stream_shows_that_it_lives_and_ends_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarm_watch, "QUIET_S", 0.01)
    monkeypatch.setattr("serve.http.look_routes.lasts_s", lambda _: 0.05)
    service = scored(service_of(tmp_path))
    for unit in UNITS:
        alarmed(service.store, unit, False)
    with client_of(service) as client:
        answer = client.get("/v1/stream")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert ": nothing has changed" in answer.text
    assert answer.text.count("event:") == answer.text.count("event: listening") == 1


def test_too_many_listeners_are_refused_and_one_who_leaves_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarm_watch, "MOST_LISTENERS", 1)
    service = scored(service_of(tmp_path))
    alarmed(service.store, E1, True)

    async def crowd() -> None:
        one = service.alarm_watch.changes(lambda _: True)
        await anext(one)
        with pytest.raises(Busy, match="listen to the stream already"):
            service.alarm_watch.check_room()
        await one.aclose()
        service.alarm_watch.check_room()

    asyncio.run(crowd())
    monkeypatch.setattr(alarm_watch, "MOST_LISTENERS", 0)
    with client_of(service) as client:
        told = client.get("/v1/stream")
    assert told.status_code == 429
    assert "listen to the stream already" in told.json()["error"]


def test_listeners_that_come_together_hear_every_change_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarm_watch, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(alarm_watch, "QUIET_S", 0.3)
    service = scored(service_of(tmp_path))
    for unit in UNITS:
        alarmed(service.store, unit, False)

    async def heard() -> list[AlarmChange]:
        found = []
        quiet = 0
        async for change in service.alarm_watch.changes(lambda _: True):
            found += [change] if change else []
            quiet += change is None
            if quiet == 2:  # the first None says that all present ones were told
                break
        return found

    async def listen() -> list[list[AlarmChange]]:
        both = asyncio.gather(heard(), heard())
        await asyncio.sleep(0.1)
        alarmed(service.store, E1, True)
        return await asyncio.wait_for(both, 10)

    for changes in asyncio.run(listen()):
        assert [(c.change, c.alarm.horizon) for c in changes] == [
            ("began", 30), ("began", 60), ("began", 90)
        ]  # fmt: skip
        assert [c.number for c in changes] == [1, 2, 3]


def test_stream_is_no_request_in_flight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve.http.look_routes.lasts_s", lambda _: 0.05)
    monkeypatch.setattr(alarm_watch, "QUIET_S", 0.01)
    service = scored(service_of(tmp_path, limits={"in_flight": 1}))
    with client_of(service) as client:
        assert client.get("/v1/stream").status_code == 200
        told = client.post("/v1/readings", json={"units": [pushed(E1, 20.0)]})
        assert told.status_code == 202
    asyncio.run(rescore(service))
