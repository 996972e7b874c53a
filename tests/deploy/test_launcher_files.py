"""cluster.yaml and its variant for one's own machines."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from tests.deploy.deploy_example import LAUNCHERS, filled

AWS, OWN = LAUNCHERS


def launcher(name: str) -> dict[str, Any]:
    found = yaml.safe_load(filled(name))
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("name", LAUNCHERS)
def test_launcher_file_passes_rays_schema(name: str) -> None:
    validate_config(prepare_config(launcher(name)))


@pytest.mark.parametrize("name", LAUNCHERS)
@pytest.mark.parametrize(
    "wrong", [{"idle_timeout": 5}, {"auth": {"user": "me"}}, {"docker": {"img": "x"}}]
)
def test_a_wrong_field_is_refused(name: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validate_config(prepare_config(launcher(name) | wrong))


def test_head_takes_no_tasks_and_workers_grow_from_none() -> None:
    cluster = prepare_config(launcher(AWS))
    types = cluster["available_node_types"]
    assert types[cluster["head_node_type"]]["resources"] == {"CPU": 0}
    assert {
        name: (kind["min_workers"], kind["max_workers"]) for name, kind in types.items()
    } == {
        "head": (0, 0),
        "cpu": (0, 10),
        "gpu": (0, 2),
    }
    assert cluster["max_workers"] == 12
    assert "--num-cpus=0" in launcher(OWN)["head_start_ray_commands"][1]


@pytest.mark.parametrize("name", LAUNCHERS)
def test_nothing_is_installed_when_a_node_starts(name: str) -> None:
    cluster = prepare_config(launcher(name))
    for key in (
        "initialization_commands",
        "setup_commands",
        "head_setup_commands",
        "worker_setup_commands",
    ):
        assert cluster[key] == []


@pytest.mark.parametrize("name", LAUNCHERS)
def test_dashboard_and_jobs_listen_on_this_machine_only(name: str) -> None:
    cluster = launcher(name)
    heads = [
        command
        for command in cluster["head_start_ray_commands"]
        if "ray start" in command
    ]
    assert [
        command.split().count("--dashboard-host=127.0.0.1") for command in heads
    ] == [1]
    assert "0.0.0.0" not in filled(name)


@pytest.mark.parametrize("name", LAUNCHERS)
def test_token_is_asked_for_and_shipped(name: str) -> None:
    cluster = launcher(name)
    options = dict(
        option.removeprefix("--env ").split("=", 1)
        for option in cluster["docker"]["run_options"]
    )
    assert options["RAY_AUTH_MODE"] == "token"
    folder = str(Path(options["RAY_AUTH_TOKEN_PATH"]).parent)
    assert cluster["file_mounts"] == {folder: "your-token-folder"}


@pytest.mark.parametrize("name", LAUNCHERS)
def test_nodes_run_one_thread_per_worker_and_report_nothing(name: str) -> None:
    cluster = launcher(name)
    assert {"--env OMP_NUM_THREADS=1", "--env RAY_USAGE_STATS_ENABLED=0"} <= set(
        cluster["docker"]["run_options"]
    )
    assert "--disable-usage-stats" in cluster["head_start_ray_commands"][1]


@pytest.mark.parametrize(
    ("gpu", "asked"),
    [(True, '--resources={"encoder":1}'), (False, '--resources={"features":1}')],
)
def test_own_machine_offers_what_its_hardware_allows(
    gpu: bool, asked: str, tmp_path: Path
) -> None:
    programs = {
        "ray": 'printf "%s\\n" "$@"',
        "nvidia-smi": f"echo GPU 0; exit {0 if gpu else 9}",
    }
    for program, body in programs.items():
        (tmp_path / program).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / program).chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "RAY_HEAD_IP": "10.0.0.1",
    }
    command = launcher(OWN)["worker_start_ray_commands"][1]
    said = subprocess.run(
        ["bash", "-c", command],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert said.splitlines() == [
        "start",
        "--address=10.0.0.1:6379",
        "--object-manager-port=8076",
        asked,
    ]
