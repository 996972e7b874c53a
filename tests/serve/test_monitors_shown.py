"""What the monitors found: on the page, in the API, in the metrics and in the report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from hvac.monitor.alerts import AlertRow, alert_table
from hvac.monitor.monitor_findings import read_findings
from hvac.report.monitor_section import monitors
from hvac.report.texts import Words
from hvac.report.view import Table, View
from hvac.storage import write_parquet
from hvac.update.champions import Challenger, Champions, write_champions
from serve import service_metrics
from serve.case_keeping import count_monitor_alerts
from serve.keys import make_key
from serve.memory.step_records import trained_bundles
from serve.service import Service
from tests.serve.serve_example import client_of, service_of

SUMMARY = {
    "alerts_per_year": 1.0,
    "since": "2026-01-05",
    "last_week": "2026-06-29",
    "monitors": {
        "data": {
            "alerts": 3,
            "explained": 1,
            "waits": None,
            "charts": {"late": {"watched_years": 0.5}, "stuck": {"watched_years": 0.4}},
        },
        "scores": {
            "alerts": 0,
            "waits": {"en": "scores: 3 weeks", "ja": "スコア：3 週"},
            "charts": {},
        },
    },
}


def write_findings(workspace: Path) -> None:
    folder = workspace / "monitor"
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps(SUMMARY), encoding="utf-8")
    parts = {"count": 3, "points": 40, "usual": 0.2}
    rows = [
        AlertRow(
            "data", "late", {"facility_id": "F1"}, day, day - 6, 9.0, 5.0, alert, parts
        )
        for day, alert in ((20_600, True), (20_500, True), (20_610, False))
    ]
    write_parquet(alert_table(rows), folder / "alerts.parquet")


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return service_of(tmp_path)


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with client_of(service) as client:
        yield client


def test_declared_stands_beside_measured(service: Service, client: TestClient) -> None:
    assert client.get("/v1/monitors").json()["monitors"] == []
    assert "ray_jobs.monitor" in client.get("/monitors").text
    write_findings(Path(service.config.workspace))
    answer = client.get("/v1/monitors").json()
    data, scores = answer["monitors"]
    assert (data["declared_per_year"], data["measured_per_year"]) == (1.0, 4.0)
    assert (data["alerts"], data["explained"], scores["explained"]) == (3, 1, 0)
    assert (scores["measured_per_year"], scores["waits"]) == (None, "scores: 3 weeks")
    assert [alert["day"] for alert in answer["alerts"]] == ["2026-05-27", "2026-02-16"]
    page = client.get("/monitors?lang=ja").text
    for words in ("測定値の到着遅れ", "4.0", "スコア：3 週"):
        assert words in page
    assert "scores: 3 weeks" in client.get("/monitors?lang=en").text
    count_monitor_alerts(service)
    text = service_metrics.exposition().decode()
    assert 'hvac_monitor_alerts{monitor="data"} 2.0' in text
    assert 'hvac_monitor_declared{monitor="data"} 0.5' in text


def test_page_tells_how_the_model_was_changed(
    service: Service, client: TestClient
) -> None:
    root = Path(service.config.workspace)
    assert "What updates did" not in client.get("/monitors").text
    trained = trained_bundles(root / "steps" / "train.json")
    kept = Champions(trained=trained, champion=trained).noted("kept", "by hand")
    write_champions(root, kept)
    assert "serve as they were trained" in client.get("/monitors").text
    new = Challenger(bundles={"pump": "pump-new"}, rung="platt", since=1)
    champions = kept.noted("challenged", "new", challenger=new).promoted("by hand")
    write_champions(root, champions)
    page = client.get("/monitors").text
    assert "no longer as they were trained" in page
    assert page.index("The models were changed: by hand") < page.index(
        "A challenger is watched: new"
    )
    assert "Nothing was changed" not in page
    assert (
        "モデルを切り替え：手動で運用に移しました"
        in client.get("/monitors?lang=ja").text
    )


def test_damaged_history_of_updates_is_logged_and_the_page_goes_on(
    service: Service, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    (Path(service.config.workspace) / "champions.json").write_text("{broken")
    page = client.get("/monitors")
    assert (page.status_code, "champions.json" in page.text) == (200, False)
    assert "champions.json is damaged" in caplog.text


def test_key_of_one_facility_sees_no_monitor_of_the_fleet(service: Service) -> None:
    write_findings(Path(service.config.workspace))
    key = {"X-API-Key": make_key(service.store, "one", facility_id="F1")}
    with client_of(service, keys=True) as client:
        assert client.get("/v1/monitors", headers=key).status_code == 403
        assert client.get("/monitors", headers=key).status_code == 403
        assert "/monitors" not in client.get("/", headers=key).text


def test_report_has_a_section_where_monitors_ran(tmp_path: Path) -> None:
    words = Words("en")
    assert monitors(View(metrics={}, images={}, words=words)) == []
    write_findings(tmp_path)
    findings = read_findings(tmp_path / "monitor")
    assert findings is not None
    metrics = {"monitors": findings.model_dump(mode="json")}
    table, first, *_ = monitors(View(metrics=metrics, images={}, words=words))
    assert isinstance(table, Table)
    assert [cell.text for cell in table.rows[0].cells[:4]] == ["1.0", "4.0", "1", "0.5"]
    assert getattr(first, "text", "").startswith(
        "2026-05-27: F1: late readings at 3 of 40"
    )
