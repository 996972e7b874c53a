"""The two READMEs show the same commands, and each of them can be run.

Commands for curl are run by tests/serve/test_documented_requests.py, quick steps here. Those that take minutes are only
taken apart: the module is there, its run file is there and is valid with the settings of the line, and what it reads is
there.
"""

from __future__ import annotations

import csv
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hvac.config import read_overrides
from ray_jobs.detector.detect_config import load_detect
from ray_jobs.rotate import _check as check_rotation
from ray_jobs.run.run_config import load_run
from serve.settings import read_serve_config
from tests.deploy.deploy_example import ROOT, blocks
from tests.models.models_example import bundle
from tests.serve.serve_example import UNITS, body_readings

READMES = ("README.md", "README.ja.md")
HEADINGS = {
    "Numbers that can be believed": "信じてよい数値にするために",
    "Run it": "実行する",
    "Choose a model on purpose": "モデルを意図して選ぶ",
    "Serve": "ページと API（serve）",
    "Every day": "毎日の運用",
    "On a cluster": "クラスタで動かす",
    "Bring your own readings": "自社のデータを使う",
    "Use it from Python": "Python から使う",
    "Speed": "速さ",
    "Where things are": "どこに何があるか",
}
ONLY_JA = "施設管理者のための読み方"
TOO_LONG = {  # why a command is taken apart and not run, by how it begins
    "make demo": "trains for minutes",
    "make serve": "runs until it is stopped",
    "make test": "runs this very test",
    "make tensorboard": "runs until it is stopped",
    "python -m ray_jobs.pipeline": "trains for minutes",
    "python -m ray_jobs.compare": "trains every model for minutes",
    "python -m ray_jobs.rotate": "trains for half an hour",
    "python -m ray_jobs.facilities": "trains once per facility",
    "python -m ray_jobs.tune": "trains once per trial",
    "python -m benchmarks.leaky.job": "trains for minutes, on the windows of the demo",
    "python -m ray_jobs.detect": "trains for minutes",
    "python -m ray_jobs.daily": "needs the bundles of the demo",
    "python -m ray_jobs.update": "needs the scores of the demo",
    "python -m ray_jobs.score": "needs the bundles of the demo",
    "python -m serve": "runs until it is stopped",
    "ray job submit": "needs a cluster",
    "export AWS_ACCESS_KEY_ID": "holds marks for a user's own keys",
    "curl": "is run by tests/serve/test_documented_requests.py",
}
QUICK = "hvac-foresight "  # steps without Ray: they are run
USERS_OWN = (
    "run.yaml",
    "/path/",
    "s3://",
    "…",
)  # what stands for a file of the reader's


def commands(page: str) -> list[str]:
    """The command lines of a page, without the remarks behind them."""
    lines = [line for block in blocks(page, "") for line in block.splitlines()]
    return [re.sub(r"\s+#.*", "", line).strip() for line in lines if line.strip()]


def headings(page: str) -> list[str]:
    return re.findall(
        r"^## (.+)$", (ROOT / page).read_text(encoding="utf-8"), flags=re.M
    )


def test_both_have_the_same_headings_in_the_same_order() -> None:
    assert headings("README.md") == list(HEADINGS)
    assert headings("README.ja.md") == [*HEADINGS.values(), ONLY_JA]


def test_both_have_the_same_commands_in_the_same_order() -> None:
    assert commands("README.ja.md") == commands("README.md")
    assert blocks("README.ja.md", "python") == blocks("README.md", "python")


def test_both_have_the_same_tables() -> None:
    """First cells, which are keys, files and commands: of the modules, families, tables and settings."""

    def keys(page: str) -> list[str]:
        text = (ROOT / page).read_text(encoding="utf-8").partition(f"## {ONLY_JA}")[0]
        return [
            name
            for row in re.findall(r"^\| (.+?) \|", text, flags=re.M)
            for name in re.findall(r"`([^`]+)`", row)
        ]

    assert keys("README.ja.md") == keys("README.md")


def job_of(command: str) -> list[str]:
    """The words from the module on of `python -m …`, also within `ray job submit … -- …`."""
    words = shlex.split(command.replace("$PWD", str(ROOT)))
    return words[words.index("-m") + 1 :] if "-m" in words else []


@pytest.mark.parametrize("command", commands("README.md"))
def test_command_that_is_not_run_has_a_reason(command: str) -> None:
    assert command.startswith(QUICK) or [
        reason for start, reason in TOO_LONG.items() if command.startswith(start)
    ]


@pytest.mark.parametrize(
    "command", [c for c in commands("README.md") if c.startswith("make ")]
)
def test_target_of_make_is_there(command: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{command.split()[1]}:", makefile, flags=re.M)


@pytest.mark.parametrize("command", [c for c in commands("README.md") if job_of(c)])
def test_module_run_file_and_settings_of_a_command_are_valid(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    module, *arguments = job_of(command)
    assert importlib.util.find_spec(module), command
    if module == "serve":
        assert read_serve_config(read_overrides(arguments)).workspace
        return
    place = arguments.index("--config")
    file, overrides = arguments[place + 1], arguments[:place] + arguments[place + 2 :]
    if file.startswith(USERS_OWN):
        # settings of a source are laid over one
        file = "ray_jobs/configs/chillers.yaml"
    if module == "ray_jobs.detect":
        assert load_detect(file, overrides)
        return
    config = load_run(file, overrides)
    if module == "ray_jobs.rotate":
        check_rotation(config)
    if module in ("ray_jobs.compare", "ray_jobs.rotate"):
        assert config.compare
    if module == "ray_jobs.tune":
        assert config.tune
    readings = config.source.readings if config.source else ()
    for source in (readings,) if isinstance(readings, str) else readings:
        assert source.startswith(USERS_OWN) or Path(source).exists(), (
            f"{command} reads {source}"
        )


SERVING = [c for c in commands("docs/serving.md") if c.startswith("python -m serve")]


@pytest.mark.parametrize("command", SERVING)
def test_settings_of_a_command_about_serving_are_valid(command: str) -> None:
    module, *arguments = job_of(command)
    assert importlib.util.find_spec(module)
    settings = [word for word in arguments if "=" in word and not word.startswith("-")]
    assert read_serve_config(read_overrides(settings))


def inline_modules() -> Iterator[tuple[str, str]]:
    for page in READMES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for module in re.findall(r"`python -m ([\w.]+)", text):
            yield page, module


@pytest.mark.parametrize(("page", "module"), list(inline_modules()))
def test_module_named_in_the_text_is_there(page: str, module: str) -> None:
    assert importlib.util.find_spec(module), page


def write_table(file: Path, rows: list[dict[str, object]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_record(folder: Path) -> None:
    """Write the tables that the pages name: three machines with an event each."""
    keys = [
        {"facility_id": unit.facility_id, "equipment_id": unit.equipment_id}
        for unit in UNITS
    ]
    readings = [
        {**key, **{name: row[name] for name in ("point_id", "date", "value")}}
        for key, unit in zip(keys, UNITS, strict=True)
        for row in body_readings(unit)
    ]
    events = [{**key, "kind": "failure", "start": readings[9]["date"]} for key in keys]
    write_table(folder / "readings.csv", readings)
    write_table(folder / "events.csv", events)
    write_table(folder / "equipment.csv", [{**key, "class": "ahu"} for key in keys])


def test_quick_steps_run_in_the_order_of_the_page(tmp_path: Path) -> None:
    """They may find faults in so small a record (status 1), and are no errors of ours or of the page."""
    write_record(tmp_path)
    lines = [line for line in commands("README.md") if line.startswith(QUICK)]
    assert len(lines) >= 2
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for line in lines:
        words = [sys.executable, "-m", "ray_jobs", *shlex.split(line)[1:]]
        done = subprocess.run(
            words, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode in (0, 1), (line, done.stderr)
        assert "Traceback" not in done.stderr, (line, done.stderr)
    assert (tmp_path / "run.yaml").exists()


@pytest.mark.parametrize("page", READMES)
def test_python_block_runs_on_files_as_it_names_them(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    saved = bundle().save(tmp_path / "runs" / "demo" / "bundles")
    write_record(tmp_path)
    (block,) = blocks(page, "python")
    names: dict[str, object] = {}
    exec(compile(block.replace("pump-…", saved.name), page, "exec"), names)
    assert len(names["risks"]) == 3 * len(UNITS)  # type: ignore[arg-type]
