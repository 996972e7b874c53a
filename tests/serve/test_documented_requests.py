"""The requests that documents show are run against a service, with its ids in the place of the demo's."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.deploy_example import blocks
from tests.serve.real_service import listening
from tests.serve.serve_example import scored, service_of

PAGES = ("README.md", "README.ja.md", "docs/serving.md")
OURS = {"F001-AHU-001": "E2", "F001": "F1", "fan_current": "p"}
CURLS_TIME_IS_UP = 28
ADDRESS = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with listening(
        scored(service_of(tmp_path_factory.mktemp("documented")))
    ) as address:
        yield address


def with_our_ids(text: str, url: str) -> str:
    for theirs, ours in OURS.items():
        text = text.replace(theirs, ours)
    return text.replace(ADDRESS, url)


@pytest.mark.parametrize("page", PAGES)
def test_curl_commands_of_a_page_are_answered(
    page: str, url: str, tmp_path: Path
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    lines = [line for block in blocks(page, "") for line in block.splitlines()]
    commands = [line for line in lines if line.startswith("curl ")]
    assert len(commands) >= 5
    (tmp_path / "examples").symlink_to(Path("examples").resolve())
    for command in commands:
        words = shlex.split(with_our_ids(command, url))
        assert words[0] == "curl"
        if words[-1].endswith("/v1/stream"):
            listened = listen(words)
            assert "event: present" in listened
            continue
        done = subprocess.run(
            [*words, "--silent", "--fail-with-body"], capture_output=True, cwd=tmp_path
        )
        assert done.returncode == 0, (command, done.stdout)
        if "format=csv" not in command:
            assert "error" not in json.loads(done.stdout)


def listen(words: list[str]) -> str:
    """What a command that listens to the stream prints in some seconds, instead of a minute."""
    words[words.index("--max-time") + 1] = "3"
    done = subprocess.run([*words, "--silent"], capture_output=True, text=True)
    assert done.returncode == CURLS_TIME_IS_UP
    return done.stdout


def test_python_of_the_page_about_serving_pushes_and_listens(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve.http.look_routes.lasts_s", lambda _: 0.05)
    monkeypatch.setattr("serve.work.alarm_watch.QUIET_S", 0.1)
    _, block = blocks("docs/serving.md", "python")
    exec(compile(with_our_ids(block, url), "docs/serving.md", "exec"), {})
    pushed, *heard = capsys.readouterr().out.splitlines()
    assert re.match(r"E2 \[0\.\d+, 0\.\d+, 0\.\d+\]", pushed)
    assert heard
    assert all(re.match(r"present E2 \d+ 0\.\d+", line) for line in heard)


def test_python_of_the_page_about_serving_runs(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    block, _ = blocks("docs/serving.md", "python")
    exec(compile(with_our_ids(block, url), "docs/serving.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert re.match(r"1 E2 \{'30': 0\.", printed[0])
    assert printed[-1].startswith("1 kept, ")
