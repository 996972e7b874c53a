"""Day after day: only what has changed is read and scored, late readings change what was said, and nothing else."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest

from hvac.errors import HvacError, InputError
from hvac.features.peers import level_from_arrow
from ray_jobs import daily, score
from ray_jobs.run.run_config import RunConfig
from ray_jobs.tables import joined_files
from tests.ray_jobs.conftest import SMALL

DAYS = 7


class Plant:
    """A trained workspace and the folder that readings arrive in."""

    def __init__(self, folder: Path, readings: pa.Table) -> None:
        self.folder, self.readings = folder, readings
        self.last: dt.date = pc.max(readings["date"]).as_py()
        self.facilities = sorted(set(readings["facility_id"].to_pylist()))

    @property
    def workspace(self) -> Path:
        return self.folder / "run"

    def config(self, **changes: object) -> RunConfig:
        source = {"readings": str(self.folder / "in"), "events": str(self.folder / "events.parquet"),
                  "equipment": str(self.folder / "equipment.parquet")}  # fmt: skip
        settings = {
            **SMALL,
            "source": source,
            "workspace": self.workspace,
            "score": {"days": DAYS},
            **changes,
        }
        settings.pop("simulate")
        return RunConfig(**settings)

    def arrive(self, name: str, rows: pa.Table) -> None:
        (self.folder / "in").mkdir(exist_ok=True)
        pq.write_table(rows, self.folder / "in" / f"{name}.parquet")

    def before(self, day: dt.date) -> pa.Table:
        return self.readings.filter(pc.less(self.readings["date"], day))

    def on(self, day: dt.date, facility: str) -> pa.Table:
        of = pc.equal(self.readings["facility_id"], facility)
        return self.readings.filter(pc.and_(pc.equal(self.readings["date"], day), of))

    def stamps(self) -> dict[str, int]:
        """When every file of scores was written."""
        files = sorted((self.workspace / "scores").rglob("*.*"))
        return {
            str(f.relative_to(self.workspace / "scores")): f.stat().st_mtime_ns
            for f in files
        }

    def history(self) -> pa.Table:
        found = pads.dataset(
            self.workspace / "scores" / "history", partitioning=None
        ).to_table()
        return found.sort_by(
            [
                (n, "ascending")
                for n in ("facility_id", "equipment_id", "end_date", "horizon")
            ]
        )


@pytest.fixture(scope="module")
def trained(
    finished: tuple[RunConfig, Path], tmp_path_factory: pytest.TempPathFactory
) -> Plant:
    """The finished run's bundles; all readings but those of the last day have arrived, and were scored."""
    folder = tmp_path_factory.mktemp("plant")
    for name in ("bundles", "windows"):
        shutil.copytree(finished[1] / name, folder / "run" / name)
    (folder / "run" / "steps").mkdir()
    shutil.copy(finished[1] / "steps" / "train.json", folder / "run" / "steps")
    for name in ("events", "equipment"):
        shutil.copy(finished[1] / "source" / f"{name}.parquet", folder)
    plant = Plant(folder, pads.dataset(finished[1] / "source" / "readings").to_table())
    plant.arrive("past", plant.before(plant.last))
    told = daily.run(plant.config())
    assert told["files_read"] == 1
    assert told["buckets_scored"] == 4
    return plant


@pytest.fixture(scope="module")
def kept(trained: Plant, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the trained plant as it was."""
    folder = tmp_path_factory.mktemp("kept") / "plant"
    shutil.copytree(trained.folder, folder)
    return folder


@pytest.fixture
def plant(trained: Plant, kept: Path) -> Iterator[Plant]:
    """The trained plant, put back afterwards."""
    yield trained
    shutil.rmtree(trained.folder)
    shutil.copytree(kept, trained.folder)


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[[Plant], Plant]:
    """The same readings, events and bundles in a workspace that never saw a day before."""

    def make(plant: Plant) -> Plant:
        folder = tmp_path / "fresh"
        shutil.copytree(plant.folder, folder)
        for name in ("scores", "panel", "state", "peers"):
            shutil.rmtree(folder / "run" / name)
        for name in ("ingest", "score"):
            (folder / "run" / "steps" / f"{name}.json").unlink()
        return Plant(folder, plant.readings)

    return make


def alarmed(plant: Plant) -> set[str]:
    rows = pq.read_table(plant.folder / "run" / "latest.parquet").to_pylist()
    return {
        f"{row['facility_id']} {row['equipment_id']}"
        for row in rows
        if row["alarm"] and not row["needs_look"]
    }


def changed(before: dict[str, int], after: dict[str, int]) -> set[str]:
    return {name for name in after if before.get(name) != after[name]}


def test_second_run_of_a_day_reads_and_scores_nothing(plant: Plant) -> None:
    before = plant.stamps()
    told = daily.run(plant.config())
    assert (told["files_read"], told["buckets_scored"]) == (0, 0)
    assert (told["alarms_began"], told["alarms_ended"]) == (0, 0)
    assert changed(before, plant.stamps()) == set()


def test_run_after_a_killed_one_tells_what_both_changed(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    latest = plant.folder / "run" / "latest.parquet"
    rows = pq.read_table(latest)
    place = rows.column_names.index("alarm")
    calm = pa.array([False] * len(rows))
    pq.write_table(rows.set_column(place, "alarm", calm), latest)
    plant.arrive("new", plant.on(plant.last, plant.facilities[0]))
    with monkeypatch.context() as killed:
        killed.setattr(daily, "alarm_changes", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            daily.run(plant.config())
    assert alarmed(plant)
    told = daily.run(plant.config())
    assert told["alarms_began"] == len(alarmed(plant))
    assert daily.run(plant.config())["alarms_began"] == 0


def test_record_that_lost_its_files_is_not_published_however_often_it_runs(
    plant: Plant,
) -> None:
    latest = plant.folder / "run" / "latest.parquet"
    before = latest.read_bytes()
    only_new = plant.folder / "only_new"
    only_new.mkdir()
    day = plant.readings.filter(pc.equal(plant.readings["date"], plant.last))
    pq.write_table(day, only_new / "new.parquet")
    config = plant.config()
    assert config.source is not None
    source = config.source.model_copy(update={"readings": str(only_new)})
    config = config.model_copy(update={"source": source})
    for _ in range(2):
        with pytest.raises(
            InputError, match=r"had .* files that were read before are not"
        ):
            daily.run(config)
    assert latest.read_bytes() == before
    assert daily.run(plant.config())["alarms_began"] == 0
    (plant.folder / "run" / "published.json").unlink()
    assert daily.run(config)["last_date"] == str(plant.last)


def test_new_day_of_one_facility_touches_its_parts_only_and_gives_what_a_fresh_run_gives(
    plant: Plant, fresh: Callable[[Plant], Plant]
) -> None:
    first, second = plant.facilities
    before = plant.stamps()
    alarmed_before = alarmed(plant)
    plant.arrive("new", plant.on(plant.last, first))
    told = daily.run(plant.config())
    assert told["alarms_began"] == len(alarmed(plant) - alarmed_before)
    assert told["alarms_ended"] == len(alarmed_before - alarmed(plant))
    assert (told["files_read"], told["buckets_scored"], told["last_date"]) == (
        1,
        2,
        str(plant.last),
    )
    touched = changed(before, plant.stamps())
    assert touched
    assert not [name for name in touched if second in name]
    days = {name.split("end_date=")[1][:10] for name in touched if "history" in name}
    assert days == {str(plant.last)}  # what was said of the days before stays as it was
    other = fresh(plant)
    daily.run(other.config())
    assert pq.read_table(other.workspace / "latest.parquet").equals(
        pq.read_table(plant.workspace / "latest.parquet")
    )


def test_days_with_late_and_corrected_readings_and_damaged_states_give_what_a_fresh_run_gives(
    plant: Plant, fresh: Callable[[Plant], Plant]
) -> None:
    """After every day a state is lost in another way: cut off, gone, without its mark, of another version."""
    both = pa.concat_tables(plant.on(plant.last, name) for name in plant.facilities)
    unit = both["equipment_id"][0].as_py()
    of_unit = pc.equal(both["equipment_id"], unit)
    days = {
        "new": both.filter(pc.invert(of_unit)),
        "new_rest": both.filter(of_unit),
        "past_corrected": corrected(
            plant.on(plant.last - dt.timedelta(days=3), plant.facilities[0])
        ),
        "past_old": corrected(
            plant.on(plant.last - dt.timedelta(days=150), plant.facilities[1])
        ),
    }
    for number, (name, rows) in enumerate(days.items()):
        plant.arrive(name, rows)
        assert daily.run(plant.config())["files_read"] == 1
        damage(plant.workspace / "state", number)
    daily.run(plant.config(score={"days": DAYS, "again": True}))
    other = fresh(plant)
    daily.run(other.config())
    mine, theirs = (
        pq.read_table(each.workspace / "latest.parquet") for each in (plant, other)
    )
    assert mine.drop_columns(["risk"]).equals(theirs.drop_columns(["risk"]))
    np.testing.assert_allclose(mine["risk"], theirs["risk"], rtol=0, atol=1e-6)


def corrected(rows: pa.Table) -> pa.Table:
    place = rows.column_names.index("value")
    return rows.set_column(place, "value", pc.add(rows["value"], 1.5))


def damage(folder: Path, number: int) -> None:
    file = sorted(folder.glob("*.arrow"))[number]
    mark = file.with_suffix(".json")
    if number == 0:
        file.write_bytes(file.read_bytes()[:1000])
    elif number == 1:
        file.unlink()
    elif number == 2:
        mark.unlink()
    else:
        mark.write_text("{", encoding="utf-8")


def test_late_reading_changes_what_is_said_from_its_day_on_of_its_unit_alone(
    plant: Plant,
) -> None:
    before = plant.history()
    day = plant.last - dt.timedelta(days=3)
    row = plant.on(day, plant.facilities[1]).slice(0, 1)
    unit, point = row["equipment_id"][0].as_py(), row["point_id"][0].as_py()
    high = row.set_column(
        row.column_names.index("value"), "value", pc.multiply(row["value"], 50.0)
    )
    plant.arrive(
        "past_late", high
    )  # of two files that differ, the later in the order of paths holds
    told = daily.run(plant.config())
    assert told["files_read"] == 1
    after = plant.history()
    assert before.num_rows == after.num_rows
    moved = pc.not_equal(before["risk"], after["risk"]).fill_null(False)
    rows = after.filter(moved).to_pylist()
    assert rows, point
    assert {(r["facility_id"], r["equipment_id"]) for r in rows} == {
        (plant.facilities[1], unit)
    }
    assert min(r["end_date"] for r in rows) >= day


def test_file_that_went_takes_its_readings_with_it(plant: Plant) -> None:
    before = pq.read_table(plant.workspace / "latest.parquet")
    plant.arrive("new", plant.on(plant.last, plant.facilities[0]))
    daily.run(plant.config())
    assert not pq.read_table(plant.workspace / "latest.parquet").equals(before)
    (plant.folder / "in" / "new.parquet").unlink()
    told = daily.run(plant.config())
    assert told["files_read"] == 0
    assert pq.read_table(plant.workspace / "latest.parquet").equals(before)


def test_one_facility_and_one_day_are_scored_alone(plant: Plant) -> None:
    before, day = plant.stamps(), plant.last - dt.timedelta(days=30)
    score.run(
        plant.config(
            score={"days": DAYS, "facilities": [plant.facilities[0]], "day": day}
        )
    )
    touched = changed(before, plant.stamps())
    assert {name.rpartition("/")[0] for name in touched} == {
        f"history/facility_id={plant.facilities[0]}/end_date={day}"
    }


def test_facility_without_readings_is_refused(plant: Plant) -> None:
    with pytest.raises(InputError, match="'nowhere'"):
        score.run(plant.config(score={"facilities": ["nowhere"]}))


def test_untrained_workspace_is_refused_before_anything_is_read(plant: Plant) -> None:
    (plant.workspace / "steps" / "train.json").unlink()
    with pytest.raises(HvacError, match="step 'train' has not been run"):
        daily.run(plant.config())


def test_class_without_a_bundle_is_named_and_the_others_are_scored(
    plant: Plant, caplog: pytest.LogCaptureFixture
) -> None:
    equipment = pq.read_table(plant.folder / "equipment.parquet")
    rows = equipment.to_pylist()
    rows[0]["class"] = "boiler"
    pq.write_table(
        pa.Table.from_pylist(rows, schema=equipment.schema),
        plant.folder / "equipment.parquet",
    )
    told = daily.run(plant.config())
    assert "1 units of class 'boiler' are not scored" in caplog.text
    assert sum(told["units"].values()) == len(rows) - 1


def test_interrupted_ingest_leaves_nothing_that_is_read_twice(plant: Plant) -> None:
    before = pq.read_table(plant.workspace / "latest.parquet")
    part = next((plant.workspace / "panel" / "readings").rglob("part-*.parquet"))
    shutil.copy(
        part, part.with_name("part-0123456789abcdef01234567.parquet")
    )  # as a killed task leaves it
    (plant.workspace / "steps" / "ingest.json").unlink()
    (plant.workspace / "steps" / "score.json").unlink()
    daily.run(plant.config(score={"days": DAYS, "again": True}))
    assert pq.read_table(plant.workspace / "latest.parquet").equals(before)


def test_a_fleet_too_large_for_one_table_has_parts_and_the_first_of_the_ranking(
    plant: Plant, caplog: pytest.LogCaptureFixture
) -> None:
    whole = (
        (plant.workspace / "latest_ranking.csv")
        .read_text(encoding="utf-8-sig")
        .splitlines()
    )
    told = score.run(plant.config(score={"days": DAYS, "listed": 3, "again": True}))
    assert "score.listed" in caplog.text
    assert not (plant.workspace / "latest.parquet").exists()
    first = (
        (plant.workspace / "latest_ranking.csv")
        .read_text(encoding="utf-8-sig")
        .splitlines()
    )
    assert first == whole[:4]
    parts = pads.dataset(plant.workspace / "scores" / "latest").to_table()
    equipment = set(
        zip(
            *(parts[n].to_pylist() for n in ("facility_id", "equipment_id")),
            strict=True,
        )
    )
    assert sum(told.units.values()) == len(equipment) == len(whole) - 1
    score.run(plant.config(score={"days": DAYS, "again": True}))
    assert (plant.workspace / "latest.parquet").exists()


def test_ingest_killed_while_it_joins_counts_every_reading_once(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The joined tables are there with the new file, and their mark is not yet."""
    first = plant.facilities[0]
    plant.arrive("new", plant.on(plant.last, first))
    write = joined_files.write_json

    def killed(path: Path, content: object) -> None:
        if path.name == "keys.json":
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(joined_files, "write_json", killed)
    with pytest.raises(KeyboardInterrupt):
        daily.run(plant.config())
    monkeypatch.undo()
    daily.run(plant.config())
    units = pq.read_table(plant.workspace / "panel" / "units.parquet")
    expected = plant.before(plant.last).num_rows + plant.on(plant.last, first).num_rows
    assert pc.sum(units["readings"]).as_py() == expected


def test_peers_are_of_today_though_states_were_left_behind(
    plant: Plant, fresh: Callable[[Plant], Plant]
) -> None:
    """Windows further back than states reach are scored from the record, and so are their peers."""
    for facility in plant.facilities:
        plant.arrive(f"new_{facility}", plant.on(plant.last, facility))
    far = {"score": {"days": 120}}
    daily.run(plant.config(**far))
    other = fresh(plant)
    daily.run(other.config(**far))
    levels = sorted((plant.workspace / "peers").rglob("*.parquet"))
    assert levels
    for path in levels:
        same = other.workspace / "peers" / path.relative_to(plant.workspace / "peers")
        one, two = (level_from_arrow(pq.read_table(each)) for each in (path, same))
        assert one.first_day == two.first_day
        np.testing.assert_array_equal(one.median_TC, two.median_TC, err_msg=str(path))
