"""The quick part of `make hostile`: hundreds of requests nobody should send."""

from __future__ import annotations

from pathlib import Path

from tests.serve.hostile import requests_part
from tests.serve.serve_example import scored, service_of


def test_hostile_requests_get_no_5xx_and_no_word_of_the_inside(tmp_path: Path) -> None:
    count = requests_part(scored(service_of(tmp_path)))
    assert sum(count.statuses.values()) > 300
    assert count.wrong == []
