"""Types of JSON: what a file of it may hold, and how typed dictionaries become it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

Json: TypeAlias = (
    bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None
)
JsonObject: TypeAlias = Mapping[str, Json]


def as_json(content: Mapping[str, object]) -> JsonObject:
    """Return a typed dictionary as the JSON that it is; type checkers cannot tell (PEP 589)."""
    return cast(JsonObject, content)


def finite(content: Json) -> Json:
    """Return JSON as all programs read it: infinities and what is not a number become null.

    >>> finite({"rate": float("nan"), "days": (1, float("inf"))})
    {'rate': None, 'days': [1, None]}
    """
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    return (
        None if isinstance(content, float) and not math.isfinite(content) else content
    )


def listed(tree: Json) -> Sequence[Json]:
    """Return a list as it is, nothing where there is none.

    >>> listed([1, 2]), listed(None), listed("text")
    ([1, 2], (), ())
    """
    return tree if isinstance(tree, Sequence) and not isinstance(tree, str) else ()


def branch(tree: Json, *keys: str) -> JsonObject:
    """Return the mapping at a path of keys, {} where there is none.

    >>> branch({"a": {"b": {"c": 1}}}, "a", "b"), branch({"a": 1}, "a", "b")
    ({'c': 1}, {})
    """
    for key in keys:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree if isinstance(tree, Mapping) else {}
