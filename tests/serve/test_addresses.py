"""Whatever an id is, every route and page reaches it; and what an id, a number and a date may be in a body."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from hvac.readings.accepted import NO_IDS
from serve.ids import segment
from serve.service import Service
from tests.serve.serve_example import (
    TODAY,
    UNITS,
    body_readings,
    client_of,
    scored,
    service_of,
)

ODD = [
    "本社/北館",
    "a/ranking",
    "..",
    ".",
    "%2F",
    "a%2Fb",
    "?#&=;",
    "a b",
    "//",
    "/",
    "x" * 128,
    "\\",
    "+",
    "E1/..",
    "'\"<i>",
]
BROWSER = {"accept": "text/html"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return scored(service_of(tmp_path_factory.mktemp("addresses")))


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    """A service to which a unit of every odd facility was pushed, named like the next one."""
    readings = body_readings(UNITS[0], 100)
    pairs = zip(ODD, ODD[1:] + ODD[:1], strict=True)
    units = [
        {"facility_id": f, "equipment_id": e, "class": "ahu", "readings": readings}
        for f, e in pairs
    ]
    with client_of(service) as client:
        told = client.post("/v1/readings", json={"units": units})
        assert told.status_code == 202, told.text
        scored(service)
        yield client


@pytest.mark.parametrize("number", range(len(ODD)))
def test_every_route_and_page_reaches_an_odd_id(
    client: TestClient, number: int
) -> None:
    facility, equipment = ODD[number], ODD[(number + 1) % len(ODD)]
    own, both = segment(facility), f"{segment(facility)}/{segment(equipment)}"
    ranking = client.get(f"/v1/facilities/{own}/ranking").json()
    assert [(e["facility_id"], e["equipment_id"]) for e in ranking["ranking"]] == [
        (facility, equipment)
    ]
    found = client.get(f"/v1/equipment/{both}").json()
    assert (found["facility_id"], found["equipment_id"]) == (facility, equipment)
    assert client.get(f"/v1/facilities/{own}/ranking?format=csv").status_code == 200
    page = client.get(f"/facility/{own}", headers=BROWSER)
    assert f"<h1>{html.escape(facility, quote=False)}</h1>" in page.text.replace(
        "&#39;", "'"
    ).replace("&#34;", '"')
    assert client.get(f"/equipment/{both}", headers=BROWSER).status_code == 200
    asked = {"facility_id": facility, "equipment_id": equipment}
    assert client.post("/v1/predict", json={"units": [asked]}).status_code == 200
    assert client.post("/v1/forecast", json=asked).status_code == 200


def test_every_link_of_a_page_leads_somewhere(client: TestClient) -> None:
    """And none is one that a browser shortens (`..`), or that ends in another facility."""
    seen, waiting = set(), ["/?lang=en"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        told = client.get(path, headers=BROWSER)
        assert told.status_code == 200, path
        if path.startswith(("/v1/", "/ranking.csv", "/static")):
            continue
        text = re.sub(r'<form method="post"[^>]*>', "", told.text)
        links = map(html.unescape, re.findall(r'(?:href|action)="([^"]+)"', text))
        found = [
            link for link in links if link.startswith("/") and "lang=ja" not in link
        ]
        assert not [
            link
            for link in found
            if {"..", "."} & set(link.partition("?")[0].split("/"))
        ]
        waiting += found
    assert len([path for path in seen if path.startswith("/equipment/")]) >= len(
        ODD
    ) + len(UNITS)


def test_slash_that_is_not_encoded_ends_the_facility_as_before(
    client: TestClient,
) -> None:
    assert client.get("/v1/equipment/E1%2F../x").status_code == 404
    assert client.get("/v1/equipment/F1/E1").json()["equipment_id"] == "E1"


@pytest.mark.parametrize(
    "path",
    ["/facility/%ff", "/v1/equipment/F1/%ed%a0%80", "/facility/a%00b", "/facility/nan"],
)
def test_address_that_holds_no_id_is_refused(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 422


def test_ids_are_trimmed_in_bodies_and_addresses(
    client: TestClient, service: Service
) -> None:
    unit = {
        "facility_id": " F1\u3000",
        "equipment_id": "\tE1 ",
        "readings": [reading(point_id=" p ")],
    }
    assert (
        client.post("/v1/readings", json={"units": [unit]}).json()["unknown_points"]
        == []
    )
    assert client.get("/v1/equipment/%20F1/E1%20").json()["equipment_id"] == "E1"
    assert "E1 " not in {row.equipment_id for row in service.store.units()}


def reading(**changes: Any) -> dict[str, Any]:
    return {"point_id": "p", "date": "2024-03-01", "value": 1.0} | changes


def unit(*readings: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "facility_id": "F1",
        "equipment_id": "E1",
        "readings": list(readings),
        **more,
    }


WRONG = {
    "text as number": unit(reading(value="1")),
    "boolean as number": unit(reading(value=True)),
    "boolean as limit": unit(reading(upper_limit=False)),
    "text as limit": unit(reading(lower_limit="3")),
    "too large": unit(reading(value=1.1e15)),
    "too small": unit(reading(value=-1.1e15)),
    "huge whole number": unit(reading(value=10**400)),
    "number as date": unit(reading(date=1709251200)),
    "whole days as date": unit(reading(date=19783)),
    "number in a text as date": unit(reading(date="1709251200")),
    "moment as date": unit(reading(date="2024-03-01T00:00:00")),
    "boolean as date": unit(reading(date=True)),
    "wide digits": unit(reading(date="２０２４-03-01")),
    "number as known_at": unit(reading(known_at=19783)),
    "number as install date": unit(reading(), install_date=19783),
    "number as start": unit(events=[{"kind": "failure", "start": 19783}]),
    "list as value": unit(reading(value=[1])),
    "number as id": unit(reading(), facility_id=1),
    "boolean as id": unit(reading(), equipment_id=True),
    **{f"{name} as facility": unit(reading(), facility_id=name) for name in NO_IDS},
    "nan as point": unit(reading(point_id="nan")),
    "blank": unit(reading(), equipment_id=" \u3000"),
    "control character": unit(reading(), equipment_id="a\x85b"),
    "129 characters": unit(reading(), equipment_id="x" * 129),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_id_number_or_date_is_refused_everywhere(
    client: TestClient, name: str
) -> None:
    for path in ("/v1/readings", "/v1/predict"):
        told = client.post(path, json={"units": [WRONG[name]]})
        assert told.status_code == 422, (path, told.text)
    assert client.post("/v1/forecast", json=WRONG[name]).status_code == 422


@pytest.mark.parametrize("horizon", ["30", True, 30.5, 0, 366, None])
def test_horizon_that_is_no_whole_number_is_refused(
    client: TestClient, horizon: Any
) -> None:
    assert client.post("/v1/forecast", json=unit(horizons=[horizon])).status_code == 422


@pytest.mark.parametrize("value", [1, 1e15, -1e15, 0.0])
def test_numbers_that_are_allowed_are_taken(client: TestClient, value: float) -> None:
    assert (
        client.post(
            "/v1/predict", json={"units": [unit(reading(value=value))]}
        ).status_code
        == 200
    )


def test_push_that_names_a_unit_twice_must_not_contradict_itself(
    client: TestClient,
) -> None:
    for other in (
        unit(reading(value=2.0)),
        {**unit(reading(value=2.0)), "equipment_id": "E1 "},
    ):
        told = client.post("/v1/readings", json={"units": [unit(reading()), other]})
        assert told.status_code == 422
        assert "E1 is named 2 times" in told.json()["error"]
    different = [unit(reading(), **{"class": name}) for name in ("ahu", "pump")]
    assert client.post("/v1/readings", json={"units": different}).status_code == 422
    same = client.post(
        "/v1/readings",
        json={"units": [unit(reading()), unit(reading(), reading(date="2024-03-02"))]},
    )
    assert same.status_code == 202


def test_point_that_no_bundle_of_the_class_looks_at_is_told(client: TestClient) -> None:
    told = client.post(
        "/v1/readings", json={"units": [unit(reading(), reading(point_id="vibratoin"))]}
    ).json()
    assert [
        (each["point_id"], each["readings"]) for each in told["unknown_points"]
    ] == [("vibratoin", 1)]


def test_answer_says_which_point_a_misspelt_one_may_be(client: TestClient) -> None:
    known = client.get("/v1/models").json()["models"][0]["points"][0]
    near, far = known * 2, "quite_another_thing"
    pushed = unit(reading(point_id=near), reading(point_id=far))
    told = client.post("/v1/readings", json={"units": [pushed]}).json()[
        "unknown_points"
    ]
    assert {one["point_id"]: one["nearest"] for one in told} == {near: known, far: None}
    assert "hvac_unknown_readings_total" in client.get("/metrics").text


def test_caller_who_wants_only_known_points_is_refused_and_nothing_is_kept(
    client: TestClient,
) -> None:
    known = client.get("/v1/models").json()["models"][0]["points"][0]
    wrong = {
        **unit(reading(point_id=known * 2)),
        "equipment_id": "strict",
        "class": "ahu",
    }
    told = client.post(
        "/v1/readings", json={"units": [wrong], "only_known_points": True}
    )
    assert told.status_code == 422
    assert f"did you mean {known}?" in told.json()["error"]
    assert client.get("/v1/equipment/F1/strict").status_code == 404
    right = {**wrong, "readings": [reading(point_id=known)]}
    told = client.post(
        "/v1/readings", json={"units": [right], "only_known_points": True}
    )
    assert told.status_code == 202
    assert told.json()["unknown_points"] == []


def test_day_after_tomorrow_is_refused_and_tomorrow_is_not(client: TestClient) -> None:
    import datetime as dt

    for days, status in ((1, 202), (3, 422)):
        day = str(TODAY + dt.timedelta(days=days))
        told = client.post("/v1/readings", json={"units": [unit(reading(date=day), equipment_id="late")
                                                           | {"class": "ahu"}]})  # fmt: skip
        assert told.status_code == status


def test_quoted_id_is_what_other_clients_send(client: TestClient) -> None:
    assert (
        client.get(f"/v1/facilities/{quote('本社/北館', safe='')}/ranking").status_code
        == 200
    )
