"""The bundles at hand: opened, tried out, described and found again."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import cast

import numpy as np

from hvac.errors import BundleError
from hvac.json_values import branch
from hvac.scoring.bundle import Bundle
from hvac.storage import AnyPath
from serve.graph.published_peers import PeerLevels
from serve.graph.rows import BundleFacts, ThresholdMove


def try_out(bundle: Bundle) -> None:
    """Score and forecast a few made-up windows, and explain a healthy one. Raise BundleError where
    anything that the bundle needs is damaged.
    """
    bundle.check()
    if (
        bundle.background is not None
    ):  # makes the game and its compiled functions ready, too
        bundle.explainer.contributions(bundle.background.take(np.array([0])))


class Shelf:
    """Bundles by id, of which the least recently used is forgotten when there are too many; safe
    among threads.

    `peers` gives the level that a unit is compared with; without it no unit has one.
    """

    def __init__(
        self, folder: AnyPath, size: int, peers: PeerLevels | None = None
    ) -> None:
        self.folder = folder
        self.size = size
        self.peers = peers
        self._bundles: OrderedDict[str, Bundle] = OrderedDict()
        self._lock = Lock()

    def __call__(self, bundle_id: str) -> Bundle:
        """Return a bundle, read when it is not in memory. Raise BundleError where it is missing or
        damaged.
        """
        with self._lock:
            if bundle_id not in self._bundles:
                self._bundles[bundle_id] = Bundle.load(
                    bundle_path(self.folder, bundle_id)
                )
                while len(self._bundles) > self.size:
                    self._bundles.popitem(last=False)
            self._bundles.move_to_end(bundle_id)
            return self._bundles[bundle_id]

    def drop(self, bundle_id: str) -> None:
        """Forget a bundle, so that it is read anew."""
        with self._lock:
            self._bundles.pop(bundle_id, None)


def bundle_path(folder: AnyPath, bundle_id: str) -> AnyPath:
    """Return the folder of a bundle. Raise BundleError where the id is no plain name or nothing is
    there.
    """
    try:
        if (
            bundle_id == Path(bundle_id).name
            and (folder / bundle_id / "manifest.json").is_file()
        ):
            return folder / bundle_id
    except (OSError, ValueError):  # a name no folder can have
        pass
    raise BundleError(f"there is no bundle {bundle_id[:80]!r} here")


def about(bundle: Bundle) -> BundleFacts:
    """Describe a bundle: class, family, points, days, thresholds and kinds of events."""
    thresholds = dict(
        zip(
            map(str, bundle.horizons), bundle.decision.threshold_H.tolist(), strict=True
        )
    )
    return {
        "bundle_id": bundle.name,
        "class": bundle.recipe.class_name,
        "family": bundle.family,
        "by": bundle.recipe.windows.by,
        "points": list(bundle.recipe.points),
        "lookback_days": bundle.recipe.windows.lookback,
        "horizons_days": list(bundle.horizons),
        "thresholds": thresholds,
        "event_kinds": list(bundle.recipe.labels.kinds),
        "thresholds_moved": cast(
            dict[str, ThresholdMove], branch(bundle.training, "thresholds_moved")
        ),
    }


def about_one(shelf: Shelf, bundle_id: str) -> BundleFacts:
    """Describe a bundle by its id (`about`)."""
    return about(shelf(bundle_id))


def about_fresh(shelf: Shelf, bundle_id: str) -> BundleFacts:
    """Read a bundle anew, try it out and describe it. Raise BundleError where anything of it is
    damaged.
    """
    bundle = Bundle.load(bundle_path(shelf.folder, bundle_id))
    try_out(bundle)
    shelf.drop(bundle_id)
    return about(bundle)
