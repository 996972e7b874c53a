"""Numba's compiler as a typed decorator: kernels keep their signatures for the type checker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def compiled(kernel: Kernel) -> Kernel:
    """Compile a kernel at its first call and keep the machine code beside the module.

    The GIL is free while a kernel runs; division by zero gives inf or nan, as in numpy.
    """
    return cast(Kernel, numba.njit(kernel, cache=True, nogil=True, error_model="numpy"))
