"""States of a case, which changes are allowed, and when an alarm opens one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, get_args

from pydantic import Field

from hvac.config import Config
from hvac.errors import InputError

CaseState = Literal["new", "seen", "planned", "done", "dismissed"]
STATES: Final[tuple[CaseState, ...]] = get_args(CaseState)
OPEN_STATES: Final[tuple[CaseState, ...]] = ("new", "seen", "planned")
NEXT: Final[dict[CaseState, tuple[CaseState, ...]]] = {
    "new": ("seen", "planned", "done", "dismissed"),
    "seen": ("planned", "done", "dismissed"),
    "planned": ("seen", "done", "dismissed"),
    "done": (),
    "dismissed": (),
}


class CaseConfig(Config):
    """When an alarm opens a case, and when it may be closed without a person."""

    within_days: int | None = Field(default=None, ge=1)
    """Longest horizon (days) whose alarms open a case; default: the shortest that there is."""
    confirm_days: int = Field(default=2, ge=1)
    """Scored days with an alarm, of the newest `of_days`, that open a case."""
    of_days: int = Field(default=3, ge=1)
    """Newest scored days that are looked at."""
    rearm_days: int = Field(default=14, ge=0)
    """Days after a case was closed until an alarm that never ended opens another."""
    every_s: float = Field(default=5.0, gt=0)
    """Seconds between two looks for alarms that open a case."""
    close_calm_days: int | None = Field(default=None, ge=1)
    """Days without an alarm after which a case that is still `new` is dismissed; default: never."""


def is_confirmed(
    alarm_days: Sequence[int], scored_days: Sequence[int], config: CaseConfig
) -> bool:
    """Tell whether alarms of enough of the newest scored days confirm each other.

    >>> config = CaseConfig(confirm_days=2, of_days=3)
    >>> is_confirmed([8, 10], [7, 8, 9, 10], config), is_confirmed([7, 10], [7, 8, 9, 10], config)
    (True, False)
    """
    newest = sorted(set(scored_days))[-config.of_days :]
    return len(set(alarm_days) & set(newest)) >= config.confirm_days


def is_armed(
    closed_day: int | None,
    alarm_days: Sequence[int],
    scored_days: Sequence[int],
    config: CaseConfig,
) -> bool:
    """Tell whether an alarm may open a case again after one was closed.

    It may after a scored day without an alarm, or when `rearm_days` have gone by.

    >>> config = CaseConfig(rearm_days=14)
    >>> is_armed(10, [9, 10, 11], [9, 10, 11], config), is_armed(10, [9, 12], [9, 11, 12], config)
    (False, True)
    """
    if closed_day is None:
        return True
    after = {day for day in scored_days if day > closed_day}
    calm_since = bool(after - set(alarm_days))
    return calm_since or max(after, default=closed_day) - closed_day > config.rearm_days


def check_change(before: CaseState, after: CaseState) -> None:
    """Refuse a change of state that no case may make.

    Raises:
        InputError: the state cannot follow the other.
    """
    if after != before and after not in NEXT[before]:
        allowed = ", ".join(NEXT[before]) or "none: the next alarm opens another case"
        raise InputError(
            f"state {after!r} cannot follow {before!r}; states that can: {allowed}"
        )
