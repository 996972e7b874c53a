"""Files of states give back what was written, and nothing that does not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hvac.state.state_files import (
    StateFile,
    all_units,
    read_unit_states,
    write_unit_states,
)
from hvac.state.unit_states import UnitStates
from tests.features.test_describe import recipe
from tests.state.test_updating import UNITS, assert_same, rows_of, states_of


@pytest.mark.parametrize("more", [{}, {"limits": (1.0, 30.0)}, {"known": 500}])
@pytest.mark.parametrize("by", ["equipment", "point"])
def test_what_was_written_is_read(tmp_path: Path, more: Any, by: Any) -> None:
    rule = recipe("ab", by=by)
    rows = rows_of(range(250)) if "known" not in more else rows_of(range(250), **more)
    states = states_of(
        [*rows, *rows_of(range(250, 255), seed=1, points="a", **more)], rule
    )
    written = StateFile({"ahu": states}, frozenset(["x", "y"]), frozenset(UNITS[:1]))
    write_unit_states(tmp_path / "s.arrow", written, {"ahu": rule})
    found = read_unit_states(tmp_path / "s.arrow", {"ahu": rule})
    assert found is not None
    assert found.parts == {"x", "y"}
    assert found.apart == {UNITS[0]}
    assert set(all_units(found)) == set(states.unit_U)
    assert_same(found.classes["ahu"], states)


def test_classes_without_a_state_are_kept(tmp_path: Path) -> None:
    rule = recipe("ab")
    empty = StateFile({"ahu": UnitStates.none(rule)})
    write_unit_states(tmp_path / "s.arrow", empty, {"ahu": rule})
    found = read_unit_states(tmp_path / "s.arrow", {"ahu": rule})
    assert found is not None
    assert_same(found.classes["ahu"], UnitStates.none(rule))


def test_other_settings_damage_and_absence_give_none(tmp_path: Path) -> None:
    rule, path = recipe("ab"), tmp_path / "s.arrow"
    assert read_unit_states(path, {"ahu": rule}) is None
    states = states_of(rows_of(range(200)), rule)
    assert len(states) == len(UNITS)
    write_unit_states(path, StateFile({"ahu": states}), {"ahu": rule})
    assert read_unit_states(path, {"ahu": rule}) is not None
    assert read_unit_states(path, {"pump": rule}) is None
    assert read_unit_states(path, {"ahu": replace(rule, points=("a",))}) is None
    assert read_unit_states(path, {"ahu": recipe("ab", normalise="none")}) is None
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], b"", b"no arrow at all"):
        path.write_bytes(damaged)
        assert read_unit_states(path, {"ahu": rule}) is None
