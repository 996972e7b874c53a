"""What the pages that list equipment show: filtered, ordered, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypedDict
from urllib.parse import urlencode

from hvac.panel.grid import Unit
from hvac.scoring.latest_rows import RankedUnit
from hvac.scoring.worklist import is_sure_alarm, sure_horizons
from serve.work.trends import Trend

ROWS_A_PAGE = 100


class Asked(NamedTuple):
    """What a list is asked for: texts and flags of the address, "" where nothing is asked.

    `by` is the horizon by whose risk equipment is ordered, 0 for the usual order; `first` the place
    of the first row.
    """

    q: str = ""
    kind: str = ""
    alarms: str = ""
    new: str = ""
    by: int = 0
    first: int = 1

    def query(self, **changed: str | int) -> str:
        """Return the address's query, with some of it changed; without what is not asked.

        >>> Asked(q="AHU", first=101).query(first=1)
        'q=AHU'
        """
        values = {**self._asdict(), **changed}
        usual = Asked()._asdict()
        return urlencode(
            {name: value for name, value in values.items() if value != usual[name]}
        )


class ListRow(NamedTuple):
    """One row: its rank in the whole list, whether its alarm is new, and its risk by day."""

    rank: int
    entry: RankedUnit
    new: bool
    trend: tuple[tuple[int, float], ...]


class ListView(TypedDict):
    """What a page of ranked equipment shows; counts are of all that the reader may see."""

    facility_id: str | None
    rows: list[ListRow]
    fitting: int
    all: int
    horizons: list[int]
    asked: Asked
    kinds: list[str]
    last: int
    before: int


class AlarmCounts(TypedDict):
    """How much equipment has a sure alarm: at any horizon, at the shortest, new, and since when."""

    horizons: list[int]
    in_alarm: int
    soon: int
    new: int
    since: int | None


def list_view(
    facility_id: str | None,
    entries: Sequence[RankedUnit],
    trends: Mapping[Unit, Trend],
    asked: Asked,
) -> ListView:
    """Return what a page of ranked equipment shows."""
    chosen = chosen_rows(entries, trends, asked)
    start = asked.first - 1
    return {
        "facility_id": facility_id,
        "rows": chosen[start : start + ROWS_A_PAGE],
        "fitting": len(chosen),
        "all": len(entries),
        "horizons": horizons_of(entries),
        "asked": asked,
        "kinds": sorted({entry["class"] for entry in entries}),
        "last": min(start + ROWS_A_PAGE, len(chosen)),
        "before": max(asked.first - ROWS_A_PAGE, 1),
    }


def chosen_rows(
    entries: Sequence[RankedUnit], trends: Mapping[Unit, Trend], asked: Asked
) -> list[ListRow]:
    """Return the rows that fit, in the order that is asked for, with their ranks in that order."""
    ordered = (
        sorted(entries, key=lambda entry: _turn(entry, asked.by))
        if asked.by
        else entries
    )
    rows = []
    for rank, entry in enumerate(ordered, 1):
        trend = trends.get(unit_of(entry))
        new = trend is not None and trend.new and bool(sure_horizons(entry))
        if fits(entry, asked) and (new or not asked.new):
            rows.append(ListRow(rank, entry, new, trend.days if trend else ()))
    return rows


def alarm_counts(
    entries: Sequence[RankedUnit], trends: Mapping[Unit, Trend]
) -> AlarmCounts:
    """Count the alarms of equipment, and those that are new."""
    horizons = horizons_of(entries)
    alarmed = [entry for entry in entries if sure_horizons(entry)]
    of_alarmed = [trends.get(unit_of(entry)) for entry in alarmed]
    since = [trend.since for trend in of_alarmed if trend and trend.since is not None]
    return {
        "horizons": horizons,
        "in_alarm": len(alarmed),
        "soon": sum(is_sure_alarm(entry, h) for entry in alarmed for h in horizons[:1]),
        "new": sum(trend is not None and trend.new for trend in of_alarmed),
        "since": max(since, default=None),
    }


def _turn(entry: RankedUnit, horizon: int) -> tuple[bool, float]:
    """Return the order by one horizon: alarms at it first, then by risk."""
    return not is_sure_alarm(entry, horizon), -entry["risks"].get(horizon, -1.0)


def unit_of(entry: RankedUnit) -> Unit:
    """Return the equipment of an entry."""
    return Unit(entry["facility_id"], entry["equipment_id"])


def horizons_of(entries: Sequence[RankedUnit]) -> list[int]:
    """Return all horizons, the shortest first."""
    return sorted({horizon for entry in entries for horizon in entry["risks"]})


def fits(entry: RankedUnit, asked: Asked) -> bool:
    """Tell whether equipment has the words, the class and the alarm that are asked for."""
    names = f"{entry['facility_id']} {entry['equipment_id']} {entry.get('point') or ''}".casefold()
    return (
        asked.q.strip().casefold() in names
        and (not asked.kind or entry["class"] == asked.kind)
        and (not asked.alarms or any(entry["alarms"].values()))
    )
