"""A model that looks at peers: batch, service and plain call compare a unit with the same level."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hvac.features.describing import describe
from hvac.features.peer_files import level_path, mark_of
from hvac.features.peers import (
    PeerLevel,
    level_from_arrow,
    level_to_arrow,
    peer_level,
    peer_series,
)
from hvac.features.scene import UnitRecord, scenes
from hvac.features.table import to_arrow
from hvac.panel.grid import Panel, Unit, panels
from hvac.panel.registry import Registry
from hvac.panel.windows import fit_scale
from hvac.scoring.bundle import Bundle
from hvac.simulate.fleet import simulate_facilities
from hvac.simulate.fleet_files import write_canonical
from hvac.simulate.simulate_config import SimulateConfig
from hvac.storage import write_json
from ray_jobs import featurize, ingest, score, train
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import whole_table
from serve.bodies.schemas import AskedUnit
from serve.graph.published_peers import PeerLevels
from serve.graph.shelf import try_out
from serve.graph.stages import LocalStages
from serve.load import load
from serve.memory.store import Store
from serve.service import Service
from serve.settings import ServeConfig

pytestmark = pytest.mark.slow
STRAY, LONE = (
    Unit("F009", "STRAY"),
    Unit("F001", "LONE"),
)  # a pump at a facility of its own; a kind of its own
PER_FACILITY = 7


class Served(NamedTuple):
    """A workspace after score, and what is needed to ask a service of it."""

    workspace: Path
    bundle: Bundle
    config: ServeConfig
    store: Store

    @property
    def units(self) -> list[Unit]:
        return sorted(Registry.load(self.workspace / "panel").kinds)

    def rows(
        self, units: list[Unit], *, peers: Path | None
    ) -> dict[tuple[Unit, int], dict[str, Any]]:
        stages = LocalStages(self.config.bundle_folder, 4, peers=peers)
        service = Service(self.config, self.store, stages)
        asks = service.asks(
            [
                AskedUnit(facility_id=u.facility_id, equipment_id=u.equipment_id)
                for u in units
            ]
        )
        return by_unit(asyncio.run(stages.predict(asks)))


def by_unit(rows: list[dict[str, Any]]) -> dict[tuple[Unit, int], dict[str, Any]]:
    return {
        (Unit(row["facility_id"], row["equipment_id"]), row["horizon"]): row
        for row in rows
    }


def write_source(folder: Path) -> None:
    """Pumps of two facilities; one of them is said to stand elsewhere, one to be of another kind."""
    config = SimulateConfig(
        facilities=2,
        equipment_per_class=PER_FACILITY,
        classes=("pump",),
        days=700,
        seed=3,
    )
    write_canonical(simulate_facilities(config), folder)
    names = sorted(
        pq.read_table(folder / "equipment.parquet")["equipment_id"].to_pylist()
    )
    renamed = {names[0]: LONE, names[-1]: STRAY}
    for path in [
        *folder.glob("readings/*.parquet"),
        folder / "events.parquet",
        folder / "equipment.parquet",
    ]:
        rows = pq.read_table(path)
        found = rows.to_pydict()
        for k, name in enumerate(found["equipment_id"]):
            if name in renamed:
                found["facility_id"][k], found["equipment_id"][k] = renamed[name]
                if "class" in found and renamed[name] == LONE:
                    found["class"][k] = "lone"
        pq.write_table(pa.table(found, schema=rows.schema), path)


@pytest.fixture(scope="module")
def served(ray: None, tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder = tmp_path_factory.mktemp("peers")
    write_source(folder / "in")
    source = {"readings": str(folder / "in" / "readings"), "events": str(folder / "in" / "events.parquet"),
              "equipment": str(folder / "in" / "equipment.parquet")}  # fmt: skip
    config = RunConfig(
        name="peers", workspace=folder / "run", source=source, featurize={"buckets": 1},
        windows={"train_stride": 21, "evaluation_stride": 21, "class": "all"},
        model={"family": "et_relative", "trees": 15}, decision={"folds": 2},
    )  # fmt: skip
    for step in (ingest, featurize, train, score):
        step.run(config)
    (bundle,) = map(Bundle.load, (folder / "run" / "bundles").iterdir())
    settings = ServeConfig(workspace=folder / "run")
    store = Store.open(settings.store_url)
    load(store, settings)
    return Served(folder / "run", bundle, settings, store)


def plain_panels(served: Served) -> dict[Unit, Panel]:
    """Every unit's panel, from all readings in one table."""
    buckets = sorted((served.workspace / "panel" / "readings").glob("*/*"))
    table = pa.concat_tables(whole_table(bucket, "ingest") for bucket in buckets)
    recipe = served.bundle.recipe
    points = dict.fromkeys(served.units, recipe.points)
    return {
        panel.unit: panel
        for panel in panels(table, points, aggregate=recipe.windows.aggregate)
    }


def plain_level(served: Served, of: list[Panel]) -> PeerLevel | None:
    normalise = served.bundle.recipe.windows.normalise
    return peer_level(
        served.bundle.recipe.points,
        [peer_series(each, fit_scale(each, normalise)) for each in of],
    )


def plain_risks(served: Served, panel: Panel, level: PeerLevel | None) -> Any:
    registry = Registry.load(served.workspace / "panel")
    record = UnitRecord(
        events=registry.events_of(panel.unit), install_day=registry.install_days[panel.unit],
        class_name=registry.kinds[panel.unit], peers=level,
    )  # fmt: skip
    (scene,) = scenes(panel, served.bundle.recipe, record)
    windows = describe(
        scene, np.array([panel.last_day], np.int32), served.bundle.recipe
    )
    return windows, served.bundle.predict(windows).risk_BH[0]


def test_batch_service_and_plain_call_say_the_same_of_every_unit(
    served: Served,
) -> None:
    """Units with peers of their facility, the pump that has only the fleet's, and the unit of a kind of its own."""
    latest = by_unit(pq.read_table(served.workspace / "latest.parquet").to_pylist())
    asked = served.rows(served.units, peers=served.config.peer_folder)  # type: ignore[arg-type]
    assert len(served.units) == 2 * PER_FACILITY
    assert set(latest) == set(asked)
    found = plain_panels(served)
    pumps = [panel for unit, panel in sorted(found.items()) if unit != LONE]
    for unit, panel in found.items():
        own = [each for each in pumps if each.unit.facility_id == unit.facility_id]
        level = (
            None
            if unit == LONE
            else plain_level(served, pumps if unit == STRAY else own)
        )
        windows, risk_H = plain_risks(served, panel, level)
        assert windows.d_BCS is not None
        assert np.isfinite(windows.d_BCS).any() == (unit != LONE)
        for h, horizon in enumerate(served.bundle.horizons):
            assert (
                latest[unit, horizon]["status"]
                == asked[unit, horizon]["status"]
                == "ok"
            )
            assert latest[unit, horizon]["risk"] == pytest.approx(risk_H[h], abs=1e-6)
            assert asked[unit, horizon]["risk"] == pytest.approx(risk_H[h], abs=1e-6)
            assert asked[unit, horizon]["alarm"] == latest[unit, horizon]["alarm"]


def test_peers_have_a_say_and_service_without_levels_scores_all_the_same(
    served: Served,
) -> None:
    with_peers = served.rows(served.units, peers=served.config.peer_folder)  # type: ignore[arg-type]
    without = served.rows(served.units, peers=None)
    nowhere = served.rows(served.units, peers=served.workspace / "no such folder")
    gap = {
        key: abs(row["risk"] - with_peers[key]["risk"]) for key, row in without.items()
    }
    assert max(gap.values()) > 1e-3
    assert max(gap[LONE, h] for h in served.bundle.horizons) == 0
    for key, row in without.items():
        assert row["risk"] == nowhere[key]["risk"]
    found = plain_panels(served)
    for unit in (STRAY, LONE):
        _, risk_H = plain_risks(served, found[unit], None)
        np.testing.assert_allclose(
            [without[unit, h]["risk"] for h in served.bundle.horizons],
            risk_H,
            atol=1e-6,
        )


def test_level_of_other_points_than_the_bundles_is_not_used(
    served: Served, tmp_path: Path
) -> None:
    write_level(tmp_path, "pump", "F001", level_of(("other",), 0.0), "1")
    units = [unit for unit in served.units if unit.facility_id == "F001"]
    assert served.rows(units, peers=tmp_path) == served.rows(units, peers=None)


def test_bulk_with_all_columns_gives_the_batch_risks_and_without_them_an_answer(
    served: Served,
) -> None:
    try_out(served.bundle)
    latest = by_unit(pq.read_table(served.workspace / "latest.parquet").to_pylist())
    unit = next(unit for unit in served.units if unit.facility_id == "F002")
    found = plain_panels(served)
    level = plain_level(
        served, [panel for each, panel in found.items() if each.facility_id == "F002"]
    )
    windows, _ = plain_risks(served, found[unit], level)
    stages = LocalStages(served.config.bundle_folder, 4)
    table = to_arrow(windows)
    whole, bare = (
        asyncio.run(stages.bulk((served.bundle.name, part)))["risk"].to_pylist()
        for part in (
            table,
            table.drop_columns(["recent", "raw", "peers", "residuals", "context"]),
        )
    )
    np.testing.assert_allclose(
        whole, [latest[unit, h]["risk"] for h in served.bundle.horizons], atol=1e-6
    )
    assert np.isfinite(bare).all()


def level_of(points: tuple[str, ...], value: float) -> PeerLevel:
    medians = np.full((3, len(points)), value, np.float32)
    return PeerLevel(points, 10, medians, np.zeros(len(points), np.int32))


def write_level(
    folder: Path, kind: str, facility: str, level: PeerLevel | None, key: str
) -> None:
    path = level_path(folder, kind, facility)
    path.parent.mkdir(parents=True, exist_ok=True)
    if level is not None:
        pq.write_table(level_to_arrow(level), path)
    write_json(mark_of(path), {"key": key, "there": level is not None})


def median(level: PeerLevel | None) -> float | None:
    return None if level is None else float(level.median_TC[0, 0])


def test_level_is_the_facilitys_else_the_fleets_else_none(tmp_path: Path) -> None:
    levels = PeerLevels(tmp_path, look_again_s=0)
    assert levels("pump", "F1") is None
    write_level(tmp_path, "pump", "", level_of(("p",), 1.0), "a")
    assert median(levels("pump", "F1")) == 1.0
    write_level(tmp_path, "pump", "F1", level_of(("p",), 2.0), "b")
    assert (
        median(levels("pump", "F1")),
        median(levels("pump", "F2")),
        levels("fan", "F1"),
    ) == (
        2.0,
        1.0,
        None,
    )
    write_level(tmp_path, "pump", "F3", None, "c")
    assert levels("pump", "F3") is None, (
        "its own group has too few readings: the jobs compare it with nobody"
    )


def test_level_is_read_again_when_another_is_published_but_not_at_every_call(
    tmp_path: Path,
) -> None:
    write_level(tmp_path, "pump", "F1", level_of(("p",), 1.0), "a")
    eager, patient = (
        PeerLevels(tmp_path, look_again_s=0),
        PeerLevels(tmp_path, look_again_s=60),
    )
    assert median(eager("pump", "F1")) == median(patient("pump", "F1")) == 1.0
    write_level(tmp_path, "pump", "F1", level_of(("p",), 3.0), "b")
    assert (median(eager("pump", "F1")), median(patient("pump", "F1"))) == (3.0, 1.0)


def test_damaged_level_is_none(tmp_path: Path) -> None:
    write_level(tmp_path, "pump", "F1", level_of(("p",), 1.0), "damaged")
    level_path(tmp_path, "pump", "F1").write_bytes(b"no parquet")
    assert PeerLevels(tmp_path)("pump", "F1") is None
    mark_of(level_path(tmp_path, "pump", "F1")).write_text("{")
    assert PeerLevels(tmp_path)("pump", "F1") is None


def test_level_survives_its_file(tmp_path: Path) -> None:
    level = level_of(("温度", "p"), 1.5)
    pq.write_table(level_to_arrow(level), tmp_path / "level.parquet")
    found = level_from_arrow(pq.read_table(tmp_path / "level.parquet"))
    assert (found.points, found.first_day) == (level.points, level.first_day)
    assert np.array_equal(found.median_TC, level.median_TC)
    assert np.array_equal(found.ready_C, level.ready_C)
