"""Write docs/modules.md: every module of the three packages with its first sentence.

python docs/make_modules.py
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = Path(__file__).with_name("modules.md")
PACKAGES = ("hvac", "ray_jobs", "serve")
HEAD = """# Modules

Written by `python docs/make_modules.py` from the modules' docstrings; do not edit it.
[architecture.md](architecture.md) says how the rooms stand to each other.
"""


def page() -> str:
    """Return the whole page."""
    blocks = [HEAD]
    for package in PACKAGES:
        for folder in _rooms(ROOT / package):
            blocks.append(_room(folder))
    return "\n".join(blocks)


def _rooms(package: Path) -> Iterator[Path]:
    yield package
    for file in sorted(package.rglob("__init__.py")):
        if file.parent != package:
            yield file.parent


def _room(folder: Path) -> str:
    name = folder.relative_to(ROOT)
    rows = ["| module | what it is |", "|---|---|"]
    for file in sorted(folder.glob("*.py")):
        if file.name != "__init__.py":
            rows.append(f"| `{file.stem}` | {_sentence(file)} |")
    return (
        f"## {name}\n\n{_sentence(folder / '__init__.py')}\n\n" + "\n".join(rows) + "\n"
    )


def _sentence(file: Path) -> str:
    """Return the first paragraph of a module's docstring."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
