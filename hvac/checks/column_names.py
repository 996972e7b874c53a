"""What the names of a table's columns tell: which of our fields each is, which machine and point."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from hvac.panel.joins import folded
from hvac.readings.formats import REQUIRED
from hvac.readings.id_patterns import ids_of_columns

NAMES: Final = {  # of columns, as exports call them
    "facility_id": "facility site building plant location campus standort werk gebäude liegenschaft"
    " テナント 施設 拠点 建物 事業所",
    "equipment_id": "equipment machine asset unit device ahu anlage maschine gerät 設備 機器 機械 装置 号機",
    "point_id": "point tag sensor variable signal parameter channel measure messpunkt messstelle"
    " datenpunkt 点検項目 項目 計測点 測定項目",
    "date": "date timestamp datetime time day ts datum zeitstempel zeitpunkt"
    " 日付 日時 実施日 点検日 計測日 測定日 年月日",
    "value": "value reading val measurement result messwert wert 値 測定値 計測値 結果",
    "lower_limit": "lower_limit lower low min untergrenze 下限 下限値",
    "upper_limit": "upper_limit upper high max obergrenze 上限 上限値",
    "kind": "kind event failure fault category type code comp art ereignis störung 種類 種別 事象 内容",
    "start": "start started onset begin begun began occurred failed date timestamp datetime time"
    " beginn datum 発生日 発生 開始 開始日 日付 日時",
    "end": "end ended stop stopped finish finished closed resolved repaired fixed restored cleared"
    " ende behoben 終了 終了日 復旧 復旧日 完了日",
    "class": "class type kind model equipment_type typ klasse bauart 種別 分類 区分 型式",
    "install_date": "install_date installed installation commissioned inbetriebnahme einbaudatum 設置日 設置 導入日",
    "end_of_follow_up": "end_of_follow_up removed decommissioned 撤去日 廃止日",
}
OF_EVENTS: Final = ("facility_id", "equipment_id", "kind", "start", "end")
OF_REGISTER: Final = (
    "facility_id",
    "equipment_id",
    "class",
    "install_date",
    "end_of_follow_up",
)
OF_READINGS: Final = (*REQUIRED, "lower_limit", "upper_limit")
SEPARATORS: Final = (".", "/", ":", "|", "__", "_", " ", "-")


def match_names(
    columns: Sequence[str], fields: Sequence[str], folders: Mapping[str, str] = {}
) -> dict[str, str]:
    """Return the column that is called like each of our fields; each column stands for one field.

    >>> match_names(["machineID", "datetime", "errorID"], ["equipment_id", "start", "kind"])
    {'equipment_id': 'machineID', 'start': 'datetime'}
    """
    names: dict[str, str] = {}
    free = [*columns, *folders]
    for exact in (True, False):
        for ours in fields:
            if ours in names:
                continue
            words = [ours, *NAMES[ours].split()]
            match = _called(words, free, exact=exact)
            if match is not None:
                names[ours] = match
                free.remove(match)
    return {ours: names[ours] for ours in fields if ours in names}


def _called(words: Sequence[str], columns: Sequence[str], *, exact: bool) -> str | None:
    """Return the first column that is one of some words, or `<word>_id`, or begins or ends so."""
    for word in words:
        for column in columns:
            name = re.sub(r"[\s_\-]*(id|no|code|名|番号)$", "", folded(column))
            if word in (name, folded(column)):
                return column
            parts = re.split(r"[\s_\-]+", name)
            if not exact and (word in parts or (not word.isascii() and word in name)):
                return column
    return None


def column_pattern(columns: Sequence[str]) -> str | None:
    """Return a pattern that parts columns' names into machines with the same points; None without.

    >>> column_pattern(["AHU-1.SAT", "AHU-1.RAT", "AHU-2.SAT", "AHU-2.RAT"])
    '(?P<equipment_id>.+)\\\\.(?P<point_id>.+)'
    >>> column_pattern(["supply_temp", "return_temp"]) is None
    True
    """
    for separator in SEPARATORS:
        pattern = rf"(?P<equipment_id>.+){re.escape(separator)}(?P<point_id>.+)"
        ids = ids_of_columns(pattern, columns)
        machines = Counter(of_column["equipment_id"] for of_column in ids.values())
        points = Counter(of_column["point_id"] for of_column in ids.values())
        whole = len(ids) == len(columns) == len(machines) * len(points)
        if (
            whole
            and len(machines) > 1
            and (len(points) > 1 or separator in SEPARATORS[:4])
        ):
            return pattern
    return None
