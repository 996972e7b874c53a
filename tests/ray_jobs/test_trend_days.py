"""Days that are scored: the newest, and once every seventh of those before, to show a trend."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from hvac.days import EPOCH
from ray_jobs.run.run_config import ScoreConfig
from ray_jobs.tables.scorer import TREND_STEP, _end_days, _kept_days

FIRST, LAST = 19_000, 19_400


def test_every_seventh_day_is_the_same_day_whenever_the_job_runs() -> None:
    section = ScoreConfig(trend_days=84)
    today, tomorrow = (_end_days(FIRST, last, section, ()) for last in (LAST, LAST + 1))
    assert today[-1] == LAST
    assert len(today) == 13
    assert all(day % TREND_STEP == 0 for day in today[:-1].tolist())
    assert set(tomorrow[1:-1].tolist()) <= {*today.tolist(), LAST}


def test_days_that_are_kept_and_days_before_the_record_are_not_scored() -> None:
    section = ScoreConfig(trend_days=84, days=2)
    every = _end_days(FIRST, LAST, section, ()).tolist()
    kept = every[:5]
    assert _end_days(FIRST, LAST, section, kept).tolist() == every[5:]
    young = _end_days(LAST - 10, LAST, section, ()).tolist()
    assert all(day >= LAST - 10 for day in young)
    assert young[-2:] == [LAST - 1, LAST]


@pytest.mark.parametrize("section", [ScoreConfig(), ScoreConfig(days=3)])
def test_without_a_trend_only_the_newest_days_are_scored(section: ScoreConfig) -> None:
    assert len(_end_days(FIRST, LAST, section, ())) == section.days


def test_kept_days_are_read_from_the_names_of_folders(tmp_path: Path) -> None:
    day = EPOCH + dt.timedelta(days=LAST)
    part = tmp_path / "facility_id=F1" / f"end_date={day}" / "part-0000.parquet"
    part.parent.mkdir(parents=True)
    part.touch()
    assert _kept_days(tmp_path, "F1.0000") == {LAST}
    assert _kept_days(tmp_path, "F1.0001") == set()
