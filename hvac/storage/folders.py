"""Replace, remove and copy whole folders, locally and on object stores."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hvac.filesystems import reached
from hvac.storage.paths import AnyPath
from hvac.storage.places import Place, upload
from hvac.storage.writing import to_disk, unfinished


def remove_tree(path: AnyPath, *, first: str = "") -> None:
    """Remove a folder and all below it; do nothing where there is none.

    Args:
        first: the file that marks the folder as whole; an object store loses it first.
    """
    if not isinstance(path, Place):
        shutil.rmtree(path, ignore_errors=True)
        return
    if first:
        (path / first).unlink(missing_ok=True)
    if path.is_dir():
        with reached(path):
            path.system.delete_dir(path.inner)


@contextmanager
def replacing_folder(target: AnyPath, *, last: str) -> Iterator[Path]:
    """Give a local folder to fill, which takes the place of `target` when the block ends well.

    Args:
        last: the file without which nobody takes the folder for whole (its manifest); an object
            store gets it last.
    """
    if isinstance(target, Place):
        with tempfile.TemporaryDirectory(prefix="hvac-") as folder:
            yield Path(folder)
            remove_tree(target, first=last)
            _upload_all(Path(folder), target, last=last)
        return
    building = unfinished(target)
    building.mkdir(parents=True)
    try:
        yield building
        to_disk(building)
        shutil.rmtree(target, ignore_errors=True)
        os.replace(building, target)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _upload_all(folder: Path, target: Place, *, last: str) -> None:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    for file in sorted(files, key=lambda file: file == folder / last):
        upload(file, target / file.relative_to(folder).as_posix())


@contextmanager
def local_folder(path: AnyPath) -> Iterator[Path]:
    """Give the folder itself where it is local, else a copy that lives as long as the block.

    The copy is empty where there is no such folder.
    """
    if not isinstance(path, Place):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="hvac-") as folder:
        for name, is_file in path.below(recursive=True):
            if is_file:
                _download(path / name, Path(folder) / name)
        yield Path(folder)


def _download(source: Place, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())
