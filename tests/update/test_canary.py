"""Canaries: which facilities, and what decides about the others."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

from hvac.errors import HvacError, InputError
from hvac.update.bends import Bend
from hvac.update.canary import AlarmRates, alarm_rates, by_alarms, chosen_facilities
from hvac.update.champions import Challenger, Champions
from hvac.update.shadow import with_roles_changed

NAMES = [f"F{n:03}" for n in range(40)]


@pytest.mark.parametrize(
    ("share", "count", "of"),
    [(0.2, 8, 40), (0.001, 1, 40), (0.999, 39, 40), (0.5, 1, 2)],
)
def test_share_of_facilities_is_at_least_one_and_never_all(
    share: float, count: int, of: int
) -> None:
    chosen = chosen_facilities(NAMES[:of], share, 0)
    assert (len(chosen), len(set(chosen))) == (count, count)
    assert set(chosen) <= set(NAMES[:of])


def test_choice_depends_on_ids_and_seed_alone() -> None:
    chosen = chosen_facilities(NAMES, 0.2, 0)
    assert chosen_facilities(NAMES[::-1], 0.2, 0) == chosen
    assert chosen_facilities(NAMES, 0.2, 1) != chosen
    assert set(chosen) <= set(chosen_facilities(NAMES, 0.4, 0))


def test_single_facility_has_no_share() -> None:
    with pytest.raises(InputError, match=r"set update.canary_share=1"):
        chosen_facilities(["F1"], 0.5, 0)


def pair(
    day: int, unit: str, alarms: tuple[bool | None, bool], **more: Any
) -> dict[str, Any]:
    return {
        "facility_id": "F1", "equipment_id": unit, "horizon": 30,
        "end_date": dt.date(2024, 1, 1) + dt.timedelta(days=day),
        "alarm": alarms[0], "challenger_alarm": alarms[1], **more,
    }  # fmt: skip


def test_alarm_rates_count_episodes_a_machine_at_the_shortest_horizon() -> None:
    rows = [pair(day, "E1", (day in (0, 1), True)) for day in range(5)]
    rows += [pair(40, "E1", (True, False)), pair(0, "E2", (False, False))]
    rows += [pair(0, "E2", (True, True), horizon=60), pair(9, "E2", (None, True))]
    assert alarm_rates(pa.Table.from_pylist(rows)) == AlarmRates(2, 1.0, 0.5)
    assert alarm_rates(pa.Table.from_pylist(rows).slice(0, 0)).machines == 0


@pytest.mark.parametrize(
    ("rates", "widen"),
    [
        (AlarmRates(50, 0.40, 0.50), True),
        (AlarmRates(50, 0.40, 0.51), False),
        (AlarmRates(50, 0.0, 0.07), True),  # within the budget of 28 days
        (AlarmRates(50, 0.0, 0.08), False),
        (AlarmRates(0, 0.0, 0.0), None),
    ],
)
def test_alarms_within_the_bound_let_a_canary_widen(
    rates: AlarmRates, widen: bool | None
) -> None:
    verdict = by_alarms(rates, more=0.25, budget=1.0, days=28)
    assert verdict.widen is widen
    if widen is not None:
        assert f"{rates.challenger:.3f} a machine" in verdict.why


def test_roles_of_windows_that_the_challenger_answered_are_told_right() -> None:
    row = {
        "facility_id": "F1", "risk": 0.2, "threshold": 0.5, "alarm": False, "bundle_id": "new",
        "challenger_risk": 0.6, "challenger_threshold": 0.4, "challenger_alarm": True,
        "challenger_id": "old",
    }  # fmt: skip
    pairs = pa.Table.from_pylist([row])
    changed = with_roles_changed(pairs)
    (told,) = changed.to_pylist()
    assert (told["bundle_id"], told["risk"], told["alarm"]) == ("old", 0.6, True)
    assert (told["challenger_id"], told["challenger_threshold"]) == ("new", 0.5)
    assert changed.column_names == pairs.column_names
    assert with_roles_changed(changed).equals(pairs)


def champions() -> Champions:
    watched = Challenger(bundles={"ahu": "new"}, rung="platt", since=0)
    serving = {"ahu": "old", "pump": "p"}
    return Champions(trained=serving, champion=serving, challenger=watched)


def test_roll_back_of_a_canary_leaves_what_served_and_what_did_before() -> None:
    before = champions().model_copy(update={"previous": {"ahu": "older", "pump": "p"}})
    speaking = before.speaking_in(("F1",), 9, "by hand", {})
    assert speaking.champion == before.champion
    assert speaking.history[-1].bundles == {"ahu": "new"}
    assert speaking.history[-1].figures == {"facilities": ["F1"]}
    after = speaking.rolled_back("ray_jobs.rollback")
    assert (after.champion, after.previous) == (before.champion, before.previous)
    assert after.challenger is None
    assert [row.action for row in after.history] == ["canary", "rolled_back"]
    spoke = {"facilities": ["F1"], "spoke_since": "1970-01-10"}
    assert after.history[-1].figures == spoke


def test_lines_come_back_from_json_and_those_of_before_still_do() -> None:
    lines = {"ahu": Bend(1.2, 0.1, {30: -1.0, 60: -0.5})}
    new = Challenger(bundles={"ahu": "new"}, rung="fleet_platt", since=1, lines=lines)
    read = Challenger.model_validate_json(new.model_dump_json())
    assert read.lines["ahu"].line(30) == lines["ahu"].line(30)
    old = """{"bundles": {"ahu": "b"}, "rung": "platt", "since": 3, "lines": {"ahu": [1.1, 0.4]}}"""
    assert Challenger.model_validate_json(old).lines["ahu"].line(60) == (1.1, 0.4)


def test_canary_without_a_challenger_is_told() -> None:
    without = champions().model_copy(update={"challenger": None})
    with pytest.raises(HvacError, match="there is no challenger to promote"):
        without.speaking_in(("F1",), 9, "by hand", {})
