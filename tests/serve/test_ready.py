"""Ready windows of a bulk request: columns that are given are taken, those that are not are made or unknown."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from hvac.errors import InputError
from hvac.features.context import ContextSpec
from hvac.features.describing import describe
from hvac.features.recent import RECENT_NAMES, recent_of_windows
from hvac.features.recipe import Recipe
from hvac.features.scene import UnitRecord, scenes
from hvac.features.table import Windows, to_arrow
from hvac.panel.grid import Unit, panels
from hvac.panel.labels import LabelConfig
from hvac.panel.windows import WindowConfig
from serve.bodies.bulk import ARROW, read_bulk_windows
from serve.graph.ready import SUMMARIES, ready_windows
from serve.settings import Limits
from tests.panel.panel_example import readings, series

POINTS = ("p", "q")
WIDTH = len(POINTS) * len(RECENT_NAMES)
RECIPE = Recipe(
    class_name="ahu", points=POINTS, windows=WindowConfig(), labels=LabelConfig(),
    context=ContextSpec(kinds=("failure",), classes=("ahu",)),
)  # fmt: skip
needing = SimpleNamespace(
    config=SimpleNamespace(needs=("recent", "raw", "peers", "residuals", "context"))
)
BUNDLE: Any = SimpleNamespace(
    recipe=RECIPE, model=needing, needs=needing.config.needs, encoder=None
)


@pytest.fixture(scope="module")
def windows() -> Windows:
    """Two windows of a unit without gaps, as featurize describes them."""
    rng = np.random.default_rng(0)
    rows = [
        row for point in POINTS for row in series(rng.normal(20, 1, 200), point=point)
    ]
    (panel,) = panels(
        readings([row | {"equipment_id": "E"} for row in rows]),
        {Unit("F1", "E"): POINTS},
    )
    (scene,) = scenes(panel, RECIPE, UnitRecord(class_name="ahu"))
    return describe(
        scene, np.array([panel.last_day - 7, panel.last_day], np.int32), RECIPE
    )


def sent(table: pa.Table) -> pa.Table:
    """A table as the service reads it."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return read_bulk_windows(sink.getvalue().to_pybytes(), ARROW, Limits())


def test_every_column_of_the_featurized_table_arrives_as_it_was(
    windows: Windows,
) -> None:
    found = ready_windows(BUNDLE, sent(to_arrow(windows)))
    for name in ("x_BCL", "k_BK", "n_BCS", "r_BCS", "d_BCS", "e_BCS"):
        np.testing.assert_array_equal(getattr(found, name), getattr(windows, name))
    assert np.isfinite(found.e_BCS).any()
    assert np.isnan(found.d_BCS).all()


def test_recent_is_made_from_the_values_and_the_others_are_unknown_where_absent(
    windows: Windows,
) -> None:
    table = to_arrow(windows).drop_columns([*SUMMARIES, "context"])
    found = ready_windows(BUNDLE, sent(table))
    np.testing.assert_allclose(found.n_BCS, windows.n_BCS, atol=1e-5)
    for name in ("r_BCS", "d_BCS", "e_BCS", "k_BK"):
        assert np.isnan(getattr(found, name)).all()
        assert getattr(found, name).shape == getattr(windows, name).shape


def test_recent_of_a_window_depends_on_no_other(windows: Windows) -> None:
    x_BCL = np.asarray(windows.x_BCL)
    np.testing.assert_array_equal(
        recent_of_windows(x_BCL)[1:], recent_of_windows(x_BCL[1:])
    )
    assert recent_of_windows(x_BCL[:0]).shape == (0, len(POINTS), len(RECENT_NAMES))


def table_with(name: str, column: Any) -> pa.Table:
    values = [np.zeros(180).tolist()]
    keys = {
        "facility_id": ["F1"],
        "equipment_id": ["E"],
        "class": ["ahu"],
        "end_date": [dt.date(2024, 1, 1)],
    }
    return pa.table({**keys, "values": values, name: column})


@pytest.mark.parametrize("name", SUMMARIES)
@pytest.mark.parametrize(
    ("column", "words"),
    [
        ([[0.0] * (WIDTH - 1)], f"{WIDTH} values per row, found {WIDTH - 1} in row 0"),
        (
            pa.array([None], pa.list_(pa.float64())),
            f"{WIDTH} values per row, found 0 in row 0",
        ),
        ([[float("inf")] * WIDTH], "infinite ones in row 0"),
        ([[1e300] * WIDTH], "infinite ones in row 0"),
        (["text"], "a list of numbers per row"),
        ([0.5], "a list of numbers per row"),
    ],
)
def test_wrong_summaries_are_refused_with_a_sentence(
    name: str, column: Any, words: str
) -> None:
    with pytest.raises(InputError, match=f"^{name}: ") as told:
        ready_windows(BUNDLE, sent(table_with(name, column)))
    assert words in str(told.value)


@pytest.mark.parametrize("name", SUMMARIES)
def test_nulls_and_whole_numbers_among_summaries_are_read(name: str) -> None:
    attribute = {
        "recent": "n_BCS",
        "raw": "r_BCS",
        "peers": "d_BCS",
        "residuals": "e_BCS",
    }[name]
    found = getattr(
        ready_windows(BUNDLE, sent(table_with(name, [[None] + [1] * (WIDTH - 1)]))),
        attribute,
    )
    assert np.isnan(found[0, 0, 0])
    assert (found.ravel()[1:] == 1).all()


def test_column_that_is_there_twice_is_refused(windows: Windows) -> None:
    table = to_arrow(replace(windows, k_BK=None))
    with pytest.raises(InputError, match="peers 2 times"):
        sent(table.append_column("peers", table["peers"]))
