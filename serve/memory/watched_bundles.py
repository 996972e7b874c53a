"""Which bundles are watched side by side: what the workspace says, and the store's note of it."""

from __future__ import annotations

import logging
from typing import NamedTuple

from hvac.errors import InputError
from hvac.storage import AnyPath, Location, place
from hvac.update.champions import read_champions
from hvac.update.told_changes import ToldChanges, told_changes
from serve.memory.published_pairs import published_pairs
from serve.memory.step_records import (
    LoadedTables,
    WatchedBundles,
    read_note,
    trained_bundles,
)
from serve.memory.store import Store

log = logging.getLogger(__name__)
NOTE = "watched"


class WorkspaceBundles(NamedTuple):
    """The bundle that serves each class, the one that is watched beside it, and where that one speaks."""

    serving: dict[str, str]
    challengers: dict[str, str]
    speaks_in: tuple[str, ...] = ()
    speaks_since: int | None = None


def workspace_bundles(workspace: AnyPath) -> WorkspaceBundles:
    """Return the bundles of a workspace.

    Raises:
        InputError: a file of the workspace is damaged.
    """
    trained = trained_bundles(workspace / "steps" / "train.json")
    if not trained:
        return WorkspaceBundles(trained, {})
    champions = read_champions(workspace, trained)
    challenger = champions.challenger
    if challenger is None:
        return WorkspaceBundles(champions.champion, {})
    bundles = dict(challenger.bundles)
    speaks = (champions.speaks_in, challenger.speaks_since)
    return WorkspaceBundles(champions.champion, bundles, *speaks)


def model_changes(workspace: Location) -> ToldChanges | None:
    """Return what was tried and changed since training; None where nothing was.

    A damaged file is logged, and the page goes without: loading refuses it with a sentence.
    """
    root = place(workspace)
    try:
        trained = trained_bundles(root / "steps" / "train.json")
        champions = read_champions(root, trained)
    except InputError as error:
        log.warning("what updates did cannot be shown: %s", error)
        return None
    return told_changes(champions) if champions.history else None


def assign_canary(store: Store, before: LoadedTables, now: LoadedTables) -> None:
    """Let a challenger speak in some facilities, and no longer where it did before.

    A facility that was given another bundle by hand keeps it.

    Raises:
        StoreError: the database cannot be reached or written.
    """
    assigned = store.assignments()
    spoke, speaks = _canary(before), _canary(now)
    over = [key for key, name in spoke.items() if assigned.get(key) == name]
    free = {
        key: name
        for key, name in speaks.items()
        if key in over or assigned.get(key, name) == name
    }
    store.unassign([key for key in over if key not in free])
    store.assign(free, stale=False)


def _canary(loaded: LoadedTables) -> dict[tuple[str, str], str]:
    """Return the challenger of every facility in which it speaks, by (facility, class)."""
    return {
        (facility, name): bundle
        for facility in loaded.speaks_in
        for name, bundle in loaded.challengers.items()
    }


def note_watched(store: Store, bundles: WorkspaceBundles) -> None:
    """Note which bundles are watched side by side, by class. Raise StoreError."""
    pairs = {
        name: (bundles.serving[name], challenger)
        for name, challenger in bundles.challengers.items()
        if name in bundles.serving
    }
    note = WatchedBundles(
        of_class=pairs,
        speaks_in=sorted(bundles.speaks_in),
        speaks_since=bundles.speaks_since,
    )
    store.remember(NOTE, note.model_dump_json())


def watched_bundles(store: Store) -> WatchedBundles:
    """Return what is watched. Raise StoreError."""
    return read_note(WatchedBundles, store.note(NOTE))


def load_pairs(
    store: Store, workspace: AnyPath, before: LoadedTables, now: LoadedTables
) -> None:
    """Take over both risks of the windows that the batch jobs scored since the last load."""
    is_same = before.challengers == now.challengers
    since = before.pairs.partition(" ")[0] if is_same else ""
    for rows in published_pairs(workspace, now.challengers.values(), since):
        store.add_shadow(rows)
