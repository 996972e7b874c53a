"""Equipment that has not changed since it was scored is answered from the store, as if predicted anew."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from serve.graph.stages import LocalStages
from serve.service import Service
from tests.models.models_example import bundle
from tests.serve.serve_example import (
    LAST,
    TODAY,
    UNITS,
    body_readings,
    client_of,
    scored,
    service_of,
)

NAMES = [unit._asdict() for unit in UNITS]


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return scored(service_of(tmp_path))


@pytest.fixture
def asked(service: Service, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The equipment that the stages are asked to predict."""
    names: list[str] = []
    predict = LocalStages.predict

    async def noted(stages: LocalStages, asks: Any) -> Any:
        names.extend(ask.unit.equipment_id for ask in asks)
        return await predict(stages, asks)

    monkeypatch.setattr(LocalStages, "predict", noted)
    return names


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with client_of(service) as client:
        yield client


def predicted(client: TestClient, *units: dict[str, Any]) -> list[dict[str, Any]]:
    answer = client.post("/v1/predict", json={"units": [*units]})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["predictions"])


def test_answer_of_the_store_is_that_of_a_prediction(
    client: TestClient, asked: list[str]
) -> None:
    stored = predicted(client, *NAMES)
    assert asked == []
    anew = predicted(client, *({**name, "class": "ahu"} for name in NAMES))
    assert asked == [unit.equipment_id for unit in UNITS]
    assert any(h["alarm"] for one in stored for h in one["horizons"])
    for mine, theirs in zip(stored, anew, strict=True):
        horizons = zip(mine.pop("horizons"), theirs.pop("horizons"), strict=True)
        assert mine == theirs
        for one, other in horizons:
            assert one.pop("risk") == pytest.approx(other.pop("risk"), abs=1e-6)
            forecast, again = one.pop("forecast"), other.pop("forecast")
            assert forecast["value"] == pytest.approx(again["value"], rel=1e-5)
            assert forecast.keys() == again.keys()
            one.pop("risk_low"), one.pop("risk_high")
            other.pop("risk_low"), other.pop("risk_high")
            assert one == other  # no reasons in either


def test_units_that_ask_for_more_are_predicted_and_stand_in_their_order(
    client: TestClient, asked: list[str]
) -> None:
    new = {
        "facility_id": "F1",
        "equipment_id": "new",
        "class": "ahu",
        "readings": body_readings(UNITS[0]),
    }
    day = str(TODAY - dt.timedelta(days=9))
    earlier = {**NAMES[1], "end_date": day}
    answers = predicted(client, NAMES[2], new, NAMES[0], earlier, NAMES[2])
    names = [(one["facility_id"], one["equipment_id"]) for one in answers]
    assert names == [("F2", "E1"), ("F1", "new"), ("F1", "E1"), ("F1", "E2"), ("F2", "E1")]  # fmt: skip
    assert asked == ["new", "E2"]
    assert answers[3]["end_date"] == day


def test_changed_equipment_is_predicted_anew(
    service: Service, client: TestClient, asked: list[str]
) -> None:
    before = predicted(client, NAMES[0])
    rows = [(*UNITS[0], "p", LAST + 1, 29.0, 10.0, 30.0, None)]
    service.store.add(readings=rows)
    (after,) = predicted(client, NAMES[0])
    assert asked == ["E1"]
    assert after["end_date"] > before[0]["end_date"]


def test_bundle_that_was_let_serve_without_a_score_answers(
    service: Service, client: TestClient, asked: list[str]
) -> None:
    """As a canary is: its equipment does not wait to be scored again."""
    other = bundle(seed=1).save(service.config.bundle_folder).name
    service.store.assign({("F1", "ahu"): other}, stale=False)
    answers = predicted(client, NAMES[0], NAMES[2])
    assert asked == ["E1"]
    assert answers[0]["bundle_id"] == other != answers[1]["bundle_id"]


def test_bundle_that_serves_by_now_answers(
    service: Service, client: TestClient, asked: list[str]
) -> None:
    other = bundle(seed=1).save(service.config.bundle_folder).name
    before = predicted(client, NAMES[0])[0]["bundle_id"]
    assert client.post(f"/v1/models/{other}/promote").status_code == 200
    after = predicted(client, NAMES[0])[0]["bundle_id"]
    assert before != after == other
    assert asked == ["E1"]
