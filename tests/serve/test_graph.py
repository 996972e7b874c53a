"""The service on real Ray Serve, over real HTTP: the same numbers, live promotion, killed replicas, a killed proxy,
notifications.
"""

from __future__ import annotations

import datetime as dt
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx2 as httpx
import numpy as np
import psutil
import pyarrow as pa
import pytest

from serve.bodies.bulk import ARROW
from serve.graph.stages import LocalStages
from serve.notifying import Notifier
from serve.service import Service
from tests.models.models_example import bundle
from tests.serve.notice_servers import Taken, web_server
from tests.serve.serve_example import (
    LAST,
    UNITS,
    body_readings,
    reading_rows,
    scored,
    service_of,
)
from tests.serve.test_notifying import predict_as, told, work

pytestmark = pytest.mark.slow
E1, E2, F2 = UNITS
ALL = {
    "units": [
        {"facility_id": u.facility_id, "equipment_id": u.equipment_id} for u in UNITS
    ]
}


class Served(NamedTuple):
    """A service in a process of its own, and a client of it."""

    process: psutil.Process
    client: httpx.Client
    folder: Path
    plain: Service

    def workers(self, name: str) -> list[psutil.Process]:
        """Ray's processes that run a deployment."""
        return [
            p
            for p in self.process.children(recursive=True)
            if name in " ".join(p.cmdline())
        ]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


# Serve looks ten times a second what there is to do; the service itself says twice
QUICK = {"RAY_AUTH_MODE": "disabled", "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.1"}


@contextmanager
def serving(plain: Service, *settings: str) -> Iterator[Served]:
    """A service on the workspace and the store of one in this process."""
    port = free_port()
    config = plain.config
    folder = Path(config.workspace)
    command = [
        sys.executable,
        "-m",
        "serve",
        "--port",
        str(port),
        f"workspace={folder}",
        f"store={config.store_url}",
    ]
    environment = {**os.environ, **QUICK}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *settings], stdout=log, stderr=log, env=environment
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            _until(
                lambda: client.get("/readyz").status_code == 200, 300, folder / "log"
            )
            yield Served(psutil.Process(process.pid), client, folder, plain)
    finally:
        process.send_signal(signal.SIGTERM)
        status = process.wait(60)
    assert status == 0, (folder / "log").read_text()[-3000:]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(service_of(tmp_path_factory.mktemp("served"))) as found:
        yield found


@pytest.fixture(scope="module")
def web() -> Iterator[Taken]:
    with web_server() as taken:
        yield taken


@pytest.fixture(scope="module")
def fused(tmp_path_factory: pytest.TempPathFactory, web: Taken) -> Iterator[Served]:
    """Two replicas in one piece; an alarm of E1 was told before their start, one of F2 was not."""
    notify = {"webhooks": [web.address]}
    plain = scored(service_of(tmp_path_factory.mktemp("fused"), notify=notify))
    for unit in UNITS:
        predict_as(plain, unit)
    Notifier(plain, targets=[]).look()
    predict_as(plain, E1, 90)
    work(Notifier(plain))
    predict_as(plain, F2, 90)
    settings = ("layout=fused", "replicas=2", f"notify.webhooks=[{web.address}]")
    with serving(plain, *settings, "notify.every_s=0.2") as found:
        yield found


def _until(true: Any, seconds: float, log: Path | None = None) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if true():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.3)
    raise AssertionError(
        f"not within {seconds} s; {log.read_text()[-3000:] if log else ''}"
    )


def risks(answer: httpx.Response) -> list[float]:
    return [
        each["risk"]
        for unit in answer.json()["predictions"]
        for each in unit["horizons"]
    ]


def test_graph_gives_the_numbers_of_the_plain_call(served: Served) -> None:
    stages = served.plain.stages
    assert isinstance(stages, LocalStages)
    asks = served.plain.asks(_asked())
    rows = stages.core.rows_in_order(
        [stages._finish(group) for group in stages.core.prepare(stages.shelf, asks)]
    )
    np.testing.assert_allclose(
        risks(served.client.post("/v1/predict", json=ALL)),
        [row["risk"] for row in rows],
        atol=1e-6,
    )
    found = served.client.post("/v1/forecast", json=ALL["units"][1]).json()["forecasts"]
    np.testing.assert_allclose(found[0]["values"], rows[3]["forecast"], rtol=1e-6)


def _asked() -> Any:
    from serve.bodies.schemas import PredictBody

    return PredictBody.model_validate(ALL).units


def test_largest_bulk_request_goes_through_the_stages(served: Served) -> None:
    rows = served.plain.config.limits.windows
    value_BL = np.random.default_rng(0).normal(20, 3, (rows, 90)).astype(np.float32)
    values = pa.FixedSizeListArray.from_arrays(pa.array(value_BL.ravel()), 90)
    table = pa.table({"facility_id": ["F1"] * rows, "equipment_id": [f"E{n}" for n in range(rows)],
                      "class": ["ahu"] * rows, "end_date": [dt.date(2024, 5, 1)] * rows,
                      "values": values})  # fmt: skip
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    answer = served.client.post(
        "/v1/predict/bulk",
        content=sink.getvalue().to_pybytes(),
        headers={"content-type": ARROW},
    )
    assert answer.status_code == 200, answer.text
    found = pa.ipc.open_stream(answer.content).read_all()
    assert found["equipment_id"].to_pylist()[::3] == table["equipment_id"].to_pylist()


def test_page_shows_what_was_scored_after_the_start(served: Served) -> None:
    _until(
        lambda: (
            len(served.client.get("/v1/facilities/F1/ranking").json()["ranking"]) == 2
        ),
        120,
    )
    assert "E2" in served.client.get("/", headers={"accept": "text/html"}).text


def test_pushed_reading_is_scored_within_seconds(served: Served) -> None:
    risen = [{**row, "value": row["value"] + 9} for row in body_readings(F2)[-40:]]

    def risk() -> float:
        return float(
            served.client.get("/v1/equipment/F2/E1").json()["predictions"][0][
                "horizons"
            ][2]["risk"]
        )

    _until(lambda: served.client.get("/v1/equipment/F2/E1").json()["predictions"], 120)
    before = risk()
    body = {"units": [{"facility_id": "F2", "equipment_id": "E1", "readings": risen}]}
    assert served.client.post("/v1/readings", json=body).status_code == 202
    _until(lambda: risk() != before, 90)


def _odd_ids_are_reached(client: httpx.Client) -> None:
    unit = {
        "facility_id": "本社/北館",
        "equipment_id": "a/b",
        "class": "ahu",
        "readings": body_readings(E1, 3),
    }
    assert client.post("/v1/readings", json={"units": [unit]}).status_code == 202
    path = f"/v1/equipment/{quote('本社/北館', safe='')}/{quote('a/b', safe='')}"
    assert client.get(path).json()["facility_id"] == "本社/北館"
    assert (client.head(path).status_code, client.head(path).content) == (200, b"")
    assert client.get("/", headers={"host": "evil.example"}).status_code == 421


def test_slash_in_an_id_and_head_come_through_to_the_ingress(served: Served) -> None:
    _odd_ids_are_reached(served.client)


def test_unit_whose_bundle_is_damaged_is_set_aside_and_the_reason_tells_nothing_of_the_inside(
    served: Served,
) -> None:
    folder = bundle(seed=9).save(served.plain.config.bundle_folder)
    (folder / "model.safetensors").write_bytes(b"nothing")
    rows = [("F8", "E", *row[2:]) for row in reading_rows(E1)]
    store = served.plain.store
    store.assign({("F8", "ahu"): folder.name})
    store.add(units=[("F8", "E", "ahu", None), ("F7", "E", "ahu", None)],
              readings=[*rows, *(("F7", *row[1:]) for row in rows)])  # fmt: skip
    _until(lambda: served.client.get("/readyz").json()["set_aside"], 60)
    _until(lambda: served.client.get("/v1/equipment/F7/E").json()["predictions"], 60)
    (aside,) = served.client.get("/readyz").json()["set_aside"]
    assert aside["facility_id"] == "F8"
    assert "damaged" in aside["reason"]
    for inside in ("Traceback", str(served.folder), "ray::"):
        assert inside not in aside["reason"]
    store.assign({("F8", "ahu"): store.assignments()["", "ahu"]})
    _until(lambda: not served.client.get("/readyz").json()["set_aside"], 60)


def test_promotion_is_live_and_a_corrupt_bundle_is_refused(served: Served) -> None:
    folder = served.folder / "bundles"
    first = served.client.post("/v1/predict", json=ALL).json()["predictions"][0][
        "bundle_id"
    ]
    good, bad = bundle(seed=5).save(folder), bundle(seed=6).save(folder)
    (bad / "model.safetensors").write_bytes(b"nonsense")
    pids = {p.pid for p in served.workers("ServeReplica")}
    told = served.client.post(f"/v1/models/{bad.name}/promote")
    assert (told.status_code, "damaged" in told.json()["error"]) == (422, True)
    assert served.client.post(f"/v1/models/{good.name}/promote").status_code == 200
    now = served.client.post("/v1/predict", json=ALL).json()["predictions"][0][
        "bundle_id"
    ]
    assert now == good.name != first
    assert {p.pid for p in served.workers("ServeReplica")} == pids
    assert served.client.post(f"/v1/models/{first}/promote").status_code == 200


def test_killed_replica_comes_back_and_no_answer_is_wrong(served: Served) -> None:
    right = risks(served.client.post("/v1/predict", json=ALL))
    (victim,) = served.workers("ServeReplica:hvac:RiskModel")
    victim.kill()
    statuses: list[int] = []

    def whole() -> bool:
        answer = served.client.post("/v1/predict", json=ALL)
        statuses.append(answer.status_code)
        if answer.status_code == 200:
            np.testing.assert_allclose(risks(answer), right, atol=1e-6)
        return len(statuses) > 5 and statuses[-5:] == [200] * 5

    _until(whole, 150)
    assert set(statuses) <= {200, 503, 504}


def test_readings_pushed_while_a_replica_is_killed_are_all_there(
    served: Served,
) -> None:
    (victim,) = served.workers("ServeReplica:hvac:Features")
    stored = 0
    for i in range(30):
        if i == 5:
            victim.kill()
        reading = {"point_id": "p", "date": _day(LAST - 300 - i), "value": float(i)}
        body = {
            "units": [
                {"facility_id": "F1", "equipment_id": "E1", "readings": [reading]}
            ]
        }
        stored += served.client.post("/v1/readings", json=body).status_code == 202
    days = served.plain.store.readings(E1)["date"].to_pylist()
    assert stored == 30
    assert sum(1 for day in days if str(day) <= _day(LAST - 300)) == 30
    _until(lambda: served.client.post("/v1/predict", json=ALL).status_code == 200, 150)


def _day(number: int) -> str:
    return str(np.datetime64(number, "D"))


def test_only_ingress_listens_itself_and_takes_its_place_again_when_killed(
    served: Served,
) -> None:
    (victim,) = served.workers("ServeReplica:hvac:Ingress")
    port = served.client.base_url.port
    assert any(
        line.laddr.port == port
        for line in victim.net_connections()
        if line.status == psutil.CONN_LISTEN
    )
    victim.kill()
    _until(
        lambda: served.client.get("/readyz").status_code == 200,
        150,
        served.folder / "log",
    )


def test_started_service_tells_every_alarm_that_was_not_told_once(
    fused: Served, web: Taken
) -> None:
    """What was told before its start is not told again; two replicas look for alarms together."""
    _until(lambda: len(web.bodies) == 2, 60, fused.folder / "log")
    predict_as(fused.plain, E2, 30)
    _until(lambda: len(web.bodies) == 3, 60, fused.folder / "log")
    time.sleep(1)  # five more looks
    assert told(web) == [E1, F2, E2]


def test_replicas_in_one_piece_stand_behind_a_proxy_that_comes_back(
    fused: Served,
) -> None:
    right = risks(fused.client.post("/v1/predict", json=ALL))
    proxies = fused.workers("ProxyActor")
    assert proxies
    for proxy in proxies:
        proxy.kill()
    _until(
        lambda: fused.client.get("/readyz").status_code == 200,
        150,
        fused.folder / "log",
    )
    np.testing.assert_allclose(
        risks(fused.client.post("/v1/predict", json=ALL)), right, atol=1e-6
    )
    _odd_ids_are_reached(fused.client)
