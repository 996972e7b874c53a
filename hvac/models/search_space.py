"""A search space: settings of a family by dotted key, each with a distribution.

It is checked before anything is trained.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args

import numpy as np
from pydantic import BeforeValidator, model_serializer

from hvac.config import Config
from hvac.errors import ConfigError, unknown_name
from hvac.json_values import Json, JsonObject
from hvac.models.family import FamilyConfig

Kind = Literal["uniform", "loguniform", "int", "choice"]
Settings = dict[str, Json]
Family = TypeVar("Family", bound=FamilyConfig)
EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")
TRIES = 1000


class Distribution(Config):
    """The distribution of one setting's values.

    It is written as `{uniform: [low, high]}`, `{choice: [one, other]}`, …
    """

    kind: Kind
    """`uniform`, `loguniform` (its logarithm is uniform), `int` or `choice`."""
    values: tuple[Any, ...]
    """Both ends, which `int` includes, or all choices."""

    @model_serializer
    def _short(self) -> dict[str, Any]:
        return {self.kind: list(self.values)}

    @property
    def number(self) -> float:
        """Return how many different values there are; inf where they are continuous."""
        if self.kind == "choice":
            return len(self.values)
        low, high = self.values
        return high - low + 1 if self.kind == "int" else math.inf

    @property
    def edges(self) -> tuple[Json, ...]:
        """Return values to try a configuration with: all choices, or both ends of a range."""
        return self.values

    def draw(self, rng: np.random.Generator) -> Json:
        """Draw one value.

        >>> distribution({"int": [3, 3]}).draw(np.random.default_rng(0))
        3
        """
        if self.kind == "choice":
            option: Json = self.values[int(rng.integers(len(self.values)))]
            return option
        low, high = self.values
        if self.kind == "int":
            return int(rng.integers(low, high, endpoint=True))
        if self.kind == "loguniform":
            drawn = math.exp(rng.uniform(math.log(low), math.log(high)))
            return float(np.clip(drawn, low, high))
        return float(rng.uniform(low, high))

    def nearest(self, value: Json) -> Json:
        """Return the value itself where it lies within the range, else the end it passed.

        A choice stays as it is.
        """
        if self.kind == "choice":
            return value
        low, high = self.values
        nearest: Json = min(max(value, low), high)
        return nearest


def distribution(given: Distribution | Json) -> Distribution:
    """Read a distribution in its short form.

    Raises:
        ValueError: if it is none, with what is wrong with it.
    """
    if isinstance(given, Distribution):
        return given
    if not isinstance(given, Mapping) or len(given) != 1:
        raise ValueError(
            "expected one distribution such as {uniform: [0.1, 0.6]}; known:"
            f" {', '.join(get_args(Kind))}"
        )
    [(kind, values)] = given.items()
    if kind not in get_args(Kind):
        subject = f"distribution '{kind}'"
        raise ValueError(
            unknown_name(subject, str(kind), get_args(Kind), "distributions")
        )
    if not isinstance(values, list | tuple):
        raise ValueError(f"{kind}: expected a list, such as {{{kind}: [1, 2]}}")
    values = tuple(_number(value) for value in values)
    _check_range(kind, values)
    return Distribution(kind=kind, values=values)


def _number(value: Json) -> Json:
    """Return the number that a text such as `1e-4` means (YAML 1.1 reads it as a text)."""
    return (
        float(value) if isinstance(value, str) and EXPONENT.fullmatch(value) else value
    )


def _check_range(kind: str, values: tuple[Any, ...]) -> None:
    if kind == "choice":
        if not values:
            raise ValueError("choice: the list is empty; name at least one value")
        if any(value in values[:place] for place, value in enumerate(values)):
            raise ValueError("choice: a value stands there twice; name each once")
        return
    expected = int if kind == "int" else (int, float)
    if len(values) != 2 or any(
        isinstance(value, bool) or not isinstance(value, expected) for value in values
    ):
        raise ValueError(
            f"{kind}: expected [low, high], two {'whole ' if kind == 'int' else ''}numbers"
        )
    low, high = values
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"{kind}: expected two finite numbers, found {low} and {high}")
    if low > high or (low == high and kind != "int"):
        raise ValueError(
            f"{kind}: the range is empty, low ({low}) must be below high ({high})"
        )
    if kind == "loguniform" and low <= 0:
        raise ValueError(f"loguniform: low ({low}) must be above 0")


Space = dict[str, Annotated[Distribution, BeforeValidator(distribution)]]


def with_settings(base: Family, settings: JsonObject) -> Family:
    """Put some settings, by dotted key, into a family's configuration.

    Raises:
        ConfigError: if the family has no such setting, or cannot take the value.
    """
    nested = base.model_dump(by_alias=True)
    for dotted, value in settings.items():
        *parents, last = dotted.split(".")
        section = nested
        for parent in parents:
            section[parent] = {} if section.get(parent) is None else section[parent]
            section = section[parent]
            if not isinstance(section, dict):
                raise ConfigError(
                    f"{dotted}: '{parent}' of {base.family} holds a value, not a section"
                )
        section[last] = value
    return type(base)(**nested)


def corners(base: Family, space: Space) -> list[Family]:
    """Return configurations with one setting at one edge of its range, the others as in `base`.

    Raises:
        ConfigError: one sentence on the first setting that the family does not have, or whose range
            it cannot take.
    """
    if "family" in space:
        raise ConfigError(
            "tune.space.family: a sweep is over one family; run one sweep for each"
        )
    idle = next(
        (
            key
            for key in space
            if key.startswith("augment.") and key != "augment.copies"
        ),
        None,
    )
    if idle and not base.augment.copies and "augment.copies" not in space:
        raise ConfigError(
            f"tune.space.{idle} changes nothing without copies: set model.augment.copies above 0"
        )
    configurations = []
    for key, values in space.items():
        for value in values.edges:
            try:
                configurations.append(with_settings(base, {key: value}))
            except ConfigError as error:
                raise ConfigError(f"tune.space.{key}: {error}") from None
    return configurations


def draw_points(
    base: FamilyConfig, space: Space, *, count: int, seed: int
) -> list[Settings]:
    """Draw `count` different settings, each of which the family accepts.

    Raises:
        ConfigError: if the space does not hold that many, or the family refuses a drawn
            combination.
    """
    size = math.prod(values.number for values in space.values())
    if size < count:
        raise ConfigError(
            f"tune.space holds {size:.0f} different settings, tune.trials asks for {count}:"
            " lower it"
        )
    rng = np.random.default_rng(seed)
    seen = dict[str, Settings]()
    for _ in range(TRIES * count):
        point = {key: values.draw(rng) for key, values in space.items()}
        name = json.dumps(point)
        if name in seen:
            continue
        with_settings(base, point)
        seen[name] = point
        if len(seen) == count:
            break
    return list(seen.values())


def encoded(settings: JsonObject) -> Settings:
    """Return settings as plain values: a list becomes its JSON text.

    Search libraries take no lists.

    >>> encoded({"hidden": [64, 32], "dropout": 0.2})
    {'hidden': '[64, 32]', 'dropout': 0.2}
    """
    return {
        key: json.dumps(value) if isinstance(value, list | dict) else value
        for key, value in settings.items()
    }


def decoded(settings: JsonObject, space: Space) -> Settings:
    """Return what `encoded` was given."""
    return {key: _option(space[key], value) for key, value in settings.items()}


def _option(values: Distribution, value: Json) -> Json:
    if values.kind != "choice":
        return value
    return next(
        (option for option in values.values if encoded({"": option})[""] == value),
        value,
    )
