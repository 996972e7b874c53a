"""Documents say what the code says: generated pages are up to date, and what pages name exists."""

from __future__ import annotations

import importlib
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
]
READMES = [ROOT / "README.md", ROOT / "README.ja.md"]
WRITTEN = {
    "best.yaml",
    "champion.yaml",
    "serve/store.sqlite",
}  # by jobs and the service
ROOMS = (
    "hvac/",
    "ray_jobs/",
    "serve/",
    "tests/",
    "benchmarks/",
    "docs/",
    "examples/",
    "deploy/",
)


def generator(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["configuration", "modules"])
def test_generated_page_is_what_the_code_gives(name: str) -> None:
    page = generator(f"make_{name}").page()
    assert (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") == page, (
        "run make docs"
    )


def test_every_key_of_the_configuration_has_a_meaning() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert [
        line for line in text.splitlines() if line.startswith("|") and "|  |" in line
    ] == []


def test_every_module_has_a_sentence() -> None:
    text = (ROOT / "docs" / "modules.md").read_text(encoding="utf-8")
    assert [
        line for line in text.splitlines() if line.startswith("|") and "|  |" in line
    ] == []


def named(page: Path) -> list[str]:
    """What a page puts between backticks, outside blocks of code."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    return re.findall(r"`([^`\n]+)`", text)


@pytest.mark.parametrize("page", [*PAGES, *READMES], ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    files = [
        name
        for name in named(page)
        if name.startswith(ROOMS) and not set(name) & set("<*…{ ")
    ]
    files += [
        name for name in named(page) if re.fullmatch(r"[\w.]+\.(toml|yaml|lock)", name)
    ]
    files = [name for name in files if name not in WRITTEN]
    absent = [name for name in files if not (ROOT / name.split("::")[0]).exists()]
    assert [name for name in absent if not list(ROOT.rglob(name))] == []


@pytest.mark.parametrize("page", [*PAGES, *READMES], ids=lambda page: page.name)
def test_identifiers_that_a_page_names_exist(page: Path) -> None:
    for name in named(page):
        if re.fullmatch(r"(hvac|ray_jobs|serve)(\.\w+)+", name):
            assert exists(name), f"{page.name} names {name}"


def exists(name: str) -> bool:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def test_types_of_the_architecture_are_where_it_says() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| .* \| `([\w/]+\.py)` \|$", text, flags=re.M)
    assert len(rows) >= 10
    for name, file in rows:
        assert f"class {name}" in (ROOT / file).read_text(encoding="utf-8"), (
            name,
            file,
        )


def test_sections_of_the_design_that_code_cites_exist() -> None:
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    sections = {
        int(number) for number in re.findall(r"^## (\d+)\.", design, flags=re.M)
    }
    cited: set[int] = set()
    for folder in ("hvac", "ray_jobs", "serve", "tests"):
        for file in (ROOT / folder).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            cited |= {int(number) for number in re.findall(r"design §(\d+)", text)}
            assert "DESIGN" + " §" not in text, file
    assert cited
    assert cited <= sections


@pytest.mark.parametrize("page", [*PAGES, *READMES], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)]+)\)", text)]
    local = [target for target in targets if target and "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []
