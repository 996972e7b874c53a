"""Score equipment again whose record, or whose bundle, has changed."""

from __future__ import annotations

import asyncio
import logging

from serve import service_metrics
from serve.service import Service
from serve.work.claim_scoring import score_claims

log = logging.getLogger(__name__)
AT_ONCE = 32


async def rescore(service: Service) -> int:
    """Run one round; return how many pieces of equipment were scored or set aside."""
    store = service.store
    claims = await asyncio.to_thread(store.claim_stale, AT_ONCE)
    if claims:
        await score_claims(service, claims)
    service_metrics.STALE.set(await asyncio.to_thread(store.stale_count))
    service_metrics.ASIDE.set(len(await asyncio.to_thread(store.aside)))
    return len(claims)


async def rescore_forever(service: Service) -> None:
    """Look for changed equipment again and again; a store that is away is asked again later.

    What was set aside before this start is tried once more: what was in its way may be mended.
    """
    started = False
    while True:
        try:
            if not started:
                await asyncio.to_thread(
                    lambda: service.store.mark_stale(service.store.aside())
                )
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
