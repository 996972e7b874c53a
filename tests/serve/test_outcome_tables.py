"""Outcomes as a maintenance system's table: taken row by row, known again, refused with a reason."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from hvac.client import Client, ServiceError
from hvac.days import date_of, today
from hvac.panel.grid import Unit
from hvac.sentences import translated
from serve.keys import make_key
from serve.memory.store_cases import CaseFacts
from serve.service import Service
from tests.serve.real_service import listening
from tests.serve.serve_example import LAST, UNITS, client_of, service_of

E1, E2, F2 = UNITS
TODAY = date_of(today())
JAPANESE = re.compile(r"[ぁ-んァ-ヶ一-龠]")
FACTS = CaseFacts(
    point="p", risks={30: 0.9}, thresholds={30: 0.5}, alarms=(30,), reasons=()
)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = service_of(tmp_path)
    yield service
    service.store.close()


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with client_of(service) as client:
        yield client


def csv(*rows: str, header: str = "facility,equipment,code,date,note,who") -> bytes:
    return "\r\n".join([header, *rows, ""]).encode()


def send(client: TestClient, table: bytes, **headers: str) -> Any:
    headers = {"Content-Type": "text/csv", **headers}
    answer = client.post("/v1/outcomes/table", content=table, headers=headers)
    assert answer.status_code == 202, answer.text
    return answer.json()


def kept(service: Service) -> list[tuple[Any, ...]]:
    return [tuple(row.outcome) for row in service.store.outcomes()]


def test_table_is_taken_and_the_same_table_changes_nothing(
    service: Service, client: TestClient
) -> None:
    table = csv(f"F1,E1,hit,{TODAY},belt,Sato", f"F1,E2,nothing found,{TODAY},,")
    assert send(client, table) == {"taken": 2, "known": 0, "refused": []}
    rows = service.store.outcomes()
    assert kept(service) == [
        (E1, today(), "hit", "Sato", "belt"),
        (E2, today(), "nothing_found", "local", ""),
    ]
    assert {row.key_name for row in rows} == {"local"}
    assert send(client, table) == {"taken": 0, "known": 2, "refused": []}
    assert service.store.outcomes() == rows


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8", "cp932"])
@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_japanese_headers_codes_dates_and_encodings_are_read(
    service: Service, client: TestClient, encoding: str, sign: str
) -> None:
    words = {
        "的中": "hit", "空振り": "nothing_found", "点検済": "inspected",
        "対象外": "not_applicable", "不明": "unknown",
    }  # fmt: skip
    lines = ["施設,設備ID,結果,実施日,備考,担当者"]
    lines += [f"F1,E1,{word},令和6年3月{n}日,,佐藤" for n, word in enumerate(words, 1)]
    text = "\r\n".join(lines).replace(",", sign)
    answer = send(client, text.encode(encoding))
    assert answer == {"taken": 5, "known": 0, "refused": []}
    assert [row.code for row in service.store.outcomes()] == [*words.values()]
    assert str(date_of(service.store.outcomes()[0].day)) == "2024-03-01"


def test_each_row_that_cannot_be_taken_is_named_and_the_others_are_kept(
    service: Service, client: TestClient
) -> None:
    early = date_of(LAST - 9)
    case_id = service.store.open_case(E2, LAST - 5, FACTS)
    header = "facility_id,equipment_id,case_id,code,date,note"
    rows = {
        f"F1,E1,,hit,{TODAY},\"two\nlines\"": None,
        f"F1,E9,,hit,{TODAY},": ("equipment_id", "E9", "equipment F1 E9 is not known"),
        f"F1,E1,,hits,{TODAY},": ("code", "hits", "did you mean 'hit'?"),
        "F1,E1,,hit,3/4/2024,": ("date", "3/4/2024", "day or month may come first"),
        "F1,E1,,hit,soon,": ("date", "soon", "cannot be read"),
        "F1,E1,,hit,2024-03-05T01:00:00Z,": ("date", "2024-03-05T01:00:00Z", "cannot"),
        "F1,E1,,hit,,": ("date", "", "a value is missing"),
        "F1,E1,,hit,1905-01-01,": ("date", "1905-01-01", "lies outside 1970 to 2100"),
        f"F1,E1,,hit,{date_of(today() + 3)},": ("date", None, "lies in the future"),
        f"F1,,,hit,{TODAY},": ("equipment_id", "", "a value is missing"),
        f"F1,E1,,,{TODAY},": ("code", "", "a value is missing"),
        f"F1,{'E' * 200},,hit,{TODAY},": ("equipment_id", "E" * 80, "longer than 128"),
        f"F1,E1,,hit,{TODAY},\x01": ("note", "\x01", "control character"),
        f"F1,E\x01,,hit,{TODAY},": ("equipment_id", "E\x01", "control character"),
        f"F1,nan,,hit,{TODAY},": ("equipment_id", "nan", "is no id"),
        f",,nothing,hit,{TODAY},": ("case_id", "nothing", "case 'nothing' is not known"),
        f"F1,E1,{case_id},hit,{TODAY},": ("case_id", case_id, "is of F1 E2"),
        f",,{case_id},hit,{early},": ("date", str(early), "is before the alarm"),
        f"F1,E1,,hit,{TODAY}": ("", "", "5 fields instead of 6"),
        f"F1,E1,,hit,{TODAY},,,x": ("", "", "8 fields instead of 6"),
        f"F1,E1,,inspected,{TODAY},": ("code", "inspected", "line 2 tells another"),
        ",,,,,": None,
        f",,{case_id},的中,{TODAY},,": None,
    }  # fmt: skip
    answer = send(client, csv(*rows, header=header))
    refused = {row["line"]: row for row in answer["refused"]}
    expected = {n: why for n, why in enumerate(rows.values(), 3) if why}
    assert (answer["taken"], answer["known"]) == (2, 0)
    assert refused.keys() == expected.keys()
    for line, (column, found, why) in expected.items():
        assert refused[line]["column"] == column, line
        assert found is None or refused[line]["found"] == found
        assert why in refused[line]["why"]["en"], line
        assert JAPANESE.search(refused[line]["why"]["ja"]), refused[line]
        assert refused[line]["why"]["en"].count(". ") <= 1
    assert kept(service) == [
        (E1, today(), "hit", "local", "two\nlines"),
        (E2, today(), "hit", "local", ""),
    ]
    assert service.store.outcomes(E2)[0].case_id == case_id


def test_stamps_of_another_zone_are_refused_quickly(client: TestClient) -> None:
    day = f"{TODAY}T00:00:00"
    zones = ("Z", "+09:00", "-0530")
    rows = [f"{E1[0]},{E1[1]},hit,{day}{zones[n % 3]},n{n},A" for n in range(6_000)]
    started = time.process_time()
    told = send(client, csv(*rows, f"{E1[0]},{E1[1]},hit,{day},local,A"))
    assert time.process_time() - started < 10  # 77 s one by one
    assert (told["taken"], len(told["refused"])) == (1, 6_000)


def test_lines_that_end_with_a_carriage_return_are_counted_too(
    client: TestClient,
) -> None:
    table = csv(f"{E1[0]},{E1[1]},nonsense,{TODAY},a,A").replace(b"\r\n", b"\r")
    (refused,) = send(client, table)["refused"]
    assert refused["line"] == 2


def test_changed_row_replaces_what_was_told_before(
    service: Service, client: TestClient
) -> None:
    send(client, csv(f"F1,E1,inspected,{TODAY},,Sato"))
    row = f"F1,E1,hit,{TODAY},,Sato"
    answer = send(client, csv(row, row))
    assert answer == {"taken": 1, "known": 1, "refused": []}
    assert kept(service) == [(E1, today(), "hit", "Sato", "")]


def test_what_the_service_gives_as_csv_is_known_to_it(client: TestClient) -> None:
    send(client, csv(f"F1,E1,hit,{TODAY},=1+1,@x", f"F1,E2,hit,{TODAY},'tis,"))
    table = client.get("/v1/outcomes?format=csv").content
    assert send(client, table) == {"taken": 0, "known": 2, "refused": []}


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (b"", "the table is empty"),
        (b"PK\x03\x04 a workbook", "expected a CSV table, found another file"),
        (b"PAR1 a file", "expected a CSV table, found another file"),
        ("K\xe4lte,\xfc\n".encode("cp1252"), "encoding cannot be told"),
        (csv("", header="facility,unit,date"), "has no column code (or outcome,"),
        (csv("", header="facility,code,date"), "has no column equipment_id (or"),
        (csv("", header="unit,unit,code,date"), "expected one column 'unit', found 2"),
        (csv('E1,hit,"', header="unit,code,date"), "line 2 of the table is no CSV"),
        (b"unit,code,date" + b"," * 300, "more than 256 columns"),
        (b"unit,code,date\n" + b"E1,hit,2024-03-01\n" * 10_001, "more than 10000 rows"),
    ],
)  # fmt: skip
def test_table_that_cannot_be_read_is_refused_in_a_sentence(
    service: Service, client: TestClient, table: bytes, sentence: str
) -> None:
    headers = {"Content-Type": "text/csv"}
    answer = client.post("/v1/outcomes/table", content=table, headers=headers)
    assert answer.status_code == 422
    assert sentence in answer.json()["error"]
    assert "/tmp" not in answer.json()["error"]
    assert JAPANESE.search(translated(answer.json()["error"], "ja"))
    assert kept(service) == []


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("text/csv; charset=Shift_JIS", 202),
        ("text/csv; charset=utf-8", 422),
        ("text/csv; charset=klingon", 415),
        ("application/json", 415),
    ],
)
def test_kind_and_charset_of_the_body_are_heeded(
    client: TestClient, kind: str, status: int
) -> None:
    table = f"設備,施設,結果,実施日\nE1,F1,的中,{TODAY}\n".encode("cp932")
    headers = {"Content-Type": kind}
    answer = client.post("/v1/outcomes/table", content=table, headers=headers)
    assert answer.status_code == status


def test_body_has_the_limit_of_other_routes(service: Service) -> None:
    limits = service.config.limits.model_copy(update={"body_bytes": 1024})
    config = service.config.model_copy(update={"limits": limits})
    small = Service(config, service.store, service.stages)
    with client_of(small) as client:
        answer = client.post(
            "/v1/outcomes/table",
            content=b"x" * 2000,
            headers={"Content-Type": "text/csv"},
        )
    assert answer.status_code == 413


def test_key_decides_what_a_table_may_tell(service: Service) -> None:
    keys = {
        name: make_key(service.store, name, facility_id=facility, role=role)
        for name, facility, role in (
            ("reader", "F1", "read"), ("writer", "F1", "push"), ("fleet", "", "push"),
        )
    }  # fmt: skip
    case_id = service.store.open_case(F2, LAST, FACTS)
    without = csv(f"E1,hit,{TODAY}", header="equipment,code,date")
    other = csv(f"F2,E1,,hit,{TODAY}", f",,{case_id},hit,{TODAY}",
                header="facility,equipment,case,code,date")  # fmt: skip
    with client_of(service, keys=True) as client:
        address, headers = "/v1/outcomes/table", {"Content-Type": "text/csv"}
        for key, status in (("reader", 403), ("", 401)):
            given = headers | ({"X-API-Key": keys[key]} if key else {})
            answer = client.post(address, content=without, headers=given)
            assert answer.status_code == status
        told = send(client, other, **{"X-API-Key": keys["writer"]})
        assert (told["taken"], len(told["refused"])) == (0, 2)
        assert "F2" not in told["refused"][1]["why"]["en"]
        told = send(client, without, **{"X-API-Key": keys["writer"]})
        assert told["taken"] == 1
        told = send(client, without, **{"X-API-Key": keys["fleet"]})
        assert told["refused"][0]["column"] == "facility_id"
    assert kept(service) == [(Unit("F1", "E1"), today(), "hit", "writer", "")]
    assert service.store.outcomes()[0].key_name == "writer"


def test_form_takes_a_table_and_says_what_became_of_it(
    service: Service, client: TestClient
) -> None:
    page = client.get("/cases?lang=ja").text
    (token,) = re.findall(r'name="token" value="([0-9a-f]+)"', page)
    table = csv(f"F1,E1,的中,{TODAY},,", f"F1,<b>,的中,{TODAY},,")
    files = {"table": ("結果.csv", table, "text/csv")}
    sent = {"data": {"token": token}, "files": files}
    page = client.post("/outcomes/table?lang=ja", **sent).text  # type: ignore[arg-type]
    assert "登録 1 件、登録済み 0 件、登録できなかった行 1 件" in page
    assert "設備 F1 &lt;b&gt; は登録されていません" in page
    assert kept(service) == [(E1, today(), "hit", "local", "")]
    page = client.post("/outcomes/table?lang=en", **sent).text  # type: ignore[arg-type]
    assert "0 outcomes were kept, 1 were known already, 1 rows were refused" in page
    sent["files"] = {"table": ("x.csv", b"a,b\n", "text/csv")}
    answer = client.post("/outcomes/table?lang=ja", **sent)  # type: ignore[arg-type]
    assert answer.status_code == 422
    assert "列 equipment_id（または" in answer.text


@pytest.mark.parametrize("token", ["", "0" * 64])
def test_form_of_another_sites_page_takes_no_table(
    service: Service, client: TestClient, token: str
) -> None:
    files = {"table": ("x.csv", csv(f"F1,E1,hit,{TODAY},,"), "text/csv")}
    answer = client.post("/outcomes/table", data={"token": token}, files=files)
    assert answer.status_code == 403
    answer = client.post("/outcomes/table", data={"token": token})
    assert answer.status_code == 415
    assert kept(service) == []


def test_reader_sees_no_form_for_a_table(service: Service) -> None:
    key = make_key(service.store, "r", role="read")
    with client_of(service, keys=True) as client:
        page = client.get("/cases", headers={"X-API-Key": key}).text
    assert "<form" not in page


def test_client_sends_a_table(service: Service) -> None:
    with listening(service) as url:
        client = Client(url, retries=0)
        answer = client.tell_outcome_table(csv(f"F1,E1,hit,{TODAY},,"))
        assert (answer["taken"], answer["refused"]) == (1, [])
        with pytest.raises(ServiceError, match="the table is empty"):
            client.tell_outcome_table(b"")
