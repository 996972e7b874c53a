"""Every benchmark finds what it imports of ours: a refactor that moves a name moves it there, too."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "benchmarks").rglob("*.py"))
OURS = ("hvac", "ray_jobs", "serve")


def imports(script: Path) -> list[tuple[str, str]]:
    """Modules of ours that a script imports from, with each name, wherever in the script it does."""
    found = []
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.ImportFrom)
            and (node.module or "").split(".")[0] in OURS
        ):
            found += [(str(node.module), alias.name) for alias in node.names]
    return found


@pytest.mark.parametrize(
    "script", SCRIPTS, ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_names_that_a_benchmark_imports_exist(script: Path) -> None:
    missing = []
    for module, name in imports(script):
        try:
            there = hasattr(importlib.import_module(module), name)
        except ModuleNotFoundError:
            there = False
        if not there:
            try:
                importlib.import_module(f"{module}.{name}")
            except ModuleNotFoundError:
                missing.append(f"{module}.{name}")
    assert not missing


def test_some_benchmark_imports_something() -> None:
    assert any(imports(script) for script in SCRIPTS)
