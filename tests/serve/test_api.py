"""The HTTP face over stages in this process: what is answered, what is refused, and in which words."""

from __future__ import annotations

import base64
import datetime as dt
import io
import itertools
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from hvac.days import EPOCH
from hvac.features.scene import UnitRecord, scenes
from hvac.features.table import to_arrow
from hvac.panel.grid import panels
from hvac.scoring.bundle import Bundle
from hvac.scoring.latest import latest_rows
from hvac.scoring.newest_windows import newest
from serve.bodies.bulk import ARROW, PARQUET
from serve.graph.asks import Ask, events_of
from serve.graph.stages import LocalStages
from serve.keys import make_key
from serve.service import Service
from tests.models.models_example import departing
from tests.serve.serve_example import (
    DAYS,
    LAST,
    TODAY,
    UNITS,
    body_readings,
    client_of,
    scored,
    service_of,
)

E1, E2, F2 = UNITS


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return scored(service_of(tmp_path_factory.mktemp("api")))


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with client_of(service) as client:
        yield client


def unit(name: Any = E1, **more: Any) -> dict[str, Any]:
    return {"facility_id": name.facility_id, "equipment_id": name.equipment_id, **more}


def predict(client: TestClient, *units: dict[str, Any]) -> Any:
    return client.post("/v1/predict", json={"units": list(units)})


def risks(answer: Any, place: int = 0) -> list[float]:
    return [each["risk"] for each in answer.json()["predictions"][place]["horizons"]]


def batch_rows(service: Service, name: Any) -> list[dict[str, Any]]:
    """The same equipment through the batch job's function."""
    bundle = Bundle.load(next(service.config.bundle_folder.glob("ahu-*")))
    stored, table, events = service.record(name)
    (panel,) = panels(table, {name: bundle.recipe.points})
    ask = Ask(bundle_id="", unit=name, class_name="ahu", readings=table, events=events)
    record = UnitRecord(
        events=events_of(ask), install_day=stored.install_day, class_name="ahu"
    )
    rows: list[dict[str, Any]] = latest_rows(
        scenes(panel, bundle.recipe, record), bundle
    ).to_pylist()
    return rows


# Parity


@pytest.mark.parametrize("name", UNITS)
def test_risk_is_that_of_the_batch_job(
    service: Service, client: TestClient, name: Any
) -> None:
    rows = batch_rows(service, name)
    np.testing.assert_allclose(
        risks(predict(client, unit(name))), [row["risk"] for row in rows], atol=1e-6
    )
    stored = service.rows(*name)
    np.testing.assert_allclose(
        [r["risk"] for r in stored], [row["risk"] for row in rows], atol=1e-6
    )
    np.testing.assert_allclose(stored[0]["forecast"], rows[0]["forecast"], rtol=1e-6)


def test_readings_in_the_body_give_the_same_as_the_stored_record(
    client: TestClient,
) -> None:
    told = predict(
        client,
        unit(E1),
        unit(E1),
        {**unit(E1, readings=body_readings(E1)), "equipment_id": "new", "class": "ahu"},
    )
    np.testing.assert_allclose(risks(told, 0), risks(told, 1), atol=1e-9)
    assert told.json()["predictions"][2]["equipment_id"] == "new"
    np.testing.assert_allclose(risks(told, 0), risks(told, 2), atol=1e-6)


def test_window_with_gaps_is_the_same_as_its_readings(client: TestClient) -> None:
    readings = body_readings(E1)
    values = [None if i % 9 == 0 else row["value"] for i, row in enumerate(readings)]
    kept = [
        {"point_id": "p", "date": r["date"], "value": v}
        for r, v in zip(readings, values, strict=True)
        if v is not None
    ]
    same = {"facility_id": "X", "class": "ahu"}
    window = {"end_date": readings[-1]["date"], "values": {"p": values}}
    told = predict(
        client,
        {**same, "equipment_id": "a", "readings": kept},
        {**same, "equipment_id": "b", "window": window},
    )
    np.testing.assert_allclose(risks(told, 0), risks(told, 1), atol=1e-9)


def bulk_windows(service: Service) -> pa.Table:
    """The newest windows of F2, E1, E2 as a bulk body."""
    bundle = Bundle.load(next(service.config.bundle_folder.glob("ahu-*")))
    parts = []
    for name in (F2, E1, E2):
        _, table, _ = service.record(name)
        (panel,) = panels(table, {name: bundle.recipe.points})
        parts.append(
            to_arrow(
                newest(
                    scenes(panel, bundle.recipe, UnitRecord(class_name="ahu")),
                    bundle.recipe,
                ).windows
            )
        )
    return pa.concat_tables(parts).select(
        ["facility_id", "equipment_id", "class", "end_date", "values"]
    )


def test_bulk_gives_the_batch_risks_in_the_order_of_the_rows(
    service: Service, client: TestClient
) -> None:
    windows = bulk_windows(service)
    expected = [
        row["risk"] for name in (F2, E1, E2) for row in batch_rows(service, name)
    ]
    for kind, content in ((ARROW, stream(windows)), (PARQUET, parquet(windows))):
        told = client.post(
            "/v1/predict/bulk", content=content, headers={"content-type": kind}
        )
        found = pa.ipc.open_stream(told.content).read_all()
        assert found["equipment_id"].to_pylist() == [
            n.equipment_id for n in (F2, E1, E2) for _ in range(3)
        ]
        np.testing.assert_allclose(found["risk"].to_pylist(), expected, atol=1e-5)


def test_facility_of_a_unit_decides_its_risk_and_threshold_in_every_answer(
    tmp_path: Path, service: Service
) -> None:
    """Batch job, stored rows, request and bulk alike; other facilities have the class's as before."""
    own = scored(service_of(tmp_path, departing("F2")))
    rows = {name: batch_rows(own, name) for name in (F2, E1, E2)}
    for name, found in rows.items():
        plain = batch_rows(service, name)
        raised = [
            row["risk"] > before["risk"]
            for row, before in zip(found, plain, strict=True)
        ]
        lowered = [
            row["threshold"] < before["threshold"]
            for row, before in zip(found, plain, strict=True)
        ]
        assert raised == lowered == [name == F2] * 3
    with client_of(own) as client:
        for name, found in rows.items():
            answers = (
                predict(client, unit(name)).json()["predictions"][0]["horizons"],
                own.rows(*name),
            )
            for told, key in itertools.product(answers, ("risk", "threshold", "alarm")):
                np.testing.assert_allclose(
                    [each[key] for each in told], [row[key] for row in found], atol=1e-6
                )
        content, kind = stream(bulk_windows(own)), {"content-type": ARROW}
        bulk = pa.ipc.open_stream(
            client.post("/v1/predict/bulk", content=content, headers=kind).content
        ).read_all()
    for key in ("risk", "threshold"):
        np.testing.assert_allclose(
            bulk[key].to_pylist(),
            [r[key] for found in rows.values() for r in found],
            atol=1e-5,
        )


def stream(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(
        sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)
    ) as writer:
        writer.write_table(table)
    return sink.getvalue()


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


# Answers


def test_young_equipment_is_learning_with_days_left(client: TestClient) -> None:
    told = predict(
        client,
        {
            "facility_id": "X",
            "equipment_id": "young",
            "class": "ahu",
            "readings": body_readings(E1, 40),
        },
    )
    (found,) = told.json()["predictions"]
    assert (found["status"], found["learning_days_left"]) == ("learning", 50)
    assert [each["risk"] for each in found["horizons"]] == [None, None, None]


def test_risks_never_fall_and_alarms_follow_the_threshold(client: TestClient) -> None:
    for found in predict(client, *map(unit, UNITS)).json()["predictions"]:
        told = found["horizons"]
        assert sorted(each["risk"] for each in told) == [each["risk"] for each in told]
        reached = [each["risk"] >= each["threshold"] for each in told]
        assert [each["alarm"] for each in told] == list(
            itertools.accumulate(reached, max)
        )


def test_forecast_has_every_day_of_the_horizon(client: TestClient) -> None:
    found = client.post("/v1/forecast", json=unit(E2, horizons=[7, 30])).json()[
        "forecasts"
    ]
    assert [(one["horizon"], len(one["values"]), len(one["low"])) for one in found] == [
        (7, 7, 7),
        (30, 30, 30),
    ]
    assert all(
        low <= v <= high
        for v, low, high in zip(
            found[1]["values"], found[1]["low"], found[1]["high"], strict=True
        )
    )


def test_ranking_puts_the_drifting_equipment_first(client: TestClient) -> None:
    found = client.get("/v1/facilities/F1/ranking").json()["ranking"]
    assert (found[0]["rank"], found[0]["equipment_id"]) == (1, "E2")


def test_ranking_as_csv_opens_in_excel(client: TestClient) -> None:
    told = client.get(
        "/v1/facilities/F1/ranking", params={"format": "csv", "language": "ja"}
    )
    assert told.content.startswith(b"\xef\xbb\xbf")
    assert "順位,施設,設備" in told.content.decode("utf-8-sig").splitlines()[0]


def test_equipment_shows_90_days_and_its_events(client: TestClient) -> None:
    found = client.get("/v1/equipment/F1/E1").json()
    assert len(found["readings"]) == 90
    assert found["events"][0]["kind"] == "failure"


# Readings


def test_pushed_readings_are_scored_again_at_once(tmp_path: Path) -> None:
    own = scored(service_of(tmp_path))
    with client_of(own) as client:
        before = own.rows(*E1)[0]["risk"]
        risen = [
            {**row, "value": row["value"] + (12 if i > DAYS - 60 else 0)}
            for i, row in enumerate(body_readings(E1))
        ]
        told = client.post("/v1/readings", json={"units": [unit(E1, readings=risen)]})
        assert (told.status_code, told.json()["readings"]) == (202, DAYS)
        scored(own)
        assert own.rows(*E1)[0]["risk"] != before
        assert risks(predict(client, unit(E1))) == pytest.approx(
            [row["risk"] for row in own.rows(*E1)], abs=1e-9
        )


def test_new_equipment_appears_after_its_first_push(tmp_path: Path) -> None:
    own = scored(service_of(tmp_path))
    with client_of(own) as client:
        body = {
            "units": [
                {
                    "facility_id": "F3",
                    "equipment_id": "N",
                    "class": "ahu",
                    "readings": body_readings(E1, 30),
                }
            ]
        }
        assert client.post("/v1/readings", json=body).status_code == 202
        scored(own)
        (entry,) = client.get("/v1/facilities/F3/ranking").json()["ranking"]
        assert (entry["status"], entry["learning_days_left"]) == ("learning", 60)


def test_newer_reading_replaces_only_its_own_day_for_one_answer(
    client: TestClient, service: Service
) -> None:
    before = len(service.store.readings(E1))
    last = str(EPOCH + dt.timedelta(days=LAST))
    told = predict(
        client,
        unit(E1, readings=[{"point_id": "p", "date": last, "value": 500.0}]),
        unit(E1),
    )
    assert risks(told, 0) != risks(told, 1)
    assert len(service.store.readings(E1)) == before


# Bundles


def test_promoted_bundle_serves_without_a_restart_and_only_its_facility(
    tmp_path: Path,
) -> None:
    from tests.models.models_example import bundle

    own = scored(service_of(tmp_path))
    other = bundle(seed=7).save(own.config.bundle_folder).name
    with client_of(own) as client:
        told = client.post(f"/v1/models/{other}/promote", json={"facility_id": "F2"})
        assert told.json()["promoted"]["bundle_id"] == other
        served = [
            p["bundle_id"]
            for p in predict(client, unit(E1), unit(F2)).json()["predictions"]
        ]
        assert served[1] == other != served[0]
        serves = {
            m["bundle_id"]: m["serves"]
            for m in client.get("/v1/models").json()["models"]
        }
        assert serves == {served[0]: ["fleet"], other: ["F2"]}


def test_corrupt_bundle_is_refused_and_the_old_one_goes_on(tmp_path: Path) -> None:
    from tests.models.models_example import bundle

    own = scored(service_of(tmp_path))
    folder = bundle(seed=8).save(own.config.bundle_folder)
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-3] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    with client_of(own) as client:
        before = risks(predict(client, unit(E1)))
        told = client.post(f"/v1/models/{folder.name}/promote")
        assert told.status_code == 422
        assert "damaged" in told.json()["error"]
        assert "goes on serving" in told.json()["error"]
        assert risks(predict(client, unit(E1))) == before
        assert "damaged" in str(client.get("/v1/models").json())


def test_damaged_bundle_in_the_folder_keeps_no_service_from_starting(
    tmp_path: Path,
) -> None:
    damaged = tmp_path / "bundles" / "aaa-first-by-name"
    damaged.mkdir(parents=True)
    (damaged / "manifest.json").write_text("{")
    with client_of(service_of(tmp_path)) as client:
        assert predict(client, unit(E1)).status_code == 200


def test_bug_in_one_round_leaves_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = service_of(tmp_path, limits={"timeout_s": 60})

    def fail(*_: Any) -> Any:
        raise RuntimeError("a bug")

    assert isinstance(own.stages, LocalStages)
    monkeypatch.setattr(own.stages.core, "prepare", fail)
    with client_of(own) as client, ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda _: predict(client, unit(E1)).status_code, range(4)))
    assert told == [500] * 4


@pytest.mark.parametrize("name", ["nothing-here", "..", "%2e%2e%2fetc", "a%00b"])
def test_bundle_that_is_not_there_is_404(client: TestClient, name: str) -> None:
    assert client.post(f"/v1/models/{name}/promote").status_code in (404, 422)


def test_user_config_changes_bundles_once_and_leaves_later_promotions(
    tmp_path: Path,
) -> None:
    from tests.models.models_example import bundle

    own = service_of(tmp_path)
    first, other = (
        own.bundle_for("F1", "ahu"),
        bundle(seed=7).save(own.config.bundle_folder).name,
    )
    declared = {"bundles": [{"class": "ahu", "bundle_id": other}]}
    own.declare(declared)
    assert own.bundle_for("F1", "ahu") == other
    own.store.assign({("", "ahu"): first})
    own.declare(declared)
    assert own.bundle_for("F1", "ahu") == first


# Keys


@pytest.fixture(scope="module")
def keys(service: Service) -> dict[str, str]:
    made = {
        role: make_key(service.store, role, role=role)
        for role in ("read", "push", "admin")
    }
    return made | {
        f"{role}@F1": make_key(service.store, f"{role} F1", facility_id="F1", role=role)
        for role in made
    }


@pytest.fixture(scope="module")
def locked(service: Service, keys: dict[str, str]) -> Iterator[TestClient]:
    with client_of(service, keys=True) as client:
        yield client


def header(keys: dict[str, str], name: str) -> dict[str, str]:
    return {"x-api-key": keys[name]}


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1/facilities",
        "/v1/models",
        "/metrics",
        "/equipment/F1/E1",
        "/v1/equipment/F1/E1",
    ],
)
def test_without_a_key_nothing_is_shown(locked: TestClient, path: str) -> None:
    assert locked.get(path).status_code == 401
    assert locked.get(path, headers={"x-api-key": "hvac_wrong"}).status_code == 401


def test_liveness_needs_no_key(locked: TestClient) -> None:
    assert (
        locked.get("/healthz").status_code == locked.get("/readyz").status_code == 200
    )


def test_key_of_one_facility_sees_nothing_of_another(
    locked: TestClient, keys: dict[str, str]
) -> None:
    own = header(keys, "admin@F1")
    assert [
        f["facility_id"]
        for f in locked.get("/v1/facilities", headers=own).json()["facilities"]
    ] == ["F1"]
    for path in (
        "/v1/facilities/F2/ranking",
        "/v1/equipment/F2/E1",
        "/facility/F2",
        "/equipment/F2/E1",
    ):
        assert locked.get(path, headers=own).status_code == 404
        assert locked.get(path, headers=own).text == locked.get(
            path.replace("F2", "F9"), headers=own
        ).text.replace("F9", "F2")
    for path in ("/", "/equipment", "/ranking.csv"):
        assert "F2" not in locked.get(path, headers=own).text
    for path, body in (
        ("/v1/predict", {"units": [unit(E1), unit(F2)]}),
        ("/v1/forecast", unit(F2)),
        ("/v1/readings", {"units": [unit(F2, readings=[])]}),
    ):
        assert locked.post(path, headers=own, json=body).status_code == 404
    windows = pa.table(
        {
            "facility_id": ["F2"],
            "equipment_id": ["E1"],
            "end_date": [TODAY],
            "values": [[0.0] * 90],
        }
    )
    told = locked.post(
        "/v1/predict/bulk",
        content=stream(windows),
        headers={**own, "content-type": ARROW},
    )
    assert told.status_code == 404
    assert locked.get("/metrics", headers=own).status_code == 403
    assert locked.post("/v1/models/any/promote", headers=own).status_code == 403
    assert (
        locked.post(
            "/v1/models/any/promote", headers=own, json={"facility_id": "F2"}
        ).status_code
        == 404
    )


def test_roles_open_what_they_say(locked: TestClient, keys: dict[str, str]) -> None:
    push = {"units": [unit(E1, readings=[])]}
    assert (
        locked.post("/v1/readings", headers=header(keys, "read"), json=push).status_code
        == 403
    )
    assert (
        locked.post("/v1/readings", headers=header(keys, "push"), json=push).status_code
        == 202
    )
    assert (
        locked.post("/v1/models/x/promote", headers=header(keys, "push")).status_code
        == 403
    )
    assert (
        locked.post("/v1/models/x/promote", headers=header(keys, "admin")).status_code
        == 404
    )


def test_browser_signs_in_by_basic_but_cannot_write_with_it(
    locked: TestClient, keys: dict[str, str]
) -> None:
    """A browser sends Basic by itself, also for another site's form: it must not be enough to write."""
    told = base64.b64encode(f"anyone:{keys['admin']}".encode()).decode()
    basic = {"authorization": f"Basic {told}"}
    assert locked.get("/", headers=basic).status_code == 200
    assert (
        locked.post(
            "/v1/readings", headers=basic, json={"units": [unit(E1, readings=[])]}
        ).status_code
        == 401
    )
    assert locked.get("/").headers["www-authenticate"].startswith("Basic")


# Refusals


def broken(**changes: Any) -> dict[str, Any]:
    return {
        "units": [
            unit(
                E1,
                readings=[
                    {"point_id": "p", "date": "2024-03-01", "value": 1.0, **changes}
                ],
            )
        ]
    }


def raw(value: str) -> bytes:
    """A reading whose value is this very text."""
    return json.dumps(broken(value=0.125)).replace("0.125", value).encode()


def asked(**more: Any) -> dict[str, Any]:
    """One unit that is not stored, unless told otherwise."""
    return {"units": [{"facility_id": "F1", "equipment_id": "E9", **more}]}


FUTURE = str(TODAY + dt.timedelta(days=3))
THREE = body_readings(E1, 3)
TWICE = [{"point_id": "p", "date": "2024-03-01", "value": v} for v in (1, 2)]
STRANGE = [{"point_id": "q", "date": "2024-03-01", "value": 1}]
BACKWARDS = [{"kind": "failure", "start": "2024-02-01", "end": "2024-01-01"}]
A_DAY = {"end_date": "2024-01-01", "values": {"p": [1]}}
WRONG: dict[str, tuple[Any, int, str]] = {
    "nan": (raw("NaN"), 422, "finite"),
    "infinite": (raw("1e999"), 422, "finite"),
    "1e308": (broken(value=1e308), 422, "less than or equal"),
    "text as value": (broken(value="warm"), 422, "number"),
    "wrong date": (broken(date="2024-02-31"), 422, "date"),
    "future date": (broken(date=FUTURE), 422, "future"),
    "before 1970": (broken(date="1969-12-31"), 422, "1970"),
    "year 9999": (broken(date="9999-12-31"), 422, "future"),
    "limits swapped": (broken(lower_limit=5, upper_limit=1), 422, "above"),
    "unknown field": (
        broken(valeu=1),
        422,
        "unknown field 'valeu' in units.0.readings.0: did you mean",
    ),
    "no units": ({"units": []}, 422, "at least 1"),
    "not json": (b"{", 422, "JSON"),
    "not utf-8": (b"\xff\xfe{}", 422, ""),
    "a list": ([], 422, ""),
    "deep": (b"[" * 100_000, 400, "body"),
    "huge number": (b'{"units": ' + b"9" * 6000 + b"}", 400, "body"),
    "empty id": (asked(equipment_id=""), 422, "at least 1"),
    "control character": (asked(equipment_id="E\x001"), 422, "pattern"),
    "lone surrogate": (
        b'{"units":[{"facility_id":"\\ud800","equipment_id":"E1"}]}',
        422,
        "",
    ),
    "unknown unit": (asked(), 404, "not known"),
    "unknown class": (asked(**{"class": "boiler"}, readings=THREE), 422, "boiler"),
    "no class": (asked(readings=THREE), 422, "class"),
    "strange points": (
        asked(**{"class": "ahu"}, readings=STRANGE),
        422,
        "expected readings of p",
    ),
    "two values on a day": ({"units": [unit(E1, readings=TWICE)]}, 422, "two values"),
    "both": ({"units": [unit(E1, readings=THREE, window=A_DAY)]}, 422, "either"),
    "too many units": ({"units": [unit(E1)] * 300}, 413, "at most"),
    "event ends before it starts": (
        {"units": [unit(E1, events=BACKWARDS)]},
        422,
        "before",
    ),
    "end date before all readings": (
        {"units": [unit(E1, end_date="1999-01-01")]},
        422,
        "1999-01-01",
    ),
}
ALSO_PUSHED = ("nan", "1e308", "future date", "not json", "deep")


@pytest.mark.parametrize("name", WRONG)
def test_wrong_request_is_refused_with_a_sentence(
    client: TestClient, name: str
) -> None:
    body, status, words = WRONG[name]
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    for path in (
        ("/v1/predict", "/v1/readings")
        if name in ("nan", "1e308", "future date", "not json", "deep")
        else ("/v1/predict",)
    ):
        told = client.post(
            path, content=content, headers={"content-type": "application/json"}
        )
        assert told.status_code == status, told.text
        assert words in told.json()["error"]


def test_a_million_readings_are_too_many(service: Service, client: TestClient) -> None:
    reading = '{"point_id":"p","date":"2024-03-01","value":1}'
    content = (
        '{"units":[{"facility_id":"F1","equipment_id":"E1","readings":['
        + ",".join([reading] * 1_000_000)
        + "]}]}"
    )
    assert client.post("/v1/predict", content=content).status_code == 413


def test_body_longer_than_it_says_is_cut_off(client: TestClient) -> None:
    def flood() -> Iterator[bytes]:
        for _ in range(12):
            yield b" " * 2**20

    assert client.post("/v1/predict", content=flood()).status_code == 413


def test_compressed_body_is_refused_unread(client: TestClient) -> None:
    told = client.post(
        "/v1/predict",
        content=b"\x1f\x8b" + bytes(100),
        headers={"content-encoding": "gzip"},
    )
    assert told.status_code == 415


def bulk_table(**changes: Any) -> pa.Table:
    columns = {
        "facility_id": ["F1"],
        "equipment_id": ["E1"],
        "class": ["ahu"],
        "end_date": [TODAY],
        "values": [[0.5] * 90],
    }
    return pa.table(
        {
            name: value
            for name, value in (columns | changes).items()
            if value is not None
        }
    )


def wide(rows: int, values: int) -> pa.Table:
    """Zeros, which any compression folds to nothing."""
    zeros = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(rows * values)), values)
    same = {
        "facility_id": ["F1"] * rows,
        "equipment_id": ["E"] * rows,
        "end_date": [TODAY] * rows,
    }
    return pa.table({**same, "values": zeros})


BULK: dict[str, tuple[bytes, str, int, str]] = {
    "wrong kind": (b"abc", "text/plain", 415, "bulk bodies"),
    "not arrow": (b"abc", ARROW, 422, "cannot be read"),
    "empty": (b"", ARROW, 422, "cannot be read"),
    "not parquet": (b"PAR1abcPAR1", PARQUET, 422, "cannot be read"),
    "no values": (stream(bulk_table(values=None)), ARROW, 422, "lacks the column values"),
    "89 days": (stream(bulk_table(values=[[0.5] * 89])), ARROW, 422, "90 values"),
    "nan": (stream(bulk_table(values=[[float("nan")] * 90])), ARROW, 422, "finite"),
    "null inside": (stream(bulk_table(values=[[None] + [1.0] * 89])), ARROW, 422, "finite"),
    "texts": (stream(bulk_table(values=[["a"] * 90])), ARROW, 422, "numbers"),
    "no list": (stream(bulk_table(values=[1.0])), ARROW, 422, "list"),
    "null id": (stream(bulk_table(facility_id=pa.array([None], pa.string()))), ARROW, 422, "null"),
    "no rows": (stream(bulk_table().slice(0, 0)), ARROW, 422, "no row"),
    "class": (stream(bulk_table(**{"class": ["boiler"]})), ARROW, 422, "boiler"),
    "date as text": (stream(bulk_table(end_date=["soon"])), ARROW, 422, "end_date"),
    "compressed": (stream(bulk_table(), compression="zstd"), ARROW, 422, "compressed"),
    "too many": (stream(wide(20_001, 1)), ARROW, 413, "at most 20000"),
    "bomb": (parquet(wide(19_000, 2000)), PARQUET, 413, "unfolds"),
}  # fmt: skip


@pytest.mark.parametrize("name", BULK)
def test_wrong_bulk_body_is_refused_with_a_sentence(
    client: TestClient, name: str
) -> None:
    content, kind, status, words = BULK[name]
    told = client.post(
        "/v1/predict/bulk", content=content, headers={"content-type": kind}
    )
    assert told.status_code == status, told.text
    assert words in told.json()["error"]


def test_errors_tell_nothing_of_the_inside(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: Any) -> Any:
        raise RuntimeError("/secret/path password=1")

    with client_of(service) as client:
        monkeypatch.setattr(service.stages, "predict", fail)
        told = predict(client, unit(E1))
    assert told.status_code == 500
    assert "secret" not in told.text


def test_too_many_at_once_are_turned_away_with_retry_after(tmp_path: Path) -> None:
    """One is let in and held until the other three have their answer."""
    own = service_of(tmp_path, limits={"in_flight": 1, "timeout_s": 120})
    with client_of(own) as client:
        import asyncio

        predicting, go = own.stages.predict, threading.Event()

        async def waiting(asks: Any) -> Any:
            await asyncio.to_thread(go.wait)
            return await predicting(asks)

        own.stages.predict = waiting  # type: ignore[method-assign]
        with ThreadPoolExecutor(4) as pool:
            answers = [pool.submit(predict, client, unit(E1)) for _ in range(4)]
            try:
                assert [
                    each.result().status_code
                    for each in itertools.islice(as_completed(answers, 100), 3)
                ] == [429] * 3
            finally:
                go.set()
        told = [each.result() for each in answers]
    assert sorted(each.status_code for each in told) == [200, 429, 429, 429]
    assert all(each.headers["retry-after"] for each in told if each.status_code == 429)


def test_slow_answer_ends_in_time_with_a_sentence(tmp_path: Path) -> None:
    own = service_of(tmp_path, limits={"timeout_s": 0.05})

    async def stuck(_: Any) -> Any:
        import asyncio

        await asyncio.sleep(30)

    own.stages.predict = stuck  # type: ignore[method-assign]
    with client_of(own) as client:
        told = predict(client, unit(E1))
    assert (told.status_code, told.headers["retry-after"]) == (504, "2")


def test_every_answer_carries_the_security_headers(client: TestClient) -> None:
    for path in ("/", "/v1/facilities", "/nothing", "/static/app.css"):
        found = client.get(path).headers
        assert found["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in found["content-security-policy"]
        assert found["x-frame-options"] == "DENY"


def test_metrics_count_by_route_facility_and_stage(client: TestClient) -> None:
    predict(client, unit(E1))
    text = client.get("/metrics").text
    assert 'hvac_requests_total{route="/v1/predict",status="200"}' in text
    assert 'hvac_windows_total{facility="F1",status="ok"}' in text
    assert 'hvac_stage_seconds_count{stage="features"}' in text
