"""The description of the API: every field and route says what it is; misspelt fields are named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.serve.serve_example import client_of, scored, service_of


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client_of(scored(service_of(tmp_path_factory.mktemp("document")))) as client:
        yield client


@pytest.fixture(scope="module")
def document(client: TestClient) -> Any:
    return client.get("/openapi.json").json()


def operations(document: Any) -> Iterator[tuple[str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_field_of_every_object_is_described(document: Any) -> None:
    silent = [
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        for field, about in schema.get("properties", {}).items()
        if not about.get("description")
    ]
    silent += [
        name
        for name, schema in document["components"]["schemas"].items()
        if not schema.get("description")
    ]
    assert silent == []


def test_every_route_and_parameter_is_described(document: Any) -> None:
    silent = [
        name
        for name, operation in operations(document)
        if not operation.get("description")
    ]
    silent += [
        f"{name} {parameter['name']}"
        for name, operation in operations(document)
        for parameter in operation.get("parameters", ())
        if not parameter.get("description")
    ]
    assert silent == []


def test_every_answer_has_a_model(document: Any) -> None:
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            for kind, content in answer["content"].items():
                schema = content["schema"]
                if kind == "application/json":
                    assert "$ref" in schema, (name, status)
                else:
                    assert schema["type"] == "string", (name, status)


CHANCES = re.compile(r"risk|threshold|probability|observed_share")
PHYSICAL = re.compile(r"values?|low|high|lower_limit|upper_limit|now|usual|over_peers")


def test_numbers_say_their_unit(document: Any) -> None:
    without = []
    for name, schema in document["components"]["schemas"].items():
        for field, about in schema.get("properties", {}).items():
            if "'number'" in str(about):
                unit = "0 to 1" if CHANCES.search(field) else ""
                unit = "unit" if PHYSICAL.fullmatch(field) else unit
                if unit not in about["description"]:
                    without.append(f"{name}.{field}")
    assert without == []


UNIT = {"facility_id": "F1", "equipment_id": "E1"}
READING = {"point_id": "p", "date": "2024-03-01", "value": 1.0}
MISSPELT = {
    "predict": (
        "/v1/predict",
        {"unit": [UNIT]},
        "unknown field 'unit' in body: did you mean 'units'?",
    ),
    "a unit": (
        "/v1/predict",
        {"units": [{**UNIT, "klass": "ahu"}]},
        "unknown field 'klass' in units.0: did you mean 'class'?",
    ),
    "a reading": (
        "/v1/predict",
        {
            "units": [
                {
                    **UNIT,
                    "readings": [{"point_id": "p", "date": "2024-03-01", "valeu": 1}],
                }
            ]
        },
        "unknown field 'valeu' in units.0.readings.0: did you mean 'value'?",
    ),
    "a window": (
        "/v1/predict",
        {
            "units": [
                {**UNIT, "window": {"end_day": "2024-03-01", "values": {"p": [1.0]}}}
            ]
        },
        "unknown field 'end_day' in units.0.window: did you mean 'end_date'?",
    ),
    "an event": (
        "/v1/readings",
        {"units": [{**UNIT, "events": [{"kind": "failure", "starts": "2024-03-01"}]}]},
        "unknown field 'starts' in units.0.events.0: did you mean 'start'?",
    ),
    "forecast": (
        "/v1/forecast",
        {**UNIT, "horizon": [30]},
        "unknown field 'horizon' in body: did you mean 'horizons'?",
    ),
    "push": (
        "/v1/readings",
        {"units": [{**UNIT, "reading": [READING]}]},
        "unknown field 'reading' in units.0: did you mean 'readings'?",
    ),
    "promote": (
        "/v1/models/any/promote",
        {"facility": "F1"},
        "unknown field 'facility' in body: did you mean 'facility_id'?",
    ),
    "nothing near": (
        "/v1/models/any/promote",
        {"\x00日": 1},
        r"unknown field '\x00日' in body: known fields: facility_id",
    ),
}


@pytest.mark.parametrize("name", MISSPELT)
def test_misspelt_field_is_named_with_the_nearest(
    client: TestClient, name: str
) -> None:
    path, body, sentence = MISSPELT[name]
    answer = client.post(path, json=body)
    assert (answer.status_code, answer.json()["error"]) == (422, sentence)


class Page(HTMLParser):
    """Ids of a page, links within it, and whatever it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.add(tag)
        self.ids += [found["id"] or ""] if "id" in found else []
        if tag == "a" and (found["href"] or "").startswith("#"):
            self.links.append((found["href"] or "")[1:])
        elif tag != "a":
            self.loads += [
                found[name] or "" for name in ("src", "href") if name in found
            ]


def test_docs_page_shows_every_route_and_field_and_loads_nothing_from_outside(
    client: TestClient, document: Any
) -> None:
    answer = client.get("/docs")
    page = Page(answer.text)
    assert answer.status_code == 200
    assert "script" not in page.tags
    assert set(page.loads) == {"/static/app.css", "data:,"}
    assert set(page.links) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    for name, _ in operations(document):
        assert name in answer.text
    for name, schema in document["components"]["schemas"].items():
        assert name in page.ids
        assert all(
            f"<code>{field}</code>" in answer.text for field in schema["properties"]
        )
