"""The newest scores of a bucket of equipment and their history, in a task of Ray's.

It stands in no job's module: what a job keeps in memory is not found again in the processes of a
job that was started as `python -m`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import ray
import torch

from hvac.arrays import DayNumbers
from hvac.days import EPOCH
from hvac.lasting import keep_all
from hvac.scoring.bundle import Bundle
from hvac.scoring.latest import LATEST, PAST, latest_table, past_rows
from hvac.scoring.newest_windows import Newest, newest_of
from hvac.storage import (
    AnyPath,
    content_key,
    matching,
    parquet_dataset,
    place,
    write_json,
    write_parquet,
)
from hvac.update.shadow import paired_rows, with_roles_changed
from ray_jobs.run.run_config import ScoreConfig
from ray_jobs.tables.bucket_states import within_reach
from ray_jobs.tables.buckets import BucketPlan
from ray_jobs.tables.published import write_newest
from ray_jobs.tables.state_paths import FOLDER as STATES
from ray_jobs.tables.unit_groups import UnitGroup, record_groups, state_groups

SAME_RISK = 1e-6
TREND_STEP = 7  # days, counted from 1970-01-01: the same days whenever the job runs


class Serving(NamedTuple):
    """Paths of the bundles that speak, and of those that are watched, by class.

    In the facilities whose folders are `speaks_in` those that are watched speak, too.
    """

    champion: dict[str, str]
    challenger: dict[str, str]
    speaks_in: frozenset[str] = frozenset()


def score_bucket(
    plan: list[ray.ObjectRef[BucketPlan]],
    bundles: Serving,
    folder: str,
    section: ScoreConfig,
    bucket: str,
) -> None:
    """Score the units of a bucket; the plan lies in a list, so that Ray does not fetch it again."""
    torch.set_num_threads(1)
    champion, challenger = (
        {name: _loaded(path) for name, path in paths.items()}
        for paths in (bundles.champion, bundles.challenger)
    )
    where = place(folder)
    states = where.parent / STATES
    scorer = Scorer(_kept(plan[0]), champion, where, states, section, challenger)
    speaks = bucket.rpartition(".")[0] in bundles.speaks_in
    (scorer.where_it_speaks() if speaks else scorer).score(bucket)


@lru_cache(maxsize=1)
def _kept(plan: ray.ObjectRef[BucketPlan]) -> BucketPlan:
    """Fetch a plan once in each of Ray's processes: its keys and peers grow with the fleet."""
    here: BucketPlan = ray.get(plan)
    keep_all()
    return here


@lru_cache(maxsize=64)
def _loaded(path: str) -> Bundle:
    """Load a bundle once in each of Ray's processes; its path ends in the hash of its content."""
    return Bundle.load(path)


@dataclass(frozen=True)
class Scorer:
    """Writes the scores of a bucket."""

    plan: BucketPlan
    bundles: dict[str, Bundle]
    folder: AnyPath
    states: AnyPath
    section: ScoreConfig
    challengers: Mapping[str, Bundle] = field(default_factory=dict)
    challenger_speaks: bool = False

    def where_it_speaks(self) -> Scorer:
        """Return what scores facilities in which the challenger speaks, and the champion is watched."""
        champions = {name: self.bundles[name] for name in self.challengers}
        speaking = {**self.bundles, **self.challengers}
        return replace(
            self, bundles=speaking, challengers=champions, challenger_speaks=True
        )

    def score(self, bucket: str) -> None:
        """Write the newest scores of the bucket's units and their history."""
        kept = (
            _kept_days(self.folder / "history", bucket)
            if self.section.trend_days
            else set()
        )
        past, latest = [PAST.empty_table()], [LATEST.empty_table()]
        pairs: list[pa.Table] = []
        for group in self._groups(bucket):
            bundle = self.bundles[group.class_name]
            spans = zip(
                group.grids.fits.start_U.tolist(),
                group.grids.last_day_U.tolist(),
                strict=True,
            )
            days = [_end_days(first, last, self.section, kept) for first, last in spans]
            if self.section.day:
                past.append(past_rows(bundle, group.grids, days))
                continue
            newest_windows = newest_of(
                group.grids, bundle.recipe, group.panels_of, group.scenes
            )
            rows = latest_table(newest_windows, bundle, explain=self.section.reasons)
            latest.append(rows)
            if group.class_name in self.challengers:
                pairs.append(self._paired(rows, group, newest_windows))
            past.append(past_rows(bundle, group.grids, [day_D[:-1] for day_D in days]))
            past.append(rows.select(PAST.names))
        _write_history(pa.concat_tables(past), self.folder / "history", bucket)
        if self.section.day:
            return
        order = [
            (name, "ascending")
            for name in ("facility_id", "equipment_id", "point_id", "horizon")
        ]
        table = pa.concat_tables(latest).sort_by(order)
        write_newest(table, self.folder, bucket)
        if pairs:
            _write_pairs(pa.concat_tables(pairs), self.folder.parent, bucket)
        write_json(score_mark(self.folder, bucket), {"key": self.plan.keys[bucket]})

    def _paired(self, rows: pa.Table, group: UnitGroup, newest: Newest) -> pa.Table:
        """Return the newest rows with the challenger's risks beside them."""
        challenger = self.challengers[group.class_name]
        if challenger.recipe != self.bundles[group.class_name].recipe:
            newest = newest_of(
                group.grids, challenger.recipe, group.panels_of, group.scenes
            )
        pairs = paired_rows(rows, challenger, newest.windows)
        return with_roles_changed(pairs) if self.challenger_speaks else pairs

    def _groups(self, bucket: str) -> Iterator[UnitGroup]:
        """Yield the units of a bucket, some thousands of one class together."""
        recipes = {name: bundle.recipe for name, bundle in self.bundles.items()}
        near = {name: r for name, r in recipes.items() if within_reach(self.section, r)}
        yield from state_groups(self.plan, bucket, near, self.states)
        far = {name: r for name, r in recipes.items() if name not in near}
        back = (
            0
            if self.section.day
            else max(self.section.days - 1, self.section.trend_days)
        )
        yield from record_groups(
            self.plan, bucket, far, days_back=back, on=self.section.day
        )


def _end_days(
    first: int, last: int, section: ScoreConfig, kept: Collection[int]
) -> DayNumbers:
    """Return the end days to score of a unit: the newest ones and those of the trend that are not
    `kept` yet, or the one day of the settings.
    """
    if section.day:
        day = (section.day - EPOCH).days
        return np.array([day] if first <= day <= last else [], dtype=np.int32)
    newest = max(first, last - section.days + 1)
    weekly = [
        day for day in range(last - section.trend_days, newest) if day % TREND_STEP == 0
    ]
    trend = [day for day in weekly if day >= first and day not in kept]
    return np.array([*trend, *range(newest, last + 1)], dtype=np.int32)


def _kept_days(history: AnyPath, bucket: str) -> set[int]:
    """Return the days of which a bucket's scores are kept."""
    facility, _, number = bucket.rpartition(".")
    parts = matching(
        history / f"facility_id={facility}", f"end_date=*/part-{number}.parquet"
    )
    dates = [part.parent.name.removeprefix("end_date=") for part in parts]
    return {(dt.date.fromisoformat(date) - EPOCH).days for date in dates}


def _write_pairs(pairs: pa.Table, root: AnyPath, bucket: str) -> None:
    """Write both risks of the newest windows of a bucket, a part per day, joined with those of other
    units: of a unit whose readings stopped this may be an earlier day.
    """
    for day in pc.unique(pairs["end_date"]).to_pylist():
        part = pairs.filter(pc.equal(pairs["end_date"], day))
        path = shadow_part(root, day, bucket)
        write_parquet(_with_other_units(part, _there(path, part.schema)), path)


def shadow_part(root: AnyPath, day: dt.date, bucket: str) -> AnyPath:
    """Return the file with both risks of a bucket's windows of a day."""
    return root / "update" / "shadow" / str(day) / f"part-{bucket}.parquet"


def _write_history(rows: pa.Table, folder: AnyPath, bucket: str) -> None:
    """Write a part per day, joined with the earlier scores of other units; a part that would say
    the same stays as it is.
    """
    facility, _, number = bucket.rpartition(".")
    for day in pc.unique(rows["end_date"]).to_pylist():
        part = rows.filter(pc.equal(rows["end_date"], day))
        path = (
            folder
            / f"facility_id={facility}"
            / f"end_date={day}"
            / f"part-{number}.parquet"
        )
        before = _there(path, PAST)
        now = _with_other_units(part, before)
        if not _same(now, before):
            write_parquet(now, path)


def _there(path: AnyPath, schema: pa.Schema) -> pa.Table:
    """Return the rows of a file, none where there is no file."""
    return parquet_dataset([path]).to_table() if path.exists() else schema.empty_table()


def _with_other_units(part: pa.Table, before: pa.Table) -> pa.Table:
    """Return the rows of units, and what was there of others."""
    units = pc.unique(part["equipment_id"])
    others = before.filter(pc.invert(pc.is_in(before["equipment_id"], units)))
    order = [(name, "ascending") for name in ("equipment_id", "point_id", "horizon")]
    return pa.concat_tables([others, part]).sort_by(order)


def _same(now: pa.Table, before: pa.Table) -> bool:
    """Tell whether scores say the same: risks to a millionth, all else exactly.

    A window that is scored among others differs in the last digits of its risk.
    """
    if not now.drop_columns(["risk"]).equals(before.drop_columns(["risk"])):
        return False
    one, other = (
        table["risk"].to_numpy(zero_copy_only=False) for table in (now, before)
    )
    return np.allclose(one, other, rtol=0, atol=SAME_RISK, equal_nan=True)


def keys_where_it_speaks(
    keys: Mapping[str, str], speaks_in: Collection[str]
) -> dict[str, str]:
    """Return what the scores of buckets depend on: in some facilities the challenger speaks."""
    return {
        bucket: content_key(key, "challenger")
        if bucket.rpartition(".")[0] in speaks_in
        else key
        for bucket, key in keys.items()
    }


def score_mark(folder: AnyPath, bucket: str) -> AnyPath:
    """Return the file with the key of the readings and bundles that a bucket was scored with."""
    return folder / "_parts" / f"{bucket}.json"
