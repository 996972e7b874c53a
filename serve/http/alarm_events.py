"""Changes of alarms as server-sent events (https://html.spec.whatwg.org/#server-sent-events)."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from serve.bodies.answers import AlarmEvent
from serve.settings import Limits
from serve.work.alarm_watch import QUIET_S, AlarmChange

AGAIN_MS: Final = 500
SHORTEST_S: Final = 1.0
LISTENING: Final = 'event: listening\ndata: {"change": "listening"}\n\n'
"""Told when all alarms that are there have been told: an alarm that is not among them has ended."""


def lasts_s(limits: Limits) -> float:
    """Return the seconds that a stream lasts: it ends before the server would break it off.

    >>> lasts_s(Limits(timeout_s=20))
    15.0
    """
    return max(limits.timeout_s - QUIET_S, SHORTEST_S)


async def event_stream(
    changes: AsyncGenerator[AlarmChange | None, None], seconds: float
) -> AsyncGenerator[str, None]:
    """Yield each change as an event, and a line that says nothing where none comes for a while.

    Args:
        changes: first the alarms that are there, then None, then each change.
        seconds: after which the stream ends, before the server would break it off.
    """
    ends = time.monotonic() + seconds
    yield f"retry: {AGAIN_MS}\n\n"
    listening = False
    async with aclosing(changes):
        async for change in changes:
            if change is not None:
                yield event(change)
            elif listening:
                yield ": nothing has changed\n\n"
            else:
                listening = True
                yield LISTENING
            if time.monotonic() > ends:
                break


def event(change: AlarmChange) -> str:
    """Return a change as the text of an event."""
    row = json.loads(change.row)
    body = AlarmEvent(
        facility_id=change.alarm.facility_id,
        equipment_id=change.alarm.equipment_id,
        point_id=change.alarm.point_id or None,
        days=change.alarm.horizon,
        change=change.change,
        end_date=row["end_date"],
        risk=row["risk"],
        threshold=row["threshold"],
        needs_look=row.get("needs_look"),
    )
    return f"id: {change.number}\nevent: {change.change}\ndata: {body.model_dump_json()}\n\n"
