"""The files that start clusters, read as data: markers filled in, documents parsed, parts picked out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
LAUNCHERS = ("cluster.yaml", "deploy/onprem.yaml")
MANIFESTS = (
    "deploy/kuberay/rayjob.yaml",
    "deploy/kuberay/rayservice.yaml",
    "deploy/kuberay/daily.yaml",
)
CRONTAB = "deploy/crontab"
EVERY = (*LAUNCHERS, *MANIFESTS, CRONTAB)
MARKER = re.compile(r"<YOUR-[A-Z0-9-]+>")
CLUSTER_KEYS = ("rayClusterSpec", "rayClusterConfig")


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """The blocks of code of a page in a language; "" for those that name none."""
    every = re.findall(r"^```(\w*)\n(.*?)^```$", text(page), flags=re.S | re.M)
    return [block for named, block in every if named == language]


def filled(name: str) -> str:
    """The file with something a user could have put in for every marker."""
    values = {
        "<YOUR-WORKSPACE-URL>": "s3://bucket/fleet",
        "<YOUR-REGISTRY>": "registry.example:5000/team",
    }
    return MARKER.sub(
        lambda found: values.get(found[0], found[0].strip("<>").lower()), text(name)
    )


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(filled(name)))


def manifests() -> dict[str, dict[str, Any]]:
    """Every Kubernetes object, by kind."""
    return {
        document["kind"]: document for name in MANIFESTS for document in documents(name)
    }


def ray_clusters() -> dict[str, dict[str, Any]]:
    """The specification of every cluster that KubeRay is asked for, by the kind that asks."""
    found = {}
    for kind, document in manifests().items():
        spec = document["spec"]
        inner = [spec[key] for key in CLUSTER_KEYS if key in spec]
        if inner or kind == "RayCluster":
            found[kind] = inner[0] if inner else spec
    return found


def groups(cluster: dict[str, Any]) -> list[dict[str, Any]]:
    """Head and workers, the head first."""
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def containers() -> list[dict[str, Any]]:
    """Every container of every manifest."""
    templates = [
        group["template"]
        for cluster in ray_clusters().values()
        for group in groups(cluster)
    ]
    templates.append(manifests()["CronJob"]["spec"]["jobTemplate"]["spec"]["template"])
    return [
        container
        for template in templates
        for container in template["spec"]["containers"]
    ]


def texts_in(value: Any) -> Iterator[str]:
    """Every text inside nested lists and mappings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_in(inner)


def images() -> set[str]:
    """Every image that a launcher file or a manifest names, its registry taken off."""
    named = [
        t
        for name in (*LAUNCHERS, *MANIFESTS)
        for document in documents(name)
        for t in texts_in(document)
    ]
    return {
        found.rpartition("/")[2]
        for found in named
        if re.search(r"/hvac-foresight(:|$)", found)
    }


def cron_lines() -> list[str]:
    """The lines of the crontab that are commands, the one that is commented out too."""
    lines = [line.removeprefix("# ") for line in filled(CRONTAB).splitlines()]
    return [line for line in lines if re.match(r"(?:[\d*/,-]+ ){5}", line)]


def job_commands() -> list[str]:
    """Everything that runs one of our modules: up to the end of its arguments."""
    cron = manifests()["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"][
        "containers"
    ][0]
    commands = [
        manifests()["RayJob"]["spec"]["entrypoint"],
        " ".join(cron["args"]),
        *cron_lines(),
    ]
    return [re.split(r"\s>>", command)[0] for command in commands]
