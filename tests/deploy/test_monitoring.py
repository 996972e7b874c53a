"""Dashboard and alert rules: they name metrics and labels that exist, and promtool takes them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from serve.http.api import make_api
from serve.http.door import Door
from serve.service_metrics import REGISTRY
from tests.deploy.deploy_example import ROOT
from tests.serve.serve_example import service_of

FOLDER = ROOT / "deploy" / "monitoring"
BOARD: dict[str, Any] = json.loads(
    (FOLDER / "dashboard.json").read_text(encoding="utf-8")
)
RULES: list[dict[str, Any]] = yaml.safe_load(
    (FOLDER / "alerts.yaml").read_text(encoding="utf-8")
)["groups"][0]["rules"]
SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
}
OF_PROMETHEUS = {"le", "job", "instance"}


def exposed() -> dict[str, set[str]]:
    """Names of series that /metrics shows, and their labels."""
    series = {}
    for collector in set(REGISTRY._names_to_collectors.values()):
        for family in collector.describe():
            for suffix in SUFFIXES[family.type]:
                series[f"{family.name}{suffix}"] = set(collector._labelnames)  # type: ignore[attr-defined]
    return series


def board_expressions() -> Iterator[tuple[str, str]]:
    for panel in BOARD["panels"]:
        for target in panel.get("targets", ()):
            yield f"{panel['title']} {target['refId']}", target["expr"]


EXPRESSIONS = {
    **dict(board_expressions()),
    **{rule["alert"]: rule["expr"] for rule in RULES},
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_metrics_and_labels_that_an_expression_names_exist(name: str) -> None:
    expression = EXPRESSIONS[name]
    series = exposed()
    named = set(re.findall(r"\bhvac_\w+", expression))
    assert named <= set(series)
    labels = {label for each in named for label in series[each]} | OF_PROMETHEUS
    asked = set(re.findall(r"(\w+)=~?\"", expression))
    for group in re.findall(r"by \(([^)]*)\)", expression):
        asked |= {label.strip() for label in group.split(",")}
    assert asked <= labels


def test_dashboard_shows_every_metric_of_the_service() -> None:
    families = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in exposed()}
    shown = {
        re.sub(r"_(total|bucket|sum|count)$", "", name)
        for _, expression in board_expressions()
        for name in re.findall(r"\bhvac_\w+", expression)
    }
    assert shown == families


def test_route_that_expressions_name_is_one_of_the_service(tmp_path: Path) -> None:
    service = service_of(tmp_path)
    paths = make_api(service, Door(service.store, keys=False)).openapi()["paths"]
    routes = {
        route
        for expression in EXPRESSIONS.values()
        for route in re.findall(r'route="([^"]+)"', expression)
    }
    assert routes
    assert routes <= set(paths)


def test_panels_have_numbers_of_their_own_and_do_not_overlap() -> None:
    numbers = [panel["id"] for panel in BOARD["panels"]]
    assert len(numbers) == len(set(numbers))
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_panels_take_the_data_source_that_the_reader_chooses() -> None:
    for panel in BOARD["panels"]:
        for target in panel.get("targets", ()):
            assert target["datasource"] == {
                "type": "prometheus",
                "uid": "${datasource}",
            }
    assert [variable["name"] for variable in BOARD["templating"]["list"]] == [
        "datasource",
        "facility",
    ]


def test_every_alert_says_what_is_wrong_and_what_to_do() -> None:
    for rule in RULES:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool (Debian's package prometheus) is not installed")
    return found


@pytest.mark.parametrize(
    "arguments",
    [["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]],
)
def test_promtool_takes_the_rules_and_their_cases(
    promtool: str, arguments: list[str]
) -> None:
    done = subprocess.run(
        [promtool, *arguments], cwd=FOLDER, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_reads_every_expression_of_the_dashboard(
    promtool: str, tmp_path: Path
) -> None:
    rules = []
    for number, (_, expression) in enumerate(board_expressions()):
        plain = expression.replace("$__rate_interval", "5m").replace("$facility", ".*")
        rules.append({"record": f"panel:{number}", "expr": plain})
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(
        [promtool, "check", "rules", str(file)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
