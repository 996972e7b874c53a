"""Where a run's files lie, and which steps are already done."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hvac.errors import HvacError
from ray_jobs.run_config import RunConfig

log = logging.getLogger(__name__)
Result = dict[str, Any]


@dataclass(frozen=True)
class Workspace:
    """Folders and files of one run."""

    root: Path

    @property
    def panel(self) -> Path:
        """Canonical readings in buckets of equipment, with units, events and counts."""
        return self.root / "panel"

    @property
    def windows(self) -> Path:
        """The featurized table: one Parquet part per class and bucket."""
        return self.root / "windows"

    @property
    def bundles(self) -> Path:
        """One folder per bundle."""
        return self.root / "bundles"

    @property
    def figures(self) -> Path:
        """Figures of the report, as PNG."""
        return self.root / "figures"

    def state(self, step: str) -> Path:
        """The record of a finished step."""
        return self.root / "steps" / f"{step}.json"

    def finished(self, step: str) -> Result:
        """What a finished step recorded. Raises HvacError where the step has not run."""
        try:
            found: Result = json.loads(self.state(step).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise HvacError(
                f"{self.root}: step '{step}' has not been run here: python -m ray_jobs.{step} --config …"
            ) from None
        return found


def workspace_of(config: RunConfig) -> Workspace:
    """The workspace a run names."""
    return Workspace(config.workspace.resolve())


def content_key(*parts: Any) -> str:
    """A hash of anything that prints as JSON: what a step's result depends on."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def run_step(workspace: Workspace, step: str, key: str, work: Callable[[], Result]) -> Result:
    """Do a step's work unless it was already done with the same key; record what it says, whole or not at all."""
    if workspace.state(step).exists():
        done = workspace.finished(step)
        if done["key"] == key:
            log.info("%s: already done, skipped (same configuration and input)", step)
            return done
    log.info("%s: started", step)
    started = time.monotonic()
    result = {**work(), "key": key, "seconds": round(time.monotonic() - started, 1)}
    write_json(workspace.state(step), result)
    log.info("%s: done in %.1f s", step, result["seconds"])
    return result


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically; what is not a number becomes null."""
    path.parent.mkdir(parents=True, exist_ok=True)
    building = path.with_name(f".{path.name}.{os.getpid()}")
    building.write_text(json.dumps(_plain(content), indent=1, default=str, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(building, path)


def _plain(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
