"""Errors a user can act on: each message says what was expected, what was found, and where."""

from __future__ import annotations

from collections.abc import Sequence


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
