"""Alerts as rows and as sentences: which monitor, of what, since when, by how much."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import pyarrow as pa

from hvac.days import EPOCH
from hvac.json_values import Json
from hvac.words import Texts, read_texts, short_number

SUBJECT: Final = ("facility_id", "equipment_id", "class", "point_id")
ALERTS: Final = pa.schema(
    [
        ("monitor", pa.string()),
        ("kind", pa.string()),
        *((name, pa.string()) for name in SUBJECT),
        ("horizon", pa.int32()),
        ("day", pa.date32()),
        ("since", pa.date32()),
        ("statistic", pa.float64()),
        ("threshold", pa.float64()),
        ("alert", pa.bool_()),
        ("parts", pa.string()),
        ("cause", pa.string()),
        ("cause_day", pa.date32()),
    ]
)


class AlertRow(NamedTuple):
    """One row: an alert, or (`alert` False) the subject that is nearest to one.

    `day` is the last day that was looked at; `parts` fills the braces of the kind's sentence.
    `cause` is what is known of the machine since `cause_day` (`known_causes`): `event`, `visit` or
    `alarm`.
    """

    monitor: str
    kind: str
    subject: Mapping[str, str]
    day: int
    since: int
    statistic: float
    threshold: float
    alert: bool
    parts: Mapping[str, Json]
    horizon: int | None = None
    cause: str | None = None
    cause_day: int | None = None


def alert_table(rows: Iterable[AlertRow]) -> pa.Table:
    """Return rows as a table, the newest first.

    >>> row = AlertRow("data", "late", {"facility_id": "F1"}, 20, 14, 9.0, 5.0, True, {"count": 3})
    >>> alert_table([row]).select(["facility_id", "since", "parts"]).to_pylist()
    [{'facility_id': 'F1', 'since': datetime.date(1970, 1, 15), 'parts': '{"count": 3}'}]
    """
    listed = []
    for row in sorted(rows, key=lambda row: (-row.day, row.monitor, row.kind)):
        listed.append(
            {
                **{name: row.subject.get(name) for name in SUBJECT},
                "monitor": row.monitor,
                "kind": row.kind,
                "horizon": row.horizon,
                "day": _date(row.day),
                "since": _date(row.since),
                "statistic": row.statistic,
                "threshold": row.threshold,
                "alert": row.alert,
                "parts": json.dumps(row.parts, ensure_ascii=False, sort_keys=True),
                "cause": row.cause,
                "cause_day": None if row.cause_day is None else _date(row.cause_day),
            }
        )
    return pa.Table.from_pylist(listed, schema=ALERTS)


def alert_sentence(row: Mapping[str, object], language: str) -> str:
    """Return an alert's sentence in a language.

    Args:
        row: of the table of alerts, as a dictionary.
        language: `en` or `ja`.

    >>> row = {"monitor": "data", "kind": "late", "facility_id": "F1", "since": "2026-01-05",
    ...        "parts": '{"count": 3, "points": 40, "usual": 0.2}'}
    >>> alert_sentence(row, "en")
    'F1: late readings at 3 of 40 points since 2026-01-05 (usually 0.2 a week)'
    >>> alert_sentence(row, "ja")
    'F1：2026-01-05 以降、40 点中 3 点で測定値の到着遅れ（通常は週 0.2 点）'
    """
    texts = Texts(language, read_texts("hvac.monitor", "texts.yaml"))
    parts: dict[str, object] = {**row, **json.loads(str(row["parts"]))}
    for name, value in parts.items():
        if name == "way":
            parts[name] = texts(f"way.{value}")
        elif isinstance(value, float):
            parts[name] = short_number(value)
    key = "data" if row["monitor"] == "data" else f"{row['monitor']}.{row['kind']}"
    if row["monitor"] == "data":
        parts["what"] = texts(f"what.{row['kind']}")
    sentence = texts(f"sentence.{key}", **parts)
    if row.get("cause"):
        sentence += texts(f"sentence.cause.{row['cause']}", **parts)
    return sentence


def _date(day: int) -> dt.date:
    return EPOCH + dt.timedelta(days=day)
