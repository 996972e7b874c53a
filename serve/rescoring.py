"""Score equipment again whose record, or whose bundle, has changed."""

from __future__ import annotations

import asyncio
import logging

from hvac.errors import HvacError
from hvac.panel.grid import Unit
from serve import metrics
from serve.problems import TooSlow
from serve.schemas import AskedUnit
from serve.service import Service
from serve.store import StoreError

log = logging.getLogger(__name__)
AT_ONCE = 32


async def rescore(service: Service) -> int:
    """One round; how many pieces were done."""
    store = service.store
    claims = await asyncio.to_thread(store.claim_stale, AT_ONCE)
    if claims:
        try:
            await _score(service, claims)
        except Exception:
            await asyncio.to_thread(store.release, claims)
            raise
    metrics.STALE.set(await asyncio.to_thread(store.stale_count))
    return len(claims)


async def _score(service: Service, claims: list[tuple[Unit, float]]) -> None:
    try:
        units = [AskedUnit(facility_id=unit.facility_id, equipment_id=unit.equipment_id) for unit, _ in claims]
        asks = await asyncio.to_thread(service.asks, units)
        rows = await service.within(service.stages.predict(asks))
        await asyncio.to_thread(service.store.save_predictions, rows, claims)
    except (StoreError, TooSlow):
        raise
    except HvacError as error:
        if len(claims) > 1:
            for claim in claims:
                await _score(service, [claim])
            return
        log.warning("%s cannot be scored: %s", " ".join(claims[0][0]), error)
        await asyncio.to_thread(service.store.give_up, claims[0], str(error))


async def rescore_forever(service: Service) -> None:
    """Look for changed equipment again and again; a store that is away is asked again later."""
    while True:
        try:
            done = await rescore(service)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("scoring again failed; it is tried again")
            done = 0
        await asyncio.sleep(0 if done else service.config.rescore_every_s)
