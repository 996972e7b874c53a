"""Which bundles are watched side by side: what the workspace says, and the store's note of it."""

from __future__ import annotations

from collections.abc import Mapping

from hvac.storage import AnyPath
from hvac.update.champions import read_champions
from serve.memory.published_pairs import published_pairs
from serve.memory.step_records import (
    LoadedTables,
    WatchedBundles,
    read_note,
    trained_bundles,
)
from serve.memory.store import Store

NOTE = "watched"


def workspace_bundles(workspace: AnyPath) -> tuple[dict[str, str], dict[str, str]]:
    """Return the bundle that serves each class, and the one that is watched beside it.

    Raises:
        InputError: a file of the workspace is damaged.
    """
    trained = trained_bundles(workspace / "steps" / "train.json")
    if not trained:
        return trained, {}
    champions = read_champions(workspace, trained)
    challenger = champions.challenger
    return champions.champion, dict(challenger.bundles) if challenger else {}


def note_watched(
    store: Store, serving: Mapping[str, str], challengers: Mapping[str, str]
) -> None:
    """Note which bundles are watched side by side, by class. Raise StoreError."""
    pairs = {
        name: (serving[name], challenger)
        for name, challenger in challengers.items()
        if name in serving
    }
    store.remember(NOTE, WatchedBundles(of_class=pairs).model_dump_json())


def watched_bundles(store: Store) -> dict[str, tuple[str, str]]:
    """Return champion and challenger by class. Raise StoreError."""
    return read_note(WatchedBundles, store.note(NOTE)).of_class


def load_pairs(
    store: Store, workspace: AnyPath, before: LoadedTables, now: LoadedTables
) -> None:
    """Take over both risks of the windows that the batch jobs scored since the last load."""
    is_same = before.challengers == now.challengers
    since = before.pairs.partition(" ")[0] if is_same else ""
    for rows in published_pairs(workspace, now.challengers.values(), since):
        store.add_shadow(rows)
