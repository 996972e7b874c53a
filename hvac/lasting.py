"""What stays for long, left out of Python's search for garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


def keep_all() -> None:
    """Take all objects that are there now for lasting ones.

    A full search through the modules and bundles of a process takes up to a quarter of a second, in
    which nothing else is done, and comes again and again.
    """
    gc.collect()
    gc.freeze()


@contextmanager
def unsearched() -> Iterator[None]:
    """Make many objects that stay, without a search for garbage through them again and again.

    >>> with unsearched():
    ...     gc.isenabled()
    False
    """
    searches = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searches:
            gc.enable()
