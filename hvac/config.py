"""Typed, frozen configuration: one YAML file, dotted overrides, unknown keys named with their nearest neighbour."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from hvac.errors import ConfigError
from hvac.storage import AnyPath, place


class Config(BaseModel):
    """Base of every configuration: frozen, checked, closed to unknown keys.

    >>> class Coil(Config):
    ...     rows: int = 2
    >>> Coil(rows=4).rows
    4
    >>> Coil(row=4)
    Traceback (most recent call last):
    ...
    hvac.errors.ConfigError: unknown key 'row' in Coil: did you mean 'rows'? Known keys: rows
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _name_unknown_keys(cls, given: Any) -> Any:
        if isinstance(given, dict):
            for key in given:
                if key not in _names(cls):
                    raise PydanticCustomError("unknown_key", "{message}", {"message": _unknown(str(key), cls)})
        return given

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise ConfigError(_explain(type(self).__name__, error)) from error

    def replace(self, **changes: Any) -> Self:
        """A checked copy with some fields changed."""
        return type(self)(**{**self.model_dump(by_alias=True), **changes})


def _names(owner: type[Config]) -> list[str]:
    return [info.alias or name for name, info in owner.model_fields.items()]


def _unknown(key: str, owner: type[Config]) -> str:
    known = _names(owner)
    near = difflib.get_close_matches(key, known, n=1)
    hint = f": did you mean '{near[0]}'?" if near else "."
    return f"unknown key '{key}' in {owner.__name__}{hint} Known keys: {', '.join(known)}"


def _explain(owner: str, error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        if item["type"] == "unknown_key":
            return item["msg"]
        place = ".".join(str(part) for part in item["loc"]) or owner
        message = item["msg"].removeprefix("Value error, ")
        lines.append(f"{place}: {message} (found {str(item['input'])[:80]!r})")
    return f"{owner} is not valid: " + "; ".join(lines)


def read_settings(path: str | AnyPath, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Read a YAML mapping (a path or URL) and lay `key.sub=value` overrides over it (values are read as YAML).

    `extends: other.yaml` (relative to the file) takes the other file's settings as a base: sections are merged key by
    key, everything else is replaced.
    """
    settings = _read_file(path, ())
    for override in overrides:
        _override(settings, override)
    return settings


def read_overrides(overrides: Sequence[str]) -> dict[str, Any]:
    """Settings from `key.sub=value` alone.

    >>> read_overrides(["limits.units=10", "language=ja"])
    {'limits': {'units': 10}, 'language': 'ja'}
    """
    settings: dict[str, Any] = {}
    for override in overrides:
        _override(settings, override)
    return settings


def _read_file(path: str | AnyPath, above: tuple[AnyPath, ...]) -> dict[str, Any]:
    own = place(path)
    if own in above:
        way = " → ".join(each.name for each in (*above, own))
        raise ConfigError(f"{path}: 'extends' goes round in a circle: {way}")
    settings = _read_mapping(path)
    base = settings.pop("extends", None)
    if base is None:
        return settings
    found = str(base) if "://" in str(base) else own.parent / str(base)
    return _merged(_read_file(found, (*above, own)), settings)


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    found = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(found.get(key), dict)
        found[key] = _merged(found[key], value) if both else value
    return found


def _read_mapping(path: str | AnyPath) -> dict[str, Any]:
    try:
        settings = yaml.safe_load(place(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"no config file at {path}: give an existing YAML file with --config") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(settings, dict):
        raise ConfigError(f"{path}: expected a mapping of sections at the top, found {type(settings).__name__}")
    return settings


def _override(settings: dict[str, Any], override: str) -> None:
    dotted, equals, text = override.partition("=")
    if not equals:
        raise ConfigError(f"override {override!r}: expected key.sub=value")
    *parents, last = dotted.split(".")
    for parent in parents:
        settings = settings.setdefault(parent, {})
        if not isinstance(settings, dict):
            raise ConfigError(f"override {override!r}: '{parent}' holds a value, not a section")
    settings[last] = yaml.safe_load(text)
