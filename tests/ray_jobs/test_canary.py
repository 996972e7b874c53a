"""A challenger in a share of the facilities of a real workspace: score, widening, roll-back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hvac.days import date_of
from hvac.panel.registry import Registry
from hvac.report.workspace_summary import workspace_lines
from hvac.sentences import translated
from hvac.storage import matching, write_parquet
from hvac.update.bends import Bend
from hvac.update.champions import Challenger, Champions, read_champions, write_champions
from ray_jobs import describe, rollback, score
from ray_jobs.run.records import IngestRecord, TrainRecord
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace, workspace_of
from tests.ray_jobs.test_update import bent_challenger, updated


@pytest.fixture
def run(finished: tuple[RunConfig, Path], tmp_path: Path) -> Iterator[RunConfig]:
    """A copy of the finished run, scored, with a challenger."""
    config, folder = finished
    shutil.copytree(folder, tmp_path / "run")
    copy = config.model_copy(update={"workspace": tmp_path / "run"})
    score.run(copy)
    challenge(copy, since=Registry.load(workspace_of(copy).panel).days[1])
    return copy


def challenge(config: RunConfig, *, since: int) -> None:
    """Let bent bundles be the challenger, chosen on a day."""
    workspace = bent_challenger(config, Bend(1.0, 0.4))
    champions = champions_of(config)
    assert champions.challenger is not None
    chosen = champions.challenger.model_copy(update={"since": since})
    changed = champions.model_copy(update={"challenger": chosen})
    write_champions(workspace.root, changed)


def champions_of(config: RunConfig) -> Champions:
    workspace = workspace_of(config)
    trained = workspace.record(TrainRecord).bundles
    return read_champions(workspace.root, trained)


def begun(config: RunConfig, **section: Any) -> tuple[Workspace, Champions]:
    """Let the challenger speak in some of the facilities."""
    told = updated(config, promote=True, canary_share=0.3, **section)
    assert told["action"] == "canary"
    return workspace_of(config), champions_of(config)


def test_challenger_speaks_in_some_facilities_until_it_is_rolled_back(
    run: RunConfig,
) -> None:
    root = workspace_of(run).root
    score.run(run)  # with pairs
    before = (root / "latest.parquet").read_bytes()
    champion = champions_of(run).champion
    workspace, champions = begun(run)
    challenger = champions.challenger
    assert challenger is not None
    assert champions.champion == champion
    registry = Registry.load(workspace.panel)
    facilities = set(registry.units["facility_id"].to_pylist())
    assert 0 < len(challenger.speaks_in) < len(facilities)
    assert challenger.speaks_since == registry.days[1]
    lines = "".join(workspace_lines(describe.run(workspace, {}), {}))
    assert f"; speaks in {', '.join(challenger.speaks_in)} since" in lines
    scored = score.run(run)
    buckets = workspace.record(IngestRecord).buckets
    assert 0 < scored.buckets_scored < len(buckets)
    rows = pq.read_table(root / "latest.parquet").to_pylist()
    for row in rows:
        speaks = row["facility_id"] in challenger.speaks_in
        bundles = challenger.bundles if speaks else champion
        assert row["bundle_id"] == bundles[row["class"]]
    pairs = [
        pq.read_table(part) for part in matching(root / "update/shadow", "*/*.parquet")
    ]
    for row in pa.concat_tables(pairs).to_pylist():
        assert row["bundle_id"] == champion[row["class"]]
        assert row["challenger_id"] == challenger.bundles[row["class"]]
        assert row["risk"] is None or row["risk"] < row["challenger_risk"]
    assert "speaks in" in updated(run)["why"]
    assert rollback.run(run)["champion"] == champion
    score.run(run)
    assert (root / "latest.parquet").read_bytes() == before
    actions = [row.action for row in champions_of(run).history]
    assert actions == ["challenged", "canary", "kept", "rolled_back"]


def test_canary_widens_by_alarms_where_too_few_labels_have_matured(
    run: RunConfig,
) -> None:
    _, champions = begun(run)
    challenger = champions.challenger
    assert challenger is not None
    told = updated(run, canary_days=0)
    assert (told["action"], "no window was scored by both" in told["why"]) == (
        "kept",
        True,
    )
    score.run(run)
    told = updated(run, canary_days=0)
    assert told["action"] == "promoted"
    assert "in all facilities, decided by alarms" in told["why"]
    assert told["champion"] == challenger.bundles


def test_canary_with_too_many_alarms_is_taken_back(run: RunConfig) -> None:
    workspace, champions = begun(run)
    challenger = champions.challenger
    assert challenger is not None
    write_pairs(workspace, challenger, machines=10, alarms=(4, 9))
    told = updated(run, canary_days=0)
    assert told["action"] == "rolled_back"
    assert "0.900 a machine, the champion 0.400" in told["why"]
    assert champions_of(run).challenger is None
    assert told["champion"] == champions.champion


@pytest.mark.parametrize(
    ("machines", "alarms", "action"),
    [(10, (4, 9), "kept"), (100, (40, 90), "rolled_back"), (100, (2, 7), "kept")],
)  # too few to be sure; surely too many; no more than the budget of all its days
def test_canary_with_surely_too_many_alarms_is_taken_back_at_once(
    run: RunConfig, machines: int, alarms: tuple[int, int], action: str
) -> None:
    workspace, champions = begun(run)
    assert champions.challenger is not None
    write_pairs(workspace, champions.challenger, machines=machines, alarms=alarms)
    told = updated(run)
    assert told["action"] == action
    is_early = action == "rolled_back"
    assert ("as they are surely too many already" in told["why"]) == is_early
    if is_early:
        assert "警報が明らかに多すぎる" in translated(told["why"], "ja")


def write_pairs(
    workspace: Workspace,
    challenger: Challenger,
    *,
    machines: int,
    alarms: tuple[int, int],
) -> None:
    """Write a day's pairs of machines, of which some are in alarm by champion and by challenger."""
    day = date_of(challenger.speaks_since or 0)
    pairs = pa.Table.from_pylist(
        [
            {
                "facility_id": challenger.speaks_in[0], "equipment_id": f"E{n}", "horizon": 30,
                "end_date": day, "risk": 0.1, "alarm": n < alarms[0],
                "challenger_risk": 0.2, "challenger_alarm": n < alarms[1],
                "challenger_id": min(challenger.bundles.values()),
            }
            for n in range(machines)
        ]
    )  # fmt: skip
    write_parquet(pairs, workspace.root / "update/shadow" / str(day) / "part-a.parquet")


def test_labels_decide_about_a_canary_where_there_are_enough(run: RunConfig) -> None:
    challenge(run, since=0)
    begun(run)
    told = updated(run, canary_days=0)
    assert told["action"] in ("promoted", "rolled_back")
    assert "decided by labels" in told["why"]
    less = told["figures"]["since"]["less_loss"]
    assert (told["action"] == "rolled_back") == (less[2] < 0)


def test_canary_is_widened_by_hand(run: RunConfig) -> None:
    _, champions = begun(run)
    told = updated(run, promote=True, canary_share=0.3)
    assert (told["action"], told["why"]) == ("promoted", "in all facilities by hand")
    assert champions.challenger is not None
    assert told["champion"] == champions.challenger.bundles


def test_managed_update_begins_with_a_canary(run: RunConfig) -> None:
    told = updated(run, managed=True, shadow_days=0, canary_share=0.5)
    assert told["action"] == "canary"
