"""Score claimed equipment and keep the result; what cannot be scored is set aside."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Awaitable, Sequence
from typing import Protocol, TypeVar

from hvac.errors import HvacError
from hvac.panel.grid import Unit
from serve.bodies.problems import TooSlow, is_passing
from serve.graph.asks import Ask
from serve.graph.rows import Rows
from serve.graph.stages import Stages, one_by_one
from serve.memory.store import Claim, Store, StoreError
from serve.settings import ServeConfig
from serve.work.bundle_choice import Assigned
from serve.work.risk_rows import checked_rows

log = logging.getLogger(__name__)
T = TypeVar("T")
FOR_MANY = 0.25  # share of the time for an answer that a group has, before it is halved


class Scoring(Protocol):
    """What scoring asks of the service."""

    config: ServeConfig
    store: Store
    stages: Stages

    def stored_ask(self, unit: Unit, assigned: Assigned) -> Ask:
        """Return the ask for a unit of the store."""

    async def alarms_explained(self, asks: Sequence[Ask], rows: Rows) -> Rows:
        """Return rows with the reasons of those asks that have an alarm."""

    async def within(self, work: Awaitable[T], seconds: float | None = None) -> T:
        """Return the result of work. Raise TooSlow after so many seconds."""

    def plain(self, error: Exception) -> str:
        """Return an error's text without the folder of the bundles."""


async def score_claims(service: Scoring, claims: Sequence[Claim]) -> None:
    """Score claims together; where that fails, each half alone after those that have not been tried
    yet. Claims are given back where it comes to nothing.
    """
    try:
        await _score(service, claims)
    except BaseException:
        await asyncio.to_thread(service.store.release, claims)
        raise


async def _score(service: Scoring, claims: Sequence[Claim]) -> None:
    waiting = deque([list(claims)])
    while waiting:
        group = waiting.popleft()
        try:
            await _score_together(service, group)
        except StoreError:
            raise
        except Exception as error:
            if is_passing(error) and not isinstance(error, TooSlow):
                raise
            if len(group) == 1:
                if isinstance(error, TooSlow):
                    await _check_alive(service)
                await _set_aside(service, group[0], error)
                continue
            half = len(group) // 2
            waiting += [group[:half], group[half:]]
            await asyncio.to_thread(
                service.store.renew, [claim for part in waiting for claim in part]
            )


async def _check_alive(service: Scoring) -> None:
    """Raise TooSlow where the stages answer nothing at all, so that the unit is not to blame."""
    assigned = await asyncio.to_thread(service.store.assignments)
    for bundle in sorted(set(assigned.values()))[:1]:
        try:
            await service.within(service.stages.about(bundle))
        except HvacError as error:
            if isinstance(error, TooSlow):
                raise


async def _score_together(service: Scoring, claims: list[Claim]) -> None:
    asks_or_errors = await asyncio.to_thread(_stored_asks, service, claims)
    asks: list[Ask] = []
    sound: list[Claim] = []
    for claim, ask in zip(claims, asks_or_errors, strict=True):
        if isinstance(ask, StoreError):
            raise ask
        if isinstance(ask, Exception):
            await _set_aside(service, claim, ask)
        else:
            asks.append(ask)
            sound.append(claim)
    if asks:
        seconds = service.config.limits.timeout_s * (FOR_MANY if len(asks) > 1 else 1)
        rows = checked_rows(await service.within(service.stages.predict(asks), seconds))
        rows = await service.alarms_explained(asks, rows)
        await asyncio.to_thread(service.store.save_predictions, rows, sound)


def _stored_asks(service: Scoring, claims: Sequence[Claim]) -> list[Ask | Exception]:
    """Return asks by the bundles that serve now: promoting one marks its equipment in the same
    transaction.
    """
    assigned = service.store.assignments()
    return one_by_one(
        lambda unit: service.stored_ask(unit, assigned), [unit for unit, _ in claims]
    )


async def _set_aside(service: Scoring, claim: Claim, error: Exception) -> None:
    """Keep the reason, so that the others go on; the unit is tried again when its record or its
    bundle changes.
    """
    if isinstance(error, HvacError):
        reason = service.plain(error)
        log.warning("%s cannot be scored: %s", " ".join(claim[0]), error)
    else:
        number = uuid.uuid4().hex[:8]
        reason = f"something is wrong on our side (number {number} in the log)"
        log.error(
            "%s cannot be scored: error %s", " ".join(claim[0]), number, exc_info=error
        )
    await asyncio.to_thread(service.store.set_aside, claim, reason)
