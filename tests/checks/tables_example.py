"""Small tables of a made-up fleet as CSV files, and faults put into them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hvac.checks.record_check import RecordCheck, Settings, check_record
from hvac.panel.labels import LabelConfig
from hvac.panel.split_config import SplitConfig
from hvac.panel.windows import WindowConfig
from hvac.readings.sources import SourceConfig

START = dt.date(2023, 1, 1)
DAYS = 600
MACHINES = 8
POINTS = ("current", "temp")


class Tables:
    """Readings, events and register of a fleet without a fault; tests put faults in."""

    def __init__(self) -> None:
        rng = np.random.default_rng(5)
        dates = [(START + dt.timedelta(days=day)).isoformat() for day in range(DAYS)]
        machines = [f"AHU-{number:02d}" for number in range(1, MACHINES + 1)]
        parts = []
        for machine in machines:
            for point in POINTS:
                ids = {"facility_id": "S1", "equipment_id": machine, "point_id": point}
                values = 20 + rng.normal(size=DAYS).round(3)
                parts.append(pd.DataFrame({**ids, "date": dates, "value": values}))
        self.readings = pd.concat(parts, ignore_index=True).astype({"value": object})
        starts = [day for _ in machines for day in (130, 290, 470)]
        names = [machine for machine in machines for _ in range(3)]
        days = [START + dt.timedelta(days=day + 7 * i) for i, day in enumerate(starts)]
        self.events = pd.DataFrame(
            {
                "facility_id": "S1",
                "equipment_id": names,
                "kind": "failure",
                "start": days,
            }
        )
        self.events["end"] = self.events["start"]
        self.equipment = pd.DataFrame(
            {"facility_id": "S1", "equipment_id": machines, "class": "AHU"}
        )

    def write(self, folder: Path) -> SourceConfig:
        """Write the tables; the source that names them."""
        for name in ("readings", "events", "equipment"):
            getattr(self, name).to_csv(folder / f"{name}.csv", index=False)
        files = {
            name: str(folder / f"{name}.csv")
            for name in ("readings", "events", "equipment")
        }
        return SourceConfig(**files)


def checked(source: SourceConfig, **sections: Any) -> RecordCheck:
    """What a check finds; `windows`, `labels` and `splits` may differ from the usual."""
    usual = {"train_stride": 7, "evaluation_stride": 7}
    return check_record(
        Settings(
            source=source,
            windows=WindowConfig(**{**usual, **sections.get("windows", {})}),
            labels=LabelConfig(**sections.get("labels", {})),
            splits=SplitConfig(**sections.get("splits", {})),
        )
    )


def texts(check: RecordCheck, *levels: str) -> str:
    """The faults of some levels (all but notes), one a line, with their remedies."""
    shown = levels or ("stops", "fault")
    return "\n".join(f"{f.text} → {f.remedy}" for f in check.faults if f.level in shown)
