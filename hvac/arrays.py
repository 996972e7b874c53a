"""Types of arrays: what their numbers are; the letters at the end of a name are their axes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Float32s = NDArray[np.float32]
AnyFloats = NDArray[np.floating[Any]]
"""Floats of any width."""

Ints = NDArray[np.int64]
Int8s = NDArray[np.int8]
AnyInts = NDArray[np.integer[Any]]
"""Integers of any width, signed or not."""
BitSets = NDArray[np.uint64]
"""Sets of up to 64 things, each a bit."""
Positions = NDArray[np.intp]
"""Positions in another array."""
DayNumbers = NDArray[np.int32]
"""Days since 1970-01-01 (`hvac.days`)."""

Times = NDArray[np.datetime64]
Bools = NDArray[np.bool_]
Strings = NDArray[np.str_]
AnyArray = NDArray[Any]
"""Numbers, flags, texts or ids: where a function takes or moves them alike."""
