"""Updates that were cut short and run again, of a workspace by URL, and without a log of events."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hvac.errors import InputError
from hvac.storage import place
from hvac.update.bends import Bend
from ray_jobs import rollback, score, update
from ray_jobs.run.run_config import RunConfig
from tests.ray_jobs.test_update import bent_challenger, run, updated

__all__ = ["run"]  # a fixture
RunAgain = Callable[[RunConfig], dict[str, Any]]


def look_again(config: RunConfig) -> dict[str, Any]:
    return updated(config, judged_days=30)


def promote_again(config: RunConfig) -> dict[str, Any]:
    return updated(config, promote=True)


@pytest.mark.parametrize("again", [look_again, promote_again])
def test_update_that_was_cut_short_does_the_same_when_it_is_run_again(
    run: RunConfig, monkeypatch: pytest.MonkeyPatch, again: RunAgain
) -> None:
    if again is promote_again:
        bent_challenger(run, Bend(1.0, 0.4))
    root = Path(str(run.workspace))
    champions = root / "champions.json"
    kept = champions.read_bytes() if champions.exists() else None

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(update, "write_champions", killed)
        with pytest.raises(KeyboardInterrupt):
            again(run)
    assert (champions.read_bytes() if champions.exists() else None) == kept
    bundles = {folder.name for folder in (root / "bundles").iterdir()}
    first = again(run)
    champions.unlink()
    if kept is not None:
        champions.write_bytes(kept)
    assert again(run) == first
    assert {folder.name for folder in (root / "bundles").iterdir()} == bundles


def test_workspace_may_be_a_url(run: RunConfig) -> None:
    config = run.model_copy(update={"workspace": place(f"file://{run.workspace}")})
    bent_challenger(config, Bend(1.0, 0.4))
    score.run(config)
    kept = updated(config, shadow_days=0)
    assert kept["shadow"]["pairs"] > 0
    before = kept["champion"]
    promoted = updated(config, promote=True)
    assert promoted["champion"] == kept["challenger"]
    assert rollback.run(config)["champion"] == before


def strict(text: str) -> Any:
    """Read JSON without the NaN of Python."""
    return json.loads(text, parse_constant=pytest.fail)


def test_thresholds_are_steered_where_labels_come_from_limits(run: RunConfig) -> None:
    labels = run.labels.model_copy(update={"source": "limits"})
    config = run.model_copy(update={"labels": labels})
    with pytest.raises(InputError, match=r"set labels.source=events"):
        updated(config)
    told = updated(config, alarms_per_unit_year=1.0)
    assert told["why"].startswith("thresholds")
    root = Path(str(run.workspace))
    history = strict((root / "champions.json").read_text())["history"]
    assert history[0]["why"].startswith("labels.source: limits")
    assert strict((root / "update" / "summary.json").read_text())["why"] == told["why"]
