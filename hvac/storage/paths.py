"""Make paths of texts: a `pathlib.Path` where the text is local, a `Place` where it is a URL."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, TypeAlias
from urllib.parse import unquote

from pyarrow import fs as pafs
from pydantic import PlainSerializer, PlainValidator

from hvac.storage.places import Place

LOCAL_SCHEMES = ("file://", "local://")
LONGEST_NAME = 120  # bytes; file systems end names at 255

AnyPath: TypeAlias = Path | Place


def as_given(where: str | os.PathLike[str] | Place) -> AnyPath:
    """Make a path of a text, relative where the text is; `file://` gives a local path."""
    if isinstance(where, Place):
        return where
    text = os.fspath(where)
    for scheme in LOCAL_SCHEMES:
        if text.startswith(scheme):
            return Path(unquote(text.removeprefix(scheme).removeprefix("localhost")))
    return Place.at(text) if "://" in text else Path(text)


def place(where: str | os.PathLike[str] | Place) -> AnyPath:
    """Make a path of a text: absolute where it is local or `file://…`, else a `Place`.

    >>> place("file:///data/run"), place("gs://lake/run")
    (PosixPath('/data/run'), Place(origin='gs://lake', key='run', query=''))
    """
    path = as_given(where)
    return path if isinstance(path, Place) else path.resolve()


def _checked(value: Any) -> AnyPath:
    if not isinstance(value, str | os.PathLike | Place):
        raise ValueError("expected a path or URL")
    return as_given(value)


Location = Annotated[
    Path | Place,
    PlainValidator(_checked),
    PlainSerializer(str, return_type=str),
]
"""A configuration's field that takes a path or a URL; dumps show it as it was given."""


def open_filesystem(path: str) -> tuple[Any, str]:
    """Return the pyarrow file system of a local path or a URL, and the path inside of it."""
    location = as_given(path)
    if isinstance(location, Place):
        return location.system, location.inner
    return pafs.LocalFileSystem(), str(location)


def matching(folder: AnyPath, pattern: str) -> list[AnyPath]:
    """List what lies in a folder and matches, sorted; nothing where there is no folder."""
    return sorted(folder.glob(pattern), key=str)


@lru_cache(maxsize=4096)
def folder_name(label: str) -> str:
    """Return an id or a class's name as a folder's or file's name, whatever characters it has.

    >>> folder_name("AHU/外調機"), folder_name("../../escape")
    ('AHU%2F外調機', '%2E%2E%2F%2E%2E%2Fescape')
    """
    safe = "".join(map(_safe, label))
    if len(safe.encode()) <= LONGEST_NAME:
        return safe
    return hashlib.sha256(label.encode()).hexdigest()[:24]


def _safe(character: str) -> str:
    if character.isalnum() or character in "-_":
        return character
    return "".join(f"%{byte:02X}" for byte in character.encode())
