"""The newest window of every unit: predictions with forecast, and the ranking a facility manager opens in Excel.

Legend: B windows (one per unit), C points, H horizons.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hvac.features.describe import Scene, describe
from hvac.features.table import Windows, concat
from hvac.models.bundle import Bundle
from hvac.models.forecast import crossing_probability
from hvac.models.predictions import predictions_table
from hvac.panel.windows import LEARNING, OK, fit_scale, learning_days_left

Floats = npt.NDArray[np.float64]
EXTRA = ("status", "learning_days_left", "observed_share", "driving_point", "forecast", "forecast_low",
         "forecast_high", "crossing_probability")  # fmt: skip
HEADERS = {
    "en": ("rank", "facility", "equipment", "class", "as of", "days behind", "status", "days of learning left"),
    "ja": ("順位", "施設", "設備", "設備分類", "評価日", "遅れ（日）", "状態", "学習の残り日数"),
}
PER_HORIZON = {
    "en": ("risk within {} days", "alarm within {} days"),
    "ja": ("{}日以内に異常が始まる確率", "{}日以内の警報"),
}
LAST = {"en": ("point that moved most", "observed share"), "ja": ("最も変化した点検項目", "観測率")}
STATUS = {
    "en": {OK: "ok", LEARNING: "learning", "insufficient_data": "insufficient data"},
    "ja": {OK: "正常に評価", LEARNING: "学習中", "insufficient_data": "データ不足"},
}
YES = {"en": ("yes", "no"), "ja": ("あり", "なし")}


def latest_rows(scenes: Sequence[Scene], bundle: Bundle) -> pa.Table:
    """Predictions for the newest window of each unit of one class, one row per unit and horizon.

    Beside the predictions' columns: `status` (risk, alarm and forecast are null unless "ok"), days of learning left,
    observed share, and for the point that has moved furthest from its baseline the forecast on days 1…h in physical
    units, its 90 % band, and the probability of crossing a limit.
    """
    windows = concat([describe(s, np.array([s.panel.last_day], dtype=np.int32), bundle.recipe) for s in scenes])
    ok_B = windows.column("status") == OK
    horizons = bundle.horizons
    risk_BH = np.full((len(windows), len(horizons)), np.nan)
    if ok_B.any():
        risk_BH[ok_B] = bundle.predict(windows.take(ok_B)).risk_BH
    threshold_H = bundle.decision.threshold_H
    name = bundle.folder.name if bundle.folder else bundle.id
    family = bundle.family
    table = predictions_table(windows, risk_BH, threshold_H, horizons=horizons, model=family, bundle_id=name)
    return _with_extras(table, scenes, windows, ok_B, bundle)


def _with_extras(
    table: pa.Table, scenes: Sequence[Scene], windows: Windows, ok_B: npt.NDArray[np.bool_], bundle: Bundle
) -> pa.Table:
    rows: list[dict[str, Any]] = []
    for b, scene in enumerate(scenes):
        status = str(windows.column("status")[b])
        left = learning_days_left(scene.panel, scene.panel.last_day) if status == LEARNING else None
        same = {"status": status, "learning_days_left": left, "observed_share": float(windows.observed_B[b])}
        rows += [
            same | _outlook(scene, windows.take(np.array([b])), bundle, h) if ok_B[b] else same for h in bundle.horizons
        ]
    lists, number = pa.list_(pa.float32()), pa.float64()
    kinds = (pa.string(), pa.int32(), number, pa.string(), lists, lists, lists, number)
    for name, kind in zip(EXTRA, kinds, strict=True):
        table = table.append_column(name, pa.array([row.get(name) for row in rows], kind))
    return table


def _outlook(scene: Scene, window: Windows, bundle: Bundle, horizon: int) -> dict[str, Any]:
    x_BCL = np.asarray(window.x_BCL)
    c = int(np.argmax(np.abs(x_BCL[0, :, -14:].mean(axis=1))))
    scale = fit_scale(scene.panel, bundle.recipe.windows.normalise)
    centre, spread = scale.centre_TC[-1, c], scale.spread_TC[-1, c]
    value_D, low_D, high_D = (part[0, c] * spread + centre for part in bundle.forecast(x_BCL, horizon))
    chance = crossing_probability(
        value_D[None], (high_D - low_D)[None] / 2, lower_B=scene.lower_TC[-1:, c], upper_B=scene.upper_TC[-1:, c]
    )[0]
    return {
        "driving_point": scene.panel.points[c],
        "forecast": value_D.tolist(),
        "forecast_low": low_D.tolist(),
        "forecast_high": high_D.tolist(),
        "crossing_probability": None if np.isnan(chance) else float(chance),
    }


def ranking(latest: pa.Table, *, last_day: int) -> list[dict[str, Any]]:
    """One entry per equipment, the highest risk within the shortest horizon first; no score comes last.

    With `by: point`, an equipment's risk is the highest of its points' and `point` says which.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    days = latest["end_date"].cast(pa.int32()).to_pylist()
    for row, day in zip(latest.to_pylist(), days, strict=True):
        unit = (row["facility_id"], row["equipment_id"])
        entry = found.setdefault(unit, {**row, "days_behind": last_day - day, "risks": {}, "alarms": {}})
        if row["status"] == OK and entry["status"] != OK:
            entry |= {name: row[name] for name in ("status", "end_date", "observed_share", "learning_days_left")}
            entry["days_behind"] = last_day - day
        known = entry["risks"].get(row["horizon"])
        if row["risk"] is not None and (known is None or row["risk"] > known):
            entry["risks"][row["horizon"]] = row["risk"]
            entry["alarms"][row["horizon"]] = row["alarm"]
            if row["horizon"] == min(entry["risks"]):
                entry["point"] = row["point_id"] or row["driving_point"]
    return sorted(found.values(), key=lambda e: [-(e["risks"].get(h) or 0.0) for h in sorted(e["risks"])] or [1.0])


def write_ranking(entries: Sequence[dict[str, Any]], path: Path, language: str) -> None:
    """The ranking as CSV with a byte-order mark, so that Excel in Japan reads it as UTF-8."""
    horizons = sorted({horizon for entry in entries for horizon in entry["risks"]})
    per = [text.format(h) for h in horizons for text in PER_HORIZON[language]]
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow([*HEADERS[language], *per, *LAST[language]])
        for rank, entry in enumerate(entries, 1):
            writer.writerow([rank, *_cells(entry, horizons, language)])


def _cells(entry: dict[str, Any], horizons: Sequence[int], language: str) -> list[Any]:
    said: list[Any] = []
    for h in horizons:
        risk = entry["risks"].get(h)
        said += ["", ""] if risk is None else [f"{100 * risk:.1f}%", YES[language][0 if entry["alarms"][h] else 1]]
    ids = [_safe(entry[name]) for name in ("facility_id", "equipment_id", "class")]
    status = STATUS[language].get(entry["status"], entry["status"])
    left = "" if entry["learning_days_left"] is None else entry["learning_days_left"]
    share = f"{100 * entry['observed_share']:.0f}%"
    return [*ids, entry["end_date"], entry["days_behind"], status, left, *said, _safe(entry.get("point") or ""), share]


def _safe(text: str) -> str:
    """A cell that a spreadsheet never takes for a formula."""
    return f"'{text}" if text.lstrip("\t\r\n ")[:1] in ("=", "+", "-", "@") else text
