"""Name files and folders behind URLs, and read and write them there."""

from __future__ import annotations

import os
import posixpath
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, unquote

from pyarrow import fs as pafs

from hvac.filesystems import opened, reached, unwritable

UNQUOTED = "/=,;:@!$&'()*+~"
BLOCK = 2**22


@dataclass(frozen=True, order=True)
class Place:
    """Name a file or folder behind a URL; the interface is the part of `Path`'s that we use.

    Whatever is written appears whole or not at all: an object appears when its upload ends.
    The query (`?endpoint_override=host:port&scheme=http`) goes along with `/`. Reading raises
    FileNotFoundError where nothing is there and InputError where the store cannot be reached or
    refuses.

    Attributes:
        origin: scheme and bucket (or host) of the URL.
        key: the path inside of the bucket.
        query: the URL's query, without its `?`.

    >>> table = Place.at("s3://lake/run?region=eu-west-1") / "panel" / "units.parquet"
    >>> str(table), table.name, table.suffix
    ('s3://lake/run/panel/units.parquet?region=eu-west-1', 'units.parquet', '.parquet')
    >>> str(table.parent.parent)
    's3://lake/run?region=eu-west-1'
    """

    origin: str
    key: str
    query: str = ""

    @classmethod
    def at(cls, url: str) -> Place:
        """Take a URL apart; its path may be percent-encoded."""
        scheme, _, address = url.partition("://")
        address, _, query = address.partition("?")
        host, _, key = address.partition("/")
        return cls(f"{scheme}://{host}", unquote(key).strip("/"), query)

    def __str__(self) -> str:
        path = f"/{quote(self.key, safe=UNQUOTED)}" if self.key else ""
        return f"{self.origin}{path}{'?' if self.query else ''}{self.query}"

    def __fspath__(self) -> str:
        raise TypeError(
            f"{self} is no local file: read and write it through hvac.storage"
        )

    def __truediv__(self, name: str | os.PathLike[str]) -> Place:
        key = posixpath.normpath(posixpath.join(self.key, os.fspath(name).strip("/")))
        return replace(self, key="" if key == "." else key)

    @property
    def name(self) -> str:
        """Return the last part of the key."""
        return posixpath.basename(self.key)

    @property
    def suffix(self) -> str:
        """Return the end of the name, from its last dot on."""
        return posixpath.splitext(self.name)[1]

    @property
    def stem(self) -> str:
        """Return the name without its suffix."""
        return posixpath.splitext(self.name)[0]

    @property
    def parent(self) -> Place:
        """Return the folder that holds this place; a bucket is its own parent."""
        return replace(self, key=posixpath.dirname(self.key))

    def with_name(self, name: str) -> Place:
        """Return the neighbour of that name."""
        return self.parent / name

    @property
    def system(self) -> Any:
        """Return the pyarrow file system behind the URL."""
        return opened(self.origin, self.query)[0]

    @property
    def inner(self) -> str:
        """Return the path inside of `system`."""
        base = opened(self.origin, self.query)[1]
        return f"{base.rstrip('/')}/{self.key}" if self.key else base

    def _type(self) -> Any:
        with reached(self):
            return self.system.get_file_info(self.inner).type

    def exists(self) -> bool:
        """Tell whether there is a file, or anything below."""
        return bool(self._type() != pafs.FileType.NotFound)

    def is_file(self) -> bool:
        """Tell whether there is a file."""
        return bool(self._type() == pafs.FileType.File)

    def is_dir(self) -> bool:
        """Tell whether there is anything below."""
        return bool(self._type() == pafs.FileType.Directory)

    def glob(self, pattern: str) -> list[Place]:
        """List what matches, sorted; a `*` matches inside of one level, as in `*/manifest.json`."""
        parts = pattern.split("/")
        names = (name for name, _ in self.below(recursive=len(parts) > 1))
        return sorted(self / name for name in names if _matches(name, parts))

    def below(self, *, recursive: bool) -> list[tuple[str, bool]]:
        """List what lies in this folder by one request: relative name, and whether it is a file."""
        with reached(self):
            selector = pafs.FileSelector(
                self.inner, recursive=recursive, allow_not_found=True
            )
            entries = self.system.get_file_info(selector)
        start = len(self.inner.strip("/")) + 1
        return [
            (item.path.strip("/")[start:], item.type == pafs.FileType.File)
            for item in entries
        ]

    def open(self, mode: str = "rb", **text: Any) -> Any:
        """Open a file to read, or to write in a block that keeps the file when it ends well."""
        if "r" not in mode:
            return self._writing(mode, **text)
        with reached(self):
            return self.system.open_input_file(self.inner)

    @contextmanager
    def _writing(self, mode: str, **text: Any) -> Iterator[IO[Any]]:
        with self.replacing() as building, building.open(mode, **text) as file:
            yield file

    @contextmanager
    def replacing(self) -> Iterator[Path]:
        """Give a local file to write, and upload it to here when the block ends well."""
        with tempfile.TemporaryDirectory(prefix="hvac-") as folder:
            building = Path(folder) / (self.name or "file")
            yield building
            upload(building, self)

    def read_bytes(self) -> bytes:
        """Read all of a file."""
        with reached(self), self.system.open_input_file(self.inner) as file:
            return bytes(
                file.read()
            )  # one request; a stream asks for 256 KiB at a time

    def read_text(self, encoding: str = "utf-8") -> str:
        """Read all of a text file."""
        return self.read_bytes().decode(encoding)

    def write_bytes(self, content: bytes) -> int:
        """Write a file, whole or not at all, and return its length in bytes."""
        with self.replacing() as building:
            return building.write_bytes(content)

    def write_text(
        self,
        content: str,
        encoding: str = "utf-8",
        newline: str | None = None,
    ) -> int:
        """Write a text file, whole or not at all, and return its length in characters."""
        with self.replacing() as building:
            return building.write_text(content, encoding=encoding, newline=newline)

    def mkdir(self, *, parents: bool = False, exist_ok: bool = False) -> None:
        """Do nothing: where keys are names, folders come with their files."""

    def unlink(self, *, missing_ok: bool = False) -> None:
        """Remove a file; raise FileNotFoundError where there is none, unless `missing_ok`."""
        try:
            with reached(self):
                self.system.delete_file(self.inner)
        except FileNotFoundError:
            if not missing_ok:
                raise


def _matches(name: str, patterns: Sequence[str]) -> bool:
    parts = name.split("/")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


def upload(source: Path, target: Place) -> None:
    """Copy a local file to a place; raise InputError where the store refuses it."""
    try:
        with (
            source.open("rb") as file,
            target.system.open_output_stream(target.inner) as sink,
        ):
            shutil.copyfileobj(file, sink, BLOCK)
    except OSError as error:
        raise unwritable(target, error) from error
