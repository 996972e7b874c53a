"""The Python client against a real service on a free port, and against one that refuses, hangs or redirects."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from hvac import client_answers
from hvac.client import Client, ServiceError, _segment
from hvac.panel.grid import Unit
from serve.http.api import make_api
from serve.http.door import Door
from serve.ids import segment
from serve.keys import make_key
from serve.memory.store_cases import CaseFacts
from serve.service import Service
from tests.serve.real_service import listening
from tests.serve.serve_example import TODAY, body_readings, scored, service_of

ROOT = Path(__file__).parents[2]
E1 = {"facility_id": "F1", "equipment_id": "E1"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return scored(service_of(tmp_path_factory.mktemp("client")))


@pytest.fixture(scope="module")
def url(service: Service) -> Iterator[str]:
    with listening(service) as address:
        yield address


def schema_of(service: Service, name: str) -> Any:
    api = make_api(service, Door(service.store, keys=False))
    return api.openapi()["components"]["schemas"][name]


TYPES = {
    "ReadingDict": "Reading",
    "EventDict": "Event",
    "ReasonDict": "RiskReason",
    "PointForecastDict": "PointForecast",
    "HorizonRiskDict": "HorizonRisk",
    "SimilarCaseDict": "SimilarCase",
    "PointDoubtDict": "PointDoubt",
    "PredictionDict": "UnitPrediction",
    "StoredDict": "Stored",
    "FacilityCountsDict": "FacilityCounts",
    "RankedEquipmentDict": "RankedEquipment",
    "EquipmentDict": "EquipmentAnswer",
    "DailyForecastDict": "DailyForecast",
    "ForecastsDict": "Forecasts",
    "CaseDict": "CaseAnswer",
    "OutcomeDict": "OutcomeBody",
}


@pytest.mark.parametrize("name", TYPES)
def test_types_have_the_fields_that_the_service_describes(
    service: Service, name: str
) -> None:
    hints = get_type_hints(getattr(client_answers, name))
    assert set(hints) == set(schema_of(service, TYPES[name])["properties"])


def test_a_model_has_the_fields_of_sound_and_damaged_bundles(service: Service) -> None:
    described = {
        field
        for name in ("ServedBundleAnswer", "DamagedBundleAnswer")
        for field in schema_of(service, name)["properties"]
    }
    assert set(get_type_hints(client_answers.ModelDict)) == described


def test_every_method_gets_its_answer(url: str) -> None:
    client = Client(url)
    (prediction,) = client.predict([E1], explain=True)
    assert [horizon["days"] for horizon in prediction["horizons"]] == [30, 60, 90]
    assert client.predict([E1])[0]["horizons"][0]["reasons"] is None
    assert prediction["class"] == "ahu"
    assert [f["facility_id"] for f in client.facilities()] == ["F1", "F2"]
    assert client.ranking("F1")[0]["equipment_id"] == "E2"
    assert client.equipment("F1", "E1")["events"][0]["kind"] == "failure"
    assert len(client.forecast(E1, horizons=[7])["forecasts"][0]["values"]) == 7
    assert client.models()[0]["serves"] == ["fleet"]
    reading = {"point_id": "p", "date": TODAY, "value": 20.0}
    assert client.push([{**E1, "readings": [reading]}])["readings"] == 1


def test_cases_are_changed_and_outcomes_told(service: Service, url: str) -> None:
    client = Client(url)
    facts = CaseFacts(
        point=None, risks={30: 0.9}, thresholds={30: 0.5}, alarms=(30,), reasons=()
    )
    service.store.open_case(Unit("F1", "E1"), 1, facts)
    (case,) = client.cases("F1")
    changed = client.change_case(case, {"state": "seen", "due_date": TODAY})
    assert (changed["state"], changed["due_date"]) == ("seen", TODAY.isoformat())
    with pytest.raises(ServiceError, match="somebody else changed") as refused:
        client.change_case(case, {"state": "done"})
    assert refused.value.status == 409
    told = {**E1, "date": TODAY, "code": "inspected", "close_case": True}
    assert client.tell_outcomes([told]) == 1
    assert client.cases() == []
    assert client.cases(state="closed")[0]["state"] == "done"


def test_ids_with_slashes_and_dots_reach_the_service(url: str) -> None:
    client = Client(url)
    unit = {"facility_id": "本社/北館", "equipment_id": "..", "class": "ahu"}
    client.push([{**unit, "readings": body_readings(("F1", "E1"), 5)}])
    assert client.equipment("本社/北館", "..")["equipment_id"] == ".."
    assert all(_segment(text) == segment(text) for text in ("..", "a/b", "日", "%"))


def test_refusal_is_one_error_with_status_and_sentence(url: str) -> None:
    with pytest.raises(
        ServiceError, match=r"^422: unknown field 'klass'.*'class'"
    ) as error:
        Client(url).predict([{**E1, "klass": "ahu"}])
    assert error.value.status == 422
    assert error.value.sentence.startswith("unknown field")


def test_key_opens_a_service_that_asks_for_one(service: Service) -> None:
    key = make_key(service.store, "client", role="read")
    with listening(service, keys=True) as url:
        assert Client(url, key).models()
        with pytest.raises(ServiceError, match="401: an API key is needed"):
            Client(url).models()
        with pytest.raises(ServiceError, match="403"):
            Client(url, key).push([E1])


def test_example_runs_against_a_service(url: str) -> None:
    command = [sys.executable, "examples/ask_the_service.py", url, "F1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert re.match(r"visit E2 first \(ok\)\n  within 30 days: \d+%", done.stdout)
    assert "kept 1 reading" in done.stdout


# Services that cannot answer


@contextmanager
def answering(
    *answers: tuple[int, dict[str, str], bytes],
) -> Iterator[tuple[str, list[float]]]:
    """A server that gives these answers, the last again and again; gives its URL and the times of requests."""
    times: list[float] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, content = answers[min(len(times), len(answers) - 1)]
            times.append(time.monotonic())
            if status == 0:
                time.sleep(1)
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}
    )
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", times
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


GOOD = (200, {}, b'{"models": []}')


@pytest.mark.parametrize("status", [429, 503])
def test_busy_service_is_asked_again_after_the_pause_it_names(status: int) -> None:
    busy = (status, {"Retry-After": "1"}, b'{"error": "busy"}')
    with answering(busy, GOOD) as (url, times):
        assert Client(url).models() == []
    first, second = times
    assert second - first >= 1


def test_service_that_stays_busy_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    busy = (503, {"Retry-After": "9999"}, b'{"error": "away"}')
    with (
        answering(busy) as (url, times),
        pytest.raises(ServiceError, match="503: away"),
    ):
        Client(url, retries=2).models()
    assert (len(times), pauses[-2:]) == (3, [60.0, 60.0])


@pytest.mark.parametrize("status", [400, 404, 413, 422, 500, 504])
def test_other_refusals_are_not_sent_again(status: int) -> None:
    refusal = (status, {}, b"not json")
    with (
        answering(refusal) as (url, times),
        pytest.raises(ServiceError, match=f"^{status}: "),
    ):
        Client(url).models()
    assert len(times) == 1


def test_service_that_hangs_is_left_after_the_time_out() -> None:
    with answering((0, {}, b""), GOOD) as (url, times):
        assert Client(url, timeout_s=0.2).models() == []
        assert len(times) == 2


def test_service_that_is_not_there_is_said_in_one_sentence() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ServiceError, match=f"^no answer from {url} .*refused") as error:
        Client(url, retries=0).models()
    assert error.value.status == 0


def test_key_does_not_follow_a_redirect() -> None:
    with answering(GOOD) as (other, asked):
        moved = (302, {"Location": f"{other}/v1/models"}, b"")
        with answering(moved) as (url, _), pytest.raises(ServiceError, match=r"^302"):
            Client(url, key="secret").models()
        assert asked == []


@pytest.mark.parametrize("content", [b"<html>", b"[]", b"\xff"])
def test_something_that_is_not_the_service_is_told(content: bytes) -> None:
    answer = (200, dict[str, str](), content)
    with (
        answering(answer) as (url, _),
        pytest.raises(ServiceError, match="is it the service"),
    ):
        Client(url).models()


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host", ""])
def test_address_that_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ServiceError, match="expected a URL such as"):
        Client(url)
