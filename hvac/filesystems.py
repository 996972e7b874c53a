"""The file systems behind URLs (pyarrow's own, else fsspec's), opened once each, and what is said
where they fail.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from pyarrow import fs as pafs

from hvac.errors import InputError


def opened(origin: str, query: str) -> tuple[Any, str]:
    """(pyarrow file system, path inside it) of a bucket or host: `s3://lake` with the URL's query.

    Keys and endpoint of S3 come from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
    AWS_REGION, AWS_ENDPOINT_URL) or the query. Raises InputError for a scheme that neither pyarrow
    nor fsspec knows."""
    return _opened(origin + ("?" if query else "") + query, os.environ.get("AWS_ENDPOINT_URL", ""))


@lru_cache(maxsize=64)
def _opened(url: str, _endpoint: str) -> tuple[Any, str]:
    try:
        found: tuple[Any, str] = pafs.FileSystem.from_uri(url)
        return found
    except (ValueError, NotImplementedError):
        pass  # a scheme that pyarrow does not know
    except OSError as error:
        raise unreadable(url, error) from error
    try:
        import fsspec  # type: ignore[import-untyped]  # slow to import: wanted only for such URLs

        system, inner = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError, OSError) as error:
        raise unreadable(url, error) from error
    return pafs.PyFileSystem(pafs.FSSpecHandler(system)), str(inner)


def unreadable(path: object, error: Exception) -> InputError:
    """The sentence for a file or URL that cannot be opened."""
    return InputError(
        f"{path}: cannot be opened ({_short(error)}): expected a readable file, folder, glob or URL"
    )


def unwritable(path: object, error: Exception) -> InputError:
    """The sentence for a URL that cannot be written."""
    wanted = "expected a bucket or folder that exists and that you may write to"
    return InputError(f"{path}: cannot be written ({_short(error)}): {wanted}")


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


@contextmanager
def reached(where: object) -> Iterator[None]:
    """Turns what a store says (but not that a file is missing) into one sentence that names the
    URL.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise unreadable(where, error) from error
