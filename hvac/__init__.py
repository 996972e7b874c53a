"""Tell how likely an anomaly begins within 30, 60 and 90 days, for every piece of HVAC equipment.

    import hvac

    bundle = hvac.load_bundle("runs/demo/bundles/pump-57dee1a3bf38")
    risks = bundle.predict_readings("readings.csv", events="events.csv", equipment="equipment.csv")

This package is the domain: it knows no Ray and no HTTP. Jobs are in `ray_jobs`, the service in
`serve`. What is named here is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hvac.readings.frames import readings_frame as read_readings
    from hvac.scoring.bundle import load_bundle
    from hvac.simulate.fleet_frames import simulate_fleet

__all__ = ["__version__", "load_bundle", "read_readings", "simulate_fleet"]

DISTRIBUTION = "hvac-foresight"
PUBLIC = {
    "read_readings": ("hvac.readings.frames", "readings_frame"),
    "load_bundle": ("hvac.scoring.bundle", "load_bundle"),
    "simulate_fleet": ("hvac.simulate.fleet_frames", "simulate_fleet"),
}

try:
    __version__ = version(DISTRIBUTION)
except PackageNotFoundError:
    __version__ = "not installed"


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module 'hvac' has no attribute {name!r}")
    module, attribute = PUBLIC[name]
    return getattr(import_module(module), attribute)
