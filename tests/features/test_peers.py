"""Peers: the median of the same class and day, from nothing that a window may not know."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hvac.features.describing import describe
from hvac.features.peers import (
    LEAST_PEERS,
    PeerSeries,
    level_from_arrow,
    level_to_arrow,
    peer_level,
    peer_series,
)
from hvac.features.scene import UnitRecord, grids_of, scenes
from hvac.panel.daily_readings import ALWAYS_KNOWN
from hvac.panel.grid import Panel
from hvac.panel.windows import fit_scale
from tests.features.test_describe import recipe
from tests.panel.panel_example import FIRST, UNIT

POINTS = ("a", "b")


def unit(value_TC: Any, *, first: int = FIRST, known_TC: Any = None) -> Panel:
    value_TC = np.asarray(value_TC, dtype=np.float64)
    known = (
        np.full(value_TC.shape, ALWAYS_KNOWN, dtype=np.int32)
        if known_TC is None
        else known_TC
    )
    return Panel(
        unit=UNIT, points=POINTS, first_day=first, value_TC=value_TC, observed_TC=np.isfinite(value_TC),
        known_TC=known, lower_TC=value_TC * np.nan, upper_TC=value_TC * np.nan,
    )  # fmt: skip


def fleet(units: int = 8, days: int = 300, seed: int = 0) -> list[Panel]:
    """Units of different size and level that share a season; the first one drifts from day 200 on."""
    rng = np.random.default_rng(seed)
    season_T = 5 * np.sin(np.arange(days) / 40)
    made = []
    for number in range(units):
        size = rng.uniform(1, 20)
        value_TC = rng.uniform(0, 50) + size * (
            season_T[:, None] + rng.normal(0, 0.3, (days, 2))
        )
        if number == 0 and days > 200:
            value_TC[200:, 0] += size * np.linspace(0, 4, days - 200)
        made.append(unit(value_TC))
    return made


def series_of(panel: Panel) -> PeerSeries:
    return peer_series(panel, fit_scale(panel, "baseline"))


def level_of(panels: list[Panel]) -> Any:
    return peer_level(POINTS, list(map(series_of, panels)))


def described(panel: Panel, level: Any, *ends: int) -> Any:
    (scene,) = scenes(panel, recipe("ab"), UnitRecord(class_name="ahu", peers=level))
    return describe(
        scene, np.array([FIRST + end for end in ends], np.int32), recipe("ab")
    ).d_BCS


def apart(panel: Panel, level: Any) -> Any:
    """How far the first point lies from its peers, day by day."""
    (scene,) = scenes(panel, recipe("ab"), UnitRecord(class_name="ahu", peers=level))
    grids = grids_of([scene], recipe("ab"))
    return grids.deviations(grids.normalised())[0][0, 0]


def test_median_is_that_of_the_normalised_values_of_the_day() -> None:
    panels = fleet()
    level = level_of(panels)
    normal_UTC = np.stack([series_of(panel).value_TC for panel in panels])
    np.testing.assert_allclose(
        level.median_TC, np.median(normal_UTC, axis=0), rtol=1e-6
    )


def test_season_is_taken_out_and_the_drift_of_one_stays() -> None:
    panels = fleet()
    level = level_of(panels)
    drifting, steady = (apart(panel, level) for panel in panels[:2])
    own = series_of(panels[1]).value_TC[:, 0]
    assert np.std(steady[100:]) < 0.3 * np.std(own[100:])
    assert drifting[-10:].mean() > steady[-10:].mean() + 4 * np.std(steady)


def test_fewer_than_five_units_have_no_level_and_five_have_one() -> None:
    assert level_of(fleet(LEAST_PEERS - 1)) is None
    assert np.isfinite(level_of(fleet(LEAST_PEERS)).median_TC).all()


def test_day_on_which_fewer_than_five_report_has_no_median() -> None:
    panels = fleet(LEAST_PEERS)
    value_TC = panels[0].value_TC.copy()
    value_TC[250] = np.nan
    level = level_of([unit(value_TC), *panels[1:]])
    assert np.isnan(level.median_TC[250]).all()
    assert np.isfinite(np.delete(level.median_TC, 250, axis=0)).all()


def test_lone_unit_has_missing_columns_and_is_described_all_the_same() -> None:
    found = described(fleet()[0], None, 150, 299)
    assert np.isnan(found).all()


@pytest.mark.parametrize("end", [89, 120, 250])
def test_nothing_that_peers_read_later_changes_what_a_window_sees(end: int) -> None:
    """Whole records of all units, one of which joins later, against records whose days after the end are others."""
    panels = [
        *fleet(),
        unit(np.random.default_rng(5).normal(7, 2, (150, 2)), first=FIRST + 150),
    ]
    changed = []
    for number, panel in enumerate(panels):
        value_TC = panel.value_TC.copy()
        later_T = panel.first_day + np.arange(len(value_TC)) > FIRST + end
        value_TC[later_T] = np.random.default_rng(number).normal(
            0, 99, value_TC[later_T].shape
        )
        changed.append(unit(value_TC, first=panel.first_day))
    one, other = (described(each[0], level_of(each), end) for each in (panels, changed))
    assert np.isfinite(one[:, :, 0]).all()
    assert one.tobytes() == other.tobytes()


def test_reading_of_a_peer_that_comes_late_does_not_enter() -> None:
    panels = fleet(LEAST_PEERS + 1)
    known_TC = np.full(panels[1].value_TC.shape, ALWAYS_KNOWN, dtype=np.int32)
    known_TC[220] = FIRST + 230
    late = unit(panels[1].value_TC, known_TC=known_TC)
    without = panels[1].value_TC.copy()
    without[220] = np.nan
    one, other = (
        level_of([panels[0], each, *panels[2:]]) for each in (late, unit(without))
    )
    np.testing.assert_array_equal(one.median_TC[220], other.median_TC[220])


def test_unit_that_joins_later_counts_from_the_day_its_scale_is_known() -> None:
    panels = fleet(LEAST_PEERS)
    joining = unit(fleet(1, days=200, seed=3)[0].value_TC + 500, first=FIRST + 100)
    plain, joined = level_of(panels), level_of([*panels, joining])
    same = joined.median_TC == plain.median_TC
    assert same[: 100 + 89].all()
    assert not same[100 + 89 :].all()


def test_level_survives_its_file() -> None:
    level = level_of(fleet())
    again = level_from_arrow(level_to_arrow(level))
    assert (again.points, again.first_day) == (level.points, level.first_day)
    np.testing.assert_array_equal(again.median_TC, level.median_TC)
    np.testing.assert_array_equal(again.ready_C, level.ready_C)
