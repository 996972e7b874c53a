"""Where the states of buckets lie: `state/<bucket>.arrow`, with a bucket's key in the `.json` beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hvac.features.recipe import Recipe
from hvac.state.state_files import recipe_key
from hvac.storage import AnyPath, content_key, read_mark

FOLDER: Final = "state"


def state_file(folder: AnyPath, bucket: str) -> AnyPath:
    """Return the file of a bucket's states."""
    return folder / f"{bucket}.arrow"


def state_mark(folder: AnyPath, bucket: str) -> AnyPath:
    """Return the file with the key that a bucket's states were last made for."""
    return folder / f"{bucket}.json"


def state_keys(
    buckets: Mapping[str, str], recipes: Mapping[str, Recipe]
) -> dict[str, str]:
    """Return what the states of every bucket depend on.

    Args:
        buckets: content keys of the panel's buckets.
        recipes: of all classes that are scored.
    """
    settings = {name: recipe_key(recipe) for name, recipe in recipes.items()}
    return {bucket: content_key(key, settings) for bucket, key in buckets.items()}


def state_key(folder: AnyPath, bucket: str) -> str:
    """Return the key that a bucket's states were last made for; empty where there are none."""
    return str(read_mark(state_mark(folder, bucket)).get("key", ""))
