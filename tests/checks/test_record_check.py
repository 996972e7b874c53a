"""One check finds every fault of a record, each with what mends it; the mend gets further."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hvac.checks.check_facts import check_facts, check_lines
from hvac.checks.cost import expected_cost
from hvac.readings.sources import SourceConfig
from hvac.report.check_page import write_check_page
from tests.checks.tables_example import DAYS, MACHINES, Tables, checked, texts

ROOT = Path(__file__).parents[2]
OWN = {"facility_id": "S1", "equipment_id": "AHU-01"}


def test_check_finds_nothing_in_a_record_without_a_fault(tmp_path: Path) -> None:
    check = checked(Tables().write(tmp_path))
    assert texts(check) == ""
    facts = check_facts(check)
    assert (facts["equipment"], facts["points"]) == (MACHINES, 2 * MACHINES)
    assert facts["rhythm"] == {"daily": 2 * MACHINES}
    assert facts["observed"] == 1.0
    assert facts["events"] == {"failure": 3 * MACHINES}
    assert facts["readings"] == 2 * MACHINES * DAYS


def all_at_once(tables: Tables) -> None:
    """Put a fault of every table into one record."""
    tables.readings.loc[3:40, "value"] = -9999
    tables.readings.loc[700, "date"] = "2042-03-01"
    tables.readings.loc[800:804, "value"] = "broken"
    tables.readings["date"] = tables.readings["date"] + "T03:00:00Z"
    tables.equipment.loc[:2, "class"] = None
    tables.events.loc[:10, "equipment_id"] = "unknown"


def test_one_check_finds_all_faults_with_what_mends_each(tmp_path: Path) -> None:
    tables = Tables()
    all_at_once(tables)
    found = texts(
        checked(tables.write(tmp_path), labels={"events": ["failure", "leak"]})
    )
    for words in (
        "source.time_zone",
        "set source.missing_values: [-9999]",
        "date_in_the_future",
        "text_in_value",
        "have no class",
        "source.min_matching",
        "labels.events names leak",
    ):
        assert words in found


Finding = Callable[[Tables], None]


def decimal_commas(tables: Tables) -> None:
    tables.readings["value"] = [
        f"{value:.3f}".replace(".", ",") for value in tables.readings.value
    ]


def stamps_in_utc(tables: Tables) -> None:
    tables.readings["date"] = tables.readings["date"] + "T16:30:00Z"


def strangers(tables: Tables) -> None:
    tables.events.loc[:10, "equipment_id"] = "unknown"


def sentinels(tables: Tables) -> None:
    tables.readings.loc[5::100, "value"] = -9999


def no_class(tables: Tables) -> None:
    tables.equipment.loc[:3, "class"] = None


def rare_point(tables: Tables) -> None:
    tables.readings.loc[:500, "point_id"] = "rare"


def thin_machine(tables: Tables) -> None:
    kept = np.random.default_rng(1).random(len(tables.readings)) < 0.4
    tables.readings = tables.readings[kept | (tables.readings.equipment_id != "AHU-03")]


def odd_dates(tables: Tables) -> None:
    dates = tables.readings["date"].str
    tables.readings["date"] = dates[8:] + "." + dates[5:7] + "+" + dates[:4]


def short_record(tables: Tables) -> None:
    tables.readings = tables.readings[tables.readings["date"] < "2023-10-01"]


def no_fault(tables: Tables) -> None:
    """Leave the tables as they are: the fault lies in the settings."""


MENDED: dict[str, tuple[Finding, str, dict[str, Any], dict[str, Any]]] = {
    "decimal": (decimal_commas, "source.decimal: ','", {"decimal": ","}, {}),
    "zone": (stamps_in_utc, "source.time_zone", {"time_zone": "Europe/Berlin"}, {}),
    "matching": (strangers, "source.min_matching", {"min_matching": 0.1}, {}),
    "sentinel": (sentinels, "missing_values: [-9999]", {"missing_values": [-9999]}, {}),
    "class": (no_class, "windows.class: all", {}, {"windows": {"class": "all"}}),
    "points": (
        rare_point,
        "min_point_share",
        {},
        {"windows": {"min_point_share": 0.0}},
    ),
    "thin": (
        thin_machine,
        "windows.min_observed",
        {},
        {"windows": {"min_observed": 0.1}},
    ),
    "dates": (odd_dates, "source.date_format", {"date_format": "%d.%m+%Y"}, {}),
    "limits": (
        no_fault,
        "normalise: baseline",
        {},
        {"windows": {"normalise": "baseline"}},
    ),
    "short": (
        short_record,
        "splits.kind: equipment",
        {},
        {"splits": {"kind": "equipment"}},
    ),
}


@pytest.mark.parametrize("name", MENDED)
def test_what_is_said_to_mend_a_fault_gets_further(name: str, tmp_path: Path) -> None:
    put_in, words, settings, sections = MENDED[name]
    tables = Tables()
    put_in(tables)
    source = tables.write(tmp_path)
    wrong = {"windows": {"normalise": "limits"}} if name == "limits" else {}
    before = texts(checked(source, **wrong))
    assert words in before
    after = texts(checked(source.replace(**settings), **sections))
    if name == "class":
        assert "has no training window" not in after
    else:
        assert words not in after
    assert after != before or name == "class"


def test_files_that_are_passed_over_are_named(tmp_path: Path) -> None:
    source = Tables().write(tmp_path)
    folder = tmp_path / "readings"
    folder.mkdir()
    (tmp_path / "readings.csv").rename(folder / "a.csv")
    (folder / "b.txt").write_text("x")
    found = texts(checked(source.replace(readings=str(folder))))
    assert "b.txt" in found
    assert "source.readings" in found


def test_refusals_of_many_files_are_one_sentence(tmp_path: Path) -> None:
    tables = Tables()
    stamps_in_utc(tables)
    source = tables.write(tmp_path)
    lines = (tmp_path / "readings.csv").read_text().splitlines()
    for part in range(3):
        rows = [lines[0], *lines[1 + part :: 3]]
        (tmp_path / f"part-{part}.csv").write_text("\n".join(rows))
    stopped = texts(
        checked(source.replace(readings=str(tmp_path / "part-*.csv"))), "stops"
    )
    assert len(stopped.splitlines()) == 1
    assert "and so in" in stopped


def test_source_without_any_file_is_told_and_drawn(tmp_path: Path) -> None:
    check = checked(SourceConfig(readings=str(tmp_path / "nothing.csv")))
    assert "source.readings" in texts(check, "stops")
    write_check_page(check, name="none", path=tmp_path / "check.html", language="ja")
    assert "見つかった問題" in (tmp_path / "check.html").read_text(encoding="utf-8")


def test_ready_windows_are_counted_and_their_rejects_told(tmp_path: Path) -> None:
    sequences = [",".join(["1.5"] * length) for length in (90, 89)]
    lines = ["equipment_id,values_sequence", *(f'a,"{values}"' for values in sequences)]
    path = tmp_path / "seed.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    check = checked(SourceConfig(readings=str(path), format="seed"))
    assert check.registry is None
    assert check.read.counts["read"] == 1
    assert "sequence_length" in texts(check)
    assert "read        1 of 1 files" in next(iter(check_lines(check)))


def test_facts_are_json_and_lines_name_every_fault(tmp_path: Path) -> None:
    tables = Tables()
    all_at_once(tables)
    check = checked(tables.write(tmp_path))
    facts = json.loads(json.dumps(check_facts(check)))
    lines = "\n".join(check_lines(check))
    assert facts["found"] is True
    for fault in facts["faults"]:
        assert fault["text"] in lines
        assert fault["remedy"] in lines
        assert fault["level"] == "note" or fault["settings"] or fault["remedy"]


@pytest.mark.parametrize("language", ["en", "ja"])
def test_page_shows_machines_and_events_without_a_script(
    language: str, tmp_path: Path
) -> None:
    tables = Tables()
    sentinels(tables)
    check = checked(tables.write(tmp_path))
    path = tmp_path / "check.html"
    write_check_page(check, name="small", path=path, language=language)
    page = path.read_text(encoding="utf-8")
    assert "<script" not in page
    assert f'<html lang="{language}">' in page
    assert "http" not in page.replace("http-equiv", "")
    assert all(f"S1/AHU-{number:02d}" in page for number in range(1, MACHINES + 1))
    assert page.count(": failure 20") == 3 * MACHINES


def test_page_draws_the_worst_machines_and_counts_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hvac.report.check_page.MOST_DRAWN", 2)
    tables = Tables()
    thin_machine(tables)
    write_check_page(
        checked(tables.write(tmp_path)),
        name="x",
        path=tmp_path / "c.html",
        language="en",
    )
    page = (tmp_path / "c.html").read_text(encoding="utf-8")
    picture = page[page.index("<svg") : page.index("</svg>")]
    assert "S1/AHU-03" in picture
    assert picture.count('<text x="0"') == 2
    assert f"{MACHINES - 2} more machines are not drawn" in page


def test_cost_is_within_a_factor_of_three_of_what_was_measured() -> None:
    results = ROOT / "benchmarks" / "results"
    demo = json.loads((results / "pipeline.json").read_text(encoding="utf-8"))["now"]
    guess = expected_cost(
        readings=1_400_000,
        windows=32_900,
        points=5,
        machines=288,
        family="hybrid",
        cpus=2,
    )
    assert 1 / 3 < guess.minutes * 60 / demo["seconds"] < 3
    for run in json.loads((results / "scale.json").read_text(encoding="utf-8"))[
        "windows"
    ]:
        guess = expected_cost(
            readings=run["windows"],
            windows=run["windows"],
            points=1,
            machines=run["units"],
            family="hybrid",
            cpus=run["cpus"],
        )
        assert 1 / 3 < guess.seconds["featurize"] / run["seconds"]["featurize"] < 3
        assert 1 / 3 < guess.memory_gb * 1000 / run["memory_mb"]["all"]["private"] < 3


CASES = {
    "01-decimal-comma": "source.decimal",
    "02-sentinel": "",
    "03-folder-skips": "10 files were passed over",
    "04-cp1252": "set source.encoding",
    "05-semicolon": "note: separated by ';'",
    "06-postgres-offset": "note: carry an offset",
    "06b-24h": "",
    "06d-reiwa": "",
    "07-future-typo": "date_in_the_future (first: ../shared/cases/07-future-typo/readings.csv, row 18002",
    "08-kind-case": "note: kinds written in several ways",
    "09-class-slash": "",
    "11-leading-zero": "nearest: S2/006",
    "12-zero-events": "the event log has no events",
    "14-utc-default-tz": "source.time_zone",
    "15-monthly": "",
    "17b-open-end": "note: 22 events have no end yet",
    "18-id-width": "note: joined all the same",
    "18c-half-match": "note: joined all the same",
    "19-class-partly-missing": "5 of 10 pieces of equipment have no class",
    "21-last-newest-first": "too short",
    "22-overlap-sum": "note: 930 readings stand in several files",
}


@pytest.mark.parametrize("name", CASES)
def test_check_finds_the_fault_of_a_shared_case(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray_jobs import check as job
    from ray_jobs.run.run_config import load_run

    monkeypatch.chdir(ROOT)
    file = Path("../shared/cases") / name / "run.yaml"
    if not file.exists():
        pytest.skip("../shared/cases is not here")
    check = job.run(load_run(str(file), [f"workspace={tmp_path}"]))
    words = CASES[name].removeprefix("note: ")
    assert words in texts(check, "stops", "fault", "note")
    if CASES[name].startswith("note: "):
        assert words in texts(check, "note")
    if not words:
        assert texts(check) == ""
    if name == "02-sentinel":
        assert 500 < check.read.counts["missing"] < 580


def test_two_files_that_read_as_one_machine_stop_until_paths_tell_them_apart(
    tmp_path: Path,
) -> None:
    tables = Tables()
    for machine, rows in tables.readings.groupby("equipment_id"):
        wide = rows.pivot(index="date", columns="point_id", values="value")
        (tmp_path / "S1").mkdir(exist_ok=True)
        wide.to_csv(tmp_path / "S1" / f"{machine}.csv")
    source = tables.write(tmp_path).replace(
        readings=str(tmp_path / "S1"), format="wide", wide=OWN
    )
    merged = texts(checked(source.replace(min_matching=0.0)), "stops")
    assert "source.path_pattern" in merged
    assert "differ for the same moment" in merged
    pattern = r"(?P<facility_id>[^/]+)/(?P<equipment_id>[^/]+)\.csv$"
    assert texts(checked(source.replace(wide={}, path_pattern=pattern))) == ""


def test_japanese_page_tells_all_faults_in_japanese(tmp_path: Path) -> None:
    tables = Tables()
    all_at_once(tables)
    check = checked(tables.write(tmp_path), labels={"events": ["failure", "leak"]})
    path = tmp_path / "check.html"
    write_check_page(check, name="small", path=path, language="ja")
    lines = re.findall(
        r"<li[ >](.*?)</li>", path.read_text(encoding="utf-8"), re.DOTALL
    )
    items = [line for line in lines if not line.startswith("<a")]
    assert len(items) == len(check.faults) > 5
    plain = [re.sub(r"<[^>]+>", " ", item) for item in items]
    english = r"\b(?:the|of|is|are|was|were|to|set|have|correct|rows|readings|events)\b(?![./])"
    settings = r"(?:source|windows|labels|splits)\.[a-z_.]+|\S*/\S+"
    for item in plain:
        assert re.search(r"[ぁ-ん]", item), item
        assert not re.search(english, re.sub(settings, "", html.unescape(item))), item
