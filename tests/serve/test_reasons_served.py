"""Reasons where people meet them: in answers of the API, on the equipment's page, in the list."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from hvac.explain.wording import reason_sentence
from serve.bodies.schemas import AskedUnit
from serve.service import Service
from tests.models.models_example import bundle
from tests.serve.serve_example import UNITS, client_of, scored, service_of

RISING = UNITS[1]  # its value rises in the last 60 days


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return scored(service_of(tmp_path_factory.mktemp("reasons")))


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with client_of(service) as client:
        yield client


def predicted(client: TestClient, explain: bool) -> dict[str, Any]:
    body = {"units": [{**RISING._asdict(), "class": "ahu"}]}  # no answer of the store
    answer = client.post("/v1/predict", json=body, params={"explain": explain})
    assert answer.status_code == 200, answer.text
    (prediction,) = answer.json()["predictions"]
    return dict(prediction)


def test_answer_with_explain_holds_reasons_and_cases(
    client: TestClient, service: Service
) -> None:
    prediction = predicted(client, True)
    (window,) = asyncio.run(service.explain(AskedUnit(**RISING._asdict())))
    for horizon in prediction["horizons"]:
        expected = window["reasons"][horizon["days"]]
        assert [reason["player"] for reason in horizon["reasons"]] == [
            r.player for r in expected
        ]
        for shown, reason in zip(horizon["reasons"], expected, strict=True):
            assert shown["log_odds"] == pytest.approx(reason.log_odds)
            assert shown["text"]["ja"] == reason_sentence(reason, "ja")
    assert any(horizon["reasons"] for horizon in prediction["horizons"])
    assert len(prediction["past_cases"]) == 3
    for case in prediction["past_cases"]:
        assert case["facility_id"] in (RISING.facility_id, None)
        assert (case["equipment_id"] is None) == (case["facility_id"] is None)


def test_answer_without_explain_is_the_same_but_for_reasons(client: TestClient) -> None:
    plain, explained = predicted(client, False), predicted(client, True)
    for prediction in (plain, explained):
        prediction.pop("past_cases")
        for horizon in prediction["horizons"]:
            horizon.pop("reasons")
    assert plain == explained


def test_too_many_units_to_explain_are_refused(client: TestClient) -> None:
    unit = {"facility_id": RISING.facility_id, "equipment_id": RISING.equipment_id}
    answer = client.post(
        "/v1/predict", json={"units": [unit] * 33}, params={"explain": True}
    )
    assert answer.status_code == 413
    assert (
        "33 units with explain=true in one request; at most 32"
        in answer.json()["error"]
    )


@pytest.mark.parametrize("language", ["en", "ja"])
def test_page_shows_the_reasons(
    client: TestClient, service: Service, language: str
) -> None:
    path = f"/equipment/{RISING.facility_id}/{RISING.equipment_id}"
    text = client.get(path, params={"lang": language}).text
    rows = service.rows(*RISING)
    shown = next((row for row in rows if row["alarm"]), rows[0])
    (window,) = asyncio.run(service.explain(AskedUnit(**RISING._asdict())))
    reasons = window["reasons"][shown["horizon"]]
    assert reasons
    for reason in reasons:
        assert reason_sentence(reason, language) in text


def test_list_and_csv_show_the_first_reason_of_an_alarm(
    client: TestClient, service: Service
) -> None:
    entries = [entry for entry in service.ranking() if entry["reasons"]]
    alarmed = [entry for entry in service.ranking() if any(entry["alarms"].values())]
    assert alarmed
    assert len(entries) == len(alarmed)
    assert all(entry["reasons"][0]["log_odds"] > 0 for entry in entries)
    csv = client.get("/ranking.csv", params={"lang": "en"}).text
    assert "what raises the risk" in csv.splitlines()[0]


@pytest.mark.parametrize("language", ["en", "ja"])
def test_page_of_a_bundle_made_before_reasons_says_so(
    tmp_path: Path, language: str
) -> None:
    old = replace(bundle(), background=None, cases=None)
    own = scored(service_of(tmp_path, old))
    with client_of(own) as client:
        path = f"/equipment/{RISING.facility_id}/{RISING.equipment_id}"
        text = client.get(path, params={"lang": language}).text
        told = {
            "en": "made before reasons: train anew",
            "ja": "理由に対応する前のものです",
        }
        assert told[language] in text
        body = {"units": [RISING._asdict()]}
        answer = client.post("/v1/predict", json=body, params={"explain": True})
    assert answer.status_code == 422
    assert "made before reasons: train anew" in answer.json()["error"]


def test_withheld_alarms_are_told_apart_and_not_counted(
    service: Service, tmp_path: Path
) -> None:
    """A bundle that asks for more draws than there are withholds every alarm."""
    made = bundle()
    assert made.certainty is not None
    strict = made.certainty._replace(
        rule=made.certainty.rule._replace(share_H=np.full(3, 1.1))
    )
    own = scored(service_of(tmp_path, replace(made, certainty=strict)))
    alarmed = [entry for entry in own.ranking() if any(entry["alarms"].values())]
    assert alarmed
    assert all(entry["unsure"] for entry in alarmed)
    assert all(facility["in_alarm"] == 0 for facility in own.facilities(lambda _: True))
    with client_of(own) as client:
        text = client.get("/", params={"lang": "en"}).text
        assert "needs a look" in text
        assert "0 with an alarm" in text
        path = f"/equipment/{RISING.facility_id}/{RISING.equipment_id}"
        assert "判定保留" in client.get(path, params={"lang": "ja"}).text
        ranked = client.get(f"/v1/facilities/{RISING.facility_id}/ranking").json()[
            "ranking"
        ]
        assert ranked[0]["needs_look"]
        assert "needs a look" in client.get("/ranking.csv", params={"lang": "en"}).text


@pytest.mark.parametrize("language", ["en", "ja"])
def test_page_shows_the_band_and_similar_machines(
    client: TestClient, service: Service, language: str
) -> None:
    path = f"/equipment/{RISING.facility_id}/{RISING.equipment_id}"
    text = client.get(path, params={"lang": language}).text
    (row, *_) = service.rows(*RISING)
    assert row["risk_low"] is not None
    assert row["risk_low"] <= row["risk"] <= row["risk_high"]
    expected = {
        "en": f"{row['similar_units']} other machines",
        "ja": f"{row['similar_units']} 台",
    }
    assert row["similar_units"] == 0 or expected[language] in text
    assert {"en": "likely between", "ja": "おそらく"}[language] in text


def test_each_of_several_units_gets_its_own_reasons(client: TestClient) -> None:
    units = [unit._asdict() for unit in (UNITS[0], RISING)]
    answer = client.post("/v1/predict", json={"units": units}, params={"explain": True})
    both = answer.json()["predictions"]
    alone = predicted(client, True)
    for one, other in zip(both[1]["horizons"], alone["horizons"], strict=True):
        texts = [
            [reason["text"] for reason in horizon["reasons"]]
            for horizon in (one, other)
        ]
        assert texts[0] == texts[1]
    assert both[0]["past_cases"] != both[1]["past_cases"]
    for one, other in zip(both[0]["horizons"], both[1]["horizons"], strict=True):
        assert one["reasons"] != other["reasons"]


def test_answer_with_detail_holds_aspects_that_add_up_and_weeks(
    client: TestClient,
) -> None:
    body = {
        "units": [
            {"facility_id": RISING.facility_id, "equipment_id": RISING.equipment_id}
        ]
    }
    answer = client.post("/v1/predict", json=body, params={"detail": True})
    (prediction,) = answer.json()["predictions"]
    points, weeks = 0, 0
    for horizon in prediction["horizons"]:
        of_points = [reason for reason in horizon["reasons"] if reason["aspects"]]
        for reason in of_points:
            total = sum(aspect["log_odds"] for aspect in reason["aspects"])
            assert total == pytest.approx(reason["log_odds"], abs=1e-6)
            points += 1
        with_weeks = [reason["player"] for reason in of_points if reason["days"]]
        raising = [reason["player"] for reason in of_points if reason["log_odds"] > 0]
        assert with_weeks == raising[:1]
        weeks += len(with_weeks)
    assert points
    assert weeks


def test_page_tells_which_aspects_count_and_marks_weeks(client: TestClient) -> None:
    text = client.get(
        f"/equipment/{RISING.facility_id}/{RISING.equipment_id}?lang=en"
    ).text
    assert "mostly its" in text
    assert 'class="week' in text
    assert "weeks that raise the risk most" in text
