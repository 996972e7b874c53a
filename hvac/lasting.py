"""What stays for the life of a process, left out of Python's search for garbage."""

from __future__ import annotations

import gc


def keep_all() -> None:
    """Take all objects that are there now for lasting ones.

    A full search through the modules and bundles of a process takes up to a quarter of a second, in
    which nothing else is done, and comes again and again.
    """
    gc.collect()
    gc.freeze()
