"""What the files that start clusters say together: same image, known commands, every marker explained."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import tomllib

import pytest

from hvac.config import read_overrides
from ray_jobs.run.run_config import RunConfig, load_run
from serve.settings import read_serve_config
from tests.deploy.deploy_example import (
    CRONTAB,
    EVERY,
    LAUNCHERS,
    MANIFESTS,
    MARKER,
    ROOT,
    containers,
    cron_lines,
    documents,
    images,
    job_commands,
    ray_clusters,
    text,
)

DOCS = "docs/cluster.md"


def test_every_file_names_the_images_that_the_dockerfile_documents() -> None:
    documented = set(re.findall(r"hvac-foresight:\S+", text("deploy/Dockerfile")))
    version = tomllib.loads(text("pyproject.toml"))["project"]["version"]
    assert documented == {f"hvac-foresight:{version}", f"hvac-foresight:{version}-cuda"}
    assert images() == documented


def test_cuda_image_goes_where_a_gpu_is() -> None:
    for container in containers():
        gpu = "nvidia.com/gpu" in container["resources"]["limits"]
        assert container["image"].endswith("-cuda") == gpu
    types = documents("cluster.yaml")[0]["available_node_types"]
    assert types["gpu"]["docker"]["worker_image"].endswith("-cuda")
    assert not any("docker" in types[name] for name in ("head", "cpu"))


def test_clusters_run_the_pinned_ray() -> None:
    pinned = re.search(r"^ray==(\S+)$", text("constraints.txt"), re.MULTILINE)
    assert pinned
    assert {cluster["rayVersion"] for cluster in ray_clusters().values()} == {pinned[1]}


def test_resource_names_are_the_same_everywhere() -> None:
    kinds = documents("cluster.yaml")[0]["available_node_types"].values()
    aws = {name for kind in kinds for name in kind["resources"]} - {"CPU"}
    own = set(re.findall(r'{"(\w+)":1}', text("deploy/onprem.yaml")))
    params = [
        worker["rayStartParams"]
        for cluster in ray_clusters().values()
        for worker in cluster["workerGroupSpecs"]
    ]
    kubernetes = {
        name for each in params for name in json.loads(json.loads(each["resources"]))
    }
    assert aws == own == kubernetes == {"features", "encoder"}


def test_every_marker_is_explained_and_no_other() -> None:
    used = {
        marker
        for name in (*EVERY, "deploy/Dockerfile")
        for marker in MARKER.findall(text(name))
    }
    explained = set(re.findall(r"^\| `(<YOUR-[A-Z0-9-]+>)`", text(DOCS), re.MULTILINE))
    assert used == explained
    assert set(MARKER.findall(text(DOCS))) == explained


def test_markers_are_the_only_values_left_open() -> None:
    for name in EVERY:
        assert not re.findall(
            r"(?i)\b(todo|fixme|xxx|changeme|example\.com)\b", text(name)
        )


def test_commands_run_modules_that_exist() -> None:
    modules = [
        module
        for command in job_commands()
        for module in re.findall(r"-m (\S+)", command)
    ]
    assert set(modules) == {
        "ray_jobs.pipeline",
        "ray_jobs.daily",
        "ray_jobs.update",
        "serve.load",
    }
    for module in modules:
        assert importlib.util.find_spec(module)


def test_commands_give_settings_that_exist() -> None:
    for command in job_commands():
        settings = [
            word for word in shlex.split(command) if re.match(r"[a-z_.]+=", word)
        ]
        if "serve.load" in command:
            assert read_serve_config(read_overrides(settings)).workspace
        else:
            assert load_run(
                ROOT / "ray_jobs" / "configs" / "demo.yaml", settings
            ).workspace


def test_page_names_settings_that_exist() -> None:
    named = set(re.findall(r"`((?:train|featurize|ray)\.[a-z_]+)", text(DOCS)))
    assert named >= {
        "train.workers",
        "train.gpu",
        "featurize.encoders",
        "featurize.encoder_gpus",
    }
    for section, key in (name.split(".") for name in named):
        assert key in RunConfig.model_fields[section].annotation.model_fields  # type: ignore[union-attr]


def test_page_starts_heads_on_this_machine_only() -> None:
    starts = re.findall(r"^ray start --head(?:.*\\\n)*.*", text(DOCS), re.MULTILINE)
    assert starts
    for start in starts:
        assert "--dashboard-host 127.0.0.1" in start
    assert "RAY_AUTH_MODE=token" in text(DOCS)


@pytest.mark.parametrize("name", [*LAUNCHERS, *MANIFESTS, CRONTAB, "deploy/Dockerfile"])
def test_no_file_holds_a_secret(name: str) -> None:
    assert not re.findall(
        r"(?i)(password|token|secret|key)\s*[:=]\s*['\"]?[A-Za-z0-9+/]{16,}", text(name)
    )
    assert not re.findall(r"AKIA[0-9A-Z]{16}|://[^\s/@:]+:[^\s/@]+@", text(name))


def test_cron_runs_once_at_a_time_keeps_a_log_and_the_token() -> None:
    assert len(cron_lines()) == 4
    for line in cron_lines():
        assert "flock " in line
        assert line.endswith((">> runs/daily.log 2>&1", ">> runs/update.log 2>&1"))
        assert "%" not in line  # cron would end the line there
    assert "RAY_AUTH_MODE=token" in text(CRONTAB).splitlines()
