"""Levels of peers: whose units make them, where they lie, and which are made anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from hvac.features.context import ContextSpec
from hvac.features.peers import LEAST_PEERS, MOST_PEERS, peer_level, peer_series
from hvac.features.recipe import Recipe
from hvac.panel.grid import Unit, panels
from hvac.panel.labels import LabelConfig
from hvac.panel.partitions import bucket_folder, bucket_of
from hvac.panel.registry import Registry
from hvac.panel.windows import WindowConfig, fit_scale
from hvac.storage import write_parquet
from ray_jobs.tables.peer_levels import (
    PeerFile,
    level_of,
    make_peers,
    peer_groups,
    peer_keys,
)
from tests.panel.panel_example import event_table, readings, series

DAYS = 200
RECIPE = Recipe(
    class_name="pump",
    points=("p",),
    windows=WindowConfig(),
    labels=LabelConfig(),
    context=ContextSpec(kinds=()),
)
RECIPES = {"pump": RECIPE, "fan": replace(RECIPE, class_name="fan")}
Files = dict[tuple[str, str], PeerFile]


def units(facility: str, count: int, kind: str = "pump") -> dict[Unit, str]:
    return {Unit(facility, f"{kind}{number}"): kind for number in range(count)}


# Two facilities with enough pumps, one with too few, and fans that are too few everywhere.
FLEET = (
    units("A", 6)
    | units("B", 5)
    | units("C", 3)
    | units("A", 2, "fan")
    | units("B", 2, "fan")
)


def registry_of(kinds: dict[Unit, str]) -> Registry:
    columns: dict[str, list[Any]] = {
        "facility_id": [unit.facility_id for unit in kinds],
        "equipment_id": [unit.equipment_id for unit in kinds],
        "class": list(kinds.values()),
        "kind": list(kinds.values()),
    }
    return Registry(
        units=pa.table(columns),
        events=event_table([]),
        points=dict.fromkeys(RECIPES, ("p",)),
    )


def rows_of(unit: Unit, *, start: float = 0.0) -> list[Any]:
    rng = np.random.default_rng(list("".join(unit).encode()))
    return series(start + rng.normal(20, 2, DAYS), unit=unit)


class Place:
    """A workspace with a panel of one bucket per facility, whose keys are told by hand."""

    def __init__(self, root: Path, kinds: dict[Unit, str] = FLEET) -> None:
        self.root, self.registry = root, registry_of(kinds)
        self.buckets = {bucket_of(unit, 1): "read" for unit in kinds}
        for facility in {unit.facility_id for unit in kinds}:
            self.read(facility, kinds, key="read")

    def read(
        self, facility: str, kinds: Iterable[Unit], *, key: str, start: float = 0.0
    ) -> None:
        rows = [
            row
            for unit in kinds
            if unit.facility_id == facility
            for row in rows_of(unit, start=start)
        ]
        bucket = bucket_of(Unit(facility, ""), 1)
        write_parquet(
            readings(rows),
            bucket_folder(self.root / "panel", bucket) / "part-0.parquet",
        )
        self.buckets[bucket] = key

    def make(self) -> Files:
        return make_peers(
            self.root, self.root / "panel", self.registry, RECIPES, self.buckets, each=1
        )

    def stamps(self) -> dict[str, int]:
        """When every file of the levels was written."""
        files = sorted((self.root / "peers").rglob("*.*"))
        return {
            str(file.relative_to(self.root / "peers")): file.stat().st_mtime_ns
            for file in files
        }


@pytest.fixture
def place(ray: None, tmp_path: Path) -> Place:
    return Place(tmp_path)


# Whose units


def test_group_is_a_facilitys_own_units_where_there_are_five_else_the_fleets_else_nobody() -> (
    None
):
    groups = peer_groups(registry_of(FLEET))
    assert set(groups) == {("pump", "A"), ("pump", "B"), ("pump", "C")}
    for facility, count in (("A", 6), ("B", 5)):
        group = groups["pump", facility]
        assert (group.kind, group.facility, len(group.units)) == (
            "pump",
            facility,
            count,
        )
        assert {unit.facility_id for unit in group.units} == {facility}
    assert groups["pump", "C"].facility == ""
    assert set(groups["pump", "C"].units) == {
        unit for unit, kind in FLEET.items() if kind == "pump"
    }


def test_five_fans_of_two_facilities_are_compared_with_each_other() -> None:
    fans = units("A", LEAST_PEERS - 2, "fan") | units("B", 2, "fan")
    groups = peer_groups(registry_of(fans))
    assert groups["fan", "A"] == groups["fan", "B"]
    assert len(groups["fan", "A"].units) == LEAST_PEERS


def test_large_group_takes_as_many_as_it_can_hold_whatever_the_order_of_the_register() -> (
    None
):
    many = units("A", MOST_PEERS + 50)
    (one,), (two,) = (
        peer_groups(registry_of(dict(given))).values()
        for given in (many, reversed(many.items()))
    )
    assert len(one.units) == MOST_PEERS
    assert one == two
    joined = peer_groups(registry_of(many | units("A", 1, "pumpx")))["pump", "A"]
    assert joined == one


# What is written


def test_level_is_the_median_of_the_groups_own_readings(place: Place) -> None:
    found = level_of(place.make()["pump", "B"])
    own = {
        unit: ("p",)
        for unit in FLEET
        if unit.facility_id == "B" and FLEET[unit] == "pump"
    }
    made = panels(readings([row for unit in own for row in rows_of(unit)]), own)
    expected = peer_level(
        ("p",), [peer_series(panel, fit_scale(panel, "baseline")) for panel in made]
    )
    assert found is not None
    assert expected is not None
    assert (found.points, found.first_day) == (expected.points, expected.first_day)
    np.testing.assert_array_equal(found.median_TC, expected.median_TC)
    np.testing.assert_array_equal(found.ready_C, expected.ready_C)
    assert np.isfinite(found.median_TC).all()


def test_kind_with_fewer_than_five_units_has_no_level(place: Place) -> None:
    files = place.make()
    assert set(files) == {("pump", "A"), ("pump", "B"), ("pump", "C")}
    assert not [name for name in place.stamps() if name.startswith("fan")]
    assert level_of(files.get(("fan", "A"))) is None


def test_group_of_which_fewer_than_five_have_readings_has_no_level(
    ray: None, tmp_path: Path
) -> None:
    silent = Place(tmp_path, units("A", 5))
    silent.read("A", units("A", 4), key="fewer")
    files = silent.make()
    assert level_of(files["pump", "A"]) is None
    before = silent.stamps()
    assert silent.make() == files
    assert silent.stamps() == before


# What is made anew


def test_second_run_makes_nothing(place: Place) -> None:
    files, before = place.make(), place.stamps()
    assert place.make() == files
    assert place.stamps() == before
    assert set(before) == {
        f"pump/{name}.{kind}"
        for name in ("A", "B", "_fleet")
        for kind in ("json", "parquet")
    }


def test_new_readings_of_one_facility_change_its_level_and_the_fleets_and_no_other(
    place: Place,
) -> None:
    files, before = place.make(), place.stamps()
    old = level_of(files["pump", "A"])
    place.read("A", FLEET, key="read again", start=5.0)
    again, after = place.make(), place.stamps()
    assert {
        name for _, name in files if files["pump", name].key != again["pump", name].key
    } == {
        "A",
        "C",
    }
    assert {name.split(".")[0] for name in after if after[name] != before[name]} == {
        "pump/A",
        "pump/_fleet",
    }
    new = level_of(again["pump", "A"])
    assert old is not None
    assert new is not None
    assert old.ready_C.tolist() == new.ready_C.tolist()


def test_level_that_was_lost_before_its_mark_was_written_is_made_again(
    place: Place,
) -> None:
    files = place.make()
    for mark in (place.root / "peers").rglob("*.json"):
        mark.unlink()
    Path(files["pump", "A"].path).write_bytes(b"half a file")
    assert place.make() == files
    assert level_of(files["pump", "A"]) is not None


def test_keys_of_a_bucket_are_those_of_the_levels_its_units_are_compared_with(
    place: Place,
) -> None:
    files = place.make()
    keys = peer_keys(files, place.buckets)
    assert keys == {f"{name}.0000": [files["pump", name].key] for name in "ABC"}
    place.read("B", FLEET, key="read again")
    changed = peer_keys(place.make(), place.buckets)
    assert {name for name, key in keys.items() if changed[name] != key} == {
        "B.0000",
        "C.0000",
    }
