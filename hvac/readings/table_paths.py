"""The files behind a path, folder, glob or URL that a source names."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import unquote

from pyarrow import fs as pafs

from hvac.errors import InputError
from hvac.readings.sources import SourceConfig
from hvac.storage import Place, as_given, open_filesystem, unreadable

SUFFIXES = (".parquet", ".pq", ".csv", ".csv.gz", ".csv.bz2", ".csv.zst")
# the folder of rows whose partition column is null
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
HASHED_BYTES = 2**22  # at a time


def source_files(source: SourceConfig) -> list[str]:
    """Return the readings files of a source, sorted, without repeats.

    Each can be given to `read_readings`. Folders are searched through all levels for the endings of
    `SUFFIXES`; names that begin with '_' or '.' are left out. Raises InputError where a path,
    folder, glob or URL leads to no file.
    """
    files = table_files(source.readings, "source.readings")
    if not files:
        raise InputError(
            "source.readings names no file: expected a file, folder, glob or URL"
        )
    return files


def table_files(given: str | Sequence[str] | None, setting: str) -> list[str]:
    """Return the files that a setting leads to, sorted, without repeats; [] for None.

    Each value is a file, folder, glob or URL. Raises InputError, which names the setting, where one
    of them leads to no file.
    """
    return sorted({file for path in _paths(given) for file in _expand(path, setting)})


def passed_over(given: str | Sequence[str] | None) -> list[str]:
    """Return the files in the folders of a setting that are no tables by their endings."""
    files = {file for path in _paths(given) for file in _files_below(path)}
    return sorted(file for file in files if not _is_table(file))


def _paths(given: str | Sequence[str] | None) -> Sequence[str]:
    return (given,) if isinstance(given, str) else given or ()


def _is_table(file: str) -> bool:
    return file.lower().endswith(SUFFIXES)


def hive_values(path: str) -> dict[str, str]:
    """Return the columns that the folders of a hive-partitioned table hold.

    >>> hive_values("lake/facility_id=F%201/part-0.parquet")
    {'facility_id': 'F 1'}
    """
    location = as_given(path)
    key = location.key if isinstance(location, Place) else path
    values = {}
    for folder in key.split("/")[:-1]:
        column, equals, value = folder.partition("=")
        if equals:
            values[column] = "" if value == NO_VALUE else unquote(value)
    return values


def _expand(path: str, setting: str) -> list[str]:
    """Return the table files that a file, folder, glob or URL leads to."""
    remote = "://" in path
    wild = any(mark in path for mark in ("*[" if remote else "*?["))
    if not wild or os.path.exists(path):
        files = _walk(path)
    else:
        matches = _glob_remote(path) if remote else glob.glob(path, recursive=True)
        files = []
        for match in matches:
            files += _walk(match if remote else os.path.normpath(match))
    if not files:
        others = [file.rpartition("/")[2] for file in _files_below(path)[:3]]
        there = f", there are {', '.join(others)}" if others else ""
        relative = not remote and not os.path.isabs(path)
        within = f" (from {os.getcwd()}, where the command runs)" if relative else ""
        raise InputError(
            f"{path}: no file found{within}: expected {', '.join(SUFFIXES)}{there}; correct"
            f" {setting}"
        )
    return files


def _walk(path: str) -> list[str]:
    """Return the file itself, whatever its ending, or the table files below a folder."""
    kind, _ = _look(path)
    if kind == pafs.FileType.File:
        return [path]
    return list(filter(_is_table, _files_below(path)))


def _files_below(path: str) -> list[str]:
    """Return all files below a folder; [] where there is none.

    Left out are those whose name, or a folder's on the way, begins with '_' or '.'.
    """
    kind, inner = _look(path)
    if kind != pafs.FileType.Directory:
        return []
    system, inner = open_filesystem(path)
    try:
        entries = system.get_file_info(pafs.FileSelector(inner, recursive=True))
    except OSError as error:
        raise unreadable(path, error) from error
    files = [entry.path for entry in entries if entry.type == pafs.FileType.File]
    return [_with_scheme(file, path) for file in files if not _hidden(file, inner)]


def _look(path: str) -> tuple[pafs.FileType, str]:
    """Return what lies at a path, and the path as its file system writes it."""
    system, inner = open_filesystem(path)
    try:
        return system.get_file_info(inner).type, inner
    except OSError as error:
        raise unreadable(path, error) from error


def _hidden(file: str, folder: str) -> bool:
    parts = file.removeprefix(folder).strip("/").split("/")
    return any(part.startswith(("_", ".")) for part in parts)


def _with_scheme(file: str, origin: str) -> str:
    """Return a path that a file system listed as `origin` is written: a URL where that is one."""
    location = as_given(origin)
    if not isinstance(location, Place):
        return file
    base = location.inner.strip("/").removesuffix(location.key).strip("/")
    key = file.strip("/").removeprefix(base).strip("/")
    return str(replace(location, key=key))


def _glob_remote(path: str) -> list[str]:
    from fsspec.implementations.arrow import ArrowFSWrapper  # type: ignore[import-untyped]

    system, pattern = open_filesystem(path)
    try:
        matches = ArrowFSWrapper(system).glob(pattern)
    except OSError as error:
        raise unreadable(path, error) from error
    return [_with_scheme(str(match), path) for match in matches]


def file_stamp(path: str) -> str:
    """Return what identifies a file's content.

    It is the SHA-256 of a local file, size and modification time of a remote one.
    """
    system, inner = open_filesystem(path)
    if system.type_name == "local":
        digest = hashlib.sha256()
        with open(inner, "rb") as file:
            while block := file.read(HASHED_BYTES):
                digest.update(block)
        return digest.hexdigest()
    info = system.get_file_info(inner)
    return f"{path} {info.size} {info.mtime_ns}"
