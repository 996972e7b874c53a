"""Paths and URLs by the same calls: locally and on a real S3 interface."""

from __future__ import annotations

import json
import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hvac.config import Config, read_settings
from hvac.errors import ConfigError, InputError
from hvac.readings.sources import SourceConfig
from hvac.readings.table_paths import hive_values, source_files
from hvac.storage import (
    AnyPath,
    Location,
    Place,
    local_folder,
    open_filesystem,
    parquet_dataset,
    place,
    read_parquet,
    remove_tree,
    replacing,
    replacing_folder,
    write_json,
    write_parquet,
    write_text,
    writing,
)

TABLE = pa.table({"day": [1, 2, 3], "value": [0.5, None, 2.0]})


@pytest.fixture(params=["local", "s3", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> AnyPath:
    """An empty folder of each kind: a local one, one on S3, one behind fsspec."""
    if request.param == "s3":
        return place(
            f"{request.getfixturevalue('s3')('storage')}/{tmp_path.name}-{time.monotonic_ns()}"
        )
    return (
        place(f"memory://kept/{tmp_path.name}-{time.monotonic_ns()}")
        if request.param == "memory"
        else tmp_path
    )


def test_place_of_local_text_is_an_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert place("runs/demo") == tmp_path / "runs" / "demo"
    assert place(f"file://{tmp_path}/a%20b") == tmp_path / "a b"
    assert place(tmp_path) == tmp_path


def test_place_of_a_url_keeps_its_query_below_it() -> None:
    run = place("s3://lake/run?endpoint_override=127.0.0.1:9&scheme=http")
    assert (
        str(run / "panel" / "a b.parquet")
        == "s3://lake/run/panel/a%20b.parquet?endpoint_override=127.0.0.1:9&scheme=http"
    )
    assert place(str(run / "点検=1" / "50%.csv")) == run / "点検=1" / "50%.csv"
    assert str(place("gs://lake") / "run" / "..") == "gs://lake"
    assert str(place("gs://lake") / "run") == "gs://lake/run"


def test_place_takes_names_apart_as_path_does() -> None:
    for text in (
        "run/class=pump/part-00001.parquet",
        "run/.hidden",
        "run/metrics.json",
        "run/a.b.c",
        "run/plain",
    ):
        ours, theirs = Place.at(f"s3://lake/{text}"), Path(text)
        assert (ours.name, ours.stem, ours.suffix) == (
            theirs.name,
            theirs.stem,
            theirs.suffix,
        )
        assert ours.parent.key == theirs.parent.as_posix()
        assert ours.with_name("x").key == theirs.with_name("x").as_posix()


def test_place_is_a_value() -> None:
    a, b = Place.at("s3://lake/a"), Place.at("s3://lake/b?scheme=http")
    assert pickle.loads(pickle.dumps(b)) == b
    assert sorted([b, a]) == [a, b]
    assert len({a, Place.at("s3://lake") / "a", b}) == 2


def test_place_is_never_taken_for_a_local_file() -> None:
    with pytest.raises(TypeError, match="s3://lake/a is no local file"):
        os.fspath(Place.at("s3://lake/a"))


def test_files_are_written_found_and_removed(root: AnyPath) -> None:
    assert not (root / "deep" / "a.txt").exists()
    write_text(root / "deep" / "a.txt", "温度\n")
    (root / "deep").mkdir(parents=True, exist_ok=True)
    (root / "deep" / "b.bin").write_bytes(b"\x00\x01")
    assert (root / "deep" / "a.txt").read_text(encoding="utf-8") == "温度\n"
    assert (root / "deep" / "b.bin").read_bytes() == b"\x00\x01"
    assert (root / "deep" / "a.txt").is_file()
    assert (root / "deep").is_dir()
    with (root / "deep" / "b.bin").open("rb") as file:
        file.seek(1)
        assert file.read() == b"\x01"
    (root / "deep" / "b.bin").unlink()
    (root / "deep" / "b.bin").unlink(missing_ok=True)
    assert [path.name for path in (root / "deep").glob("*")] == ["a.txt"]
    remove_tree(root)
    remove_tree(root)
    assert not (root / "deep" / "a.txt").exists()


def test_what_is_not_there_is_a_missing_file(root: AnyPath) -> None:
    for read in (
        (root / "no.txt").read_text,
        (root / "no.txt").read_bytes,
        lambda: read_parquet(root / "no.parquet"),
    ):
        with pytest.raises(FileNotFoundError):
            read()
    with pytest.raises(FileNotFoundError):
        (root / "no.txt").unlink()
    assert list((root / "no").glob("*.json")) == []


def test_glob_matches_level_by_level(root: AnyPath) -> None:
    for name in (
        "class=a/part-1.parquet",
        "class=b/part-0.parquet",
        "class=b/more/part-9.parquet",
        ".x/m",
        "top.json",
    ):
        write_text(root / name, "")
    found = [
        str(path).removeprefix(str(root))
        for path in sorted(root.glob("class=*/part-*.parquet"))
    ]
    assert found == ["/class=a/part-1.parquet", "/class=b/part-0.parquet"]
    assert [path.name for path in sorted(root.glob("*.json"))] == ["top.json"]
    assert [path.parent.name for path in root.glob("[!.]*/*-0.parquet")] == ["class=b"]


def test_tables_come_back_equal(root: AnyPath) -> None:
    for number in range(2):
        write_parquet(TABLE, root / "t" / f"part-{number}.parquet")
    assert read_parquet(root / "t" / "part-0.parquet").equals(TABLE)
    assert read_parquet(
        root / "t" / "part-0.parquet", columns=["value"]
    ).column_names == ["value"]
    files = sorted((root / "t").glob("*.parquet"))
    assert parquet_dataset(files).to_table().equals(pa.concat_tables([TABLE, TABLE]))
    assert parquet_dataset(root / "t").count_rows() == 6


def test_json_writes_null_for_what_is_no_number(root: AnyPath) -> None:
    write_json(
        root / "m.json", {"auc": float("nan"), "rows": (1, float("inf")), "where": root}
    )
    assert json.loads((root / "m.json").read_text(encoding="utf-8")) == {
        "auc": None,
        "rows": [1, None],
        "where": str(root),
    }


def test_a_writer_that_fails_leaves_what_was_there(root: AnyPath) -> None:
    write_text(root / "a.csv", "whole")

    def fail(name: str) -> None:
        with writing(root / name, "w") as file:
            file.write("half")
            raise RuntimeError("stopped")

    def fail_table() -> None:
        with (
            replacing(root / "b.parquet") as building,
            pq.ParquetWriter(building, TABLE.schema) as writer,
        ):
            writer.write_table(TABLE)
            raise RuntimeError("stopped")

    for attempt in (lambda: fail("a.csv"), lambda: fail("c.csv"), fail_table):
        with pytest.raises(RuntimeError, match="stopped"):
            attempt()
    assert [path.name for path in root.glob("*")] == ["a.csv"]
    assert (root / "a.csv").read_text(encoding="utf-8") == "whole"


def test_a_folder_is_replaced_whole(root: AnyPath) -> None:
    for content, names in (
        ("old", ("manifest.json", "stale", "deep/model")),
        ("new", ("manifest.json", "deep/model")),
    ):
        with replacing_folder(root / "bundle", last="manifest.json") as building:
            for name in names:
                write_text(building / name, content)
    assert (root / "bundle" / "deep" / "model").read_text(encoding="utf-8") == "new"
    assert not (root / "bundle" / "stale").exists()

    def fail() -> None:
        with replacing_folder(root / "bundle", last="manifest.json") as building:
            write_text(building / "manifest.json", "half")
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        fail()
    with local_folder(root / "bundle") as copy:
        assert (copy / "manifest.json").read_text(encoding="utf-8") == "new"
        assert sorted(file.name for file in copy.rglob("*") if file.is_file()) == [
            "manifest.json",
            "model",
        ]
    assert [path.name for path in root.glob("*")] == ["bundle"]


def test_a_folder_gets_its_manifest_last_on_an_object_store(
    s3: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = place(s3("order")) / "bundle"
    with replacing_folder(bundle, last="a-manifest.json") as building:
        for name in ("a-manifest.json", "model", "z"):
            write_text(building / name, "old")

    def lose(path: Path, target: Place) -> None:
        assert not (bundle / "a-manifest.json").exists()
        raise ConnectionError("the network is gone")

    monkeypatch.setattr("hvac.storage.folders.upload", lose)

    def lose_half() -> None:
        with replacing_folder(bundle, last="a-manifest.json") as building:
            (building / "model").write_text("new")

    with pytest.raises(ConnectionError):
        lose_half()
    assert not (bundle / "a-manifest.json").exists()


def test_a_bucket_that_is_not_there_is_named_in_one_sentence(
    s3: Callable[[str], str],
) -> None:
    s3("some-bucket")
    lost = place("s3://no-such-bucket/run")
    assert not lost.exists()
    with pytest.raises(
        InputError,
        match=r"^s3://no-such-bucket/run/m.json: cannot be written .*expected a bucket",
    ):
        write_json(lost / "m.json", {})
    with pytest.raises(
        InputError, match=r"s3://no-such-bucket/x.parquet: no file found"
    ):
        source_files(SourceConfig(readings="s3://no-such-bucket/x.parquet"))


def test_a_store_that_does_not_answer_is_named_in_one_sentence(
    s3: Callable[[str], str],
) -> None:
    lost = place("s3://storage/run?endpoint_override=127.0.0.1:9&scheme=http")
    with pytest.raises(
        InputError, match=r"^s3://storage/run/a\?endpoint.*: cannot be opened .*connect"
    ):
        (lost / "a").exists()


def test_the_url_may_name_the_endpoint_itself(
    s3: Callable[[str], str],
    s3_environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bucket = s3("own-endpoint")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    host = s3_environment["AWS_ENDPOINT_URL"].removeprefix("http://")
    folder = place(f"{bucket}/x?endpoint_override={host}&scheme=http")
    write_parquet(TABLE, folder / "a 1.parquet")
    assert [str(path) for path in folder.glob("*")] == [
        f"{bucket}/x/a%201.parquet?endpoint_override={host}&scheme=http"
    ]
    files = source_files(
        SourceConfig(
            readings=f"{bucket}/*/*.parquet?endpoint_override={host}&scheme=http"
        )
    )
    assert files == [str(path) for path in folder.glob("*")]


def test_source_files_are_found_on_an_object_store(s3: Callable[[str], str]) -> None:
    lake = place(s3("lake"))
    for name in (
        "r/facility_id=F%201/part-0.parquet",
        "r/_skip/part.parquet",
        "r/部分.csv",
        "other/x.parquet",
    ):
        write_parquet(TABLE, lake / name)
    found = source_files(SourceConfig(readings="s3://lake/r"))
    assert {place(file).key for file in found} == {
        "r/facility_id=F%201/part-0.parquet",
        "r/部分.csv",
    }
    (parted,) = (file for file in found if file.endswith(".parquet"))
    assert hive_values(parted) == {"facility_id": "F 1"}
    system, inner = open_filesystem(parted)
    assert pq.read_table(system.open_input_file(inner)).num_rows == 3
    assert source_files(SourceConfig(readings="s3://lake/o*/*.parquet")) == [
        "s3://lake/other/x.parquet"
    ]


class Run(Config):
    workspace: Location = Path("runs/demo")


def test_configuration_takes_a_path_or_a_url() -> None:
    assert Run(workspace="runs/x").workspace == Path("runs/x")
    run = Run(workspace="s3://lake/run?scheme=http")
    assert run.workspace == Place.at("s3://lake/run?scheme=http")
    assert run.model_dump(mode="json") == {"workspace": "s3://lake/run?scheme=http"}
    assert run.replace().workspace == run.workspace
    assert Run.model_validate_json(run.model_dump_json()) == run
    with pytest.raises(ConfigError, match="workspace: expected a path or URL"):
        Run(workspace=3)


def test_configuration_is_read_from_a_url(s3: Callable[[str], str]) -> None:
    bucket = place(s3("settings"))
    write_text(bucket / "base.yaml", "language: ja\n")
    write_text(bucket / "runs" / "own.yaml", "extends: ../base.yaml\nname: own\n")
    assert read_settings(str(bucket / "runs" / "own.yaml")) == {
        "language": "ja",
        "name": "own",
    }
