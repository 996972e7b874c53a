"""Where a run's files lie, and which steps are done."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import pyarrow as pa
from pydantic import ValidationError

from hvac.errors import HvacError, InputError
from hvac.json_values import JsonObject
from hvac.storage import AnyPath, parquet_dataset, place, read_mark, write_json
from ray_jobs.run.records import IngestRecord, StepRecord
from ray_jobs.run.runtime import require_ray

log = logging.getLogger(__name__)
Record = TypeVar("Record", bound=StepRecord)


class HasWorkspace(Protocol):
    """A configuration that names a workspace."""

    @property
    def workspace(self) -> AnyPath:
        """Return the folder or URL, as it was given."""


@dataclass(frozen=True)
class Workspace:
    """Folders and files of one run."""

    root: AnyPath

    @property
    def panel(self) -> AnyPath:
        """Return the folder of checked readings in buckets, with units, events and counts."""
        return self.root / "panel"

    @property
    def windows(self) -> AnyPath:
        """Return the folder of the table of windows: one Parquet part per class and bucket."""
        return self.root / "windows"

    @property
    def bundles(self) -> AnyPath:
        """Return the folder that holds one folder per bundle."""
        return self.root / "bundles"

    @property
    def held_out(self) -> AnyPath:
        """Return the folder of cross-fitted scores by class, which calibrated the bundles."""
        return self.root / "held_out"

    @property
    def figures(self) -> AnyPath:
        """Return the folder of the report's figures, as PNG."""
        return self.root / "figures"

    @property
    def buckets(self) -> dict[str, str]:
        """Return names and content keys of the panel's buckets."""
        return self.record(IngestRecord).buckets

    def record_file(self, step: str) -> AnyPath:
        """Return the file of a finished step's record."""
        return self.root / "steps" / f"{step}.json"

    def has_finished(self, step: str) -> bool:
        """Tell whether a step has a record."""
        return self.record_file(step).exists()

    def record(self, kind: type[Record], step: str = "") -> Record:
        """Read what a finished step recorded.

        Args:
            kind: the step's record.
            step: the step's name, where it is not the record's own.

        Raises:
            HvacError: the step has not run here, or its record is of an earlier version.
        """
        step = step or kind.step
        mark = read_mark(self.record_file(step))
        if not mark:
            raise HvacError(
                f"{self.root}: step '{step}' has not been run here:"
                f" python -m ray_jobs.{step} --config …"
            )
        record = _validated(kind, mark)
        if record is None:
            raise HvacError(
                f"{self.root}: what step '{step}' left is of an earlier version:"
                f" run python -m ray_jobs.{step} --config … again"
            )
        return record


def workspace_of(config: HasWorkspace) -> Workspace:
    """Return the workspace that a run names."""
    return Workspace(place(config.workspace))


def run_step(
    workspace: Workspace,
    kind: type[Record],
    key: str,
    work: Callable[[], Record],
    *,
    step: str = "",
) -> Record:
    """Do a step's work unless it was done with the same key, and write its record.

    Ray starts only where there is work. The record goes before the work begins, so that a step that
    is interrupted counts as not done.

    Args:
        key: hash of everything the step depends on, but for where the workspace lies.
        work: does the step and returns its record, without key and seconds.
        step: the step's name, where it is not the record's own.
    """
    step = step or kind.step
    file = workspace.record_file(step)
    mark = read_mark(file)
    before = _validated(kind, mark) if mark.get("key") == key else None
    if before is not None:
        log.info("%s: already done, skipped (same configuration and input)", step)
        return before.model_copy(update={"skipped": True})
    log.info("%s: started", step)
    require_ray()
    started = time.monotonic()
    file.unlink(missing_ok=True)
    result = work()
    seconds = round(time.monotonic() - started, 1)
    record = result.model_copy(update={"key": key, "seconds": seconds})
    write_json(file, record.model_dump(mode="json"))
    log.info("%s: done in %.1f s", step, seconds)
    return record


def _validated(kind: type[Record], mark: JsonObject) -> Record | None:
    """Return the record that a mark holds; None where it is of another version."""
    try:
        return kind.model_validate(mark)
    except ValidationError:
        return None


def whole_table(
    where: AnyPath | Sequence[AnyPath],
    step: str,
    *,
    optional: Sequence[str] = (),
    **arguments: Any,
) -> pa.Table:
    """Read the parts that a step wrote as one table.

    Args:
        where: a folder, or files that one step wrote.
        step: that step, for the error message.
        optional: columns to read beside `columns` where the parts have them.
        arguments: of `Dataset.to_table`.

    Raises:
        InputError: a part is damaged.
    """
    try:
        dataset = parquet_dataset(where)
        if optional:
            stored = dataset.schema.names
            arguments["columns"] = [
                *arguments["columns"],
                *(name for name in optional if name in stored),
            ]
        return dataset.to_table(**arguments)
    except (pa.ArrowInvalid, OSError) as error:
        reason = " ".join(str(error).split())[:300]
        folder = where[0].parent if isinstance(where, list) else where
        raise InputError(
            f"{folder}: a part cannot be read ({reason}): delete the damaged file and"
            f" steps/{step}.json of the workspace, then run {step} again: it makes only this part"
            " anew"
        ) from error
