"""Files and folders by local path or URL (`s3://`, `gs://`, `file://`, whatever fsspec knows), by
the same calls.

`place` makes a path of a text: a `pathlib.Path` where it is local, a `Place` where it is a URL; a
`Place` has the part of `Path`'s interface that our code uses. Whatever is written appears whole or
not at all: locally by a rename, on an object store because an object appears when its upload ends;
of a folder, the file named last is uploaded last."""

from __future__ import annotations

import hashlib
import json
import math
import os
import posixpath
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Annotated, Any, TypeAlias
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
from pyarrow import fs as pafs
from pydantic import PlainSerializer, PlainValidator

from hvac.filesystems import opened, reached, unwritable
from hvac.filesystems import unreadable as unreadable

LOCAL = ("file://", "local://")
UNQUOTED = "/=,;:@!$&'()*+~"
BLOCK = 2**22
LEFTOVER = re.compile(r"\..+\.[0-9a-f]{8}")  # what `replacing` calls a file that is being written
LONGEST_NAME = 120  # bytes; file systems end names at 255


@dataclass(frozen=True, order=True)
class Place:
    """A file or folder behind a URL: `origin` (scheme and bucket or host), `key` inside it, `query`
    of the URL.

    The query (`?endpoint_override=host:port&scheme=http`) goes along with `/`. Reading raises
    FileNotFoundError where nothing is there and InputError where the store cannot be reached or
    refuses.

    >>> table = Place.at("s3://lake/run?region=eu-west-1") / "panel" / "units.parquet"
    >>> str(table), table.name, table.suffix, str(table.parent.parent)
    ('s3://lake/run/panel/units.parquet?region=eu-west-1', 'units.parquet', '.parquet', 's3://lake/run?region=eu-west-1')
    """

    origin: str
    key: str
    query: str = ""

    @classmethod
    def at(cls, url: str) -> Place:
        """The place of a URL, whose path may be percent-encoded."""
        scheme, _, rest = url.partition("://")
        rest, _, query = rest.partition("?")
        host, _, key = rest.partition("/")
        return cls(f"{scheme}://{host}", unquote(key).strip("/"), query)

    def __str__(self) -> str:
        tail = f"/{quote(self.key, safe=UNQUOTED)}" if self.key else ""
        return f"{self.origin}{tail}{'?' if self.query else ''}{self.query}"

    def __fspath__(self) -> str:
        raise TypeError(f"{self} is no local file: read and write it through hvac.storage")

    def __truediv__(self, name: str | os.PathLike[str]) -> Place:
        key = posixpath.normpath(posixpath.join(self.key, os.fspath(name).strip("/")))
        return replace(self, key="" if key == "." else key)

    @property
    def name(self) -> str:
        """The last part of the key."""
        return posixpath.basename(self.key)

    @property
    def suffix(self) -> str:
        """The end of the name, from its last dot on."""
        return posixpath.splitext(self.name)[1]

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return posixpath.splitext(self.name)[0]

    @property
    def parent(self) -> Place:
        """The folder it lies in; an origin is its own parent."""
        return replace(self, key=posixpath.dirname(self.key))

    def with_name(self, name: str) -> Place:
        """A neighbour of that name."""
        return self.parent / name

    @property
    def system(self) -> Any:
        """The pyarrow file system behind it."""
        return opened(self.origin, self.query)[0]

    @property
    def inner(self) -> str:
        """Its path inside of `system`."""
        base = opened(self.origin, self.query)[1]
        return f"{base.rstrip('/')}/{self.key}" if self.key else base

    def _type(self) -> Any:
        with reached(self):
            return self.system.get_file_info(self.inner).type

    def exists(self) -> bool:
        """Whether there is a file, or anything below it."""
        return bool(self._type() != pafs.FileType.NotFound)

    def is_file(self) -> bool:
        """Whether there is a file."""
        return bool(self._type() == pafs.FileType.File)

    def is_dir(self) -> bool:
        """Whether there is anything below it."""
        return bool(self._type() == pafs.FileType.Directory)

    def glob(self, pattern: str) -> list[Place]:
        """What matches, sorted; a `*` matches inside of one level, as in `*/manifest.json`."""
        wanted = pattern.split("/")
        found = [
            entry for entry in self._below(recursive=len(wanted) > 1) if _matches(entry[0], wanted)
        ]
        return sorted(self / name for name, _ in found)

    def _below(self, *, recursive: bool) -> list[tuple[str, bool]]:
        """Names relative to this folder, and whether each is a file."""
        with reached(self):
            selector = pafs.FileSelector(self.inner, recursive=recursive, allow_not_found=True)
            entries = self.system.get_file_info(selector)
        start = len(self.inner.strip("/")) + 1
        return [
            (entry.path.strip("/")[start:], entry.type == pafs.FileType.File) for entry in entries
        ]

    def open(self, mode: str = "rb", **text: Any) -> Any:
        """A file to read (`rb`, `r`), or a context that gives one to write and keeps it when it
        ends well.
        """
        if "r" not in mode:
            return writing(self, mode, **text)
        with reached(self):
            return self.system.open_input_file(self.inner)

    def read_bytes(self) -> bytes:
        """All of a file."""
        with reached(self), self.system.open_input_stream(self.inner, compression=None) as stream:
            return bytes(stream.read())

    def read_text(self, encoding: str = "utf-8") -> str:
        """All of a text file."""
        return self.read_bytes().decode(encoding)

    def write_bytes(self, content: bytes) -> int:
        """Write a file, whole or not at all."""
        with writing(self) as file:
            return int(file.write(content))

    def write_text(self, content: str, encoding: str = "utf-8", newline: str | None = None) -> int:
        """Write a text file, whole or not at all."""
        with writing(self, "w", encoding=encoding, newline=newline) as file:
            return int(file.write(content))

    def mkdir(self, *, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing: where keys are names, folders come with their files."""

    def unlink(self, *, missing_ok: bool = False) -> None:
        """Remove a file. Raises FileNotFoundError where there is none, unless `missing_ok`."""
        try:
            with reached(self):
                self.system.delete_file(self.inner)
        except FileNotFoundError:
            if not missing_ok:
                raise


AnyPath: TypeAlias = Path | Place


def folder_name(given: str) -> str:
    """Return an id or the name of a class as the name of a folder or file, whatever characters it
    has.

    >>> folder_name("AHU/外調機"), folder_name("../../escape")
    ('AHU%2F外調機', '%2E%2E%2F%2E%2E%2Fescape')
    """
    safe = "".join(
        c if c.isalnum() or c in "-_" else "".join(f"%{b:02X}" for b in c.encode()) for c in given
    )
    return (
        safe
        if len(safe.encode()) <= LONGEST_NAME
        else hashlib.sha256(given.encode()).hexdigest()[:24]
    )


def as_given(where: str | os.PathLike[str] | Place) -> AnyPath:
    """The path of a text, relative where the text is; `file://` gives a local path."""
    if isinstance(where, Place):
        return where
    text = os.fspath(where)
    for scheme in LOCAL:
        if text.startswith(scheme):
            return Path(unquote(text.removeprefix(scheme).removeprefix("localhost")))
    return Place.at(text) if "://" in text else Path(text)


def place(where: str | os.PathLike[str] | Place) -> AnyPath:
    """The path of a text: absolute where it is local or `file://…`, a `Place` where it is another
    URL.

    >>> place("file:///data/run"), place("gs://lake/run")
    (PosixPath('/data/run'), Place(origin='gs://lake', key='run', query=''))
    """
    found = as_given(where)
    return found if isinstance(found, Place) else found.resolve()


def _checked(where: Any) -> AnyPath:
    if not isinstance(where, str | os.PathLike | Place):
        raise ValueError("expected a path or URL")
    return as_given(where)


Location = Annotated[Path | Place, PlainValidator(_checked), PlainSerializer(str, return_type=str)]
"""A configuration's field that takes a path or a URL; dumps show it as it was given."""


def open_filesystem(path: str) -> tuple[Any, str]:
    """(pyarrow file system, path inside it) of a local path or of any URL that pyarrow or fsspec
    knows.
    """
    found = as_given(path)
    return (
        (found.system, found.inner)
        if isinstance(found, Place)
        else (pafs.LocalFileSystem(), str(found))
    )


def _matches(name: str, wanted: Sequence[str]) -> bool:
    parts = name.split("/")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


def matching(folder: AnyPath, pattern: str) -> list[AnyPath]:
    """What lies in a folder and matches, sorted; nothing where there is no folder."""
    return sorted(folder.glob(pattern), key=str)


@contextmanager
def replacing(path: AnyPath) -> Iterator[Path]:
    """A local file to write, which takes the place of `path` when the block ends well; else nothing
    changes.

    Raises:
        InputError: the store refuses the file (no such bucket, no right to write).
    """
    if isinstance(path, Place):
        with tempfile.TemporaryDirectory(prefix="hvac-") as folder:
            building = Path(folder) / (path.name or "file")
            yield building
            _upload(building, path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    building = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        yield building
        _to_disk(building)
        os.replace(building, path)
    finally:
        building.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    """Wait until a file or a folder's content is on the disk: a power cut leaves the old or the
    new, whole.
    """
    for file in path.rglob("*") if path.is_dir() else (path,):
        if file.is_file():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())


def remove_leftovers(folder: Path) -> int:
    """Remove the files that killed writers began in a folder and below, and return how many.

    Nobody may be writing there.
    """
    found = [path for path in folder.rglob(".*") if LEFTOVER.fullmatch(path.name)]
    for path in found:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(found)


@contextmanager
def writing(path: AnyPath, mode: str = "wb", **text: Any) -> Iterator[IO[Any]]:
    """A file open for writing, which takes the place of `path` when the block ends well (see
    `replacing`).
    """
    with replacing(path) as building, building.open(mode, **text) as file:
        yield file


def _upload(source: Path, target: Place) -> None:
    try:
        with source.open("rb") as file, target.system.open_output_stream(target.inner) as sink:
            shutil.copyfileobj(file, sink, BLOCK)
    except OSError as error:
        raise unwritable(target, error) from error


def write_text(
    path: AnyPath, content: str, *, encoding: str = "utf-8", newline: str | None = None
) -> None:
    """Write a text file, whole or not at all."""
    with writing(path, "w", encoding=encoding, newline=newline) as file:
        file.write(content)


def write_json(path: AnyPath, content: Any) -> None:
    """Write JSON, whole or not at all; what is not a number becomes null."""
    write_text(path, json.dumps(_plain(content), indent=1, default=str, ensure_ascii=False) + "\n")


def read_mark(path: AnyPath) -> dict[str, Any]:
    """Read a small record in JSON; {} where it is absent, cut off, or no mapping: what it marks
    counts as not done.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _plain(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def write_parquet(table: pa.Table, path: AnyPath) -> None:
    """Write a table as Parquet, whole or not at all."""
    with replacing(path) as building:
        pq.write_table(table, building)


def read_parquet(path: AnyPath, columns: Sequence[str] | None = None) -> pa.Table:
    """A Parquet file, or a folder of them, as one table. Raises FileNotFoundError where there is
    none.
    """
    wanted = None if columns is None else list(columns)
    if isinstance(path, Place):
        with reached(path):
            return pq.read_table(path.inner, columns=wanted, filesystem=path.system)
    return pq.read_table(path, columns=wanted)


def parquet_dataset(where: AnyPath | Sequence[AnyPath]) -> pads.Dataset:
    """A folder, or files of one origin, as a dataset to be filtered and streamed."""
    if isinstance(where, Place):
        return pads.dataset(where.inner, format="parquet", filesystem=where.system)
    if isinstance(where, Path):
        return pads.dataset(where, format="parquet")
    files = [path.inner if isinstance(path, Place) else str(path) for path in where]
    systems = [path.system for path in where if isinstance(path, Place)]
    return pads.dataset(files, format="parquet", filesystem=systems[0] if systems else None)


def remove_tree(path: AnyPath, *, first: str = "") -> None:
    """Remove a folder and all below it, `first` (what marks it as whole) before the rest; nothing
    where it is not.
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
    """A local folder to fill, which takes the place of `target` when the block ends well.

    Args:
        last: the file without which nobody takes the folder for whole (its manifest); an object
            store gets it last.
    """
    if isinstance(target, Place):
        with tempfile.TemporaryDirectory(prefix="hvac-") as folder:
            yield Path(folder)
            remove_tree(target, first=last)
            files = [file for file in sorted(Path(folder).rglob("*")) if file.is_file()]
            for file in sorted(files, key=lambda file: file == Path(folder) / last):
                _upload(file, target / file.relative_to(folder).as_posix())
        return
    building = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    building.mkdir(parents=True)
    try:
        yield building
        _to_disk(building)
        shutil.rmtree(target, ignore_errors=True)
        os.replace(building, target)
    finally:
        shutil.rmtree(building, ignore_errors=True)


@contextmanager
def local_folder(path: AnyPath) -> Iterator[Path]:
    """The folder itself where it is local, else a copy that lives as long as the block. Empty where
    there is none.
    """
    if not isinstance(path, Place):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="hvac-") as folder:
        for name, is_file in path._below(recursive=True):
            if is_file:
                copy = Path(folder) / name
                copy.parent.mkdir(parents=True, exist_ok=True)
                with path.system.open_input_stream((path / name).inner, compression=None) as stream:
                    copy.write_bytes(stream.read())
        yield Path(folder)
