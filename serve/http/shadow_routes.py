"""The route of the API that tells what a challenger says beside the champion."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from serve.bodies.shadow_bodies import ShadowAnswer, shadow_pair, shadow_summary
from serve.http.door import Door
from serve.ids import Id
from serve.keys import Caller
from serve.memory.store import FLEET
from serve.memory.watched_bundles import watched_bundles
from serve.service import Service

First = Annotated[
    int, Query(ge=1, le=1_000_000_000, description="place of the first pair, from 1")
]
Most = Annotated[int, Query(ge=1, le=10_000, description="number of pairs")]
OfFacility = Annotated[Id | None, Query(description="only those of a facility")]


def shadow_routes(service: Service, door: Door) -> APIRouter:
    """Return the route of the pairs of risks."""
    routes = APIRouter(prefix="/v1", tags=["operate"])
    read = Depends(door.may("read"))

    @routes.get("/shadow", response_model=ShadowAnswer)
    async def shadow(
        caller: Caller = read,
        facility_id: OfFacility = None,
        first: First = 1,
        most: Most = 200,
    ) -> ShadowAnswer:
        """Tell how the risks of a challenger, which is watched, differ from those that are answered.

        `ray_jobs.update` finds challengers; without one there is nothing here.
        """
        if facility_id is None and caller.facility_id != FLEET:
            facility_id = caller.facility_id
        if facility_id is not None:
            door.check(caller, facility_id)
        store = service.store
        rows = await asyncio.to_thread(
            lambda: store.shadow_rows(facility_id, first=first, most=most + 1)
        )
        sums = await asyncio.to_thread(store.shadow_summary, facility_id)
        watched = await asyncio.to_thread(service.choice.challengers)
        known = await asyncio.to_thread(watched_bundles, store)
        return ShadowAnswer(
            summary=shadow_summary(sums, watched),
            pairs=[shadow_pair(row) for row in rows[:most]],
            speaks_in=[name for name in known.speaks_in if caller.sees(name)],
            next=first + most if len(rows) > most else None,
        )

    return routes
