"""The usual range of a point and its peers' median, as a chart draws them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hvac.features.peers import PeerLevel
from hvac.features.scene import Scene, UnitRecord, scenes
from hvac.panel.grid import Unit, panels
from hvac.scoring.usual_levels import usual_levels
from tests.models.models_example import recipe
from tests.panel.panel_example import readings, series

DAYS = 200


def scene() -> Scene:
    value_T = 20 + np.random.default_rng(0).normal(size=DAYS)
    (panel,) = panels(readings(series(value_T, point="p")), {Unit("F1", "E1"): ("p",)})
    return scenes(panel, recipe(("p",)), UnitRecord(class_name="ahu"))[0]


def test_the_usual_range_is_that_of_the_baseline_and_peers_are_in_the_points_unit() -> (
    None
):
    own = scene()
    first = own.panel.first_day
    level = PeerLevel(
        ("p",), first, np.full((DAYS, 1), 3, np.float32), np.zeros(1, np.int32)
    )
    known = replace(own, record=replace(own.record, peers=level))
    usual = usual_levels(known, recipe(("p",)), own.panel.last_day)["p"]
    assert usual.first_day == own.panel.last_day - 89
    assert len(usual.low_L) == len(usual.high_L) == len(usual.peers_L) == 90
    middle = (usual.low_L[0] + usual.high_L[0]) / 2
    spread = (usual.high_L[0] - usual.low_L[0]) / 4
    assert 19.5 < middle < 20.5
    assert 0.6 < spread < 1.5
    np.testing.assert_allclose(usual.peers_L, middle + 3 * spread, rtol=1e-5)


def test_without_peers_there_is_no_line_of_theirs() -> None:
    own = scene()
    usual = usual_levels(own, recipe(("p",)), own.panel.last_day)["p"]
    assert np.isnan(usual.peers_L).all()
    assert np.isfinite(usual.low_L).all()
