"""Ingest tells what it guessed and counts what files tell twice; panels hold it once and in the order of the clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from hvac.errors import InputError
from hvac.panel.grid import Panel
from hvac.panel.registry import Registry
from ray_jobs import ingest
from ray_jobs.run.command import root_of
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import workspace_of
from ray_jobs.tables.buckets import bucket_panels

HEADER = "facility_id,equipment_id,point_id,date,value"
START = dt.date(2023, 12, 1)
Ingested = Callable[..., tuple[dict[str, Any], list[Panel]]]


@pytest.fixture
def ingested(
    ray: None, run_config: Callable[..., RunConfig], tmp_path: Path
) -> Ingested:
    def run(
        files: dict[str, Sequence[str]], *, encoding: str = "utf-8", **changes: Any
    ) -> Any:
        (tmp_path / "in").mkdir(exist_ok=True)
        for name, lines in files.items():
            (tmp_path / "in" / name).write_bytes(
                "\n".join([HEADER, *lines, ""]).encode(encoding)
            )
        windows = {"class": "all", "aggregate": changes.pop("aggregate", "mean")}
        source = {"readings": str(tmp_path / "in"), **changes}
        config = run_config(simulate=None, source=source, windows=windows, featurize={"buckets": 1},
                            workspace=tmp_path / "run")  # fmt: skip
        result = ingest.run(config)
        workspace = workspace_of(config)
        registry = Registry.load(workspace.panel)
        found: list[Panel] = []
        for bucket in result.buckets:
            panels, _ = bucket_panels(
                str(workspace.panel), bucket, registry.points, config.windows.aggregate
            )
            found += panels
        return result, found

    return run


def daily(first: int, last: int, *, value: float = 13.9) -> list[str]:
    return [
        f"F,e,p,{START + dt.timedelta(days=day)},{value + day}"
        for day in range(first, last)
    ]


def test_exports_that_overlap_by_a_month_give_the_sum_once(ingested: Ingested) -> None:
    result, (panel,) = ingested(
        {"2023.csv": daily(0, 62), "2024.csv": daily(31, 120)}, aggregate="sum"
    )
    assert panel.value_TC[:, 0].tolist() == pytest.approx(
        [13.9 + day for day in range(120)]
    )
    assert result.repeated_across_files == 31
    assert (
        "31 readings stand in several files alike: they count once" in result.warnings
    )


def test_later_file_holds_where_two_files_differ(ingested: Ingested) -> None:
    corrected = daily(31, 62, value=100.0)
    result, (panel,) = ingested(
        {"b.csv": corrected, "a.csv": daily(0, 62)}, aggregate="sum"
    )
    assert panel.value_TC[31:, 0].tolist() == pytest.approx(
        [100.0 + day for day in range(31, 62)]
    )
    assert result.replaced_by_later_files == 31
    assert any("the later file" in sentence for sentence in result.warnings)


def test_next_file_counts_only_the_buckets_that_it_changes(ingested: Ingested) -> None:
    first, _ = ingested({"a.csv": daily(0, 62), "b.csv": daily(31, 70)})
    again, _ = ingested({"c.csv": daily(60, 90)})
    assert first.repeated_across_files == 31
    assert again.repeated_across_files == 31 + 10


def test_files_of_days_one_after_the_other_are_not_looked_at(
    ingested: Ingested,
) -> None:
    result, _ = ingested({"a.csv": daily(0, 31), "b.csv": daily(31, 62)})
    assert result.warnings == []


@pytest.mark.parametrize("cut", [0, 30])
def test_last_of_a_day_is_the_last_by_the_clock_though_newest_comes_first(
    ingested: Ingested, cut: int
) -> None:
    stamps = [
        (START + dt.timedelta(days=day), hour)
        for day in range(20)
        for hour in (0, 8, 16)
    ]
    lines = [
        f"F,e,kwh,{day} {hour:02d}:00,{10 * i + 10}"
        for i, (day, hour) in enumerate(stamps)
    ][::-1]
    files = {"a.csv": lines[cut:], **({"b.csv": lines[: cut + 5]} if cut else {})}
    _, (panel,) = ingested(files, aggregate="last")
    assert panel.value_TC[:, 0].tolist() == [30.0 * day + 30 for day in range(20)]


def test_guess_of_an_encoding_and_a_separator_is_told(ingested: Ingested) -> None:
    lines = [line.replace("F,e", "本社,空調機") for line in daily(0, 5)]
    result, _ = ingested(
        {"a.csv": lines, "b.csv": [one.replace("p,", "q,") for one in lines]},
        encoding="cp932",
    )
    (sentence,) = result.warnings
    assert "a.csv, " in sentence
    assert "b.csv: read as cp932: a guess" in sentence


def test_units_and_words_are_told(ingested: Ingested) -> None:
    units, words = (
        [f"{line}℃" for line in daily(0, 5)],
        ["F,e,q,2023-12-01,良", "F,e,q,2023-12-02,否"],
    )
    result, (panel,) = ingested({"a.csv": units, "b.csv": words})
    assert (result.read_with_unit, result.read_as_word) == (5, 2)
    assert panel.value_TC[:2].tolist() == [[13.9, 1.0], [14.9, 0.0]]
    assert len(result.warnings) == 2


def test_refusal_inside_a_task_names_its_setting(ingested: Ingested) -> None:
    with pytest.raises(Exception) as caught:
        ingested({"a.csv": ["F,e,p,2023-12-01T16:30:00Z,1"]})
    told = root_of(caught.value)
    assert isinstance(told, InputError)
    assert "a.csv, column date: " in str(told)
    assert "set source.time_zone" in str(told)


def test_files_that_settings_make_one_machine_are_told_and_refused_where_they_contradict(
    ingested: Ingested,
) -> None:
    by_folder = {"path_pattern": r"(?P<facility_id>in)/[^/]+$"}
    parts = {"a.csv": daily(0, 60), "b.csv": daily(60, 120)}
    result, _ = ingested(parts, **by_folder)
    assert any("source.path_pattern" in warning for warning in result.warnings)
    parts["b.csv"] = daily(0, 60, value=70)
    with pytest.raises(
        InputError, match=r"differ for the same moment.*source\.path_pattern"
    ):
        ingested(parts, **by_folder)
