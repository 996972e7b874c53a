"""Errors a user can act on: each message says what was expected, what was found, and where."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence


class HvacError(ValueError):
    """An error that the user can mend (input, config, bundle), not a bug of ours."""


class ConfigError(HvacError):
    """A run configuration that cannot be read, or that contradicts itself.

    `faults` are (where, what) of each fault.
    """

    def __init__(self, message: str, faults: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.faults = faults


class InputError(HvacError):
    """A file or table that is not what its format says."""


class SplitError(HvacError):
    """A split that the record cannot carry (too short for the purge, too few units)."""


class EncoderError(HvacError):
    """Encoder weights that are missing, damaged, or of another kind."""


class BundleError(HvacError):
    """A bundle that is missing, damaged, or does not fit the windows it is given."""


def nearest(name: str, known: Collection[str], *, cutoff: float = 0.6) -> str:
    """Return the known name that a given one is most like; nothing where none is near.

    >>> nearest("row", ["rows", "width"]), nearest("xyz", ["rows"])
    ('rows', '')
    """
    near = difflib.get_close_matches(name, known, n=1, cutoff=cutoff)
    return near[0] if near else ""


def unknown_name(subject: str, name: str, known: Collection[str], plural: str) -> str:
    """Return the sentence that a name is unknown, with the nearest known one.

    >>> unknown_name("fan 'row'", "row", ["rows", "width"], "fans")
    "unknown fan 'row': did you mean 'rows'? Known fans: rows, width"
    """
    near = nearest(name, known)
    hint = f": did you mean '{near}'?" if near else "."
    return f"unknown {subject}{hint} Known {plural}: {', '.join(known)}"
