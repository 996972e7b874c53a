"""Names of the simulated fleet in both languages, as a plant would keep them."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from hvac.simulate.catalogue import KINDS

POINTS: Final = {
    "filter_differential_pressure": ("filter pressure drop", "フィルタ差圧"),
    "supply_air_temp": ("supply air temperature", "給気温度"),
    "fan_current": ("fan current", "送風機電流"),
    "valve_position": ("valve position", "弁開度"),
    "fan_vibration": ("fan vibration", "送風機振動"),
    "chilled_water_supply_temp": ("chilled water supply temperature", "冷水送水温度"),
    "condenser_approach": ("condenser approach", "凝縮器アプローチ温度"),
    "compressor_current": ("compressor current", "圧縮機電流"),
    "evaporator_pressure": ("evaporator pressure", "蒸発器圧力"),
    "vibration": ("vibration", "振動"),
    "cop": ("COP", "成績係数（COP）"),
    "outlet_water_temp": ("outlet water temperature", "冷却水出口温度"),
    "approach": ("approach", "アプローチ温度"),
    "water_conductivity": ("water conductivity", "冷却水の電気伝導率"),
    "discharge_air_temp": ("discharge air temperature", "吹出温度"),
    "drain_pan_level": ("drain pan level", "ドレンパン水位"),
    "bearing_temp": ("bearing temperature", "軸受温度"),
    "current": ("motor current", "電動機電流"),
    "discharge_pressure": ("discharge pressure", "吐出圧力"),
    "flow_rate": ("flow rate", "流量"),
    "discharge_temp": ("discharge temperature", "吐出温度"),
    "high_pressure": ("high pressure", "高圧"),
    "low_pressure": ("low pressure", "低圧"),
    "superheat": ("superheat", "過熱度"),
}
CLASSES: Final = {
    "ahu": ("air handling unit", "空調機"),
    "chiller": ("chiller", "冷凍機"),
    "cooling_tower": ("cooling tower", "冷却塔"),
    "fan_coil": ("fan coil unit", "ファンコイル"),
    "pump": ("pump", "ポンプ"),
    "vrf_outdoor": ("VRF outdoor unit", "ビル用マルチ室外機"),
}
TOWNS: Final = {
    "Tokyo": "東京",
    "Sapporo": "札幌",
    "Osaka": "大阪",
    "Fukuoka": "福岡",
    "Naha": "那覇",
}
BUILDINGS: Final = {
    "office": "オフィス",
    "hospital": "病院",
    "hotel": "ホテル",
    "shop": "商業施設",
}
UNITS: Final = {"degC": "°C", "m3/h": "m³/h", "1": ""}


def simulated_names(equipment: pa.Table) -> list[dict[str, str]]:
    """Return rows of a table of names: of the fleet's facilities, classes and points."""
    rows = []
    for facility, town, building in _facilities(equipment):
        en, ja = f"{town} {building}", f"{TOWNS[town]}{BUILDINGS[building]}"
        rows.append({"of": "facility", "id": facility, "en": en, "ja": ja, "unit": ""})
    for kind, (en, ja) in CLASSES.items():
        rows.append({"of": "class", "id": kind, "en": en, "ja": ja, "unit": ""})
    units = {point.name: point.uom for kind in KINDS.values() for point in kind.points}
    for point, (en, ja) in POINTS.items():
        unit = UNITS.get(units[point], units[point])
        rows.append({"of": "point", "id": point, "en": en, "ja": ja, "unit": unit})
    return rows


def _facilities(equipment: pa.Table) -> list[tuple[str, str, str]]:
    """Return every facility with its town and building, once."""
    columns = (
        equipment[name].to_pylist() for name in ("facility_id", "town", "building")
    )
    return sorted(set(zip(*columns, strict=True)))
