"""Whether the service can answer, and what of its equipment cannot be scored."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NotRequired, TypedDict

from hvac.errors import BundleError
from serve.bodies.problems import Refused
from serve.graph.stages import Stages
from serve.keys import Caller
from serve.memory.store import FLEET
from serve.work.bundle_choice import BundleChoice
from serve.work.request_limits import within


class SetAside(TypedDict):
    """Equipment that cannot be scored, and why."""

    facility_id: str
    equipment_id: str
    reason: str


class ServiceReadiness(TypedDict):
    """Whether requests can be answered; to a caller also what waits, and what cannot be scored."""

    status: str
    bundles: NotRequired[int]
    rescoring: NotRequired[str]
    waiting: NotRequired[int]
    set_aside: NotRequired[list[SetAside]]


async def ready_state(
    choice: BundleChoice, caller: Caller | None, *, rescoring_fails: bool
) -> ServiceReadiness:
    """Tell whether requests can be answered; to a caller also what waits or is set aside.

    Raises:
        Refused: no bundle serves, or none that serves can be read.
    """
    assigned = await asyncio.to_thread(choice.store.assignments)
    if not assigned:
        raise Refused("no bundle serves yet: train one, or promote one")
    bundles = set(assigned.values())
    try:
        await within(_any_answers(choice.stages, sorted(bundles)), choice.config.limits)
    except BundleError as error:
        reason = (
            f": {choice.plain(error)}" if caller and caller.facility_id == FLEET else ""
        )
        raise Refused(f"no bundle that serves can be read{reason}") from error
    if caller is None:
        return {"status": "ready"}
    set_aside: list[SetAside] = []
    for unit, reason in (await asyncio.to_thread(choice.store.aside)).items():
        if caller.sees(unit.facility_id):
            set_aside.append(
                {
                    "facility_id": unit.facility_id,
                    "equipment_id": unit.equipment_id,
                    "reason": reason,
                }
            )
    if caller.facility_id != FLEET:
        bundles = await asyncio.to_thread(
            choice.bundles_of, caller.facility_id, assigned
        )
    return {
        "status": "ready",
        "bundles": len(bundles),
        "rescoring": "failing" if rescoring_fails else "going on",
        "waiting": await asyncio.to_thread(choice.store.stale_count, caller.sees),
        "set_aside": set_aside,
    }


async def _any_answers(stages: Stages, bundles: Sequence[str]) -> None:
    """Raise BundleError where none of the bundles can be read."""
    for number, bundle in enumerate(bundles, 1):
        try:
            await stages.about(bundle)
            return
        except BundleError:
            if number == len(bundles):
                raise
