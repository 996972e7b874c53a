"""Read the file that `source.building_model` names, by its ending."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from hvac.errors import InputError
from hvac.readings.brick_model import brick_points
from hvac.readings.building_model import SETTING, BuildingModel, model_of
from hvac.readings.haystack_model import haystack_points
from hvac.readings.table_paths import file_stamp

ENDINGS: Final = (".csv", ".zinc", ".json", ".ttl")


def read_building_model(path: str) -> BuildingModel:
    """Read a model: a Haystack grid (.csv, .zinc, .json) or a Brick model in Turtle (.ttl).

    Raises:
        InputError: it cannot be read, its library is not installed, or no point of it belongs to a
            machine.
    """
    try:
        stamp = file_stamp(path)
    except OSError as error:
        raise InputError(f"{path}: no such file: correct {SETTING}") from error
    return _read(path, stamp)


@lru_cache(maxsize=8)
def _read(path: str, _stamp: str) -> BuildingModel:
    ending = path[path.rfind(".") :].lower()
    if ending not in ENDINGS:
        raise InputError(
            f"{path}: expected a Haystack grid (.csv, .zinc, .json) or a Brick model (.ttl): correct"
            f" {SETTING}"
        )
    points = brick_points(path) if ending == ".ttl" else haystack_points(path)
    if not points:
        raise InputError(
            f"{path}: no point of the model belongs to a machine: export sites, machines and points"
            f" together, or correct {SETTING}"
        )
    return model_of(points)
