"""The manifests of deploy/kuberay, and the Serve configuration inside one of them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ray.serve.schema import ServeDeploySchema

from serve.settings import read_serve_config
from tests.deploy.deploy_example import (
    MANIFESTS,
    ROOT,
    containers,
    documents,
    groups,
    manifests,
    ray_clusters,
)

SCHEMA = json.loads(
    (Path(__file__).parent / "schemas" / "kuberay.json").read_text(encoding="utf-8")
)


def check(manifest: dict[str, Any]) -> None:
    jsonschema.validate(
        manifest,
        {**SCHEMA, "$ref": f"#/$defs/{manifest['kind']}"},
        jsonschema.Draft202012Validator,
    )


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifest_has_only_fields_that_kuberay_knows(name: str) -> None:
    for manifest in documents(name):
        check(manifest)


@pytest.mark.parametrize(
    ("kind", "path", "wrong"),
    [
        ("RayJob", (), "entryPoint"),
        ("RayJob", ("rayClusterSpec",), "authOption"),
        ("RayJob", ("rayClusterSpec", "headGroupSpec"), "rayStartParam"),
        ("RayJob", ("rayClusterSpec", "workerGroupSpecs", 0), "maxReplica"),
        (
            "RayCluster",
            ("workerGroupSpecs", 1, "template", "spec", "containers", 0),
            "resource",
        ),
        ("RayCluster", ("workerGroupSpecs", 1, "template", "spec"), "toleration"),
        ("RayService", (), "rayClusterSpec"),
        ("CronJob", ("jobTemplate", "spec"), "retries"),
    ],
)
def test_a_wrong_field_is_refused(kind: str, path: tuple[Any, ...], wrong: str) -> None:
    manifest = copy.deepcopy(manifests()[kind])
    place = manifest["spec"]
    for step in path:
        place = place[step]
    place[wrong] = 1
    with pytest.raises(jsonschema.ValidationError, match=wrong):
        check(manifest)


def test_a_missing_or_mistyped_field_is_refused() -> None:
    for change in (
        {"headGroupSpec": None},
        {"rayVersion": 2.6},
        {"authOptions": {"mode": "on"}},
    ):
        manifest = copy.deepcopy(manifests()["RayCluster"])
        manifest["spec"] |= change
        with pytest.raises(jsonschema.ValidationError):
            check(manifest)


def test_every_cluster_asks_for_a_token() -> None:
    assert set(ray_clusters()) == {"RayJob", "RayService", "RayCluster"}
    for cluster in ray_clusters().values():
        assert cluster["authOptions"] == {"mode": "token"}
    submit = manifests()["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"][
        "containers"
    ][0]
    values = {variable["name"]: variable for variable in submit["env"]}
    assert values["RAY_AUTH_MODE"]["value"] == "token"
    secret = values["RAY_AUTH_TOKEN"]["valueFrom"]["secretKeyRef"]
    assert secret == {
        "name": manifests()["RayCluster"]["metadata"]["name"],
        "key": "auth_token",
    }


def test_nothing_is_opened_to_the_outside() -> None:
    for cluster in ray_clusters().values():
        assert not {"serviceType", "headService", "enableIngress"} & set(
            cluster["headGroupSpec"]
        )


def test_heads_take_no_tasks_and_workers_say_what_they_are_for() -> None:
    offered = set()
    for cluster in ray_clusters().values():
        head, *workers = groups(cluster)
        assert head["rayStartParams"] == {"num-cpus": "0"}
        for worker in workers:
            # Ray's shell takes the outer quotes off; what is left is a text of JSON in a text of JSON.
            resources = json.loads(json.loads(worker["rayStartParams"]["resources"]))
            gpu = (
                "nvidia.com/gpu"
                in worker["template"]["spec"]["containers"][0]["resources"]["limits"]
            )
            offered.add((worker["groupName"], *resources, gpu))
    assert offered == {("cpu", "features", False), ("gpu", "encoder", True)}


def test_containers_are_bounded_and_not_root() -> None:
    for container in containers():
        assert container["resources"]["limits"]["memory"]
        rights = container["securityContext"]
        assert rights["runAsNonRoot"]
        assert not rights["allowPrivilegeEscalation"]
        assert rights["capabilities"] == {"drop": ["ALL"]}


def test_nodes_run_one_thread_per_worker_and_report_nothing() -> None:
    for cluster in ray_clusters().values():
        for group in groups(cluster):
            values = {
                each["name"]: each.get("value")
                for each in group["template"]["spec"]["containers"][0]["env"]
            }
            assert (values["OMP_NUM_THREADS"], values["RAY_USAGE_STATS_ENABLED"]) == (
                "1",
                "0",
            )


def test_daily_job_goes_to_the_cluster_of_the_same_file() -> None:
    cluster = manifests()["RayCluster"]["metadata"]["name"]
    job = manifests()["CronJob"]["spec"]
    submit = job["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    assert f"http://{cluster}-head-svc:8265" in submit["command"]
    assert job["concurrencyPolicy"] == "Forbid"


def test_service_is_the_one_of_serve_config() -> None:
    """All that may differ is named here."""
    ours = yaml.safe_load((ROOT / "serve" / "config.yaml").read_text(encoding="utf-8"))
    theirs = yaml.safe_load(manifests()["RayService"]["spec"]["serveConfigV2"])
    assert theirs["http_options"]["host"] == "0.0.0.0"
    arguments = theirs["applications"][0]["args"]
    assert arguments["keys"] == "required"
    theirs["http_options"]["host"] = ours["http_options"]["host"]
    for name in ("workspace", "store", "keys"):
        arguments.pop(name)
        ours["applications"][0]["args"].pop(name, None)
    assert theirs == ours


def test_service_is_accepted_by_serve_and_by_our_settings() -> None:
    config = yaml.safe_load(manifests()["RayService"]["spec"]["serveConfigV2"])
    application = ServeDeploySchema(**config).applications[0]
    assert (
        read_serve_config(application.args).store_url
        == "postgresql://hvac@your-database-host/hvac"
    )


@pytest.mark.parametrize("number", range(len(containers())))
def test_container_has_a_read_only_root_and_may_write_where_ray_does(
    number: int,
) -> None:
    container = containers()[number]
    context = container["securityContext"]
    assert context["readOnlyRootFilesystem"]
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert {"/tmp", "/home/ray"} <= {
        mount["mountPath"] for mount in container["volumeMounts"]
    }


def test_network_policy_covers_every_ray_pod_and_opens_only_dashboard_and_service() -> (
    None
):
    (policy,) = documents("deploy/kuberay/network.yaml")
    assert (policy["kind"], policy["spec"]["policyTypes"]) == (
        "NetworkPolicy",
        ["Ingress"],
    )
    inner, outer = policy["spec"]["ingress"]
    assert "ports" not in inner
    assert inner["from"] == [{"podSelector": policy["spec"]["podSelector"]}]
    assert [port["port"] for port in outer["ports"]] == [8265, 8000]
