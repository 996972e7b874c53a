"""Networks cross-fitted: fits made elsewhere are taken, and equal those made in this process."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from hvac.features.table import Windows
from hvac.models.families import (
    config_of,
    cross_fit,
    folds_of,
    network_fits,
    read_family,
)
from hvac.models.family import Fitting, no_encoder
from hvac.models.fit_rows import count
from hvac.models.fitting import FitState, fit_network
from hvac.models.members import MEMBERS
from hvac.models.network import NetworkModel
from hvac.models.network_inputs import network_parts
from tests.models.models_example import windows

HYBRID: dict[str, Any] = {"family": "hybrid", "epochs": 2, "most_inputs": 20}
CONFIGS = {
    "hybrid": HYBRID,
    "fusion": {
        "family": "fusion",
        "folds": 2,
        "blocks": {
            "trees": {"family": "gbdt_context", "trees": 5, "min_leaf": 10},
            "neural": HYBRID,
            "other": HYBRID | {"inputs": ("features",), "most_inputs": None},
        },
    },
}


def labelled(rows: int = 200) -> Windows:
    """Windows of 20 units: most train, some tune, some calibrate."""
    made = windows(rows, seed=1)
    part = {1: "tune", 2: "cal"}
    split = [part.get(k % 20 % 5, "train") for k in range(rows)]
    place = made.keys.column_names.index("split")
    return replace(
        made, keys=made.keys.set_column(place, "split", pa.array(split, pa.string()))
    )


def states_of(made: Windows, config: Any) -> dict[str, FitState]:
    """What a worker of Ray Train fits, by the names of `network_fits`."""
    states = {}
    for fit in network_fits(config, folds=2):
        train, tune = network_parts(made, folds_of(made, config, 2), fit.fold)
        model = MEMBERS[fit.config.family].model.start(train, fit.config, no_encoder)
        states[fit.name] = fit_network(
            model.network,
            model.rows(train),
            model.rows(tune),
            fit.config,
            counts=count(train),
        )
    return states


@pytest.mark.parametrize("name", list(CONFIGS))
def test_cross_fit_of_states_fitted_elsewhere_equals_one_in_this_process(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, config = labelled(), read_family(CONFIGS[name])
    here = cross_fit(made, config, Fitting(no_encoder), folds=2)
    states = states_of(made, config)
    monkeypatch.setattr(NetworkModel, "fit", _refused)
    there = cross_fit(made, config, Fitting(no_encoder, states=states), folds=2)
    np.testing.assert_array_equal(there.score_BH, here.score_BH)
    np.testing.assert_array_equal(there.model.score(made), here.model.score(made))


def _refused(*_: Any) -> Any:
    raise AssertionError("every network was fitted elsewhere")


def test_every_network_of_a_fusion_has_a_fit_per_fold_and_one_of_all_units() -> None:
    names = [fit.name for fit in network_fits(read_family(CONFIGS["fusion"]), folds=9)]
    assert names == [
        "neural#0",
        "neural#1",
        "neural#all",
        "other#0",
        "other#1",
        "other#all",
    ]
    assert network_fits(config_of("gbdt_28"), folds=3) == []


def test_fit_of_a_fold_sees_nothing_of_its_units_and_nothing_that_calibrates() -> None:
    made = labelled()
    folds = folds_of(made, config_of("hybrid"), 3)
    for number, (_, own_B) in enumerate(folds.parts):
        train, tune = network_parts(made, folds, number)
        assert not set(made.units[own_B]) & {*train.units, *tune.units}
        assert (set(train.column("split")), set(tune.column("split"))) == (
            {"train"},
            {"tune"},
        )
    train, tune = network_parts(made, folds, None)
    assert len(train) + len(tune) == int((made.column("split") != "cal").sum())
