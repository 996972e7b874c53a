"""A storm of requests nobody would write by hand: out of the OpenAPI description, and damaged on purpose.

Whatever comes, the answer is what docs/serving.md and /openapi.json promise: never a 5xx, never a word about the
inside, errors as one sentence, and afterwards a good request has the same risks as before. All seeds are fixed.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import re
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from hvac.days import EPOCH
from serve.service import Service
from tests.serve.serve_example import (
    LAST,
    TODAY,
    UNITS,
    body_readings,
    client_of,
    scored,
    service_of,
)

ROOT = Path(__file__).parents[2]
ARROW, PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"
BROWSER = {"accept": "text/html,application/xhtml+xml"}
INSIDE = re.compile(
    r"Traceback|/work\b|/tmp\b|/root\b|site-packages|File \"|\.py\b|object at 0x|sqlite|psycopg"
)
OPERATIONS = [
    ("POST", "/v1/predict"), ("POST", "/v1/forecast"), ("POST", "/v1/readings"), ("POST", "/v1/predict/bulk"),
    ("POST", "/v1/models/{bundle_id}/promote"), ("GET", "/v1/facilities/{facility_id}/ranking"),
    ("GET", "/v1/equipment/{facility_id}/{equipment_id}"), ("GET", "/v1/facilities"), ("GET", "/v1/models"),
]  # fmt: skip
WITHOUT_INPUT = ("/v1/facilities", "/v1/models")


def many(examples: int) -> Callable[[Any], Any]:
    """So many examples, the same ones in every run; none is made smaller, so that a failure takes no longer."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return scored(service_of(tmp_path_factory.mktemp("fuzz")))


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with client_of(service) as client:
        yield client


class AsServed:
    """The application as a server of this machine runs it: what it raises after its answer is not the client's."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        begun = False
        if scope["type"] == "http":
            own = [pair for pair in scope["headers"] if pair[0] != b"host"]
            scope = {**scope, "headers": [*own, (b"host", b"127.0.0.1")]}

        async def sending(message: Any) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except Exception:
            if not begun:
                raise


@pytest.fixture(scope="module")
def described(client: TestClient) -> Any:
    """The OpenAPI description, read from the running service."""
    schemathesis.openapi.media_type(
        ARROW, st.one_of(tables().map(stream), st.binary(max_size=200))
    )
    schemathesis.openapi.media_type(
        PARQUET, st.one_of(tables().map(parquet), st.binary(max_size=200))
    )
    return schemathesis.openapi.from_asgi("/openapi.json", AsServed(client.app))


GOOD = {
    "units": [
        {
            "facility_id": "calm",
            "equipment_id": "E",
            "class": "ahu",
            "readings": body_readings(UNITS[1]),
        }
    ],
}


def good_risks(client: TestClient) -> list[float]:
    """Risks of a request that names all it is judged by, so that no push can change them."""
    told = client.post("/v1/predict", json=GOOD)
    assert told.status_code == 200, told.text
    return [each["risk"] for each in told.json()["predictions"][0]["horizons"]]


@pytest.fixture
def unharmed(client: TestClient) -> Iterator[None]:
    """A good request is answered alike before and after the test, digit by digit."""
    before = good_risks(client)
    assert all(0 <= risk <= 1 for risk in before)
    yield
    assert good_risks(client) == before


def check(told: Any, *, page: bool = False) -> None:
    """What holds for every answer to whatever request: no 5xx, nothing of the inside, errors as one sentence."""
    status, kind = told.status_code, told.headers.get("content-type", "")
    text = told.content.decode("utf-8", errors="replace")
    assert status < 500, f"{status}: {text[:300]}"
    found = INSIDE.search(text)
    assert found is None, (
        f"tells of the inside: …{text[max(0, found.start() - 80) : found.end() + 80]}…"
    )
    if status >= 400 and page:
        assert kind.startswith("text/html"), kind
    elif status >= 400:
        assert kind == "application/json", kind
        problem = told.json()
        assert list(problem) == ["error"]
        assert isinstance(problem["error"], str)
        assert problem["error"].strip()


def strict(text: bytes) -> Any:
    """JSON as the standard has it: no NaN, no Infinity."""

    def refuse(name: str) -> Any:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


# Requests out of the description

KNOWN: dict[str, st.SearchStrategy[Any]] = {
    "facility_id": st.sampled_from(["F1", "F2", "F9"]),
    "equipment_id": st.sampled_from(["E1", "E2", "E9"]),
    "class": st.sampled_from(["ahu", "ahu", "ahu", "boiler"]),
    "point_id": st.sampled_from(["p", "p", "q"]),
    "kind": st.sampled_from(["failure", "maintenance", "party"]),
}
DAYS = st.integers(0, 500).map(lambda back: str(TODAY - dt.timedelta(days=back)))
DATES = ("date", "start", "end", "end_date", "install_date", "known_at")


def seasoned(draw: Callable[[Any], Any], value: Any, key: str = "") -> Any:
    """The same with names and days that exist, and no contradictions, so that it comes further than the first check."""
    if isinstance(value, dict):
        found = {name: seasoned(draw, each, name) for name, each in value.items()}
        if None not in (found.get("lower_limit"), found.get("upper_limit")):
            found["lower_limit"], found["upper_limit"] = sorted(
                (found["lower_limit"], found["upper_limit"])
            )
        if None not in (found.get("start"), found.get("end")):
            found["start"], found["end"] = sorted((found["start"], found["end"]))
        if found.get("readings") is not None:
            found.pop("window", None)
            found["readings"] = list(
                {
                    (row["point_id"], row["date"]): row for row in found["readings"]
                }.values()
            )
        return found
    if isinstance(value, list):
        return [seasoned(draw, each, key) for each in value]
    if isinstance(value, str) and key in DATES:
        return draw(DAYS)
    return draw(KNOWN[key]) if isinstance(value, str) and key in KNOWN else value


@st.composite
def cases(draw: Any, operation: Any, mode: GenerationMode, bundle: str) -> Case:
    case: Case = draw(operation.as_strategy(generation_mode=mode))
    if mode == GenerationMode.POSITIVE and draw(st.integers(0, 3)):
        if isinstance(case.body, dict):
            case.body = seasoned(draw, case.body)
        if case.path_parameters:
            named = seasoned(draw, dict(case.path_parameters))
            case.path_parameters = named | (
                {"bundle_id": bundle} if "bundle_id" in named else {}
            )
    return case


@pytest.mark.parametrize(
    "mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"]
)
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_generated_request_gets_a_documented_answer(
    service: Service,
    described: Any,
    unharmed: None,
    method: str,
    path: str,
    mode: GenerationMode,
) -> None:
    if path in (*WITHOUT_INPUT, "/v1/predict/bulk") and mode == GenerationMode.NEGATIVE:
        pytest.skip("nothing described that could be invalid")
    (bundle,) = (folder.name for folder in service.config.bundle_folder.glob("ahu-*"))
    sent = 0

    @many(42)
    @given(cases(described[path][method], mode, bundle))
    def storm(case: Case) -> None:
        nonlocal sent
        told = case.call()
        sent += 1
        check(
            Told(
                told.status_code,
                {name: each[0] for name, each in told.headers.items()},
                told.content,
            )
        )
        checks = [
            not_a_server_error,
            response_schema_conformance,
            negative_data_rejection,
        ]
        if told.status_code != 400:  # has a test of its own, below
            checks.append(status_code_conformance)
        if (case.query or {}).get("format") != "csv":
            checks.append(content_type_conformance)
        case.validate_response(told, checks=checks)

    storm()
    assert sent >= (1 if path in WITHOUT_INPUT else 42)


@pytest.mark.parametrize(
    "path",
    ["/v1/predict", "/v1/forecast", "/v1/readings", "/v1/models/{bundle_id}/promote"],
)
def test_answer_to_an_unreadable_body_is_described(
    client: TestClient, path: str
) -> None:
    told = client.post(
        path.format(bundle_id="x"),
        content=b"\xff",
        headers={"content-type": "application/json"},
    )
    operation = client.get("/openapi.json").json()["paths"][path]["post"]
    assert str(told.status_code) in operation["responses"]


def test_ranking_as_csv_is_described(client: TestClient) -> None:
    told = client.get("/v1/facilities/F1/ranking", params={"format": "csv"})
    operation = client.get("/openapi.json").json()["paths"][
        "/v1/facilities/{facility_id}/ranking"
    ]["get"]
    assert (
        told.headers["content-type"].partition(";")[0]
        in operation["responses"]["200"]["content"]
    )


# Readings at the edge of what is allowed

EXTREME = st.sampled_from(
    [0.0, -0.0, 1.0, 1e15, -1e15, 5e-324, 1e-300, 0.1, None]
) | st.floats(-1e15, 1e15)
LIMITS = st.sampled_from(
    [(None, None), (1.0, 1.0), (-1e15, 1e15), (None, 0.0), (5e-324, None)]
)


@st.composite
def records(draw: Any) -> list[dict[str, Any]]:
    """Readings of one piece of equipment: a short pattern again and again over up to 400 days, with a shock."""
    pattern = draw(st.lists(EXTREME, min_size=1, max_size=5))
    length, step = (
        draw(st.sampled_from([1, 2, 30, 89, 90, 91, 200, 400])),
        draw(st.sampled_from([1, 1, 1, 2, 40])),
    )
    last = draw(st.sampled_from([LAST, LAST + 1, LAST - 200, 16_000]))
    (low, high), known = (
        draw(LIMITS),
        draw(st.sampled_from([None, None, "1970-01-01", str(TODAY)])),
    )
    rows = [
        {"point_id": "p", "date": parsed_day(last - step * back), "value": pattern[back % len(pattern)],
         "lower_limit": low, "upper_limit": high, "known_at": known}
        for back in range(length)
    ]  # fmt: skip
    if draw(st.booleans()):
        rows[draw(st.integers(0, length - 1))]["value"] = draw(EXTREME)
    if draw(st.integers(0, 4)) == 0:
        rows.append({"point_id": "1970 & <q>", "date": "1970-01-01", "value": 1})
    return rows


def parsed_day(day: int) -> str:
    return str(EPOCH + dt.timedelta(days=day))


EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["failure", "maintenance", "{0.__class__} <b>"]),
            "start": DAYS,
        },
        optional={
            "end": st.none() | DAYS,
            "point_id": st.sampled_from(["p", "q", None]),
        },
    ),
    max_size=3,
)


@st.composite
def extreme_units(draw: Any) -> dict[str, Any]:
    told = {
        "facility_id": "edge",
        "equipment_id": "E",
        "class": "ahu",
        "events": draw(EVENTS),
    }
    rows = draw(records())
    if draw(st.integers(0, 3)) == 0:
        values = [row["value"] for row in rows]
        told["window"] = {
            "end_date": draw(DAYS),
            "values": {"p": values, **draw(st.sampled_from([{}, {"q": [1]}]))},
        }
    else:
        told["readings"] = rows
    for name in ("install_date", "end_date"):
        if draw(st.integers(0, 3)) == 0:
            told[name] = draw(DAYS | st.just("1970-01-01"))
    return told


@many(60)
@given(asked=st.lists(extreme_units(), min_size=1, max_size=3))
def test_extreme_readings_are_judged_between_0_and_1_or_refused(
    client: TestClient, asked: Any
) -> None:
    told = client.post("/v1/predict", json={"units": asked})
    check(told)
    if told.status_code == 200:
        for found in strict(told.content)["predictions"]:
            risks = [
                each["risk"] for each in found["horizons"] if each["risk"] is not None
            ]
            assert (len(risks) == 3) == (found["status"] == "ok")
            assert all(0 <= risk <= 1 for risk in risks)
            assert risks == sorted(risks)


@many(60)
@given(
    asked=extreme_units(),
    horizons=st.none()
    | st.lists(st.sampled_from([1, 30, 365]), min_size=1, max_size=3),
)
def test_extreme_readings_are_forecast_in_numbers_or_refused(
    client: TestClient, asked: Any, horizons: Any
) -> None:
    told = client.post("/v1/forecast", json={**asked, "horizons": horizons})
    check(told)
    if told.status_code == 200:
        for one in strict(told.content)["forecasts"]:
            assert (
                len(one["values"])
                == len(one["low"])
                == len(one["high"])
                == one["horizon"]
            )
            assert all(isinstance(value, int | float) for value in one["values"])
            assert (
                one["crossing_probability"] is None
                or 0 <= one["crossing_probability"] <= 1
            )


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Service:
    """A service of its own, for what is pushed stays and is shown."""
    return scored(service_of(tmp_path_factory.mktemp("pushed")))


@many(12)
@given(
    rows=records(),
    events=EVENTS,
    name=st.sampled_from(["E", "{x} <i>&\"'", "機器 1", "a/b", "%2e", "?#"]),
)
def test_whatever_was_pushed_every_page_still_opens(
    pushed: Service, rows: Any, events: Any, name: str
) -> None:
    push_and_look(pushed, rows, events, name)


def test_pages_open_while_new_equipment_is_learning(pushed: Service) -> None:
    push_and_look(
        pushed, [{"point_id": "p", "date": parsed_day(LAST), "value": 1.0}], [], "new"
    )


def push_and_look(own: Service, rows: Any, events: Any, name: str) -> None:
    """Push readings of a unit, score it, and open everything it is shown on."""
    unit = {
        "facility_id": "F1",
        "equipment_id": name,
        "class": "ahu",
        "readings": rows,
        "events": events,
    }
    where = f"/equipment/F1/{quote(name, safe='')}"
    with client_of(own) as client:
        check(client.post("/v1/readings", json={"units": [unit]}))
        scored(own)
        for path in (
            "/",
            "/equipment",
            "/facility/F1",
            "/ranking.csv",
            where,
            "/?lang=ja",
            f"{where}?lang=ja",
        ):
            check(client.get(path, headers=BROWSER), page=True)
        for path in ("/v1/facilities", "/v1/facilities/F1/ranking", f"/v1{where}"):
            check(client.get(path))


# Bulk bodies: tables that are sound Arrow, but not what is asked for


def stream(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def parquet(table: pa.Table) -> bytes:
    """As Parquet; where Parquet has no such type, the Arrow stream, which is no Parquet."""
    sink = io.BytesIO()
    try:
        pq.write_table(table, sink)
    except pa.ArrowException:
        return stream(table)
    return sink.getvalue()


def rows_of(count: int, **changes: Any) -> pa.Table:
    """So many good windows; a column that is told replaces the good one, None removes it."""
    columns = {
        "facility_id": ["F1"] * count,
        "equipment_id": [f"E{i}" for i in range(count)],
        "class": ["ahu"] * count,
        "end_date": [TODAY] * count,
        "values": [[0.5 + i] * 90 for i in range(count)],
    }
    return pa.table(
        {
            name: value
            for name, value in (columns | changes).items()
            if value is not None
        }
    )


def texts(count: int) -> list[Any]:
    plain = pa.array(["F1"] * count)
    return [
        plain.dictionary_encode(), plain.cast(pa.large_string()), plain.cast(pa.string_view()),
        pa.array([b"\xff"] * count), pa.array([b"F1"] * count), pa.nulls(count), pa.nulls(count, pa.string()),
        pa.array([1] * count), pa.array([1.5] * count), pa.array([True] * count), pa.array([["F1"]] * count),
        pa.array([{"a": 1}] * count), pa.array([TODAY] * count), pa.array([""] * count), pa.array(["a\x00b"] * count),
        pa.array(["x" * 5000] * count), pa.array([None, "F1"][:count] + ["F1"] * max(0, count - 2)), None,
    ]  # fmt: skip


def dates(count: int) -> list[Any]:
    moment, far = dt.datetime(2024, 3, 1, 5), pa.array([2**31 - 1] * count, pa.int32())
    return [
        *(pa.array([moment] * count, pa.timestamp(unit)) for unit in ("s", "ms", "us", "ns")),
        pa.array([moment] * count, pa.timestamp("ns", tz="Asia/Tokyo")), pa.array([TODAY] * count, pa.date64()),
        pa.array([moment] * count, pa.timestamp("us", tz="Mars/Base")), far, far.cast(pa.date32()),
        pa.array([2**62] * count, pa.timestamp("s")), pa.array(["2024-03-01"] * count), pa.array(["soon"] * count),
        pa.array([TODAY] * count).dictionary_encode(), pa.nulls(count), pa.nulls(count, pa.date32()),
        pa.array([dt.timedelta(1)] * count), pa.array([dt.time(1)] * count), pa.array([1e300] * count), None,
    ]  # fmt: skip


def windows(count: int) -> list[Any]:
    flat, good = pa.array(np.linspace(-1, 1, 90 * count)), [[0.5] * 90] * count
    offsets = pa.array(range(0, 90 * count + 1, 90), pa.int32())
    return [
        pa.array(good, pa.large_list(pa.float64())), pa.array(good, pa.list_(pa.float64(), 90)),
        pa.array(good, pa.list_view(pa.float64())), pa.array([[1] * 90] * count, pa.list_(pa.int8())),
        pa.array([np.ones(90, np.float16)] * count, pa.list_(pa.float16())), pa.array([["1"] * 90] * count),
        pa.array([[2**64 - 1] * 90] * count, pa.list_(pa.uint64())), pa.array([[True] * 90] * count),
        pa.array([[1] * 90] * count, pa.list_(pa.decimal128(5, 2))), pa.array([[[1.0]] * 90] * count),
        pa.array([[None] * 90] * count, pa.list_(pa.float64())), pa.array([[None] * 90] * count),
        pa.ListArray.from_arrays(offsets, flat.dictionary_encode()), pa.ListArray.from_arrays(offsets, flat),
        pa.array([[]] * count, pa.list_(pa.float64())), pa.array([None] * count, pa.list_(pa.float64())),
        pa.nulls(count), pa.array([0.5] * count), pa.array([{"a": [1.0]}] * count), pa.array([b"0" * 720] * count),
        pa.array([[float("inf")] * 90] * count), pa.array([[1e308, -1e308] * 45] * count),
        pa.array([[3e38, -3e38] * 45] * count), pa.array([[5e-324] * 90] * count), pa.array([[1.0] * 91] * count), None,
    ]  # fmt: skip


def contexts(count: int) -> list[Any]:
    return [
        pa.array([[float("inf")] * 12] * count), pa.array([[1e308] * 12] * count), pa.array([[]] * count),
        pa.array([[1.0]] * count), pa.array([None] * count, pa.list_(pa.float64())), pa.array(["x"] * count),
        pa.array([[None] * 12] * count, pa.list_(pa.float64())), pa.array([[0] * 12] * count), pa.nulls(count),
    ]  # fmt: skip


COLUMNS: dict[str, Callable[[int], list[Any]]] = {
    "facility_id": texts, "equipment_id": texts, "class": texts, "end_date": dates, "values": windows,
}  # fmt: skip
MORE: dict[str, Callable[[int], list[Any]]] = {
    "point_id": texts, "context": contexts, "split": texts, "status": texts, "row": texts, "horizon": texts,
    "peers": contexts, "recent": contexts,
    "ask": texts, "risk": texts, "": texts, "label": dates, "class": texts, "facility_id": texts, "values": windows,
}  # fmt: skip


@st.composite
def tables(draw: Any) -> pa.Table:
    """Good windows with one or two columns of another kind, or one too many; perhaps none at all."""
    count = draw(st.integers(1, 3))
    names = draw(st.lists(st.sampled_from(sorted(COLUMNS)), max_size=2, unique=True))
    table = rows_of(
        count, **{name: draw(st.sampled_from(COLUMNS[name](count))) for name in names}
    )
    if draw(st.booleans()):
        name = draw(st.sampled_from(sorted(MORE)))
        column = draw(st.sampled_from(MORE[name](count)))
        table = table if column is None else table.append_column(name, column)
    if draw(st.integers(0, 9)) == 0:
        return table.slice(0, 0)
    return (
        table.replace_schema_metadata({"pandas": "{"})
        if draw(st.integers(0, 9)) == 0
        else table
    )


def bulk(client: TestClient, content: bytes, kind: str = ARROW) -> Any:
    return client.post(
        "/v1/predict/bulk", content=content, headers={"content-type": kind}
    )


def check_bulk(told: Any, ids: Sequence[str] | None = None) -> None:
    """Three sound rows per window, in the order of the windows; or an error as everywhere."""
    if told.status_code != 200:
        check(told)
        return
    assert told.headers["content-type"] == ARROW
    found = pa.ipc.open_stream(told.content).read_all()
    found.validate(full=True)
    assert found.num_rows % 3 == 0
    if ids is not None:
        assert found["equipment_id"].to_pylist() == [
            name for name in ids for _ in range(3)
        ]
    assert all(
        risk is not None and 0 <= risk <= 1 for risk in found["risk"].to_pylist()
    )


@pytest.mark.parametrize("kind", [ARROW, PARQUET], ids=["arrow", "parquet"])
def test_table_of_another_kind_is_judged_or_refused(
    client: TestClient, unharmed: None, kind: str
) -> None:
    @many(150)
    @given(tables())
    def storm(table: pa.Table) -> None:
        known = table.schema.names.count("equipment_id") == 1 and pa.types.is_string(
            table["equipment_id"].type
        )
        ids = table["equipment_id"].to_pylist() if known else None
        check_bulk(
            bulk(client, (parquet if kind == PARQUET else stream)(table), kind), ids
        )

    storm()


SUPERFLUOUS: dict[str, pa.Table] = {
    "row": rows_of(1, row=[1]),
    "values twice": rows_of(1).append_column("values", rows_of(1)["values"]),
    "class twice": rows_of(1).append_column("class", pa.array(["ahu"])),
    "split as list": rows_of(1, split=[["train"]]),
    "split as bytes": rows_of(1, split=[b"\xff"]),
    "other as text view": rows_of(1, other=pa.array(["x"], pa.string_view())),
    "other as union": rows_of(
        1, other=pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])
    ),
}


@pytest.mark.parametrize("name", SUPERFLUOUS)
def test_superfluous_column_is_left_out_or_refused(
    client: TestClient, name: str
) -> None:
    check_bulk(bulk(client, stream(SUPERFLUOUS[name])))


@pytest.mark.parametrize("lengths", [(89, 91), (0, 180), (91, 89), (45, 135)])
def test_window_of_another_length_is_refused_even_where_the_total_fits(
    client: TestClient, lengths: tuple[int, int]
) -> None:
    """Else a window would be judged by the values of its neighbour."""
    told = bulk(
        client, stream(rows_of(2, values=[[0.5] * length for length in lengths]))
    )
    assert told.status_code == 422, (
        f"{told.status_code} for windows of {lengths} values"
    )
    assert "90" in told.json()["error"]


@pytest.mark.parametrize("length", [40, 3000])
def test_text_that_ends_outside_the_body_is_refused(
    client: TestClient, length: int
) -> None:
    """Else the answer carries the memory of the service, and with it the keys and readings of others."""
    body = stream(
        rows_of(1).select(
            ["facility_id", "class", "end_date", "values", "equipment_id"]
        )
    )
    place = body.rindex(struct.pack("<ii", 0, 2), 0, body.rindex(b"E0"))
    told = bulk(
        client, body[:place] + struct.pack("<ii", 0, length) + body[place + 8 :]
    )
    assert told.status_code == 422, f"{told.status_code} with {len(told.content)} bytes"


@pytest.mark.parametrize("day", [2**31 - 1, -(2**31)])
def test_day_that_is_no_calendar_day_is_refused(client: TestClient, day: int) -> None:
    """Else the answer carries a date that no client can read."""
    far = pa.array([day], pa.int32()).cast(pa.date32())
    told = bulk(client, stream(rows_of(1, end_date=far)))
    assert told.status_code == 422


# Bulk bodies: damaged bytes. Arrow reads memory by what the bytes say, so this happens in a process of its own.

WORDS = [
    struct.pack("<i", word)
    for word in (0, -1, 1, 2**31 - 1, -(2**31), 2**20, 90, 1000, 100_000)
]


@st.composite
def damaged(draw: Any, content: bytes) -> bytes:
    """The same cut off, or with some bytes flipped, or with some whole offsets and lengths replaced."""
    body = bytearray(content)
    how = draw(st.integers(0, 9))
    if how == 0:
        return bytes(body[: draw(st.integers(0, len(body)))])
    if how == 1:
        return bytes(body) + draw(st.binary(max_size=50))
    for _ in range(draw(st.integers(1, 3))):
        if how < 6:
            body[draw(st.integers(0, len(body) - 1))] = draw(
                st.sampled_from([0, 1, 127, 128, 255])
            )
        else:
            place = 4 * draw(st.integers(0, len(body) // 4 - 2))
            body[place : place + 4] = draw(st.sampled_from(WORDS))
    return bytes(body)


def offsets_replaced() -> list[bytes]:
    """Arrow streams whose lists and texts begin and end elsewhere than they should."""
    sound = rows_of(3)
    lists, names = (0, 90, 180, 270), (0, 2, 4, 6)
    told = [
        (lists, to)
        for to in (
            (0, 90, 180, 2**31 - 1),
            (0, -90, 180, 270),
            (270, 180, 90, 0),
            (0, 90, 180, 9**6),
        )
    ]
    told += [
        (names, to)
        for to in ((0, 2, 4, 1000), (0, 2, 4, 9**8), (6, 4, 2, 0), (-(2**31), 2, 4, 6))
    ]
    found = [
        stream(sound).replace(struct.pack("<4i", *old), struct.pack("<4i", *new))
        for old, new in told
    ]
    assert stream(sound) not in found
    return found


def damaged_bodies(kind: str) -> list[bytes]:
    """Damaged bodies of a kind, the same in every run."""
    found: list[bytes] = offsets_replaced() if kind == ARROW else []
    sound = [(stream if kind == ARROW else parquet)(rows_of(count)) for count in (1, 3)]

    @many(200)
    @given(st.sampled_from(sound).flatmap(damaged))
    def collect(body: bytes) -> None:
        found.append(body)

    collect()
    return found


CHILD = """
import json, struct, sys, tempfile
from pathlib import Path
from tests.serve.serve_example import client_of, service_of
given = sys.stdin.buffer
with tempfile.TemporaryDirectory() as folder, client_of(service_of(Path(folder))) as client:
    while head := given.readline():
        kind, size = head.decode().split()
        told = client.post("/v1/predict/bulk", content=given.read(int(size)), headers={"content-type": kind})
        print("ANSWER", json.dumps([told.status_code, dict(told.headers), told.content.hex()]), flush=True)
"""


def answers_of_another_process(
    asked: Sequence[tuple[str, bytes]],
) -> tuple[list[Told], int]:
    """Answers to bulk bodies until the process ends, and its exit code."""
    told = subprocess.run(
        [sys.executable, "-c", CHILD], cwd=ROOT, capture_output=True, timeout=300, check=False,
        input=b"".join(b"%s %d\n%s" % (kind.encode(), len(body), body) for kind, body in asked),
    )  # fmt: skip
    if told.returncode:
        sys.stderr.write(
            told.stderr.decode(errors="replace")[-3000:]
        )  # pytest shows it beside the failure
    rows = [
        json.loads(line[7:])
        for line in told.stdout.decode().splitlines()
        if line.startswith("ANSWER ")
    ]
    return [
        Told(status, headers, bytes.fromhex(content))
        for status, headers, content in rows
    ], told.returncode


@pytest.fixture(scope="module")
def damage() -> dict[str, tuple[list[bytes], list[Told], int]]:
    """Per kind the damaged bodies, their answers and the exit code; one process, unless it ends before its time."""
    bodies = {kind: damaged_bodies(kind) for kind in (PARQUET, ARROW)}
    answers, code = answers_of_another_process(
        [(kind, body) for kind in bodies for body in bodies[kind]]
    )
    first = len(bodies[PARQUET])
    found = {
        PARQUET: (bodies[PARQUET], answers[:first], code),
        ARROW: (bodies[ARROW], answers[first:], code),
    }
    if len(answers) < first:
        found[ARROW] = (
            bodies[ARROW],
            *answers_of_another_process([(ARROW, body) for body in bodies[ARROW]]),
        )
    return found


@pytest.mark.parametrize("kind", [ARROW, PARQUET], ids=["arrow", "parquet"])
def test_damaged_bulk_body_does_not_end_the_process(damage: Any, kind: str) -> None:
    bodies, answers, code = damage[kind]
    ended = len(answers) < len(bodies)
    assert not ended, (
        f"exit code {code} at body {len(answers)} of {len(bodies)}: {bodies[len(answers)].hex()}"
    )


@pytest.mark.parametrize("kind", [ARROW, PARQUET], ids=["arrow", "parquet"])
def test_damaged_bulk_body_is_judged_or_refused(damage: Any, kind: str) -> None:
    bodies, answers, _ = damage[kind]
    wrong = {}
    for number, answer in enumerate(answers):
        try:
            check_bulk(answer)
        except (AssertionError, pa.ArrowException) as error:
            wrong[number] = (
                f"{str(error).splitlines()[0][:200]} for {bodies[number].hex()}"
            )
    assert not wrong, f"{len(wrong)} of {len(answers)}: {next(iter(wrong.values()))}"


class Told:
    """An answer that was given in another process."""

    def __init__(
        self, status_code: int, headers: dict[str, str], content: bytes
    ) -> None:
        self.status_code, self.headers, self.content = status_code, headers, content

    def json(self) -> Any:
        return json.loads(self.content)


# Addresses and headers

LETTERS = st.text(
    st.sampled_from("aE1F/%.\\ \x00\x7f<>'\"{}&;=#?+é日😀\u202e"), max_size=12
)
PIECES = st.sampled_from(
    [
        "F1",
        "E1",
        "..",
        ".",
        "",
        "%",
        "F9",
        "x" * 200,
        "日" * 60,
        "<script>alert(1)</script>",
    ]
)
SEGMENTS = (LETTERS | PIECES).map(lambda text: quote(text, safe="")) | st.sampled_from(
    ["%ff", "%ed%a0%80", "%2f", "%"]
)
PATHS = st.one_of(
    st.sampled_from(
        [
            "/",
            "/equipment",
            "/ranking.csv",
            "/static/app.css",
            "/v1/models",
            "/healthz",
            "/readyz",
            "/docs",
        ]
    ),
    st.builds("/facility/{}".format, SEGMENTS),
    st.builds("/equipment/{}/{}".format, SEGMENTS, SEGMENTS),
    st.builds("/v1/facilities/{}/ranking".format, SEGMENTS),
    st.builds("/v1/equipment/{}/{}".format, SEGMENTS, SEGMENTS),
    st.builds("/static/{}".format, SEGMENTS),
    st.builds("/{}".format, SEGMENTS),
)
NAMES = st.sampled_from(
    ["lang", "q", "kind", "alarms", "format", "language", "%ff", ""]
)
VALUES = (
    st.sampled_from(
        ["en", "ja", "1", "csv", "ahu", "", "xx", "%00", "%ff", "%ed%a0%80", "x" * 129]
    )
    | SEGMENTS
)
QUERIES = st.lists(st.tuples(NAMES, VALUES).map("=".join), max_size=4).map("&".join)
LATIN = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"),
    max_size=20,
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "accept-language": st.sampled_from(
            ["ja", "en;q=0.1,ja", "ja;q=x", ",;,", "*", "ja" * 3000]
        )
        | LATIN,
        "cookie": st.sampled_from(
            ["lang=ja", "lang=", "lang=zz", 'lang="ja', ";;=;", "lang=ja; lang=en"]
        )
        | LATIN,
        "host": st.sampled_from(
            ["evil.example", "a:b", "[::1", "x/y?z#w", "localhost:1", "[::1]:8000"]
        ),
        "origin": st.sampled_from(
            ["null", "http://evil.example", "http://127.0.0.1", "", "http://["]
        ),
        "x-forwarded-host": LATIN,
        "range": st.just("bytes=5-1"),
        "content-encoding": st.sampled_from(["identity", "gzip", ""]),
    },
).map(
    lambda headers: {name: value.encode("latin-1") for name, value in headers.items()}
)


def is_page(path: str) -> bool:
    return not path.startswith("/v1/")


@many(200)
@given(path=PATHS, query=QUERIES, headers=HEADERS, browser=st.booleans())
def test_strange_address_or_header_gets_a_page_or_a_sentence(
    client: TestClient, path: str, query: str, headers: dict[str, bytes], browser: bool
) -> None:
    told = client.get(
        f"{path}?{query}",
        headers={**headers, **(BROWSER if browser else {"accept": "*/*"})},
    )
    check(told, page=browser and is_page(path))
    assert "<script>alert" not in told.text


@many(60)
@given(
    bundle=SEGMENTS,
    body=st.sampled_from(
        [b"", b"null", b"{}", b"[]", b'{"facility_id": ""}', b'{"facility_id": 1}']
    ),
)
def test_promoting_a_strange_name_is_refused(
    client: TestClient, bundle: str, body: bytes
) -> None:
    told = client.post(
        f"/v1/models/{bundle}/promote",
        content=body,
        headers={"content-type": "application/json"},
    )
    check(told)
    assert told.status_code in (404, 405, 422)


def test_promoting_a_name_too_long_for_a_folder_is_refused(client: TestClient) -> None:
    told = client.post(f"/v1/models/{quote('日' * 128)}/promote")
    check(told)
    assert told.status_code == 404


def test_length_of_thousands_of_digits_is_refused(client: TestClient) -> None:
    told = client.post(
        "/v1/predict", content=b"{}", headers={"content-length": "9" * 5000}
    )
    check(told)
    assert told.status_code in (400, 413)


@many(60)
@given(
    path=st.sampled_from(["/v1/predict", "/v1/forecast", "/v1/readings", "/v1/predict/bulk"]),
    body=st.sampled_from([b"", b"{", b"null", b"1", b'"x"', b"\xff", b"[" * 2000, b'{"units": 1e999}', b"\x00" * 99]),
    headers=st.fixed_dictionaries(
        {},
        optional={
            "content-type": st.sampled_from(
                ["", "application/json", "application/json; charset=utf-16", "text/plain", "multipart/form-data", ARROW,
                 "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", PARQUET, f"{ARROW};x", ";"]
            ) | LATIN,
            "content-length": st.sampled_from(["-1", "1e3", "²", "+5", "0x10", "1,1", "9" * 20, "9" * 4000]),
            "content-encoding": st.sampled_from(["IDENTITY", "gzip, identity", "br", "identity, identity"]),
        },
    ),
)  # fmt: skip
def test_strange_body_or_its_headers_are_refused_with_a_sentence(
    client: TestClient, path: str, body: bytes, headers: dict[str, str]
) -> None:
    told = client.post(
        path,
        content=body,
        headers={name: value.encode("latin-1") for name, value in headers.items()},
    )
    check(told)
    assert told.status_code in (400, 413, 415, 422)


@pytest.mark.parametrize(
    "method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"]
)
@pytest.mark.parametrize(
    "path", ["/", "/v1/predict", "/v1/models/x/promote", "/equipment/F1/E1"]
)
def test_method_that_is_not_there_is_refused_with_a_sentence(
    client: TestClient, method: str, path: str
) -> None:
    told = client.request(method, path, content=b"{}")
    check(told)
    assert told.status_code == 405
