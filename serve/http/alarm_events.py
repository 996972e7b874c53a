"""Changes of alarms as server-sent events (https://html.spec.whatwg.org/#server-sent-events)."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Final

from serve.bodies.answers import AlarmEvent
from serve.work.alarm_watch import AlarmChange

LASTS_S: Final = 600.0
"""Seconds after which a stream ends: whoever listens asks again, and finds a service that has moved."""
AGAIN_MS: Final = 2000


async def event_stream(changes: AsyncIterator[AlarmChange | None]) -> AsyncIterator[str]:
    """Yield each change as an event, and a line that says nothing where none comes for a while."""
    ends = time.monotonic() + LASTS_S
    yield f"retry: {AGAIN_MS}\n\n"
    async for change in changes:
        yield ": nothing has changed\n\n" if change is None else event(change)
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
