"""Windows of the predecessor's format: their own days are all that is known."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from hvac.features.context import ContextSpec
from hvac.features.describe_predecessor import predecessor_table, predecessor_windows
from hvac.features.recent import RECENT_NAMES
from hvac.features.recipe import Recipe
from hvac.features.table import Windows, from_arrow, to_arrow
from hvac.panel.labels import LabelConfig
from hvac.panel.windows import WindowConfig
from hvac.readings.predecessor_csv import PREDECESSOR_IDS, PredecessorBatch

RECIPE = Recipe(
    class_name="all", points=("value",), windows=WindowConfig(by="point"), labels=LabelConfig(),
    context=ContextSpec(kinds=(), classes=()),
)  # fmt: skip


class AllTrain:
    """A splitter that learns from everything."""

    def assign(self, unit: object, days: object) -> list[str]:
        return ["train"]


def made(x_BL: np.ndarray) -> Windows:
    rows = len(x_BL)
    ids = {"facility_id": ["seed"] * rows, "equipment_id": [f"E{k}" for k in range(rows)],
           "point_id": ["value"] * rows, "end_date": [None] * rows}  # fmt: skip
    batch = PredecessorBatch(
        pa.table(ids, schema=PREDECESSOR_IDS), x_BL, np.zeros((rows, 3)), None, {}
    )
    windows, _ = predecessor_windows(
        predecessor_table(batch, first_row=0), RECIPE, AllTrain()
    )  # type: ignore[arg-type]
    return windows


def test_summaries_are_of_the_days_that_were_read() -> None:
    x_BL = np.random.default_rng(0).normal(20, 1, (4, 90))
    x_BL[1, -3:] = np.nan
    found = made(x_BL)
    assert found.n_BCS is not None
    assert found.n_BCS.shape == (4, 1, len(RECENT_NAMES))
    names = dict(zip(RECENT_NAMES, found.n_BCS[:, 0].T, strict=True))
    np.testing.assert_allclose(
        names["mean_3d"][[0, 2, 3]], x_BL[[0, 2, 3], -3:].mean(axis=1), rtol=1e-5
    )
    assert np.isnan(names["mean_3d"][1])
    np.testing.assert_allclose(names["mean_90d"], np.nanmean(x_BL, axis=1), rtol=1e-5)
    np.testing.assert_allclose(names["last"][1], x_BL[1, -4], rtol=1e-5)
    np.testing.assert_array_equal(found.r_BCS, found.n_BCS)


def test_peers_and_residuals_are_unknown_and_every_label_weighs_one() -> None:
    found = made(np.random.default_rng(1).normal(20, 1, (3, 90)))
    for array in (found.d_BCS, found.e_BCS):
        assert array is not None
        assert array.shape == (3, 1, len(RECENT_NAMES))
        assert np.isnan(array).all()
    assert (found.weights == 1).all()


def test_windows_have_the_columns_of_every_other_table_and_survive_it() -> None:
    found = made(np.random.default_rng(2).normal(20, 1, (3, 90)))
    table = to_arrow(found)
    assert {
        "recent",
        "raw",
        "peers",
        "residuals",
        "context",
        "features",
        "values",
    } <= set(table.column_names)
    np.testing.assert_array_equal(from_arrow(table, points=1).n_BCS, found.n_BCS)
