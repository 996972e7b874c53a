"""Forms with a file: what is taken of them, and that none takes long."""

from __future__ import annotations

import time

import pytest

from serve.bodies.problems import WrongKind
from serve.http.uploads import MOST_PARTS, read_upload

KIND = "multipart/form-data; boundary=b"


def form(*parts: bytes) -> bytes:
    return b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--"


def part(name: str, content: bytes, more: str = "") -> bytes:
    head = f'Content-Disposition: form-data; name="{name}"{more}'
    return head.encode() + b"\r\n\r\n" + content


def test_contents_are_those_that_were_sent() -> None:
    table = "結果\r\n的中".encode("cp932")
    body = form(part("token", b"t"), part("table", table, '; filename="a.csv"'))
    assert read_upload(KIND, body) == {"token": b"t", "table": table}


def test_name_of_a_file_is_no_name_of_a_part() -> None:
    odd = '; filename="x\\"; name=\\"token"'
    assert set(read_upload(KIND, form(part("table", b"1", odd)))) == {"table"}


@pytest.mark.parametrize(
    "odd",
    [b"", b"no head at all", b"Content-Disposition: form-data\r\n\r\n1", b"\r\n\r\n1"],
)
def test_part_without_a_name_is_left_out(odd: bytes) -> None:
    assert read_upload(KIND, form(odd, part("a", b"1"))) == {"a": b"1"}


def test_more_parts_than_a_form_has_are_refused() -> None:
    with pytest.raises(WrongKind, match=f"at most {MOST_PARTS} parts"):
        read_upload(KIND, form(*[part(f"p{n}", b"1") for n in range(MOST_PARTS + 1)]))


@pytest.mark.parametrize("repeated", [b"Content-Disposition:", b"name=", b"\r\n"])
def test_large_heads_take_no_time(repeated: bytes) -> None:
    body = form(repeated * (4_000_000 // len(repeated)), part("a", b"1"))
    started = time.process_time()
    read_upload(KIND, body)
    assert time.process_time() - started < 2  # hours, were it quadratic
