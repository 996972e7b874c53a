"""Where a run's files lie, and which steps are already done."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from hvac.errors import HvacError, InputError
from hvac.storage import AnyPath, parquet_dataset, place, read_mark, write_json

log = logging.getLogger(__name__)
Result = dict[str, Any]


class HasWorkspace(Protocol):
    """A configuration that names a workspace."""

    @property
    def workspace(self) -> AnyPath:
        """The folder or URL, as it was given."""


@dataclass(frozen=True)
class Workspace:
    """Folders and files of one run."""

    root: AnyPath

    @property
    def panel(self) -> AnyPath:
        """Canonical readings in buckets of equipment, with units, events and counts."""
        return self.root / "panel"

    @property
    def windows(self) -> AnyPath:
        """The featurized table: one Parquet part per class and bucket."""
        return self.root / "windows"

    @property
    def bundles(self) -> AnyPath:
        """One folder per bundle."""
        return self.root / "bundles"

    @property
    def held_out(self) -> AnyPath:
        """Cross-fitted scores of the windows that are not tested, by class: what calibrated the
        bundles.
        """
        return self.root / "held_out"

    @property
    def figures(self) -> AnyPath:
        """Figures of the report, as PNG."""
        return self.root / "figures"

    @property
    def buckets(self) -> dict[str, str]:
        """Names and content keys of the panel's buckets. Raises HvacError where `ingest` has to run
        (again).
        """
        found = self.finished("ingest")["buckets"]
        if not isinstance(found, dict):
            raise HvacError(
                f"{self.root}: its panel is of an earlier version: run python -m ray_jobs.ingest"
                " --config … again"
            )
        return dict(found)

    def state(self, step: str) -> AnyPath:
        """The record of a finished step."""
        return self.root / "steps" / f"{step}.json"

    def finished(self, step: str) -> Result:
        """What a finished step recorded. Raises HvacError where the step has not run."""
        found = read_mark(self.state(step))
        if not found:
            raise HvacError(
                f"{self.root}: step '{step}' has not been run here: python -m ray_jobs.{step}"
                " --config …"
            )
        return found


def workspace_of(config: HasWorkspace) -> Workspace:
    """The workspace a run names."""
    return Workspace(place(config.workspace))


def content_key(*parts: Any) -> str:
    """A hash of anything that prints as JSON: what a step's result depends on."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def run_step(workspace: Workspace, step: str, key: str, work: Callable[[], Result]) -> Result:
    """Do a step's work unless it was already done with the same key; record what it says, whole or
    not at all.
    """
    done = read_mark(workspace.state(step))
    if done.get("key") == key:
        log.info("%s: already done, skipped (same configuration and input)", step)
        return {**done, "skipped": True}
    log.info("%s: started", step)
    started = time.monotonic()
    workspace.state(step).unlink(
        missing_ok=True
    )  # what the step changes is not whole until it ends
    result = {**work(), "key": key, "seconds": round(time.monotonic() - started, 1)}
    write_json(workspace.state(step), result)
    log.info("%s: done in %.1f s", step, result["seconds"])
    return result


def whole_table(
    where: AnyPath | Sequence[AnyPath], step: str, *, optional: Sequence[str] = (), **wanted: Any
) -> pa.Table:
    """Read the parts that a step wrote as one table.

    Args:
        where: a folder, or files of one origin.
        step: the step that wrote them, for the error message.
        optional: columns to read beside `columns` where the parts have them.
        wanted: arguments of `Dataset.to_table`.

    Raises:
        InputError: a part is damaged.
    """
    try:
        dataset = parquet_dataset(where)
        if optional:
            stored = dataset.schema.names
            wanted["columns"] = [*wanted["columns"], *(name for name in optional if name in stored)]
        return dataset.to_table(**wanted)
    except (pa.ArrowInvalid, OSError) as error:
        reason, folder = (
            " ".join(str(error).split())[:300],
            where[0].parent if isinstance(where, list) else where,
        )
        raise InputError(
            f"{folder}: a part cannot be read ({reason}): delete the damaged file and"
            f" steps/{step}.json of the workspace, then run {step} again: it makes only this part"
            " anew"
        ) from error
