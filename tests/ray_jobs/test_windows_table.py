"""The featurized table: weights of labels are read and counted, and need not be there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hvac.features.context import ContextSpec
from hvac.features.recipe import Recipe
from hvac.features.table import Windows, to_arrow
from hvac.features.window_counts import total_counts
from hvac.panel.labels import LabelConfig
from hvac.panel.windows import WindowConfig
from hvac.report.closing_summary import effective_lines
from hvac.storage import write_parquet
from ray_jobs.tables.windows_table import read_windows, split_counts
from tests.features.test_table import windows

SPLITS = ("train", "tune", "cal", "test")
RECIPE = Recipe(
    class_name="ahu", points=("a", "b", "c"), windows=WindowConfig(), labels=LabelConfig(),
    context=ContextSpec(kinds=(), classes=("ahu",)),
)  # fmt: skip


def table_of(folder: Path, w_BH: np.ndarray | None) -> Windows:
    """60 windows in two parts, all labels known; every sixth window is positive."""
    made = windows(60)
    shape = (60, 3)
    y_BH = np.broadcast_to((np.arange(60) % 6 == 0)[:, None], shape).copy()
    made = replace(made, y_BH=y_BH, known_BH=np.ones(shape, bool), w_BH=w_BH)
    for number, rows in enumerate((np.arange(25), np.arange(25, 60))):
        write_parquet(
            to_arrow(made.take(rows)), folder / "class=ahu" / f"part-{number}.parquet"
        )
    return made


def test_weights_are_read_beside_the_labels(tmp_path: Path) -> None:
    made = table_of(tmp_path, np.linspace(1, 3, 180, dtype=np.float32).reshape(60, 3))
    read = read_windows(tmp_path, RECIPE, SPLITS)
    stored = np.array([split in SPLITS for split in made.column("split")])
    assert sorted(read.weights.ravel()) == sorted(made.weights[stored].ravel())


def test_table_of_before_has_no_weights_and_counts_each_label_once(
    tmp_path: Path,
) -> None:
    table_of(tmp_path, None)
    read = read_windows(tmp_path, RECIPE, ("train",))
    assert read.w_BH is None
    assert (read.weights == 1).all()
    counts = split_counts(tmp_path, RECIPE)["train"]
    assert (
        counts["known"]
        == counts["effective"]["known"]
        == dict.fromkeys(("30", "60", "90"), 12)
    )


def test_equal_weights_of_any_size_lose_no_label(tmp_path: Path) -> None:
    table_of(tmp_path, np.full((60, 3), 2.5, np.float32))
    counts = split_counts(tmp_path, RECIPE)
    for part in counts.values():
        assert part["effective"]["known"] == pytest.approx(part["known"])
    facts = total_counts([counts, counts])
    assert facts["train"]["windows"] == 24
    assert facts["train"]["effective"]["known"] == pytest.approx(
        {"30": 24, "60": 24, "90": 24}
    )
    assert effective_lines(facts["train"]) == []


def test_effective_numbers_are_kishs_and_base_rates_are_weighted(
    tmp_path: Path,
) -> None:
    w_BH = np.ones((60, 3), np.float32)
    w_BH[0] = 5  # a positive of train
    table_of(tmp_path, w_BH)
    counts = split_counts(tmp_path, RECIPE)
    assert counts["train"]["known"]["30"] == 12
    assert counts["train"]["positives"]["30"] == 2
    assert counts["train"]["effective"]["known"]["30"] == pytest.approx(
        16**2 / (11 + 25)
    )
    assert counts["train"]["effective"]["positives"]["30"] == pytest.approx(6**2 / 26)
    facts = total_counts([counts])
    assert facts["train"]["base_rate"]["30"] == pytest.approx(6 / 16)
    assert facts["test"]["base_rate"]["30"] == pytest.approx(
        facts["test"]["positives"]["30"] / 12
    )
    assert effective_lines(facts["train"]) == [
        "        as many as, unweighted: 30 d 7 (1 positive), 60 d 7 (1 positive), 90 d 7 (1 positive)"
    ]


def test_facts_of_a_table_of_before_count_each_label_once() -> None:
    row = {"windows": 10, "units": 2, "known": {"30": 10}, "positives": {"30": 3}}
    facts = total_counts([{"train": row}])["train"]
    assert (facts["base_rate"]["30"], facts["effective"]["positives"]["30"]) == (0.3, 3)
