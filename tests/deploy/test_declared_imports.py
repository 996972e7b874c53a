"""What the packages import is declared in pyproject.toml, rather than brought by another."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.deploy.deploy_example import ROOT, text

OURS = ("hvac", "ray_jobs", "serve")
FOR_WORK_ON_THE_PROJECT = (
    "dev",
    "bench",
)  # extras that no user of the packages installs


def imported(source: str) -> Iterator[str]:
    """Give the top-level names that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def normal(requirement: str) -> str:
    """Give the distribution's name of a requirement, as PyPI compares names."""
    name = re.match(r"[\w.-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def declared() -> set[str]:
    """Give what the project and its extras for users ask for."""
    project = tomllib.loads(text("pyproject.toml"))["project"]
    requirements = list(project["dependencies"])
    for extra, additions in project["optional-dependencies"].items():
        if extra not in FOR_WORK_ON_THE_PROJECT:
            requirements += additions
    return set(map(normal, requirements))


@cache
def distributions() -> Mapping[str, list[str]]:
    """Give the installed distributions that bring a top-level name."""
    return packages_distributions()


def undeclared(names: Iterable[str], declarations: set[str]) -> list[str]:
    """Give the names that are neither Python's, nor ours, nor of a declared distribution."""
    foreign = set(names) - set(OURS) - sys.stdlib_module_names

    def is_declared(name: str) -> bool:
        return not declarations.isdisjoint(
            map(normal, distributions().get(name, [name]))
        )

    return sorted(name for name in foreign if not is_declared(name))


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", OURS)
def test_what_a_package_imports_is_declared(package: str) -> None:
    sources = [path.read_text(encoding="utf-8") for path in modules(package)]
    assert sources
    names = {name for source in sources for name in imported(source)}
    assert undeclared(names, declared()) == []


def test_scan_sees_an_import_wherever_it_stands() -> None:
    late = "def late():\n    from sklearn.tree import export_text\n"
    source = f"import yaml.nodes\n{late}from . import near\n"
    assert list(imported(source)) == ["yaml", "sklearn"]
    assert undeclared(imported(source), {"pyyaml"}) == ["sklearn"]
    assert undeclared(["hvac", "os", "never_heard_of"], set()) == ["never_heard_of"]


@pytest.mark.parametrize("requirement", sorted(declared()))
def test_what_is_declared_has_a_reason(requirement: str) -> None:
    rows = [line for line in text("docs/dependencies.md").splitlines() if "|" in line]
    packages = " ".join(row.split("|")[1] for row in rows).lower()
    assert re.search(rf"(?<![\w-]){re.escape(requirement)}(?![\w-])", packages)
