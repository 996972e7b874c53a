"""How a service is put together: settings, keys where it listens beyond this machine, Serve's config file, filling."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from ray.serve.schema import ServeDeploySchema
from sqlalchemy import event

from hvac.config import read_overrides
from hvac.days import EPOCH
from hvac.errors import ConfigError
from hvac.panel.grid import Unit
from hvac.panel.registry import Registry
from hvac.readings.gate import CANONICAL
from hvac.storage import matching, place
from serve import app, deployments, keys
from serve.__main__ import HAPROXY, _check_free, _direct
from serve.__main__ import main as serve_main
from serve.graph.stages import LocalStages
from serve.http import listening
from serve.load import load
from serve.load import main as load_main
from serve.memory.store import FLEET, Store, canonical
from serve.service import Service
from serve.settings import ServeConfig, read_serve_config
from tests.serve.serve_example import (
    LAST,
    UNITS,
    body_readings,
    client_of,
    filled,
    scored,
    service_of,
)

READING_IDS = ("facility_id", "equipment_id", "point_id")


def test_unknown_setting_names_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match="workspace"):
        read_serve_config({"workspce": "runs/demo"})


def test_keys_can_be_turned_off_on_the_command_line() -> None:
    assert read_serve_config(read_overrides(["keys=off"])).keys == "off"


HOSTS = {
    "127.0.0.1": False,
    "localhost": False,
    "::1": False,
    "0.0.0.0": True,
    "10.1.2.3": True,
    "plant.test": True,
}


@pytest.mark.parametrize(("host", "needed"), HOSTS.items())
def test_keys_are_needed_wherever_serve_listens_beyond_this_machine(
    host: str, needed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "_http_host", lambda: host)
    assert listening.keys_needed(ServeConfig()) == needed


def test_unknown_host_counts_as_everywhere() -> None:
    assert listening.keys_needed(ServeConfig())  # no Serve runs here


def test_service_beyond_this_machine_does_not_start_without_a_key(
    tmp_path: Path,
) -> None:
    filled(tmp_path)
    args = {
        "workspace": str(tmp_path),
        "store": str(tmp_path / "store.sqlite"),
        "keys": "required",
    }
    with pytest.raises(ConfigError, match=r"python -m serve\.keys add"):
        app.build(args)
    keys.make_key(Store.open(str(tmp_path / "store.sqlite")), "me", role="admin")
    assert app.build(args)


def test_key_commands_add_list_and_drop(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--store", str(tmp_path / "s.sqlite")]
    assert (
        keys.main(["add", "plant", "--facility", "F1", "--role", "push", *where]) == 0
    )
    made = capsys.readouterr().out.strip()
    assert keys.main(["list", *where]) == 0
    assert capsys.readouterr().out == "plant\tF1\tpush\n"
    assert made.startswith("hvac_")
    assert made not in (tmp_path / "s.sqlite").read_bytes().decode("latin-1")
    assert keys.main(["drop", "plant", *where]) == 0
    assert Store.open(str(tmp_path / "s.sqlite")).api_keys() == []


def test_command_tells_a_wrong_setting_in_one_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert serve_main(["--port", "0", "layuot=fused"]) == 2
    assert "layout" in capsys.readouterr().err


def test_command_leaves_no_setting_behind_for_the_processes_started_later() -> None:
    assert serve_main(["--port", "0", "layuot=fused"]) == 2
    assert "PROMETHEUS_MULTIPROC_DIR" not in os.environ


def test_serve_config_file_is_valid_and_names_our_deployments() -> None:
    found = yaml.safe_load(Path("serve/config.yaml").read_text(encoding="utf-8"))
    ServeDeploySchema.model_validate(found)
    (application,) = found["applications"]
    read_serve_config(application["args"])
    assert application["import_path"] == "serve.app:build"
    named = {each["name"]: each for each in application["deployments"]}
    assert (
        set(named)
        == {"Ingress", "Features", "RiskModel", "Forecast"}
        <= set(vars(deployments))
    )
    assert all(
        each.get("num_replicas", 0) >= 2
        or each["autoscaling_config"]["min_replicas"] >= 2
        for each in named.values()
    )


def test_empty_store_is_filled_once_from_what_the_jobs_wrote(tmp_path: Path) -> None:
    service = scored(service_of(tmp_path / "first"))
    workspace = tmp_path / "run"
    write_workspace(workspace, service.rows(), service.store)
    config = ServeConfig(workspace=workspace)
    store = Store.open(config.store_url)
    assert load(store, config)
    assert load(store, config) is None
    assert store.readings(UNITS[0]).equals(service.store.readings(UNITS[0]))
    assert [row["risk"] for row in store.predictions()] == [
        row["risk"] for row in service.store.predictions()
    ]
    assert store.assignments() == {(FLEET, "ahu"): service.rows()[0]["bundle_id"]}
    assert store.stale_count() == 0


def test_store_takes_over_what_a_daily_job_added_and_keeps_what_was_pushed(
    tmp_path: Path,
) -> None:
    service = scored(service_of(tmp_path / "first"))
    workspace = tmp_path / "run"
    write_workspace(workspace, service.rows(), service.store)
    config = ServeConfig(workspace=workspace, bundles=tmp_path / "first" / "bundles")
    store = Store.open(config.store_url)
    load(store, config)
    pushed, other = UNITS[0], UNITS[1]
    store.add(readings=[(*pushed, "p", LAST + 1, 99.0, 10.0, 30.0, None)])
    read = pa.concat_tables(
        canonical(u, [["p"], [LAST + 2], [21.0], [None], [None], [None]])
        for u in (pushed, other)
    )
    pq.write_table(read, workspace / "panel" / "readings" / "part-2.parquet")
    latest = pq.read_table(workspace / "latest.parquet").to_pylist()
    pq.write_table(
        pa.Table.from_pylist([{**row, "risk": 0.125} for row in latest]),
        workspace / "latest.parquet",
    )
    assert load(store, config) == (1, 2, 1)
    assert {row["risk"] for row in store.predictions(*other)} == {0.125}
    assert 0.125 not in {row["risk"] for row in store.predictions(*pushed)}
    remote = scored(Service(config, store, LocalStages(config.bundle_folder, 4)))
    (ends,) = {row["end_date"] for row in remote.rows(*pushed)}
    assert ends == EPOCH + dt.timedelta(days=LAST + 2)
    days = store.readings(pushed)["date"].cast(pa.int32()).to_pylist()
    assert {LAST + 1, LAST + 2} <= set(days)
    assert load(store, config) is None


@pytest.mark.parametrize(
    ("aggregate", "value"),
    [("mean", 14.0), ("sum", 42.0), ("last", 20.0), (None, 14.0)],
)
def test_several_readings_of_a_day_become_the_one_that_the_jobs_make(
    tmp_path: Path, aggregate: str | None, value: float
) -> None:
    """Also where a later part tells more of a day that was loaded before."""
    service = scored(service_of(tmp_path / "first"))
    workspace = tmp_path / "run"
    write_workspace(workspace, service.rows(), service.store)
    if aggregate:
        asked = {"asked": {"windows": {"aggregate": aggregate}}}
        (workspace / "steps" / "featurize.json").write_text(json.dumps(asked))
    store = Store.open(ServeConfig(workspace=workspace).store_url)
    for number, told in enumerate([((3600, 10.0), (7200, 12.0)), ((9000, 20.0),)]):
        day = LAST + 1
        rows = [{**dict(zip(READING_IDS, (*UNITS[0], "p"), strict=True)), "second": second, "value": found}
                for second, found in told]  # fmt: skip
        table = pa.Table.from_pylist(
            [{**row, "date": EPOCH + dt.timedelta(days=day)} for row in rows], CANONICAL
        )
        pq.write_table(
            table, workspace / "panel" / "readings" / f"part-{number}.parquet"
        )
        load(store, ServeConfig(workspace=workspace))
    found = store.readings(UNITS[0]).to_pylist()
    assert [
        row["value"] for row in found if row["date"] == EPOCH + dt.timedelta(days=day)
    ] == [value]


def test_predictions_of_a_bundle_that_serves_no_longer_are_not_taken_over(
    tmp_path: Path,
) -> None:
    service = scored(service_of(tmp_path / "first"))
    write_workspace(tmp_path / "run", service.rows(), service.store)
    config = ServeConfig(workspace=tmp_path / "run")
    store = Store.open(config.store_url)
    assert load(store, config) == (1, 3, 0)
    store.assign({("F2", "ahu"): "promoted"}, stale=False)
    latest = pq.read_table(config.workspace / "latest.parquet").to_pylist()
    pq.write_table(
        pa.Table.from_pylist([{**row, "risk": 0.125} for row in latest]),
        config.workspace / "latest.parquet",
    )
    assert load(store, config) == (0, 2, 1)
    assert {row["risk"] for row in store.predictions("F1")} == {0.125}
    assert 0.125 not in {row["risk"] for row in store.predictions("F2")}
    assert [unit for unit, _ in store.claim_stale(9)] == [UNITS[2]]


def test_equipment_that_no_job_has_scored_is_scored_by_the_service(
    tmp_path: Path,
) -> None:
    service = scored(service_of(tmp_path / "first"))
    write_workspace(tmp_path / "run", service.rows(), service.store)
    (tmp_path / "run" / "latest.parquet").unlink()
    config = ServeConfig(workspace=tmp_path / "run")
    assert load(Store.open(config.store_url), config) == (1, 0, 3)


def test_load_that_was_interrupted_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = scored(service_of(tmp_path / "first"))
    write_workspace(tmp_path / "run", service.rows(), service.store)
    config = ServeConfig(workspace=tmp_path / "run")
    store = Store.open(config.store_url)
    with monkeypatch.context() as broken:
        broken.setattr(store, "take_predictions", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            load(store, config)
    assert load_main([f"workspace={config.workspace}"]) == 0
    assert len(store.predictions()) == len(service.store.predictions())
    assert load(store, config) is None


def test_service_reads_workspace_and_bundles_from_s3(
    tmp_path: Path, s3: Callable[[str], str]
) -> None:
    service = scored(service_of(tmp_path / "first"))
    write_workspace(tmp_path / "run", service.rows(), service.store)
    workspace = place(s3("served")) / "run"
    for folder in (tmp_path / "run", tmp_path / "first"):
        for file in folder.rglob("*"):
            if file.is_file() and "sqlite" not in file.name:
                (workspace / file.relative_to(folder).as_posix()).write_bytes(
                    file.read_bytes()
                )
    config = read_serve_config(
        {"workspace": str(workspace), "store": str(tmp_path / "other.sqlite")}
    )
    store = Store.open(config.store_url)
    assert load(store, config)
    assert store.readings(UNITS[0]).equals(service.store.readings(UNITS[0]))
    (name,) = (
        path.parent.name for path in matching(config.bundle_folder, "*/manifest.json")
    )
    store.assign({(FLEET, "ahu"): name})
    remote = Service(config, store, LocalStages(config.bundle_folder, 4))
    assert [row["risk"] for row in scored(remote).rows()] == [
        row["risk"] for row in service.rows()
    ]
    assert [model["bundle_id"] for model in asyncio.run(remote.models())] == [name]


def test_store_behind_a_url_is_refused_in_one_sentence() -> None:
    config = ServeConfig(workspace="s3://jobs/run")
    with pytest.raises(
        ConfigError,
        match=r"^s3://jobs/run/serve/store.sqlite cannot be the store.*store=postgresql",
    ):
        Store.open(config.store_url)


def write_workspace(folder: Path, latest: list[dict[str, Any]], store: Store) -> None:
    """Tables as ingest, train and score leave them."""
    (folder / "panel" / "readings").mkdir(parents=True)
    (folder / "steps").mkdir()
    pq.write_table(
        pa.concat_tables(store.readings(u) for u in UNITS),
        folder / "panel" / "readings" / "part.parquet",
    )
    pq.write_table(pa.Table.from_pylist(latest), folder / "latest.parquet")
    (folder / "steps" / "train.json").write_text(
        json.dumps({"bundles": {"ahu": latest[0]["bundle_id"]}})
    )
    day = dt.date(2024, 1, 1)
    told = {"class": "ahu", "kind": "ahu", "points": ["p"], "readings": 1, "limited": 1}
    told |= dict.fromkeys(("install_date", "first_date", "last_date"), day)
    units = [
        {"facility_id": unit.facility_id, "equipment_id": unit.equipment_id, **told}
        for unit in UNITS
    ]
    texts = ("facility_id", "equipment_id", "kind", "point_id")
    dates = [pa.field(name, pa.date32()) for name in ("start", "end")]
    events = pa.schema([*(pa.field(name, pa.string()) for name in texts), *dates])
    Registry(
        units=pa.Table.from_pylist(units),
        events=events.empty_table(),
        points={"ahu": ("p",)},
    ).save(folder / "panel")


def test_full_disk_is_told_and_predictions_go_on(tmp_path: Path) -> None:
    """SQLite's own page limit gives the very error of a full disk; it holds for a connection, so all are told."""
    service = scored(service_of(tmp_path))

    def limit(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")

    event.listen(service.store._database.engine, "connect", limit)
    service.store.close()
    unit = {"facility_id": "F1", "equipment_id": "E1"}
    with client_of(service) as client:
        told = client.post(
            "/v1/readings",
            json={
                "units": [{**unit, "readings": body_readings(Unit("F1", "E9"), 5000)}]
            },
        )
        assert (told.status_code, told.headers["retry-after"]) == (503, "5")
        assert "nothing was changed" in told.json()["error"]
        assert client.post("/v1/predict", json={"units": [unit]}).status_code == 200


@pytest.mark.parametrize(
    ("fast", "advice"), [(False, "--port"), (True, "RAY_SERVE_HAPROXY_STATS_PORT=")]
)
def test_port_that_somebody_listens_on_is_told_before_ray_starts(
    fast: bool, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with socket.socket() as ours, socket.socket() as free, socket.socket() as also_free:
        for each in (ours, free, also_free):
            each.setsockopt(
                socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
            )  # held, but free for whoever asks likewise
            each.bind(("127.0.0.1", 0))
        ours.listen()
        taken, port, metrics = (
            each.getsockname()[1] for each in (ours, free, also_free)
        )
        monkeypatch.setenv("RAY_SERVE_ENABLE_HA_PROXY", str(int(fast)))
        monkeypatch.delenv("RAY_SERVE_HAPROXY_METRICS_PORT", raising=False)
        monkeypatch.setitem(HAPROXY, "RAY_SERVE_HAPROXY_METRICS_PORT", str(metrics))
        monkeypatch.setenv("RAY_SERVE_HAPROXY_STATS_PORT", str(taken))
        for address in (None, "local"):
            if address:
                monkeypatch.setenv("RAY_ADDRESS", address)
            with pytest.raises(
                ConfigError, match=rf"{taken} \(Address already in use\); .*{advice}"
            ):
                _check_free("127.0.0.1", port if fast else taken)
        monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:6379")
        _check_free("127.0.0.1", taken)


@pytest.mark.parametrize(
    ("replicas", "environment"),
    [
        (2, {}),
        (1, {"RAY_ADDRESS": "127.0.0.1:6379"}),
        (1, {"RAY_SERVE_ENABLE_HA_PROXY": "1"}),
    ],
    ids=["several", "cluster", "haproxy"],
)
def test_ingress_listens_itself_only_where_nobody_has_to_choose_among_several(
    replicas: int, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RAY_ADDRESS", "RAY_SERVE_ENABLE_HA_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert (
        _direct(ServeConfig(), 8000)["RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT"] == "8000"
    )
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert _direct(ServeConfig(replicas=replicas), 8000) == {}
