"""To call a machine otherwise makes nothing anew but the names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hvac.panel.names import load_names
from ray_jobs import ingest
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import workspace_of
from tests.checks.tables_example import Tables


def test_another_name_is_taken_and_nothing_is_ingested_again(
    ray: None, run_config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    names = tmp_path / "names.csv"
    names.write_text("of,id,ja\npoint,p,給気温度\n", encoding="utf-8")
    source = Tables().write(tmp_path).model_dump(mode="json") | {"names": str(names)}
    config = run_config(simulate=None, source=source)
    first = ingest.run(config)
    panel = workspace_of(config).panel
    assert load_names(panel).shown("point", "p", "ja") == "給気温度"
    names.write_text("of,id,ja\npoint,p,吹出温度\n", encoding="utf-8")
    second = ingest.run(config)
    assert not first.skipped
    assert second.skipped
    assert second.key == first.key
    assert load_names(panel).shown("point", "p", "ja") == "吹出温度"
