"""The curves of a trial, as JSON and as TensorBoard events.

The trial itself writes them, into the sweep's folder: Ray's own loggers write where the driver runs
and copy now and then, so that a kill loses the end of every curve.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypedDict

from tensorboardX import SummaryWriter
from tensorboardX.summary import hparams

from hvac.json_values import as_json
from hvac.models.search_space import Settings, encoded
from hvac.storage import AnyPath, Place, write_json, writing

if TYPE_CHECKING:  # a trial draws no pages: matplotlib and scikit-learn take a second
    from hvac.report.sweep_view import ScheduledSettings

LEDGER = "ledger.json"
TAGS = {
    "train_loss": "loss/train",
    "tune_loss": "loss/tune",
    "tune_pr_auc": "pr_auc/best",
}


class Curves(TypedDict, total=False):
    """A trial's rows of epochs, and from which epoch on which settings held.

    `seconds` is what it took so far; it has `ended`, or `failed` for a reason.
    """

    trial: str
    settings: Settings
    rows: list[dict[str, float | None]]
    seconds: float
    schedule: list[ScheduledSettings]
    ended: bool
    failed: str


def ledger_file(sweep: AnyPath, trial: str) -> AnyPath:
    """Return the path of a trial's curves."""
    return sweep / "trials" / f"{trial}.json"


def read_ledger(path: AnyPath) -> Curves:
    """Read a trial's curves; {} where there are none."""
    try:
        curves: Curves = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return curves


class Ledger:
    """The curves of one trial: a row per epoch, and from which epoch on which settings held (PBT
    changes them).
    """

    def __init__(
        self,
        sweep: AnyPath,
        trial: str,
        settings: Settings,
        *,
        before: Curves | None = None,
    ) -> None:
        self.path = ledger_file(sweep, trial)
        before = before or Curves(rows=[], seconds=0.0, schedule=[])
        self.curves: Curves = {
            "trial": trial,
            "settings": settings,
            **before,
            "ended": False,
        }
        if not before["schedule"] or before["schedule"][-1]["settings"] != settings:
            self.curves["schedule"] = [
                *before["schedule"],
                {"after_epoch": self.epoch, "settings": settings},
            ]
        self._clock = time.monotonic() - before["seconds"]
        self._curves = sweep / "tensorboard" / trial
        self._local = (
            tempfile.TemporaryDirectory(prefix="hvac-")
            if isinstance(self._curves, Place)
            else None
        )
        self._events = SummaryWriter(
            self._local.name if self._local else str(self._curves),
            purge_step=self.epoch + 1,
        )
        if not before["rows"]:
            self._describe(settings)

    @property
    def epoch(self) -> int:
        """Return the number of epochs done."""
        return int(self.curves["rows"][-1]["epoch"] or 0) if self.curves["rows"] else 0

    @property
    def carried(self) -> Curves:
        """Return the part of the curves that a checkpoint keeps."""
        return {
            "rows": self.curves["rows"],
            "seconds": self.curves["seconds"],
            "schedule": self.curves["schedule"],
        }

    def add(self, row: dict[str, float], *, ended: bool = False) -> None:
        """Write down an epoch; it replaces rows from that epoch on (of a copied fit that had
        ended).
        """
        kept = {
            name: value if math.isfinite(value) else None for name, value in row.items()
        }
        self.curves["rows"] = [
            *(old for old in self.curves["rows"] if (old["epoch"] or 0) < row["epoch"]),
            kept,
        ]
        for name, value in row.items():
            if name != "epoch" and math.isfinite(value):
                self._events.add_scalar(_tag(name), value, int(row["epoch"]))
        self.curves["ended"] = ended
        self._write()

    def fail(self, why: str) -> None:
        """Write down why the trial could not go on."""
        self.curves["failed"] = why
        self._write()

    def close(self) -> None:
        """Close the event file."""
        self._events.close()
        self._copy_curves()
        if self._local:
            self._local.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self) -> None:
        self._events.flush()
        self._copy_curves()
        self.curves["seconds"] = round(time.monotonic() - self._clock, 2)
        write_json(self.path, as_json(self.curves))

    def _copy_curves(self) -> None:
        """Copy the local event files, as TensorBoard's writer knows local folders only."""
        for file in Path(self._local.name).iterdir() if self._local else ():
            with writing(self._curves / file.name) as copy:
                copy.write(file.read_bytes())

    def _describe(self, settings: Settings) -> None:
        """Write the settings for TensorBoard's HPARAMS page."""
        plain = {
            key: "none" if value is None else value
            for key, value in encoded(settings).items()
        }
        for summary in hparams(
            hparam_dict=plain, metric_dict={TAGS["tune_pr_auc"]: 0.0}
        ):
            self._events.file_writer.add_summary(summary)


def _tag(name: str) -> str:
    """Return a metric's place on TensorBoard's page: `pr_auc_30` stands under pr_auc as 30_days."""
    group, _, days = name.rpartition("_")
    if not days.isdigit():
        return TAGS[name]
    return (
        f"pr_auc/best_{days}_days" if group == "tune_pr_auc" else f"{group}/{days}_days"
    )
