"""Run files: read as YAML, laid over the file they extend, with overrides on top; faults named in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from hvac.config import Config, read_settings
from hvac.errors import ConfigError


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def refused(path: Path, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_settings(path, overrides)
    return str(caught.value)


# extends


def test_sections_are_merged_key_by_key_and_everything_else_is_replaced(
    tmp_path: Path,
) -> None:
    written(
        tmp_path,
        "base.yaml",
        "name: base\nseeds: [0, 1]\nmodel: {epochs: 20, more: {deep: 1, kept: 2}}\n",
    )
    path = written(
        tmp_path,
        "own.yaml",
        "extends: base.yaml\nname: own\nseeds: [7]\nmodel: {more: {deep: 3}, new: 4}\n",
    )
    assert read_settings(path) == {
        "name": "own",
        "seeds": [7],
        "model": {"epochs": 20, "more": {"deep": 3, "kept": 2}, "new": 4},
    }


@pytest.mark.parametrize(
    ("base", "own"),
    [("{a: 1}", "2"), ("2", "{a: 1}"), ("{a: 1}", "null"), ("null", "{a: 1}")],
)
def test_section_and_plain_value_replace_each_other(
    tmp_path: Path, base: str, own: str
) -> None:
    written(tmp_path, "base.yaml", f"at: {base}\n")
    path = written(tmp_path, "own.yaml", f"extends: base.yaml\nat: {own}\n")
    assert read_settings(path) == {"at": yaml.safe_load(own)}


def test_base_is_found_beside_the_file_wherever_the_job_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "base.yaml", "name: base\n")
    written(tmp_path, "deep/ablation.yaml", "extends: ../base.yaml\n")
    monkeypatch.chdir(tmp_path / "deep")
    assert read_settings("ablation.yaml") == {"name": "base"}
    monkeypatch.chdir("/")
    assert read_settings(tmp_path / "deep" / "ablation.yaml") == {"name": "base"}


def test_base_may_be_an_absolute_path_and_extend_another(tmp_path: Path) -> None:
    written(tmp_path, "a/first.yaml", "x: 1\ny: 1\nz: 1\n")
    second = written(
        tmp_path, "b/second.yaml", "extends: ../a/first.yaml\ny: 2\nz: 2\n"
    )
    path = written(tmp_path, "c/third.yaml", f"extends: {second}\nz: 3\n")
    assert read_settings(path) == {"x": 1, "y": 2, "z": 3}


def test_file_that_only_extends_is_its_base(tmp_path: Path) -> None:
    base = written(tmp_path, "base.yaml", "name: base\nmodel: {epochs: 3}\n")
    assert read_settings(
        written(tmp_path, "own.yaml", "extends: base.yaml\n")
    ) == read_settings(base)


def test_two_files_may_extend_the_same_base_without_a_trace_in_each_other(
    tmp_path: Path,
) -> None:
    base = written(tmp_path, "base.yaml", "model: {epochs: 1}\n")
    one, two = (
        written(tmp_path, f"{n}.yaml", f"extends: base.yaml\nmodel: {{own: {n}}}\n")
        for n in (1, 2)
    )
    assert [read_settings(path)["model"] for path in (one, two)] == [
        {"epochs": 1, "own": 1},
        {"epochs": 1, "own": 2},
    ]
    assert read_settings(base) == {"model": {"epochs": 1}}


@pytest.mark.parametrize(
    "names", [("own.yaml",), ("own.yaml", "b.yaml"), ("own.yaml", "b.yaml", "c.yaml")]
)
def test_circle_is_refused_with_the_way_round(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    for name, following in zip(names, (*names[1:], names[0]), strict=True):
        written(tmp_path, name, f"extends: ./{following}\n")
    message = refused(tmp_path / "own.yaml")
    assert "goes round in a circle" in message
    assert " → ".join((*names, names[0])) in message


def test_missing_base_is_named(tmp_path: Path) -> None:
    message = refused(written(tmp_path, "own.yaml", "extends: nowhere.yaml\n"))
    assert f"no config file at {tmp_path / 'nowhere.yaml'}" in message


def test_base_that_is_no_mapping_is_named(tmp_path: Path) -> None:
    base = written(tmp_path, "base.yaml", "- 1\n")
    message = refused(written(tmp_path, "own.yaml", "extends: base.yaml\n"))
    assert str(base) in message
    assert "found list" in message


# Overrides


def test_overrides_are_laid_over_the_file_and_its_base_and_read_as_yaml(
    tmp_path: Path,
) -> None:
    written(tmp_path, "base.yaml", "model: {epochs: 20, gamma: 3}\n")
    path = written(tmp_path, "own.yaml", "extends: base.yaml\nmodel: {gamma: 2}\n")
    found = read_settings(
        path,
        ["model.gamma=0.5", "model.hidden=[8, 4]", "new.deep.key=null", "name=a=b"],
    )
    assert found == {
        "model": {"epochs": 20, "gamma": 0.5, "hidden": [8, 4]},
        "new": {"deep": {"key": None}},
        "name": "a=b",
    }


def test_override_without_a_value_and_one_beneath_a_value_are_refused(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, "own.yaml", "name: x\n")
    assert "expected key.sub=value" in refused(path, "name")
    assert "'name' holds a value, not a section" in refused(path, "name.sub=1")
    assert "the value is not valid YAML" in refused(path, "name=[1")


# Faults


def test_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "none.yaml") in refused(tmp_path / "none.yaml")
    assert "is not valid YAML" in refused(written(tmp_path, "own.yaml", "a: [1\n"))
    assert "found NoneType" in refused(written(tmp_path, "empty.yaml", ""))
    (tmp_path / "windows.yaml").write_bytes("name: 空調\n".encode("cp932"))
    assert "is not UTF-8" in refused(tmp_path / "windows.yaml")
    assert "cannot be read" in refused(tmp_path)
    assert "found 7: put it in quotes" in refused(
        written(tmp_path, "key.yaml", "a: [{b: {7: x}}]\n")
    )


def test_unknown_key_is_named_with_its_nearest_neighbour() -> None:
    class Coil(Config):
        rows: int = 2
        circuits: int = 1

    with pytest.raises(
        ConfigError, match=r"unknown key 'circuit' in Coil: did you mean 'circuits'\?"
    ):
        Coil(circuit=2)  # type: ignore[call-arg]
    assert Coil(rows=3).replace(circuits=4) == Coil(rows=3, circuits=4)


def test_every_fault_of_inner_sections_is_told_once_with_the_whole_way_to_it() -> None:
    class Coil(Config):
        rows: int = 2
        circuits: int = 1

    class Unit(Config):
        coils: dict[str, Coil]

    with pytest.raises(ConfigError) as refusal:
        Unit(coils={"hot": {"rows": "many", "circuits": "few"}, "cold": {"row": 1}})  # type: ignore[dict-item]
    whole = "Input should be a valid integer, unable to parse string as an integer"
    assert str(refusal.value) == (
        f"Unit is not valid: coils.hot.rows: {whole} (found 'many'); coils.hot.circuits: {whole} (found 'few'); "
        "coils.cold: unknown key 'row' in Coil: did you mean 'rows'? Known keys: rows, circuits"
    )


@pytest.mark.parametrize("given", [{"rows": "many"}, {"rows": None}])
def test_value_of_a_wrong_kind_is_named_with_its_place_and_what_was_found(
    given: dict[str, Any],
) -> None:
    class Coil(Config):
        rows: int = 2

    with pytest.raises(
        ConfigError, match=rf"Coil is not valid: rows: .*found {str(given['rows'])!r}"
    ):
        Coil(**given)
