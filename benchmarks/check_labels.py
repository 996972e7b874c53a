"""A finished run's labels against the independent labelling: `check_labels.py RUN READINGS EVENTS KIND`."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.reference.labels_oracle import label


def main() -> None:
    run, readings_file, events_file, kind = sys.argv[1:]
    events = pd.read_parquet(events_file)
    last = pd.read_parquet(readings_file).groupby(["facility_id", "equipment_id"])["date"].max().reset_index()
    predictions = pd.read_parquet(Path(run) / "predictions.parquet")
    by_unit = dict(list(events.groupby(["facility_id", "equipment_id"])))
    wrong = 0
    for row in predictions.itertuples():
        unit = (row.facility_id, row.equipment_id)
        own, end = by_unit.get(unit, events.iloc[:0]), last[last["equipment_id"] == row.equipment_id]
        positive, known = label(end, own, [kind], *unit, row.end_date, row.horizon)
        wrong += known != bool(row.observed) or (known and positive != bool(row.label))
    files = sorted((Path(run) / "windows").glob("class=*/part-*.parquet"))
    windows = pd.concat(pd.read_parquet(f, columns=["facility_id", "equipment_id", "end_date"]) for f in files)
    print(f"{run}: {len(predictions):,} labels, {wrong} disagree; {int(windows.duplicated().sum())} unit-days twice")


if __name__ == "__main__":
    main()
