"""Typed, frozen configuration from one YAML file and dotted overrides.

An unknown key is an error that suggests the nearest name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Self, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from hvac.errors import ConfigError, unknown_name
from hvac.json_values import Json, JsonObject, branch
from hvac.storage import AnyPath, place

Item = TypeVar("Item")
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Share = Annotated[float, Field(gt=0, lt=1)]


def _distinct(values: tuple[Item, ...]) -> tuple[Item, ...]:
    twice = sorted({str(value) for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} stands there twice; name each once")
    return values


def _file_name(name: str) -> str:
    if not name.strip(" .") or set(name) & set("/\\:?#*"):
        raise ValueError(
            "it names a file: expected letters, digits, '_', '-', '.' or blanks, and not dots alone"
        )
    return name


Distinct = AfterValidator(_distinct)
FileName = Annotated[str, AfterValidator(_file_name)]


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

    # not use_attribute_docstrings: every process would parse the source of a hundred classes
    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _name_unknown_keys(cls, given: Item) -> Item:
        if isinstance(given, dict):
            for key in given:
                known = _names(cls)
                if key not in known:
                    subject = f"key '{key}' in {cls.__name__}"
                    raise unknown_error(unknown_name(subject, str(key), known, "keys"))
        return given

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            faults = _faults(error)
            raise ConfigError(_message(type(self).__name__, faults), faults) from error

    def replace(self, **changes: Any) -> Self:
        """Return a checked copy with some fields changed."""
        return type(self)(**{**self.model_dump(by_alias=True), **changes})


MOST_VALUES = 100_000  # of a configuration; more is an attack or a mistake
Kind = TypeVar("Kind", bound=Config)


def _names(owner: type[Config]) -> list[str]:
    return [info.alias or name for name, info in owner.model_fields.items()]


def unknown_error(message: str) -> PydanticCustomError:
    """Return the error of a validator that stands in a message as it is, without what was found."""
    return PydanticCustomError("unknown_key", "{message}", {"message": message})


def _faults(error: ValidationError) -> list[tuple[str, str]]:
    """Return (where, what) of every fault; `where` is the dotted path of the key."""
    faults = []
    for item in error.errors():
        where = ".".join(map(str, item["loc"]))
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, ConfigError) and cause.faults:
            for inner, what in cause.faults:
                faults.append((".".join(filter(None, (where, inner))), what))
            continue
        what = item["msg"].removeprefix("Value error, ")
        if not isinstance(cause, ConfigError) and not isinstance(item["input"], dict):
            what = f"{what} (found {str(item['input'])[:80]!r})"
        faults.append((where, what))
    return faults


def _message(owner: str, faults: list[tuple[str, str]]) -> str:
    phrases = "; ".join(f"{where}: {what}" if where else what for where, what in faults)
    return (
        phrases
        if phrases.startswith("unknown key")
        else f"{owner} is not valid: {phrases}"
    )


def read_config(
    kind: type[Kind], path: str | AnyPath, overrides: Sequence[str] = ()
) -> Kind:
    """Read and check a configuration (see `read_settings`).

    Raises ConfigError, which names the file, where it is not valid.
    """
    settings = read_settings(path, overrides)
    try:
        return kind(**settings)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def read_settings(
    path: str | AnyPath, overrides: Sequence[str] = ()
) -> dict[str, Json]:
    """Read a YAML mapping (a path or URL) and lay `key.sub=value` overrides over it.

    Values of overrides are read as YAML. `extends: other.yaml` (relative to the file) takes the
    other file's settings as a base: sections are merged key by key, everything else is replaced.
    """
    settings = _read_file(path, ())
    for override in overrides:
        _override(settings, override)
    return settings


def read_overrides(overrides: Sequence[str]) -> dict[str, Json]:
    """Return settings from `key.sub=value` alone.

    >>> read_overrides(["limits.units=10", "language=ja"])
    {'limits': {'units': 10}, 'language': 'ja'}
    """
    settings: dict[str, Json] = {}
    for override in overrides:
        _override(settings, override)
    return settings


def _read_file(path: str | AnyPath, above: tuple[AnyPath, ...]) -> dict[str, Json]:
    file = place(path)
    if file in above:
        circle = " → ".join(step.name for step in (*above, file))
        raise ConfigError(f"{path}: 'extends' goes round in a circle: {circle}")
    settings = _read_mapping(path)
    base = settings.pop("extends", None)
    if base is None:
        return settings
    base_path = str(base) if "://" in str(base) else file.parent / str(base)
    return _merged(_read_file(base_path, (*above, file)), settings)


def _merged(base: JsonObject, over: JsonObject) -> dict[str, Json]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(value, dict) and isinstance(below, dict)
        merged[key] = _merged(branch(below), branch(value)) if both else value
    return merged


def _read_mapping(path: str | AnyPath) -> dict[str, Json]:
    try:
        settings = _plain_yaml(place(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"no config file at {path}: give an existing YAML file with --config"
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror}): give a YAML file with --config"
        ) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from error
    except _TooLargeError as error:
        raise ConfigError(f"{path}: {error}") from None
    if not isinstance(settings, dict):
        raise ConfigError(
            f"{path}: expected a mapping of sections at the top, found {type(settings).__name__}"
        )
    if odd := [key for key in _keys(settings) if not isinstance(key, str)]:
        raise ConfigError(
            f"{path}: expected names as keys, found {odd[0]!r}: put it in quotes"
        )
    return settings


def _keys(given: Json) -> Iterator[Json]:
    """Give the keys of a mapping and of all mappings in it."""
    if isinstance(given, dict):
        yield from given
        given = list(given.values())
    if isinstance(given, list):
        for value in given:
            yield from _keys(value)


def _override(settings: dict[str, Json], override: str) -> None:
    dotted, equals, text = override.partition("=")
    if not equals:
        raise ConfigError(f"override {override!r}: expected key.sub=value")
    *parents, last = dotted.split(".")
    for parent in parents:
        section = settings.setdefault(parent, {})
        if not isinstance(section, dict):
            raise ConfigError(
                f"override {override!r}: '{parent}' holds a value, not a section"
            )
        settings = section
    try:
        settings[last] = _plain_yaml(text)
    except yaml.YAMLError as error:
        if not text.startswith(
            "%"
        ):  # of a date's format: no YAML, and meant as it stands
            raise ConfigError(
                f"override {override!r}: the value is not valid YAML"
            ) from error
        settings[last] = text
    except _TooLargeError as error:
        raise ConfigError(f"override {dotted[:80]!r}: {error}") from None


class _TooLargeError(Exception):
    """A YAML text that is small and means a lot."""


def _plain_yaml(text: str) -> Json:
    """Read YAML whose aliases do not multiply it beyond what a person would write."""
    try:
        content: Json = yaml.safe_load(text)
        values = _size(content, {})
    except RecursionError:
        raise _TooLargeError(
            "sections lie too deep in each other, or an alias names what it lies in"
        ) from None
    if values > MOST_VALUES:
        raise _TooLargeError(
            f"its aliases stand for more than {MOST_VALUES:,} values: write them out, or fewer"
        )
    return content


def _size(given: Json, known: dict[int, int]) -> int:
    """Count values as if every alias were written out."""
    if not isinstance(given, dict | list):
        return 1
    if id(given) not in known:
        inner = given.values() if isinstance(given, dict) else given
        known[id(given)] = 1 + sum(_size(value, known) for value in inner)
    return known[id(given)]
