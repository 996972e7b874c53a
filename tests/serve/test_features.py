"""The graph's first stage, the next ones stood in for: requests of a round are answered together or fail alone."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hvac.errors import BundleError
from serve.bodies.schemas import AskedUnit
from serve.deployments import Features
from serve.graph.stages import LocalStages
from serve.service import Service
from tests.models.models_example import bundle
from tests.serve.serve_example import UNITS, filled


class Next:
    """RiskModel and Forecast behind their handles; one bundle is damaged."""

    def __init__(self, stages: LocalStages, damaged: str) -> None:
        self.stages, self.damaged, self.calls, self.handles = stages, damaged, 0, 0

    def options(self, *, method_name: str, multiplexed_model_id: str, **_: str) -> Any:
        self.handles += 1
        called = {
            "risks": partial(self._risks, multiplexed_model_id),
            "outlooks": self._outlooks,
        }
        return SimpleNamespace(remote=called[method_name])

    async def _risks(self, bundle_id: str, windows: Any) -> Any:
        self.calls += 1
        if bundle_id == self.damaged:
            raise BundleError("it is damaged")
        return self.stages.core.newest_risks(self.stages.shelf(bundle_id), windows)

    async def _outlooks(self, bundle_id: str, made: Any) -> Any:
        return self.stages.core.driving_outlooks(self.stages.shelf(bundle_id), made)


@pytest.fixture
def case(tmp_path: Path) -> tuple[Any, Next, list[Any], Service]:
    """A Features, what follows it, and asks of F1 E1, F1 E2 and F2 E1, of which facility F2 has the damaged bundle."""
    config, store, _ = filled(tmp_path)
    other = bundle(seed=5).save(config.bundle_folder).name
    store.assign({("F2", "ahu"): other})
    stages = LocalStages(config.bundle_folder, 4)
    service, following = Service(config, store, stages), Next(stages, other)
    units = [
        AskedUnit(facility_id=unit.facility_id, equipment_id=unit.equipment_id)
        for unit in UNITS
    ]
    return (
        Features.func_or_class(config, following, following),
        following,
        [[a] for a in service.asks(units)],
        service,
    )


def test_requests_of_a_round_are_one_call_of_the_next_stages(
    case: tuple[Any, Next, list[Any], Service],
) -> None:
    features, following, asks, service = case

    async def run() -> list[Any]:
        told = features._prepared(asks[:2])
        return await features._finished(told[0][0].groups, told[0][0].sizes)

    together = asyncio.run(run())
    assert following.calls == 1
    for found, ask in zip(together, asks[:2], strict=True):
        alone = asyncio.run(service.stages.predict(ask))
        assert [row["equipment_id"] for row in found] == [
            row["equipment_id"] for row in alone
        ]
        np.testing.assert_allclose(
            [row["risk"] for row in found], [row["risk"] for row in alone], atol=1e-6
        )


def test_damaged_bundle_fails_those_alone_that_asked_for_it(
    case: tuple[Any, Next, list[Any], Service],
) -> None:
    features, _, asks, _ = case

    async def run() -> list[Any]:
        return await asyncio.gather(
            *map(features.predict, [asks[2], *asks]), return_exceptions=True
        )

    first, good, better, last = asyncio.run(run())
    assert isinstance(first, BundleError)
    assert isinstance(last, BundleError)
    assert [rows[0]["equipment_id"] for rows in (good, better)] == ["E1", "E2"]


def test_failure_of_one_bundle_is_told_by_request(
    case: tuple[Any, Next, list[Any], Service],
) -> None:
    features, _, asks, _ = case
    (together, _), *_ = features._prepared(asks)
    found = asyncio.run(features._finished(together.groups, together.sizes))
    assert [isinstance(each, BundleError) for each in found] == [False, False, True]


def test_handle_of_a_method_is_made_once(
    case: tuple[Any, Next, list[Any], Service],
) -> None:
    features, following, asks, _ = case
    for _ in range(3):
        asyncio.run(features.predict(asks[0]))
    assert following.handles == 2
