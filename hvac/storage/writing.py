"""Write files whole or not at all: locally by a rename, on an object store by one upload."""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from hvac.json_values import Json, finite
from hvac.storage.paths import AnyPath
from hvac.storage.places import Place

LEFTOVER = re.compile(r"\..+\.[0-9a-f]{8}")  # what `unfinished` makes


def unfinished(path: Path) -> Path:
    """Return a hidden neighbour's name, for what is being written and is to become `path`."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")


@contextmanager
def replacing(path: AnyPath) -> Iterator[Path]:
    """Give a local file to write, which takes the place of `path` when the block ends well.

    Where the block fails, nothing changes.

    Raises:
        InputError: the store refuses the file (no such bucket, no right to write).
    """
    if isinstance(path, Place):
        with path.replacing() as building:
            yield building
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    building = unfinished(path)
    try:
        yield building
        to_disk(building)
        os.replace(building, path)
    finally:
        building.unlink(missing_ok=True)


def to_disk(path: Path) -> None:
    """Wait until a file's or a folder's content is on the disk.

    A power cut then leaves the old or the new, whole.
    """
    for file in path.rglob("*") if path.is_dir() else (path,):
        if file.is_file():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())


def remove_leftovers(folder: Path) -> int:
    """Remove the files that killed writers began in a folder and below; return how many.

    Nobody may be writing there.
    """
    leftovers = [path for path in folder.rglob(".*") if LEFTOVER.fullmatch(path.name)]
    for path in leftovers:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(leftovers)


@contextmanager
def writing(path: AnyPath, mode: str = "wb", **text: Any) -> Iterator[IO[Any]]:
    """Give an open file to write, which takes the place of `path` when the block ends well."""
    with replacing(path) as building, building.open(mode, **text) as file:
        yield file


def write_text(
    path: AnyPath,
    content: str,
    *,
    encoding: str = "utf-8",
    newline: str | None = None,
) -> None:
    """Write a text file, whole or not at all."""
    with writing(path, "w", encoding=encoding, newline=newline) as file:
        file.write(content)


def write_json(path: AnyPath, content: Json) -> None:
    """Write JSON, whole or not at all; infinities and what is not a number become null."""
    text = json.dumps(finite(content), indent=1, default=str, ensure_ascii=False)
    write_text(path, text + "\n")


def read_mark(path: AnyPath) -> dict[str, Any]:
    """Read a small record in JSON; {} where it is absent, cut off, or no mapping.

    What such a record marks then counts as not done.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
