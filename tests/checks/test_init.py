"""`init` writes a run file for a user's own tables that `check` passes, with every guess marked."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from hvac.checks.column_names import OF_EVENTS, match_names
from hvac.simulate.fleet import simulate
from hvac.simulate.simulate_config import SimulateConfig
from ray_jobs import check, init
from ray_jobs.run.run_config import load_run
from tests.checks.tables_example import Tables
from tests.simulate.inspection_csv import write_inspection_csv

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run_init(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run the command: exit status, the file it wrote ('' for none), and its errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        out = tmp_path / "run.yaml"
        monkeypatch.setattr(sys, "argv", ["init", *arguments, f"--out={out}"])
        with pytest.raises(SystemExit) as stopped:
            init.main()
        text = out.read_text(encoding="utf-8") if out.exists() else ""
        printed = capsys.readouterr()
        return int(stopped.value.code or 0), text, printed.err

    return run


def passes(tmp_path: Path) -> bool:
    return not check.run(load_run(str(tmp_path / "run.yaml"))).found


def test_tables_of_our_names_need_no_mapping(run_init: Run, tmp_path: Path) -> None:
    tables = Tables().write(tmp_path)
    status, text, _ = run_init(
        str(tables.readings),
        f"--events={tables.events}",
        f"--equipment={tables.equipment}",
    )
    assert status == 0
    assert "columns" not in text
    assert "events: [failure]  # GUESS" in text
    assert passes(tmp_path)


def test_columns_of_other_names_are_mapped_and_marked(
    run_init: Run, tmp_path: Path
) -> None:
    tables = Tables()
    others = {
        "equipment_id": "machineID",
        "point_id": "sensor",
        "date": "datetime",
        "value": "reading",
    }
    tables.readings = tables.readings.rename(columns=others).drop(columns="facility_id")
    tables.readings["datetime"] += "T03:00:00Z"
    tables.events = tables.events.rename(
        columns={"equipment_id": "machineID", "kind": "failure", "start": "datetime"}
    ).drop(columns=["facility_id", "end"])
    tables.events["failure"] = ["comp1", "comp2", "comp1"] * 8
    source = tables.write(tmp_path)
    status, text, _ = run_init(str(source.readings), f"--events={source.events}")
    assert "equipment_id: machineID  # GUESS" in text
    assert "facility_id: site  # GUESS" in text
    assert "time_zone: " in text
    assert "comp1 (16), comp2 (8)" in text
    assert "class: all  # GUESS" in text
    assert status == 0, text
    assert passes(tmp_path)


def test_hint_on_a_column_that_cannot_be_guessed_gets_further(
    run_init: Run, tmp_path: Path
) -> None:
    """The other columns are guessed all the same, and the register's class goes by another name."""
    tables = Tables()
    tables.readings = tables.readings.drop(columns="class", errors="ignore")
    tables.events = tables.events.rename(
        columns={"start": "ereignis_am", "end": "repaired"}
    )
    tables.equipment = tables.equipment.rename(columns={"class": "type"})
    source = tables.write(tmp_path)
    given = (
        str(source.readings),
        f"--events={source.events}",
        f"--equipment={source.equipment}",
    )
    status, text, errors = run_init(*given)
    assert (status, text) == (2, "")
    assert "add source.columns.start=<column>" in " ".join(errors.split())
    status, text, errors = run_init(*given, "source.columns.start=ereignis_am")
    assert status == 0, text + errors
    assert "start: ereignis_am" in text
    assert "end: repaired  # GUESS" in text
    assert "class: type  # GUESS" in text
    assert passes(tmp_path)


@pytest.mark.parametrize("name", ["started", "begun", "occurred", "failed_on"])
def test_usual_names_of_the_start_of_an_event_are_known(name: str) -> None:
    assert match_names(["asset", "failure", name], OF_EVENTS)["start"] == name


def wide(tables: Tables) -> pd.DataFrame:
    names = tables.readings["equipment_id"] + "." + tables.readings["point_id"]
    return tables.readings.assign(column=names).pivot(
        index="date", columns="column", values="value"
    )


def test_wide_table_of_many_machines_gets_a_pattern(
    run_init: Run, tmp_path: Path
) -> None:
    tables = Tables()
    source = tables.write(tmp_path)
    wide(tables).to_csv(tmp_path / "bms.csv")
    status, text, _ = run_init(
        str(tmp_path / "bms.csv"),
        f"--events={source.events}",
        f"--equipment={source.equipment}",
        "source.facility_id=S1",
    )
    assert r"pattern: (?P<equipment_id>.+)\.(?P<point_id>.+)  # GUESS" in text
    assert status == 0, text
    assert passes(tmp_path)


def test_file_a_machine_in_a_folder_a_facility_gets_a_path_pattern(
    run_init: Run, tmp_path: Path
) -> None:
    tables = Tables()
    for number, (machine, rows) in enumerate(tables.readings.groupby("equipment_id")):
        folder = tmp_path / "lake" / f"S{1 + number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        rows.pivot(index="date", columns="point_id", values="value").to_csv(
            folder / f"{machine}.csv"
        )
    facility = (
        tables.events["equipment_id"]
        .str[-2:]
        .astype(int)
        .map(lambda n: f"S{1 + (n - 1) % 2}")
    )
    tables.events["facility_id"] = facility
    source = tables.write(tmp_path)
    status, text, _ = run_init(str(tmp_path / "lake"), f"--events={source.events}")
    assert "path_pattern" in text
    assert status == 0, text
    assert passes(tmp_path)
    assert (tmp_path / "run.yaml").exists()


def test_inspection_record_is_recognised(run_init: Run, tmp_path: Path) -> None:
    config = SimulateConfig(
        facilities=1, equipment_per_class=6, classes=("pump",), days=700, seed=1
    )
    fleet = simulate(config)
    write_inspection_csv(fleet, tmp_path / "record.csv")
    fleet.events.to_pandas().to_csv(tmp_path / "events.csv", index=False)
    _, text, _ = run_init(
        str(tmp_path / "record.csv"), f"--events={tmp_path / 'events.csv'}"
    )
    assert "format: inspection  # GUESS" in text
    looked = check.run(load_run(str(tmp_path / "run.yaml")))
    assert not [fault for fault in looked.faults if fault.level == "stops"]


@pytest.mark.parametrize(
    ("header", "setting"),
    [
        ("facility_id,machine,when,x", "source.columns.date"),
        ("facility_id,machine,date,value,note", "source.columns.point_id"),
        ("date,operator", "holds numbers"),
    ],
)
def test_what_cannot_be_guessed_is_refused_in_one_sentence(
    header: str, setting: str, run_init: Run, tmp_path: Path
) -> None:
    path = tmp_path / "odd.csv"
    row = ",".join(
        "2024-01-01" if name == "date" else "a" for name in header.split(",")
    )
    path.write_text(f"{header}\n{row}\n", encoding="utf-8")
    status, text, error = run_init(str(path))
    assert (status, text) == (2, "")
    assert setting in error
    assert "Traceback" not in error


def test_settings_that_are_given_are_taken(run_init: Run, tmp_path: Path) -> None:
    tables = Tables()
    tables.readings["value"] = [
        f"{value:.3f}".replace(".", ",") for value in tables.readings.value
    ]
    source = tables.write(tmp_path)
    log = f"--events={source.events}"
    status, text, error = run_init(str(source.readings), log)
    assert (status, text) == (2, "")
    assert "source.decimal" in error
    status, text, _ = run_init(str(source.readings), log, "source.decimal=comma")
    assert status == 0, text
    assert passes(tmp_path)


def test_file_that_is_there_is_not_written_over(run_init: Run, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("mine", encoding="utf-8")
    status, text, error = run_init("readings.csv")
    assert (status, text) == (2, "mine")
    assert "--out" in error


GERMAN = {
    "facility_id": "Standort",
    "equipment_id": "Anlage",
    "point_id": "Messpunkt",
    "date": "Datum",
    "value": "Messwert",
    "kind": "Art",
    "start": "Beginn",
    "end": "Ende",
    "class": "Typ",
}


def german(folder: Path) -> tuple[str, ...]:
    tables = Tables()
    tables.readings["date"] = [
        f"{d[8:]}.{d[5:7]}.{d[:4]}" for d in tables.readings["date"]
    ]
    for name in ("readings", "events", "equipment"):
        setattr(tables, name, getattr(tables, name).rename(columns=GERMAN))
    source = tables.write(folder)
    return (
        str(source.readings),
        f"--events={source.events}",
        f"--equipment={source.equipment}",
    )


def test_german_tables_need_nothing_else(run_init: Run, tmp_path: Path) -> None:
    given = german(tmp_path)
    status, text, errors = run_init(*given)
    assert status == 0, text + errors
    assert "date_format: '%d.%m.%Y'  # GUESS" in text
    assert "can be nothing else" in text
    (tmp_path / "run.yaml").unlink()
    status, text, errors = run_init(
        *given, "source.date_format=%d.%m.%Y"
    )  # as a shell passes it
    assert status == 0, text + errors
    for ours, theirs in GERMAN.items():
        assert f"{ours}: {theirs}  # GUESS" in text
    assert passes(tmp_path)


def test_long_table_of_unknown_words_is_not_taken_for_a_wide_one(
    run_init: Run, tmp_path: Path
) -> None:
    """All that is missing is named at once, and the date is known by its values."""
    tables = Tables()
    names = {"equipment_id": "foo", "point_id": "bar", "date": "baz", "value": "qux"}
    tables.readings = tables.readings.rename(columns=names)
    source = tables.write(tmp_path)
    status, text, errors = run_init(str(source.readings), f"--events={source.events}")
    assert (status, text) == (2, "")
    told = " ".join(errors.split())
    settings = ("equipment_id", "point_id", "value")
    assert (
        "add " + " ".join(f"source.columns.{name}=<column>" for name in settings)
        in told
    )
    settings_given = [f"source.columns.{ours}={names[ours]}" for ours in settings]
    status, text, errors = run_init(
        str(source.readings), f"--events={source.events}", *settings_given
    )
    assert status == 0, text + errors
    assert "date: baz  # GUESS" in text
    assert passes(tmp_path)


def test_encoding_of_a_file_is_written_down(run_init: Run, tmp_path: Path) -> None:
    source = Tables().write(tmp_path)
    readings = Path(str(source.readings))
    text = readings.read_text(encoding="utf-8").replace("current", "電流")
    readings.write_bytes(text.encode("cp932"))
    _, text, _ = run_init(str(readings), f"--events={source.events}")
    assert "encoding: cp932  # GUESS" in text


def test_building_model_names_machines_and_asks_for_the_facility_of_the_events(
    run_init: Run, tmp_path: Path
) -> None:
    model = tmp_path / "site.csv"
    model.write_text(
        "id,dis,site,equip,point,equipRef,siteRef,ahu,unit\n"
        "@s,Site,M,,,,,,\n@a,AHU-1,,M,,,@s,M,\n@p,T1,,,M,@a,@s,,°C\n",
        encoding="utf-8",
    )
    days = [str(dt.date(2024, 1, 1) + dt.timedelta(days=n)) for n in range(120)]
    rows = "\n".join(f"{day},{20 + n % 3}" for n, day in enumerate(days))
    (tmp_path / "t.csv").write_text(f"Timestamp,T1\n{rows}\n", encoding="utf-8")
    events = "Unit,Type,Date\nAHU-1,Fault,2024-03-01\n"
    (tmp_path / "e.csv").write_text(events, encoding="utf-8")
    given = (str(tmp_path / "t.csv"), f"--events={tmp_path / 'e.csv'}")
    _, text, errors = run_init(*given, f"source.building_model={model}")
    assert text == ""
    assert "source.facility_id=<facility>" in errors


def test_dates_that_prove_no_order_are_refused(run_init: Run, tmp_path: Path) -> None:
    tables = Tables()
    days = pd.to_datetime(tables.readings["date"])
    tables.readings = tables.readings[days.dt.day <= 12]
    tables.readings["date"] = days[days.dt.day <= 12].dt.strftime("%m/%d/%Y")
    source = tables.write(tmp_path)
    status, _, said = run_init(str(source.readings), f"--events={source.events}")
    assert status == 2
    assert "set source.date_format: '%d/%m/%Y' or '%m/%d/%Y'" in said


def test_months_that_come_first_are_proven_too(run_init: Run, tmp_path: Path) -> None:
    tables = Tables()
    days = pd.to_datetime(tables.readings["date"])
    tables.readings["date"] = days.dt.strftime("%m/%d/%Y")
    source = tables.write(tmp_path)
    _, text, _ = run_init(str(source.readings), f"--events={source.events}")
    assert "date_format: '%m/%d/%Y'  # GUESS" in text


@pytest.mark.parametrize("other", ["events", "readings"])
def test_tables_that_prove_two_orders_are_refused(
    run_init: Run, tmp_path: Path, other: str
) -> None:
    """Dates of one order would be read in the other: 3 April as 4 March, in silence."""
    tables = Tables()
    days = pd.to_datetime(tables.readings["date"])
    tables.readings["date"] = days.dt.strftime("%d/%m/%Y")
    if other == "events":
        start = pd.to_datetime(tables.events["start"])
        tables.events["start"] = start.dt.strftime("%m/%d/%Y")
    source = tables.write(tmp_path)
    folder = tmp_path / "all"
    folder.mkdir()
    (folder / "a.csv").write_bytes(Path(str(source.readings)).read_bytes())
    if other == "readings":
        tables.readings["date"] = days.dt.strftime("%m/%d/%Y")
        tables.readings.to_csv(folder / "b.csv", index=False)
    status, text, said = run_init(str(folder), f"--events={source.events}")
    assert (status, text) == (2, "")
    assert "proves another order of day and month" in " ".join(said.split())
