"""Folds by facility: each facility left out once, where the others can teach its classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hvac.errors import HvacError
from hvac.features.table import Windows
from hvac.models.blocks import known, two_classes


class FacilityFold(NamedTuple):
    """A facility left out: its classes that the others teach, and why any other class is left."""

    facility: str
    classes: tuple[str, ...]
    left_out: dict[str, str]


def facility_folds(windows: Mapping[str, Windows]) -> list[FacilityFold]:
    """Return a fold per facility that has test windows.

    Args:
        windows: by class, of all splits.

    Raises:
        HvacError: if there is one facility only, or one of whose classes none can be learned
            elsewhere.
    """
    facilities = sorted(
        {name for part in windows.values() for name in part.column("facility_id")}
    )
    if len(facilities) < 2:
        names = ", ".join(facilities) or "none"
        raise HvacError(
            "leaving one facility out needs at least 2 facilities with windows, found "
            + names
        )
    folds = [_fold(facility, windows) for facility in facilities]
    return [fold for fold in folds if fold.classes]


def _fold(facility: str, windows: Mapping[str, Windows]) -> FacilityFold:
    present = [
        name
        for name, part in windows.items()
        if facility in part.split("test").column("facility_id")
    ]
    left_out = {}
    for name in present:
        reason = _why_not(other_facilities(windows[name], facility))
        if reason:
            left_out[name] = reason
    if present and len(left_out) == len(present):
        reasons = "; ".join(
            f"class {name!r}: {reason}" for name, reason in left_out.items()
        )
        raise HvacError(
            f"facility {facility!r} cannot be left out, the other facilities do not teach its"
            f" classes ({reasons}): pool classes with windows.class: all, or bring the record of"
            " another facility"
        )
    classes = tuple(name for name in present if name not in left_out)
    return FacilityFold(facility, classes, left_out)


def other_facilities(windows: Windows, facility: str) -> Windows:
    """Return the windows of all facilities but one."""
    return windows.take(windows.column("facility_id") != facility)


def _why_not(others: Windows) -> str:
    """Return what windows of other facilities lack to learn from; empty where nothing."""
    train = others.split("train")
    cal = others.split("cal")
    if not len(train):
        return "no training window elsewhere"
    for h in range(train.labels[0].shape[1]):
        if not two_classes(known(train, h).labels[0][:, h]):
            return "training windows elsewhere with one kind of label only"
        if not len(known(cal, h)):
            return "no window elsewhere to calibrate on"
    return ""
