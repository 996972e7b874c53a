"""Labels from the canonical tables by plain loops and dates: the slow, obvious version of design §4–6."""

import datetime as dt
import math

import pandas as pd

SETTLE = dt.timedelta(days=7)


def as_date(value):
    return pd.Timestamp(value).date()


def is_missing(value):
    return (
        value is None
        or value is pd.NaT
        or (isinstance(value, float) and math.isnan(value))
    )


def rows_of(frame, facility_id, equipment_id):
    records = frame.to_dict("records")
    return [
        row
        for row in records
        if (row["facility_id"], row["equipment_id"]) == (facility_id, equipment_id)
    ]


def episodes(events, kinds, facility_id, equipment_id):
    """(onset, end) of every event that is predicted; an event without an end lasts its first day."""
    found = []
    for row in rows_of(events, facility_id, equipment_id):
        if row["kind"] in kinds:
            onset = as_date(row["start"])
            end = row.get("end")
            found.append((onset, onset if is_missing(end) else as_date(end)))
    return sorted(found)


def last_readings(readings):
    """{(facility, equipment): day of its last reading}."""
    last = {}
    for row in readings.to_dict("records"):
        if not ("value" in row and is_missing(row["value"])):
            unit = row["facility_id"], row["equipment_id"]
            last[unit] = max(as_date(row["date"]), last.get(unit, dt.date.min))
    return last


def administrative_end(readings, events, kinds, facility_id):
    """The facility's last reading; the fleet's where all that the facility read to its end ended with an event."""
    last = last_readings(readings)
    fleet = max(last.values())

    def ended(unit):
        return any(
            last[unit] <= end + SETTLE and onset <= fleet
            for onset, end in episodes(events, kinds, *unit)
        )

    border = max(day for (facility, _), day in last.items() if facility == facility_id)
    those = [
        unit
        for unit, day in last.items()
        if unit[0] == facility_id and day >= border - SETTLE
    ]
    return fleet if all(ended(unit) for unit in those) else border


def followed_until(readings, events, kinds, facility_id, equipment_id):
    """The last day on which an onset would have been seen: the administrative end, or the day of departure."""
    end = administrative_end(readings, events, kinds, facility_id)
    day = last = last_readings(readings)[facility_id, equipment_id]
    for onset, _ in episodes(events, kinds, facility_id, equipment_id):
        if onset > last + SETTLE:
            return end
        day = max(day, onset)
    return end if day >= end - SETTLE else day


def label(readings, events, kinds, facility_id, equipment_id, end_date, horizon):
    """(label, known): an onset in (end_date, end_date + horizon]; known only if that was decided before the end."""
    end_date = as_date(end_date)
    border = end_date + dt.timedelta(days=int(horizon))
    until = followed_until(readings, events, kinds, facility_id, equipment_id)
    onsets = [
        onset
        for onset, _ in episodes(events, kinds, facility_id, equipment_id)
        if end_date < onset <= border
    ]
    decided = any(onset <= until for onset in onsets) or border <= until
    return bool(onsets), decided and border <= administrative_end(
        readings, events, kinds, facility_id
    )


def still_followed(calendar, after, onsets_ends, day, stop):
    """P(no departure from `day` to the day before `stop`): `calendar` by date, `after` by days since the last event."""
    day, chance = as_date(day), 1.0
    known = [end for onset, end in onsets_ends if onset <= day]
    while day < stop:
        chance *= 1 - calendar.get(day, 0.0)
        since = max((day - max(known)).days, 0) if known else None
        if since is not None and since < len(after):
            chance *= 1 - after[since]
        day += dt.timedelta(days=1)
    return chance


def excluded(events, kinds, facility_id, equipment_id, end_date):
    """Whether the window ends inside an episode or at most 7 days after one."""
    end_date = as_date(end_date)
    found = episodes(events, kinds, facility_id, equipment_id)
    return any(onset <= end_date <= end + SETTLE for onset, end in found)


def limit_episodes(outside_by_day):
    """[(onset, confirmed, end)] from {day: outside?} of the observed days of one point, day by day.

    An episode starts when 3 of the 7 newest observed days are outside; its onset is the first of them. It is over
    once 7 observed days in a row are clean, and it ended on the last outside day.
    """
    found = []
    current = None
    newest = []
    for day in sorted(outside_by_day):
        newest = [*newest, day][-7:]
        outside = [d for d in newest if outside_by_day[d]]
        if current is None and len(outside) >= 3:
            current = [outside[0], day, day]
        elif current is not None and outside_by_day[day]:
            current[2] = day
        elif current is not None and not outside:
            found.append(tuple(current))
            current = None
    if current is not None:
        found.append(tuple(current))
    return found
