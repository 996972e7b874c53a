"""The limits of one request: how much it may ask for, and how long an answer may take."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from serve.bodies.problems import TooMuch, TooSlow
from serve.settings import Limits

T = TypeVar("T")


def check_count(count: int, most: int, what: str, advice: str = "") -> None:
    """Raise TooMuch where a request has more of something than the most that is allowed."""
    if count > most:
        raise TooMuch(
            f"{count} {what} in one request; at most {most} are allowed{advice}"
        )


async def within(work: Awaitable[T], limits: Limits, seconds: float | None = None) -> T:
    """Return the result of work. Raise TooSlow after so many seconds (default: `timeout_s`)."""
    seconds = seconds or limits.timeout_s
    time = asyncio.timeout(seconds)
    try:
        async with time:
            return await work
    except TimeoutError as error:
        if not time.expired():  # something that the work asked did not answer it
            raise
        raise TooSlow(
            f"no answer within {seconds:g} s; ask for fewer units or try again",
            retry_after=limits.retry_after_s,
        ) from error
