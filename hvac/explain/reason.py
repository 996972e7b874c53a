"""What a reason and a past case consist of, and how a table holds reasons."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final, NamedTuple, cast

import pyarrow as pa

from hvac.json_values import Json, JsonObject

POINT: Final = "point"
HISTORY: Final = "history"
SEASON_AND_AGE: Final = "season_and_age"
LIMITS: Final = "limits"
COVERAGE: Final = "coverage"
OTHERS: Final = (HISTORY, SEASON_AND_AGE, LIMITS, COVERAGE)  # players beside the points


class Reason(NamedTuple):
    """One reason; `log_odds` is above 0 where it speaks for an anomaly, below where against.

    Of a point (`about` "point"): `now` is its mean of the last 14 days, `usual` its usual level,
    `over_peers` how far it lies above the median of its peers, all in its physical unit; `since`
    the day its level changed; `moved` how far it moved, in its usual spreads; `days` since it last
    lay far from its middle (a cleaning, a replacement, a count of errors). Of the history:
    `event` and `days` since the newest event, and `in_a_year` how many of its kind in 365 days. Of
    season and age: `days` of age. Of limits: the `point` nearest to its limits, the `share` of the
    limit range that it has left, and `days` until its trend crosses a limit. Of coverage: the
    `share` of the days that were read. What is unknown is None.
    """

    player: str
    about: str
    log_odds: float
    now: float | None = None
    usual: float | None = None
    over_peers: float | None = None
    moved: float | None = None
    since: dt.date | None = None
    event: str | None = None
    days: float | None = None
    in_a_year: float | None = None
    share: float | None = None
    point: str | None = None


def plain_reason(reason: Reason) -> dict[str, Json]:
    """Return a reason as JSON can hold it; `reason_of` reads it again."""
    since = reason.since
    return {**reason._asdict(), "since": None if since is None else since.isoformat()}


def reason_of(plain: Reason | JsonObject) -> Reason:
    """Return the reason in a row of `latest.parquet`, or in what `plain_reason` gave.

    >>> worn = Reason("flow", "point", 1.0, since=dt.date(2024, 3, 1))
    >>> reason_of(plain_reason(worn)) == worn
    True
    """
    if isinstance(plain, Reason):
        return plain
    reason = Reason(**cast(dict[str, Any], plain))
    since = reason.since
    return (
        reason._replace(since=dt.date.fromisoformat(since))
        if isinstance(since, str)
        else reason
    )


REASON: Final = pa.struct(
    [
        ("player", pa.string()),
        ("about", pa.string()),
        ("log_odds", pa.float64()),
        ("now", pa.float64()),
        ("usual", pa.float64()),
        ("over_peers", pa.float64()),
        ("moved", pa.float64()),
        ("since", pa.date32()),
        ("event", pa.string()),
        ("days", pa.float64()),
        ("in_a_year", pa.float64()),
        ("share", pa.float64()),
        ("point", pa.string()),
    ]
)


class PastCase(NamedTuple):
    """A window of another unit; `within_days` is None where no anomaly began in the longest horizon.

    The smaller `distance`, the more alike: it is the root mean square over standardised components.
    """

    facility_id: str
    equipment_id: str
    end_date: dt.date
    within_days: int | None
    distance: float
