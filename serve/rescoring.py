"""Score equipment again whose record, or whose bundle, has changed; set aside what cannot be
scored.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Sequence

from hvac.errors import HvacError
from serve import service_metrics
from serve.bodies.problems import TooSlow, is_passing
from serve.graph.asks import Ask
from serve.graph.stages import one_by_one
from serve.memory.store import Claim, StoreError
from serve.service import Service
from serve.work.risk_rows import checked_rows

log = logging.getLogger(__name__)
AT_ONCE = 32
FOR_MANY = 0.25  # share of the time for an answer that a group has, before it is halved


async def rescore(service: Service) -> int:
    """Run one round; return how many pieces of equipment were scored or set aside."""
    store = service.store
    claims = await asyncio.to_thread(store.claim_stale, AT_ONCE)
    if claims:
        try:
            await _score(service, claims)
        except BaseException:
            await asyncio.to_thread(store.release, claims)
            raise
    service_metrics.STALE.set(await asyncio.to_thread(store.stale_count))
    service_metrics.ASIDE.set(len(await asyncio.to_thread(store.aside)))
    return len(claims)


async def _score(service: Service, claims: Sequence[Claim]) -> None:
    """Score claims together; where that fails, each half alone after those that have not been tried
    yet.
    """
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


async def _check_alive(service: Service) -> None:
    """Raise TooSlow where the stages answer nothing at all, so that the unit is not to blame."""
    assigned = await asyncio.to_thread(service.store.assignments)
    for bundle in sorted(set(assigned.values()))[:1]:
        try:
            await service.within(service.stages.about(bundle))
        except HvacError as error:
            if isinstance(error, TooSlow):
                raise


async def _score_together(service: Service, claims: list[Claim]) -> None:
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


def _stored_asks(service: Service, claims: Sequence[Claim]) -> list[Ask | Exception]:
    """Return asks by the bundles that serve now: promoting one marks its equipment in the same
    transaction.
    """
    assigned = service.store.assignments()
    return one_by_one(lambda unit: service.stored_ask(unit, assigned), [unit for unit, _ in claims])


async def _set_aside(service: Service, claim: Claim, error: Exception) -> None:
    """Keep the reason, so that the others go on; the unit is tried again when its record or its
    bundle changes.
    """
    if isinstance(error, HvacError):
        reason = service.plain(error)
        log.warning("%s cannot be scored: %s", " ".join(claim[0]), error)
    else:
        number = uuid.uuid4().hex[:8]
        reason = f"something is wrong on our side (number {number} in the log)"
        log.error("%s cannot be scored: error %s", " ".join(claim[0]), number, exc_info=error)
    await asyncio.to_thread(service.store.set_aside, claim, reason)


async def rescore_forever(service: Service) -> None:
    """Look for changed equipment again and again; a store that is away is asked again later.

    What was set aside before this start is tried once more: what was in its way may be mended.
    """
    started = False
    while True:
        try:
            if not started:
                await asyncio.to_thread(lambda: service.store.mark_stale(service.store.aside()))
                started = True
            done = await rescore(service)
            service.rescoring_fails = False
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("scoring again failed; it is tried again")
            service_metrics.ROUNDS_FAILED.inc()
            service.rescoring_fails = True
            done = 0
        await asyncio.sleep(0 if done else service.config.rescore_every_s)
