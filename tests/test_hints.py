"""What refusals advise can be done: settings, commands and extras that they name exist, and get further."""

from __future__ import annotations

import ast
import re
import tomllib
import typing
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from hvac.errors import ConfigError
from hvac.features.self_supervised import PretrainConfig
from hvac.models.families import FAMILIES
from ray_jobs import check
from ray_jobs.__main__ import SERVICE, STEPS
from ray_jobs.detector.detect_config import DetectConfig
from ray_jobs.run.run_config import RunConfig
from serve.settings import ServeConfig
from tests.checks.tables_example import Tables

ROOT = Path(__file__).parents[1]
TOPS = (RunConfig, DetectConfig, PretrainConfig, ServeConfig)


def models_in(kind: Any) -> Iterator[type[BaseModel]]:
    """The configurations within a field's type."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for inner in typing.get_args(kind):
        yield from models_in(inner)


def settings_of(model: type[BaseModel], before: str = "") -> Iterator[str]:
    """Dotted names of a configuration's fields, and of those within them."""
    for name, field in model.model_fields.items():
        dotted = f"{before}{field.alias or name}"
        yield dotted
        for inner in models_in(field.annotation):
            yield from settings_of(inner, f"{dotted}.")


KNOWN = {name for top in TOPS for name in settings_of(top)}
KNOWN |= {
    f"model.{name}"
    for family in FAMILIES.values()
    for name in settings_of(family.config)
}
SECTIONS = sorted({name.split(".")[0] for name in KNOWN if "." in name})
NAMED = re.compile(rf"(?<![\w/.{{])(?:{'|'.join(SECTIONS)})(?:\.[a-z]\w*)+(?![\w({{/])")
FILES = re.compile(r"\.(?:csv|json|html|parquet|yaml|py|md|png)$|^model\.safetensors")
OPEN = (
    "source.columns.",
    "tune.space.",
)  # their keys are names of columns and of settings
EXAMPLE = "source.key"  # as in `source.key=value`


def texts_of(file: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every string in code but docstrings, values as ⟨⟩."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    left_out = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            left_out |= {id(part) for part in node.values}
            parts = [
                p.value if isinstance(p, ast.Constant) else "⟨⟩" for p in node.values
            ]
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and id(node) not in left_out:
            yield node.lineno, str(node.value)


@cache
def code_texts() -> list[tuple[str, str]]:
    """Place and text of every sentence in the code, read once by the process that runs these tests."""
    return [
        (f"{file.relative_to(ROOT)}:{line}", text)
        for package in ("hvac", "ray_jobs", "serve")
        for file in sorted((ROOT / package).rglob("*.py"))
        for line, text in texts_of(file)
        if " " in text
    ]


def settings_named() -> set[tuple[str, str]]:
    """Place and name of every setting that a sentence names."""
    return {
        (where, name)
        for where, text in code_texts()
        for name in NAMED.findall(text)
        if not FILES.search(name)
        and name != EXAMPLE
        and "⟨⟩" not in text[text.index(name) :][len(name) :][:2]
    }


def test_settings_that_sentences_name_exist() -> None:
    found = settings_named()
    unknown = {
        (where, name)
        for where, name in found
        if name not in KNOWN and not name.startswith(OPEN)
    }
    assert not unknown, "no configuration has them"
    assert len({name for _, name in found}) > 40


def test_commands_and_extras_that_sentences_name_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    targets = set(
        re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    )
    found = []
    for where, text in code_texts():
        for step in re.findall(r"\bray_jobs\.([a-z]+)\b(?!\.)", text):
            assert step in STEPS or (ROOT / "ray_jobs" / step).is_dir(), where
            found.append(step)
        for extra in re.findall(r"hvac-foresight\[([a-z,]+)\]", text):
            assert set(extra.split(",")) <= set(project["optional-dependencies"]), where
        for command in re.findall(r"hvac-foresight ([a-z]+) -", text):
            assert command in (*STEPS, SERVICE), where
        for target in re.findall(r"`make ([a-z-]+)`", text):
            assert target in targets, where
    assert len(found) > 10


# The commonest refusals: what each says is done literally, or by the value named here


class Case:
    """Tables with a fault in them, the settings of their run, and what its refusal advises."""

    def __init__(
        self,
        fault: Callable[[Tables, Path], dict[str, Any]],
        setting: str,
        *,
        value: Callable[[Path], Any] | None = None,
    ) -> None:
        self.fault, self.setting, self.value = fault, setting, value


def stops(settings: dict[str, Any], folder: Path) -> list[str]:
    """What would stop a run with these settings: a refused configuration, or all that a check finds."""
    try:
        config = RunConfig(name="hints", workspace=folder / "run", **settings)
    except ConfigError as error:
        return [str(error)]
    return [fault.text for fault in check.run(config).faults if fault.level == "stops"]


def literal(sentence: str, setting: str) -> Any:
    """The value that a sentence's advice has behind a setting: `set x.y: value`, or `such as value`."""
    value = r"'(?:[^']|'')*'|\{[^}]*\}|\[[^\]]*\]|[\w.%/-]+"
    found = re.findall(rf"{re.escape(setting)}(?:: |, such as )({value})", sentence)
    assert found, f"no value behind {setting} in: {sentence}"
    return yaml.safe_load(found[-1])


def set_in(settings: dict[str, Any], dotted: str, value: Any) -> dict[str, Any]:
    first, _, rest = dotted.partition(".")
    return {
        **settings,
        first: set_in(settings.get(first) or {}, rest, value) if rest else value,
    }


def usual(tables: Tables, folder: Path) -> dict[str, Any]:
    return {
        "source": tables.write(folder).model_dump(
            include={"readings", "events", "equipment"}
        )
    }


def either_comma(tables: Tables, folder: Path) -> dict[str, Any]:
    tables.readings["value"] = "1,234"
    return usual(tables, folder)


def both_signs(tables: Tables, folder: Path) -> dict[str, Any]:
    tables.readings.loc[0, "value"] = "1,5"
    return usual(tables, folder)


def in_utc(tables: Tables, folder: Path) -> dict[str, Any]:
    tables.readings["date"] = tables.readings["date"] + "T16:30:00Z"
    return usual(tables, folder)


def day_or_month(tables: Tables, folder: Path) -> dict[str, Any]:
    dates = tables.readings["date"].str
    tables.readings["date"] = dates[8:] + "/" + dates[5:7] + "/" + dates[:4]
    rows = tables.readings["date"].str[:2].astype(int) <= 12
    tables.readings = tables.readings[rows]
    return usual(tables, folder)


def odd_dates(tables: Tables, folder: Path) -> dict[str, Any]:
    dates = tables.readings["date"].str
    tables.readings["date"] = dates[8:] + "." + dates[5:7] + "+" + dates[:4]
    return usual(tables, folder)


def encoded(encoding: str) -> Callable[[Tables, Path], dict[str, Any]]:
    def fault(tables: Tables, folder: Path) -> dict[str, Any]:
        tables.readings["note"] = {
            "cp1252": "Kältemaschine",
            "iso-2022-jp": "冷凍機",
        }.get(encoding, "")
        settings = usual(tables, folder)
        file = folder / "readings.csv"
        file.write_bytes(file.read_text(encoding="utf-8").encode(encoding))
        return settings

    return fault


def other_column(tables: Tables, folder: Path) -> dict[str, Any]:
    tables.readings = tables.readings.rename(columns={"value": "values"})
    return usual(tables, folder)


def rows_above(tables: Tables, folder: Path) -> dict[str, Any]:
    settings = usual(tables, folder)
    file = folder / "readings.csv"
    title = "Plant report,,,,\nof July,,,,\n"
    file.write_text(title + file.read_text(encoding="utf-8"), encoding="utf-8")
    return settings


def no_facility(tables: Tables, folder: Path) -> dict[str, Any]:
    for name in ("readings", "events", "equipment"):
        setattr(tables, name, getattr(tables, name).drop(columns="facility_id"))
    return usual(tables, folder)


def strangers(tables: Tables, folder: Path) -> dict[str, Any]:
    tables.events.loc[:10, "equipment_id"] = "unknown"
    return usual(tables, folder)


def gone(tables: Tables, folder: Path) -> dict[str, Any]:
    return set_in(usual(tables, folder), "source.readings", str(folder / "gone.csv"))


def other_kind(tables: Tables, folder: Path) -> dict[str, Any]:
    return {**usual(tables, folder), "labels": {"events": ["leak"]}}


def no_log(tables: Tables, folder: Path) -> dict[str, Any]:
    return set_in(usual(tables, folder), "source.events", None)


def short(tables: Tables, folder: Path) -> dict[str, Any]:
    tables.readings = tables.readings[tables.readings["date"] < "2023-10-01"]
    return usual(tables, folder)


def lone_class(tables: Tables, folder: Path) -> dict[str, Any]:
    tables.equipment.loc[0, "class"] = "chiller"
    return usual(tables, folder)


def few_of_a_class(tables: Tables, folder: Path) -> dict[str, Any]:
    tables.equipment.loc[:1, "class"] = "chiller"
    return {**usual(tables, folder), "splits": {"kind": "equipment"}}


def one_facility(tables: Tables, folder: Path) -> dict[str, Any]:
    return {**usual(tables, folder), "splits": {"kind": "facility"}}


def no_limits(tables: Tables, folder: Path) -> dict[str, Any]:
    return {**usual(tables, folder), "windows": {"normalise": "limits"}}


def wide(tables: Tables, folder: Path, **settings: Any) -> dict[str, Any]:
    """One file per machine with a column per point."""
    for machine, rows in tables.readings.groupby("equipment_id"):
        table = rows.pivot(index="date", columns="point_id", values="value")
        (folder / "S1").mkdir(exist_ok=True)
        table.to_csv(folder / "S1" / f"{machine}.csv")
    source = {
        **usual(tables, folder)["source"],
        "readings": str(folder / "S1"),
        "format": "wide",
    }
    return {
        "source": {
            **source,
            "wide": {"facility_id": "S1"},
            "min_matching": 0.0,
            **settings,
        }
    }


def merged_files(tables: Tables, folder: Path) -> dict[str, Any]:
    return wide(tables, folder, wide={"facility_id": "S1", "equipment_id": "AHU-01"})


def unmatched_columns(tables: Tables, folder: Path) -> dict[str, Any]:
    pattern = r"(?P<equipment_id>.+)\.(?P<point_id>.+)"
    return wide(tables, folder, wide={"facility_id": "S1", "pattern": pattern})


def unmatched_path(tables: Tables, folder: Path) -> dict[str, Any]:
    return wide(tables, folder, path_pattern=r"line-(?P<equipment_id>\d+)\.csv$")


def no_wide_section(tables: Tables, folder: Path) -> dict[str, Any]:
    own = {"path_pattern": r"(?P<equipment_id>[^/]+)\.csv$", "facility_id": "S1"}
    return wide(tables, folder, wide=None, **own)


def misspelt_key(tables: Tables, folder: Path) -> dict[str, Any]:
    return {**usual(tables, folder), "windows": {"lookbak": 60}}


def only_words(tables: Tables, folder: Path) -> dict[str, Any]:
    tables.readings["value"] = "geschlossen"
    tables.readings["other"] = 5.0
    return usual(tables, folder)


CASES = {
    "a comma that may be either": Case(either_comma, "source.decimal"),
    "both decimal signs": Case(both_signs, "source.decimal", value=lambda _: "."),
    "stamps in UTC": Case(in_utc, "source.time_zone"),
    "day or month first": Case(day_or_month, "source.date_format"),
    "dates nobody reads": Case(
        odd_dates, "source.date_format", value=lambda _: "%d.%m+%Y"
    ),
    "UTF-16": Case(encoded("utf-16-le"), "source.encoding"),
    "ISO-2022-JP": Case(encoded("iso-2022-jp"), "source.encoding"),
    "cp1252": Case(encoded("cp1252"), "source.encoding", value=lambda _: "cp1252"),
    "another name of a column": Case(other_column, "source.columns"),
    "rows above the header": Case(rows_above, "source.skip_rows"),
    "no column of facilities": Case(
        no_facility, "source.facility_id", value=lambda _: "S1"
    ),
    "events of strangers": Case(strangers, "source.min_matching", value=lambda _: 0.1),
    "no such file": Case(
        gone, "source.readings", value=lambda folder: str(folder / "readings.csv")
    ),
    "kinds that the log has not": Case(
        other_kind, "labels.events", value=lambda _: ["failure"]
    ),
    "no event log": Case(no_log, "labels.source"),
    "a short record": Case(short, "splits.kind"),
    "a class of one machine": Case(lone_class, "windows.class"),
    "few machines of a class": Case(few_of_a_class, "windows.class"),
    "one facility": Case(one_facility, "splits.kind"),
    "no limits": Case(no_limits, "windows.normalise"),
    "files that contradict each other": Case(
        merged_files,
        "source.path_pattern",
        value=lambda _: r"(?P<equipment_id>[^/]+)\.csv$",
    ),
    "columns that match no pattern": Case(
        unmatched_columns, "source.wide.pattern", value=lambda _: "(?P<point_id>.+)"
    ),
    "a path that does not match": Case(
        unmatched_path,
        "source.path_pattern",
        value=lambda _: r"(?P<equipment_id>[^/]+)\.csv$",
    ),
    "no section of the wide table": Case(no_wide_section, "wide", value=lambda _: {}),
    "a misspelt key": Case(misspelt_key, "lookback", value=lambda _: 60),
    "values that are words": Case(
        only_words, "source.columns", value=lambda _: {"value": "other"}
    ),
}
OTHER_KEYS = {"wide": "source.wide", "lookback": "windows.lookback"}
BESIDE = {  # what gave the ids before goes, or gives the others, when the advice is followed
    "files that contradict each other": {"source.wide": {"facility_id": "S1"}},
    "columns that match no pattern": {
        "source.path_pattern": r"(?P<equipment_id>[^/]+)\.csv$"
    },
}


@pytest.mark.parametrize("name", CASES)
def test_what_a_refusal_advises_gets_further(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    settings = case.fault(Tables(), tmp_path)
    refusals = [text for text in stops(settings, tmp_path) if case.setting in text]
    assert refusals, f"no refusal names {case.setting}: {stops(settings, tmp_path)}"
    value = case.value(tmp_path) if case.value else literal(refusals[0], case.setting)
    for dotted, other in BESIDE.get(name, {}).items():
        settings = set_in(settings, dotted, other)
    mended = set_in(settings, OTHER_KEYS.get(case.setting, case.setting), value)
    mended.get("windows", {}).pop("lookbak", None)
    after = stops(mended, tmp_path)
    assert refusals[0] not in after
    assert not [text for text in after if case.setting in text]
