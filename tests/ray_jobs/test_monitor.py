"""The step of the monitors: what it writes, when it is skipped, what it finds, and how it waits."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from hvac.days import EPOCH
from hvac.errors import HvacError
from hvac.monitor.alerts import ALERTS, alert_sentence
from hvac.panel.grid import Unit
from hvac.panel.registry import Registry
from hvac.storage import place
from ray_jobs import monitor
from ray_jobs.run.run_config import RunConfig

READ = ("bundles", "panel", "peers", "scores", "steps")


@pytest.fixture
def workspace(
    finished: tuple[RunConfig, Path], tmp_path: Path
) -> Callable[..., RunConfig]:
    """A copy of what the monitors read of the finished run."""

    def make(**settings: object) -> RunConfig:
        config, source = finished
        for name in READ:
            if not (tmp_path / name).exists():
                shutil.copytree(source / name, tmp_path / name)
        shutil.copy(source / "predictions.parquet", tmp_path)
        return config.replace(workspace=str(tmp_path), monitor=settings)

    return make


def summary_of(config: RunConfig) -> dict[str, Any]:
    text = (Path(str(config.workspace)) / "monitor" / "summary.json").read_text()
    found: dict[str, Any] = json.loads(text)
    return found


def alerts_of(config: RunConfig) -> pa.Table:
    return pq.read_table(Path(str(config.workspace)) / "monitor" / "alerts.parquet")


def day_number(day: dt.date) -> int:
    return (day - EPOCH).days


def test_it_writes_alerts_and_a_summary_and_is_skipped_the_second_time(
    workspace: Callable[..., RunConfig],
) -> None:
    config = workspace()
    record = monitor.run(config)
    assert not record.skipped
    assert set(record.alerts) == {"data", "inputs", "scores", "calibration"}
    table, summary = alerts_of(config), summary_of(config)
    assert table.schema.equals(ALERTS)
    assert summary["since"] > summary["reference_from"]
    for name, facts in summary["monitors"].items():
        raised = pc.and_(table["alert"], pc.equal(table["monitor"], name))
        assert facts["alerts"] == pc.sum(raised).as_py()
        assert facts["waits"] or facts["charts"]
    for row in table.to_pylist():
        if row["alert"]:
            assert alert_sentence(row, "en") != alert_sentence(row, "ja")
    assert monitor.run(config).skipped
    assert not monitor.run(config.replace(monitor={"alerts_per_year": 2.0})).skipped


def test_it_makes_the_same_bytes_again(workspace: Callable[..., RunConfig]) -> None:
    config = workspace()
    monitor.run(config)
    before = alerts_of(config)
    (Path(str(config.workspace)) / "steps" / "monitor.json").unlink()
    assert not monitor.run(config).skipped
    assert alerts_of(config).equals(before)


def test_a_swapped_sensor_in_the_panel_is_named(
    workspace: Callable[..., RunConfig],
) -> None:
    config = workspace(monitors=["inputs"])
    folder = Path(str(config.workspace)) / "panel" / "readings"
    part = sorted(folder.rglob("part-*.parquet"))[0]
    table = pq.read_table(part)
    unit, point = (table[name][0].as_py() for name in ("equipment_id", "point_id"))
    last = pc.max(table["date"]).as_py()
    days = pc.days_between(
        table["date"], pa.scalar(last, table.schema.field("date").type)
    )
    moved = pc.and_(
        pc.and_(
            pc.equal(table["equipment_id"], unit), pc.equal(table["point_id"], point)
        ),
        pc.less(days, 60),
    )
    value = table["value"].to_numpy()
    shifted = np.where(moved.to_numpy(), value + 40 * np.nanstd(value), value)
    column = table.column_names.index("value")
    pq.write_table(table.set_column(column, "value", pa.array(shifted)), part)
    monitor.run(config)
    rows = [row for row in alerts_of(config).to_pylist() if row["alert"]]
    named = [
        row for row in rows if (row["equipment_id"], row["point_id"]) == (unit, point)
    ]
    assert "jump" in {row["kind"] for row in named}
    inputs = summary_of(config)["monitors"]["inputs"]
    assert inputs["explained"] == sum(row["cause"] is not None for row in rows)
    onsets = Registry.load(place(str(folder.parent))).unit_events
    for row in rows:
        machine = Unit(row["facility_id"], row["equipment_id"])
        of_machine = onsets.get(machine)
        began = of_machine.of_kinds(("failure",)).start_N.tolist() if of_machine else []
        first, until = (day_number(row[name]) for name in ("since", "day"))
        near = [day for day in began if first - 7 <= day <= until + 90]
        assert (row["cause"] == "event") == bool(near)
        if row["cause"] == "event":
            assert day_number(row["cause_day"]) == min(near)
    since = [row["since"] for row in named if row["kind"] == "jump"]
    assert min(abs((last - day).days - 60) for day in since) <= 7


def test_a_record_too_short_for_a_reference_waits_in_one_sentence(
    workspace: Callable[..., RunConfig],
) -> None:
    config = workspace(reference_weeks=200, monitors=["scores", "inputs"])
    since = summary_of_run(config)["since"]
    config = workspace(since="2021-05-01", monitors=["inputs", "data"])
    record = monitor.run(config)
    assert since
    assert set(record.waiting) == {"inputs", "data"}
    assert "monitor.since" in record.waiting["inputs"]
    waits = summary_of(config)["monitors"]["inputs"]["waits"]
    assert waits["en"] == record.waiting["inputs"]
    assert "基準期間" in waits["ja"]
    assert record.alerts == {"inputs": 0, "data": 0}


def summary_of_run(config: RunConfig) -> dict[str, object]:
    record = monitor.run(config)
    assert "200 are needed" in record.waiting["scores"]
    return summary_of(config)


def test_without_matured_labels_calibration_says_when_the_first_matures(
    workspace: Callable[..., RunConfig],
) -> None:
    config = workspace(monitors=["calibration"])
    folder = Path(str(config.workspace))
    predictions = pq.read_table(folder / "predictions.parquet")
    others = predictions.filter(pc.not_equal(predictions["split"], "test"))
    pq.write_table(others, folder / "predictions.parquet")
    shutil.rmtree(folder / "scores" / "history")
    record = monitor.run(config)
    assert "matures on" in record.waiting["calibration"]


def test_what_visits_found_counts_for_calibration(
    workspace: Callable[..., RunConfig], tmp_path: Path
) -> None:
    config = workspace(monitors=["calibration"])
    monitor.run(config)
    before = summary_of(config)["monitors"]["calibration"]["charts"]
    predictions = pq.read_table(tmp_path / "predictions.parquet").to_pylist()
    calm = [row for row in predictions if row["split"] == "test" and not row["label"]]
    lines = ["facility_id,equipment_id,code,date"]
    for row in calm:
        day = row["end_date"] + dt.timedelta(days=1)
        lines.append(f"{row['facility_id']},{row['equipment_id']},hit,{day}")
    file = tmp_path / "outcomes.csv"
    file.write_text("\n".join(dict.fromkeys(lines)))
    told = config.model_copy(update={"outcomes": str(file)})
    assert not monitor.run(told).skipped
    after = summary_of(config)["monitors"]["calibration"]["charts"]
    for horizon, facts in before.items():
        assert after[horizon]["bets"] == facts["bets"]
        assert after[horizon]["observed"] > facts["observed"]
    assert monitor.run(told).skipped


def test_fault_that_a_visit_found_explains_an_alert(
    workspace: Callable[..., RunConfig], tmp_path: Path
) -> None:
    config = workspace(monitors=["inputs"], alerts_per_year=50.0)
    monitor.run(config)
    rows = [row for row in alerts_of(config).to_pylist() if row["alert"]]
    unknown = next(row for row in rows if row["cause"] != "event")
    line = f"{unknown['facility_id']},{unknown['equipment_id']},hit,{unknown['day']}"
    file = tmp_path / "outcomes.csv"
    file.write_text(f"facility_id,equipment_id,code,date\n{line}\n")
    monitor.run(config.model_copy(update={"outcomes": str(file)}))
    told = [row for row in alerts_of(config).to_pylist() if row["alert"]]
    columns = ("equipment_id", "point_id", "kind", "day")
    again = next(
        row for row in told if all(row[name] == unknown[name] for name in columns)
    )
    assert (again["cause"], again["cause_day"]) == ("visit", unknown["day"])
    assert "a visit found a fault" in alert_sentence(again, "en")


def test_a_workspace_without_kept_scores_waits(
    workspace: Callable[..., RunConfig],
) -> None:
    config = workspace(monitors=["scores", "calibration"])
    folder = Path(str(config.workspace))
    (folder / "predictions.parquet").unlink()
    shutil.rmtree(folder / "scores" / "history")
    record = monitor.run(config)
    assert set(record.waiting) == {"scores", "calibration"}


def test_a_first_watched_day_before_the_record_waits(
    workspace: Callable[..., RunConfig],
) -> None:
    record = monitor.run(workspace(since="1970-01-01", monitors=["inputs", "data"]))
    assert set(record.waiting) == {"inputs", "data"}


def test_it_needs_scores(workspace: Callable[..., RunConfig]) -> None:
    config = workspace()
    (Path(str(config.workspace)) / "steps" / "score.json").unlink()
    with pytest.raises(HvacError, match="step 'score' has not been run"):
        monitor.run(config)


def test_the_weekly_run_looks_at_a_week_once(
    workspace: Callable[..., RunConfig],
) -> None:
    config = workspace(monitors=["data"])
    assert monitor.run_weekly(config) is not None
    assert monitor.run_weekly(config) is None
