"""Numba's compiler as a typed decorator: kernels keep their signatures for the type checker.

Machine code is kept for every tree of the same content, whatever its path: a job that is submitted
again is unpacked to a new folder, and compiling all kernels takes 14 CPU seconds.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import types
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import numba
import numpy as np
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator
from numba.core.dispatcher import Dispatcher

Kernel = TypeVar("Kernel", bound=Callable[..., Any])
CONSTANTS = (bool, int, float, complex, str, np.generic)


def compiled(kernel: Kernel) -> Kernel:
    """Compile a kernel at its first call and keep the machine code.

    The GIL is free while a kernel runs; division by zero gives inf or nan, as in numpy.
    """
    compiled = numba.njit(kernel, nogil=True, error_model="numpy")
    with contextlib.suppress(RuntimeError):  # no place: its source is in no file
        compiled._cache = _KernelCache(kernel)
    return cast(Kernel, compiled)


def kernel_key(kernel: types.FunctionType) -> str:
    """Return the hash of everything that a kernel's machine code depends on.

    It covers the kernel's module, the kernels and constants that the module imports, this module and
    Numba's version. Numba itself tells types, processors and versions of Python apart.
    """
    digest = hashlib.sha256(numba.__version__.encode())
    digest.update(_content(__file__))
    digest.update(_content(kernel.__code__.co_filename))
    digest.update(_instructions(kernel.__code__))
    for name, value in sorted(kernel.__globals__.items()):
        if name.startswith("__"):
            continue
        if isinstance(value, Dispatcher):
            digest.update(name.encode())
            digest.update(_instructions(value.py_func.__code__))
            if value.py_func.__module__ != kernel.__module__:
                digest.update(kernel_key(value.py_func).encode())
        elif _is_constant(value):
            digest.update(f"{name} {value!r}".encode())
        elif isinstance(value, np.ndarray):
            digest.update(f"{name} {value.dtype} {value.shape}".encode())
            digest.update(value.tobytes())
    return digest.hexdigest()[:32]


def _is_constant(value: object) -> bool:
    """Tell whether a value is written alike in every process: no address of an object."""
    if isinstance(value, tuple):
        return all(map(_is_constant, value))
    return isinstance(value, CONSTANTS)


def _content(path: str) -> bytes:
    """Return the hash of a file, read anew where it was written since."""
    stamp = os.stat(path)
    return _content_at(path, stamp.st_mtime_ns, stamp.st_size)


@cache
def _content_at(path: str, _written: int, _size: int) -> bytes:
    return hashlib.sha256(Path(path).read_bytes()).digest()


def _instructions(code: types.CodeType) -> bytes:
    """Return the hash of what Python runs: its file may be another by now."""
    digest = hashlib.sha256(code.co_code)
    digest.update(repr(code.co_names).encode())
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            digest.update(_instructions(constant))
        elif isinstance(constant, frozenset):
            digest.update(repr(sorted(map(repr, constant))).encode())
        else:
            digest.update(repr(constant).encode())
    return digest.digest()


class _ByContent(_CacheLocator):
    """Places machine code in the user's cache folder, under names made of the key."""

    def __init__(self, kernel: types.FunctionType) -> None:
        self.key = kernel_key(kernel)

    def get_cache_path(self) -> str:
        return _folder()

    def get_source_stamp(self) -> str:
        return self.key

    def get_disambiguator(self) -> str:
        return self.key

    @classmethod
    def from_function(cls, py_func: types.FunctionType, py_file: str) -> Self | None:
        try:
            return cls(py_func) if _is_ours(_folder()) else None
        except OSError:  # its source is no file, as that of a notebook's cell
            return None


def _folder() -> str:
    home = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(home):  # the standard says to pass over such
        home = os.path.expanduser("~/.cache")
    usual = os.path.join(home, "hvac-foresight", "kernels")
    return os.environ.get("NUMBA_CACHE_DIR") or usual


@cache
def _is_ours(folder: str) -> bool:
    """Tell whether a folder can be written and is the user's own: what lies there is run."""
    if folder.startswith("~"):  # nobody's home is known
        return False
    with contextlib.suppress(OSError):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        return os.access(folder, os.W_OK) and os.stat(folder).st_uid == os.geteuid()
    return False


class _Place(CompileResultCacheImpl):
    """Looks for a place by content first, then where Numba would (beside the module)."""

    _locator_classes = (  # type: ignore[assignment]
        _ByContent,
        *CompileResultCacheImpl._locator_classes,
    )


class _KernelCache(FunctionCache):
    """Numba's cache on disk for processes that compile at once, and for damaged files."""

    _impl_class = _Place

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return what was kept for a signature; None, to compile anew, where it is damaged."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep machine code, where there is room; a list of signatures that is damaged is begun anew.

        Numba numbers the files of a kernel's signatures: two processes at once would give one
        number to two signatures.
        """
        with contextlib.suppress(OSError), _locked(self.cache_path):
            try:
                super().save_overload(sig, data)
            except OSError:
                raise
            except Exception:
                self.flush()


@contextlib.contextmanager
def _locked(folder: str) -> Iterator[None]:
    with open(os.path.join(folder, ".kernels.lock"), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
