"""What the simulated fleet consists of: equipment classes, their points and their faults.

All numbers are daily means in the stated unit of measure (uom). They are typical catalogue values,
chosen by hand; nothing here is fitted to a real site.
"""

from __future__ import annotations

from typing import NamedTuple


class Point(NamedTuple):
    """One measured variable of a class.

    `level` at the annual mean outdoor temperature and half load, `noise` the day-to-day sd,
    `spread` the sd of the level between units, `per_ten_kelvin` the change for 10 K outdoors,
    `per_load` from no load to full load. The limits hold for a unit at the nominal level and move
    with the unit's own level, as they are set at commissioning.
    """

    name: str
    uom: str
    level: float
    noise: float
    spread: float
    per_ten_kelvin: float
    per_load: float
    lower: float | None
    upper: float | None


class Mode(NamedTuple):
    """One way to fail.

    `weight` is how often it is drawn, `days` the range of days it grows, `shifts` what it adds to
    the points at full size, in multiples of the point's noise. `curve` is linear, convex (slow,
    then fast) or saturating. `harmless` is the share that stops at half size and waits for the next
    visit instead of ending in a failure.
    """

    name: str
    weight: float
    days: tuple[int, int]
    curve: str
    shifts: dict[str, float]
    harmless: float = 0.15


class Kind(NamedTuple):
    """An equipment class: its code in the ids, whether it also heats, rated kW, points, modes."""

    code: str
    heats: bool
    rated_kw: tuple[float, float]
    points: tuple[Point, ...]
    modes: tuple[Mode, ...]


KINDS: dict[str, Kind] = {
    "ahu": Kind(
        "AHU",
        True,
        (20.0, 120.0),
        (
            Point(
                "filter_differential_pressure",
                "Pa",
                120.0,
                6.0,
                15.0,
                0.0,
                30.0,
                None,
                200.0,
            ),
            Point("supply_air_temp", "degC", 17.0, 0.7, 0.8, -1.5, -1.0, 10.0, 23.0),
            Point("fan_current", "A", 14.0, 0.4, 2.0, 0.1, 2.5, None, 18.5),
            Point("valve_position", "%", 45.0, 4.0, 5.0, 3.0, 35.0, None, 95.0),
            Point("fan_vibration", "mm/s", 2.0, 0.2, 0.3, 0.0, 0.3, None, 3.7),
        ),
        (
            Mode(
                "filter_clogging",
                3.0,
                (60, 150),
                "linear",
                {
                    "filter_differential_pressure": 14.5,
                    "fan_current": -4.5,
                    "valve_position": 2.5,
                },
            ),
            Mode(
                "valve_stuck",
                2.0,
                (30, 70),
                "saturating",
                {"valve_position": 7.0, "supply_air_temp": 6.5},
            ),
            Mode(
                "bearing_wear",
                2.0,
                (50, 130),
                "convex",
                {"fan_vibration": 11.0, "fan_current": 4.5},
            ),
            Mode(
                "coil_fouling",
                1.5,
                (70, 150),
                "linear",
                {"supply_air_temp": 5.5, "valve_position": 6.5},
            ),
            Mode(
                "sensor_drift", 1.0, (40, 120), "linear", {"supply_air_temp": -8.0}, 0.8
            ),
        ),
    ),
    "chiller": Kind(
        "CH",
        False,
        (350.0, 1800.0),
        (
            Point(
                "chilled_water_supply_temp", "degC", 7.0, 0.25, 0.4, 0.15, 0.4, 5.0, 8.8
            ),
            Point("condenser_approach", "K", 2.2, 0.2, 0.3, 0.1, 0.8, None, 4.0),
            Point("compressor_current", "A", 180.0, 6.0, 20.0, 8.0, 50.0, None, 255.0),
            Point(
                "evaporator_pressure",
                "kPa",
                250.0,
                5.0,
                10.0,
                -2.0,
                -10.0,
                218.0,
                285.0,
            ),
            Point("vibration", "mm/s", 2.2, 0.2, 0.4, 0.0, 0.3, None, 4.0),
            Point("cop", "1", 5.0, 0.15, 0.3, -0.3, 0.2, 3.6, None),
        ),
        (
            Mode(
                "fouling",
                3.0,
                (70, 150),
                "linear",
                {"condenser_approach": 11.0, "compressor_current": 4.5, "cop": -6.5},
            ),
            Mode(
                "refrigerant_loss",
                2.5,
                (40, 120),
                "convex",
                {
                    "evaporator_pressure": -9.0,
                    "cop": -6.5,
                    "chilled_water_supply_temp": 6.5,
                },
            ),
            Mode(
                "bearing_wear",
                2.0,
                (50, 150),
                "convex",
                {"vibration": 11.5, "compressor_current": 3.5},
            ),
            Mode(
                "sensor_drift",
                1.0,
                (40, 120),
                "linear",
                {"chilled_water_supply_temp": -8.0},
                0.8,
            ),
        ),
    ),
    "cooling_tower": Kind(
        "CT",
        False,
        (400.0, 2000.0),
        (
            Point("outlet_water_temp", "degC", 25.0, 0.6, 0.6, 4.0, 1.5, None, 35.0),
            Point("approach", "K", 4.0, 0.35, 0.5, -0.3, 1.0, None, 6.8),
            Point("fan_current", "A", 22.0, 0.7, 2.0, 1.0, 5.0, None, 30.0),
            Point("fan_vibration", "mm/s", 3.0, 0.3, 0.5, 0.0, 0.4, None, 5.4),
            Point("water_conductivity", "mS/m", 60.0, 4.0, 6.0, 3.0, 6.0, None, 92.0),
        ),
        (
            Mode(
                "scaling",
                3.0,
                (70, 150),
                "linear",
                {"approach": 9.0, "outlet_water_temp": 5.5, "water_conductivity": 7.0},
            ),
            Mode(
                "belt_wear",
                2.0,
                (30, 90),
                "convex",
                {"fan_vibration": 9.0, "fan_current": -7.0, "approach": 4.5},
            ),
            Mode(
                "bearing_wear",
                2.0,
                (50, 130),
                "convex",
                {"fan_vibration": 11.0, "fan_current": 4.5},
            ),
            Mode(
                "sensor_drift",
                0.8,
                (40, 120),
                "linear",
                {"outlet_water_temp": 7.0},
                0.8,
            ),
        ),
    ),
    "fan_coil": Kind(
        "FCU",
        True,
        (2.0, 10.0),
        (
            Point("discharge_air_temp", "degC", 18.0, 0.8, 1.0, -2.0, -1.0, 9.0, 26.0),
            Point("fan_current", "A", 0.9, 0.04, 0.1, 0.0, 0.15, None, 1.25),
            Point("valve_position", "%", 40.0, 5.0, 6.0, 2.0, 35.0, None, 92.0),
            Point("drain_pan_level", "mm", 8.0, 1.2, 1.5, 1.0, 3.0, None, 18.0),
        ),
        (
            Mode(
                "filter_clogging",
                3.0,
                (50, 150),
                "linear",
                {"fan_current": -9.0, "discharge_air_temp": -4.5},
            ),
            Mode("drain_blockage", 2.0, (30, 80), "convex", {"drain_pan_level": 11.5}),
            Mode(
                "valve_stuck",
                2.0,
                (30, 70),
                "saturating",
                {"valve_position": 7.0, "discharge_air_temp": 5.5},
            ),
            Mode("motor_wear", 1.5, (50, 130), "convex", {"fan_current": 10.0}),
        ),
    ),
    "pump": Kind(
        "PMP",
        True,
        (5.0, 75.0),
        (
            Point("vibration", "mm/s", 2.4, 0.22, 0.4, 0.0, 0.3, None, 4.2),
            Point("bearing_temp", "degC", 48.0, 1.5, 2.5, 2.5, 4.0, None, 64.0),
            Point("current", "A", 32.0, 0.8, 3.0, 0.0, 5.0, None, 40.0),
            Point(
                "discharge_pressure", "kPa", 320.0, 6.0, 15.0, 0.0, -15.0, 275.0, 370.0
            ),
            Point("flow_rate", "m3/h", 60.0, 1.5, 5.0, 0.0, 12.0, 45.0, None),
        ),
        (
            Mode(
                "bearing_wear",
                3.0,
                (50, 150),
                "convex",
                {"vibration": 11.0, "bearing_temp": 7.0, "current": 2.5},
            ),
            Mode(
                "seal_leak",
                2.0,
                (30, 90),
                "linear",
                {"discharge_pressure": -8.0, "flow_rate": -4.5},
            ),
            Mode(
                "impeller_wear",
                2.0,
                (80, 150),
                "linear",
                {"flow_rate": -7.0, "discharge_pressure": -5.5, "current": -3.5},
            ),
            Mode(
                "strainer_clogging",
                2.0,
                (40, 120),
                "saturating",
                {"flow_rate": -8.0, "vibration": 4.5},
            ),
        ),
    ),
    "vrf_outdoor": Kind(
        "VRF",
        True,
        (22.0, 85.0),
        (
            Point("discharge_temp", "degC", 72.0, 2.5, 3.0, 3.0, 12.0, None, 100.0),
            Point("high_pressure", "MPa", 2.6, 0.08, 0.1, 0.15, 0.3, None, 3.4),
            Point("low_pressure", "MPa", 0.85, 0.03, 0.04, 0.03, -0.05, 0.65, 1.1),
            Point("compressor_current", "A", 16.0, 0.7, 2.0, 0.3, 6.0, None, 24.5),
            Point("superheat", "K", 6.0, 0.6, 0.7, 0.0, 0.6, 1.5, 11.0),
        ),
        (
            Mode(
                "refrigerant_loss",
                3.0,
                (40, 130),
                "convex",
                {"superheat": 9.0, "low_pressure": -8.0, "discharge_temp": 7.0},
            ),
            Mode(
                "fouling",
                2.5,
                (60, 150),
                "linear",
                {
                    "high_pressure": 9.0,
                    "compressor_current": 5.5,
                    "discharge_temp": 3.5,
                },
            ),
            Mode(
                "expansion_valve_stuck",
                2.0,
                (30, 60),
                "saturating",
                {"superheat": -8.0, "low_pressure": 5.5},
            ),
            Mode(
                "compressor_wear",
                1.5,
                (60, 150),
                "convex",
                {"compressor_current": 9.0, "discharge_temp": 6.5},
            ),
            Mode(
                "sensor_drift", 0.8, (40, 120), "linear", {"high_pressure": -8.0}, 0.8
            ),
        ),
    ),
}
