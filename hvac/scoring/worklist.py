"""The ranking a facility manager opens in Excel: which equipment to visit first."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Sequence
from typing import NotRequired, TypedDict

from hvac.cells import CellValue, csv_for_people
from hvac.explain.reason import reason_of
from hvac.explain.wording import reasons_line
from hvac.panel.names import NO_NAMES, Names
from hvac.panel.windows import LEARNING, OK
from hvac.scoring.latest_rows import DoubtRow, LatestRow, RankedUnit
from hvac.storage import AnyPath, write_text

HEADERS = {
    "en": (
        "rank",
        "facility",
        "equipment",
        "class",
        "as of",
        "days behind",
        "status",
        "days of learning left",
    ),
    "ja": (
        "順位",
        "施設",
        "設備",
        "設備種別",
        "評価日",
        "遅れ（日）",
        "状態",
        "学習の残り日数",
    ),
}
PER_HORIZON = {
    "en": ("risk within {} days", "alarm within {} days"),
    "ja": ("{}日以内に異常が始まる確率", "{}日以内の警報"),
}
LAST = {
    "en": (
        "point that moved most",
        "what raises the risk",
        "observed share",
        "readings to check",
    ),
    "ja": (
        "最も変化した点検項目",
        "リスクを上げている点",
        "観測率",
        "確認すべき測定値",
    ),
}
NAMED = {
    "en": (
        "facility name",
        "equipment name",
        "class name",
        "point name",
        "location",
        "criticality",
    ),
    "ja": ("施設名", "設備名", "設備種別名", "点検項目名", "設置場所", "重要度"),
}
DOUBTS = {
    "en": {
        "flat": "stood still for 14 readings or more",
        "jump": "jumped alone",
        "sentinel": "a mark for no value",
    },
    "ja": {
        "flat": "同じ値が 14 回以上続いた",
        "jump": "この項目だけ急変",
        "sentinel": "欠測を表す値の疑い",
    },
}
STATUS = {
    "en": {
        OK: "scored",
        LEARNING: "learning",
        "insufficient_data": "insufficient data",
    },
    "ja": {OK: "判定済み", LEARNING: "学習中", "insufficient_data": "データ不足"},
}
UNSURE = {"en": "needs a look", "ja": "判定保留"}
YES = {"en": ("yes", "no"), "ja": ("あり", "なし")}


class Doubted(TypedDict):
    """A row that may tell what is odd about its readings."""

    doubts: NotRequired[list[DoubtRow] | None]


def ranking(latest: Iterable[LatestRow], *, last_day: dt.date) -> list[RankedUnit]:
    """Return one entry per equipment: what alarms first, then what needs a look, then the others.

    Among alarms the shorter horizon comes first, then the higher risk within the shortest one.
    Equipment without a score comes last. With `by: point`, an equipment's risk is the highest of
    its points' and `point` tells which; that point's alarm is the equipment's, and holds at the
    longer horizons too. `reasons` are those of the shortest horizon with an alarm; `unsure` the
    horizons at which the answer is "needs a look".

    Args:
        latest: rows of `latest.parquet`.
        last_day: the newest day of the record, from which days behind are counted.
    """
    entries: dict[tuple[str, str], RankedUnit] = {}
    for row in latest:
        unit = (row["facility_id"], row["equipment_id"])
        behind = (last_day - row["end_date"]).days
        new: RankedUnit = {
            **row,
            "days_behind": behind,
            "risks": {},
            "thresholds": {},
            "alarms": {},
            "point": None,
            "reasons": [],
            "reasons_within": math.inf,
            "unsure": [],
        }
        _add(entries.setdefault(unit, new), row, behind)
    for entry in entries.values():
        entry["alarms"] = _nested(entry["alarms"])
    return sorted(entries.values(), key=turn)


def _add(entry: RankedUnit, row: LatestRow, behind: int) -> None:
    """Add a row of `latest.parquet` to its equipment's entry."""
    if row["status"] == OK and entry["status"] != OK:
        entry["status"] = row["status"]
        entry["end_date"] = row["end_date"]
        entry["observed_share"] = row["observed_share"]
        entry["learning_days_left"] = row["learning_days_left"]
        entry["doubts"] = row.get("doubts")
        entry["days_behind"] = behind
    horizon = row["horizon"]
    risks = entry["risks"]
    if row["risk"] is not None and row["risk"] > risks.get(horizon, -math.inf):
        risks[horizon] = row["risk"]
        entry["thresholds"][horizon] = row["threshold"]
        entry["alarms"][horizon] = bool(row["alarm"])
        entry["unsure"] = [h for h in entry["unsure"] if h != horizon]
        if row.get("needs_look"):
            entry["unsure"].append(horizon)
        if horizon == min(risks):
            entry["point"] = row["point_id"] or row["driving_point"]
    if row["alarm"] and row.get("reasons") and horizon < entry["reasons_within"]:
        entry["reasons"] = row["reasons"]
        entry["reasons_within"] = horizon


def turn(entry: RankedUnit) -> tuple[float, ...]:
    """Return by what equipment is ordered: smaller comes first."""
    risks = entry["risks"]
    sure = sure_horizons(entry)
    state = 0 if sure else 1 if entry["unsure"] else 2 if risks else 3
    return (
        state,
        min(sure, default=math.inf),
        *(-risks[horizon] for horizon in sorted(risks)),
    )


def doubts_text(row: Doubted, language: str) -> str:
    """Write in words what is odd about the readings of a row of `latest.parquet`.

    It is empty where nothing is.

    >>> doubts_text({"doubts": [{"point_id": "flow", "kind": "flat"}]}, "en")
    'flow: stood still for 14 readings or more'
    """
    names = DOUBTS[language]
    parts = []
    for doubt in (
        row.get("doubts") or ()
    ):  # predictions stored by an earlier version have none
        kind = names.get(doubt["kind"], doubt["kind"])
        parts.append(f"{doubt['point_id']}: {kind}")
    return "; ".join(parts)


def _nested(alarms: dict[int, bool]) -> dict[int, bool]:
    """Extend an alarm to every horizon that is at least as long.

    >>> _nested({30: False, 60: True, 90: False})
    {30: False, 60: True, 90: True}
    """
    first = min((horizon for horizon, alarm in alarms.items() if alarm), default=None)
    return {horizon: first is not None and horizon >= first for horizon in alarms}


def is_sure_alarm(entry: RankedUnit, horizon: int) -> bool:
    """Tell whether equipment alarms at a horizon, and the alarm is not withheld."""
    return bool(entry["alarms"].get(horizon)) and horizon not in entry["unsure"]


def sure_horizons(entry: RankedUnit) -> list[int]:
    """Return the horizons at which equipment alarms, and the alarm is not withheld."""
    return [
        horizon for horizon in sorted(entry["alarms"]) if is_sure_alarm(entry, horizon)
    ]


def write_ranking(
    entries: Sequence[RankedUnit], path: AnyPath, language: str, names: Names = NO_NAMES
) -> None:
    """Write the ranking as CSV with a byte-order mark, so that Excel in Japan reads it as UTF-8."""
    write_text(path, ranking_csv(entries, language, names), newline="")


def ranking_csv(
    entries: Sequence[RankedUnit], language: str, names: Names = NO_NAMES
) -> str:
    """Return the text of the ranking's CSV; with names, what they tell stands in the last columns."""
    horizons = sorted({horizon for entry in entries for horizon in entry["risks"]})
    per = [text.format(h) for h in horizons for text in PER_HORIZON[language]]
    named = NAMED[language] if names.name_of else ()
    rows: list[list[CellValue]] = [[*HEADERS[language], *per, *LAST[language], *named]]
    for rank, entry in enumerate(entries, 1):
        cells = _cells(entry, horizons, language, names)
        rows.append([rank, *cells, *(_named(entry, language, names) if named else ())])
    return csv_for_people(rows)


def _named(entry: RankedUnit, language: str, names: Names) -> list[CellValue]:
    """Return the names of facility, equipment, class and point, location and criticality."""
    facility, equipment = entry["facility_id"], entry["equipment_id"]
    shown = names.name("equipment", equipment, facility)
    point = entry["point"]
    return [
        names.shown("facility", facility, language),
        names.shown("equipment", equipment, language, facility),
        names.shown("class", entry["class"], language),
        names.shown("point", point, language) if point else "",
        shown.location,
        shown.criticality,
    ]


def _cells(
    entry: RankedUnit, horizons: Sequence[int], language: str, names: Names
) -> list[CellValue]:
    yes, no = YES[language]
    cells: list[CellValue] = [
        entry["facility_id"],
        entry["equipment_id"],
        entry["class"],
    ]
    cells += [entry["end_date"], entry["days_behind"]]
    cells.append(STATUS[language].get(entry["status"], entry["status"]))
    left = entry["learning_days_left"]
    cells.append("" if left is None else left)
    for horizon in horizons:
        risk = entry["risks"].get(horizon)
        if risk is None:
            cells += ["", ""]
        else:
            answer = yes if entry["alarms"][horizon] else no
            if horizon in entry["unsure"]:
                answer = UNSURE[language]
            cells += [f"{100 * risk:.1f}%", answer]
    share = f"{100 * entry['observed_share']:.0f}%"
    why = reasons_line(
        [reason_of(reason) for reason in entry["reasons"] or ()], language, names
    )
    return [*cells, entry["point"] or "", why, share, doubts_text(entry, language)]
