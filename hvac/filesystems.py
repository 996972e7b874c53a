"""Open the file systems behind URLs (pyarrow's own, else fsspec's) and word their failures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from pyarrow import fs as pafs

from hvac.errors import InputError


def opened(origin: str, query: str) -> tuple[Any, str]:
    """Return the pyarrow file system of a bucket or host (`s3://lake`), and the path inside of it.

    Each is opened once. Keys and endpoint of S3 come from the environment (AWS_ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL) or from the URL's query.

    Raises:
        InputError: neither pyarrow nor fsspec knows the scheme.
    """
    url = f"{origin}?{query}" if query else origin
    return _opened(url, os.environ.get("AWS_ENDPOINT_URL", ""))


@lru_cache(maxsize=64)
def _opened(url: str, _endpoint: str) -> tuple[Any, str]:
    try:
        system_and_path: tuple[Any, str] = pafs.FileSystem.from_uri(url)
        return system_and_path
    except (ValueError, NotImplementedError):
        pass  # a scheme that pyarrow does not know
    except OSError as error:
        raise unreadable(url, error) from error
    try:
        import fsspec  # type: ignore[import-untyped]  # slow to import: only for such URLs

        system, inner = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError, OSError) as error:
        raise unreadable(url, error) from error
    return pafs.PyFileSystem(pafs.FSSpecHandler(system)), str(inner)


def unreadable(path: object, error: Exception) -> InputError:
    """Word the error for a file or URL that cannot be opened."""
    expected = "expected a readable file, folder, glob or URL"
    return InputError(f"{path}: cannot be opened ({_short(error)}): {expected}")


def unwritable(path: object, error: Exception) -> InputError:
    """Word the error for a URL that cannot be written."""
    expected = "expected a bucket or folder that exists and that you may write to"
    return InputError(f"{path}: cannot be written ({_short(error)}): {expected}")


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


@contextmanager
def reached(where: object) -> Iterator[None]:
    """Turn a store's errors, but for a missing file, into one sentence that names the URL."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise unreadable(where, error) from error
