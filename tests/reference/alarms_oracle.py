"""Alarms against events by plain loops: the slow, obvious version of hvac.evaluation.alarms."""

import math


def episodes(alarm, unit, day, *, gap):
    found = []
    for name in sorted(set(unit)):
        for end in sorted(
            d for a, u, d in zip(alarm, unit, day, strict=True) if a and u == name
        ):
            if found and found[-1][0] == name and end - found[-1][2] <= gap:
                found[-1][2] = end
            else:
                found.append([name, end, end])
    return [tuple(each) for each in found]


def is_true(episode, events, *, horizon):
    unit, first, last = episode
    return any(u == unit and first < onset <= last + horizon for u, onset in events)


def match(alarm, unit, day, events, *, horizon, min_lead, gap, stride):
    detectable, hits, leads = 0, 0, []
    for name, onset in sorted(set(events)):
        ends = [
            (d, a)
            for a, u, d in zip(alarm, unit, day, strict=True)
            if u == name and onset - horizon <= d < onset
        ]
        if not ends:
            continue
        detectable += 1
        alarmed = [onset - d for d, a in ends if a]
        hits += any(min_lead <= lead <= horizon for lead in alarmed)
        if alarmed:
            leads.append(max(alarmed))
    found = episodes(alarm, unit, day, gap=min(gap, horizon))
    false = sum(not is_true(each, events, horizon=horizon) for each in found)
    years = len(day) * stride / 365.25
    return {
        "event_recall": hits / detectable if detectable else math.nan,
        "alarm_precision": (len(found) - false) / len(found) if found else math.nan,
        "false_alarms_per_unit_year": false / years if years else math.nan,
        "leads": sorted(leads),
        "events": detectable,
    }


def labels(unit, day, events, *, horizon):
    return [
        int(any(u == name and end < onset <= end + horizon for u, onset in events))
        for name, end in zip(unit, day, strict=True)
    ]
