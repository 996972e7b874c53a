"""One window of one unit by plain loops: the slow, obvious version of design §4–6.

`rows` are canonical readings of the unit as dictionaries: point_id, date, value, and optional lower_limit, upper_limit,
known_at (python dates, None where unknown).
"""

import datetime as dt
import itertools

AGGREGATES = {
    "mean": lambda found: sum(found) / len(found),
    "min": min,
    "max": max,
    "sum": sum,
    "last": lambda found: found[-1],
}


def quantile(values, share):
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def baseline(values):
    """(centre, spread): median and IQR; where that is 0 the std; where that is 0 too, 1."""
    iqr = quantile(values, 0.75) - quantile(values, 0.25)
    mean = sum(values) / len(values)
    std = (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5
    # The values are all the same: their mean may be off by a last digit, their spread is not.
    if max(values) == min(values):
        std = 0.0
    return quantile(values, 0.5), iqr or std or 1.0


def days_of(rows, point, aggregate):
    """{date: (value, known date)} of a point: a day is known when its last reading is."""
    days = {}
    for row in rows:
        if row["point_id"] == point:
            days.setdefault(row["date"], []).append(row)
    found = {}
    for date, same in sorted(days.items()):
        value = AGGREGATES[aggregate]([row["value"] for row in same])
        known = max(max(row.get("known_at") or date, date) for row in same)
        found[date] = (value, known)
    return found


def limit_on(date, rows, point, side):
    """The newest limit that was known on a date; None where there was none."""
    told = [
        (max(row.get("known_at") or row["date"], row["date"]), row[side])
        for row in rows
        if row["point_id"] == point and row.get(side) is not None
    ]
    known = [each for each in told if each[0] <= date]
    return max(known, key=lambda each: each[0])[1] if known else None


def inspections(days):
    """The dates of a point's first 180 days (at least 6) where these lie 2 to 45 days apart; None where they do not."""
    dates = sorted(days)
    if len(dates) < 6:
        return None
    first = [date for date in dates if date < dates[0] + dt.timedelta(days=180)]
    first = first if len(first) >= 6 else dates[:6]
    return first if 2 < rhythm_gap(first) <= 45 else None


def rhythm_gap(dates):
    """The median gap; where visits take several days running, the mean days per reading."""
    gaps = [(later - date).days for date, later in itertools.pairwise(dates)]
    median, share = quantile(gaps, 0.5), len(dates) / ((dates[-1] - dates[0]).days + 1)
    visits = 1 + sum(gap > 2 for gap in gaps)
    return 1 / share if median <= 2 and share < 0.25 and visits >= 6 else median


def gap_of(days, end_date):
    """Days between two readings of a point, as known on a date: 1 but for inspections."""
    first = inspections(days)
    if (
        not first
        or max(
            first[0] + dt.timedelta(days=179),
            *first,
            *(days[date][1] for date in first),
        )
        > end_date
    ):
        return 1
    return rhythm_gap(first)


def scaled(rows, point, days, normalise, end_date):
    """{date: normalised value} of what is known on `end_date`; None while the point has no baseline."""
    known = {
        date: row
        for date, row in days.items()
        if date <= end_date and row[1] <= end_date
    }
    if normalise == "none":
        return {date: row[0] for date, row in known.items()}
    if normalise == "limits":
        found = {}
        for date, (value, _) in known.items():
            lower, upper = (
                limit_on(date, rows, point, f"{side}_limit")
                for side in ("lower", "upper")
            )
            if lower is not None and upper is not None:
                found[date] = (value - lower) / (upper - lower)
        return found
    first = inspections(days) or sorted(days)[:90]
    if inspections(days):
        if first[0] + dt.timedelta(days=179) > end_date:
            return None
    elif len(first) < 90:
        return None
    if any(days[date][1] > end_date for date in first):
        return None
    centre, spread = baseline([days[date][0] for date in first])
    return {date: (row[0] - centre) / spread for date, row in known.items()}


def fill(found, dates):
    """(values, observed): the last value before a missing day; before the first value, that first value."""
    inside = [found[date] for date in dates if date in found]
    if not inside:
        return [0.0] * len(dates), [False] * len(dates)
    values, newest = [], inside[0]
    for date in dates:
        newest = found.get(date, newest)
        values.append(newest)
    return values, [date in found for date in dates]


def cut_window(
    rows,
    points,
    end_date,
    *,
    lookback=90,
    normalise="baseline",
    min_observed=0.5,
    aggregate="mean",
):
    """(x, observed, status) of the window that ends on a date: two lists per point, and one word."""
    dates = [end_date - dt.timedelta(days=back) for back in range(lookback - 1, -1, -1)]
    x, observed, ready = [], [], 0
    for point in points:
        found = scaled(
            rows, point, days_of(rows, point, aggregate), normalise, end_date
        )
        ready += found is not None
        values, seen = fill(found or {}, dates)
        x.append(values)
        observed.append(seen)
    shares = []
    for point, seen in zip(points, observed, strict=True):
        days = days_of(rows, point, aggregate)
        shares.append(min(sum(seen) * gap_of(days, end_date) / lookback, 1))
    share = sum(shares) / len(points)
    if 2 * ready < len(points):
        return x, observed, "learning"
    return x, observed, "insufficient_data" if share < min_observed else "ok"
