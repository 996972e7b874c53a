"""What `python -m serve` refuses in a sentence, before Ray is started."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hvac.errors import ConfigError
from serve.__main__ import main as serve_main
from serve.keys import make_key
from serve.memory.store import Store
from serve.settings import ServeConfig
from serve.starting import check_start
from tests.serve.serve_example import filled

ROOT = Path(__file__).parents[2]


@pytest.fixture
def no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray that must not be started."""
    import ray

    def fail(**_: Any) -> None:
        raise AssertionError("Ray was started")

    monkeypatch.setattr(ray, "init", fail)


@pytest.mark.usefixtures("no_ray")
def test_workspace_that_is_not_there_is_refused_and_not_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert serve_main(["--port", "0", f"workspace={tmp_path}/nothing"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(
        f"error: there is no workspace of the jobs at {tmp_path}/nothing: set "
    )
    assert error.count("\n") == 1
    assert not (tmp_path / "nothing").exists()


def test_nearest_workspace_beside_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "demo" / "steps").mkdir(parents=True)
    with pytest.raises(ConfigError, match=f"did you mean {tmp_path}/demo"):
        check_start(ServeConfig(workspace=tmp_path / "dmeo"), "127.0.0.1")


def test_store_that_was_made_there_makes_no_workspace(tmp_path: Path) -> None:
    Store.open(ServeConfig(workspace=tmp_path).store_url).close()
    with pytest.raises(ConfigError, match="no workspace"):
        check_start(ServeConfig(workspace=tmp_path), "127.0.0.1")


@pytest.mark.parametrize("folder", ["bundles", "panel"])
def test_workspace_with_bundles_or_tables_is_served(
    tmp_path: Path, folder: str
) -> None:
    config = ServeConfig(workspace=tmp_path)
    with pytest.raises(ConfigError, match="no workspace"):
        check_start(config, "127.0.0.1")
    (tmp_path / folder).mkdir()
    check_start(config, "127.0.0.1")


def test_bundles_elsewhere_need_no_workspace(tmp_path: Path) -> None:
    config = ServeConfig(workspace=tmp_path / "nothing")
    with pytest.raises(ConfigError, match="no workspace"):
        check_start(config, "127.0.0.1")
    (tmp_path / "elsewhere").mkdir()
    elsewhere = config.model_copy(update={"bundles": tmp_path / "elsewhere"})
    check_start(elsewhere, "127.0.0.1")


@pytest.mark.usefixtures("no_ray")
def test_other_host_without_a_key_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(tmp_path)
    settings = [f"workspace={tmp_path}", f"store={tmp_path}/store.sqlite"]
    assert serve_main(["--host", "0.0.0.0", "--port", "0", *settings]) == 2
    assert "python -m serve.keys add" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("keys", "host", "refused"),
    [
        ("auto", "127.0.0.1", False),
        ("auto", "0.0.0.0", True),
        ("off", "0.0.0.0", False),
        ("required", "127.0.0.1", True),
    ],
)
def test_keys_are_asked_for_as_set_and_by_host(
    tmp_path: Path, keys: str, host: str, refused: bool
) -> None:
    config, store, _ = filled(tmp_path, keys=keys)
    if refused:
        with pytest.raises(ConfigError, match="API keys are required"):
            check_start(config, host)
        make_key(store, "me", role="admin")
    check_start(config, host)


def test_refusal_takes_seconds_as_a_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "serve", f"workspace={tmp_path}/nothing"]
    started = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no workspace")
    assert time.monotonic() - started < 60  # seconds on an idle machine
