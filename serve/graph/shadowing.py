"""The risks of a challenger beside the champion's, scored after the answer on a thread of its own.

Legend: B windows, H horizons.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from hvac.arrays import Bools, Floats
from hvac.decision.thresholds import alarms
from hvac.errors import BundleError
from hvac.features.table import Windows, concat
from hvac.panel.grid import Unit
from hvac.scoring.bundle import Bundle
from hvac.scoring.latest import newest_risks
from hvac.update.matured import sure_log_odds
from serve import service_metrics
from serve.graph.asks import Ask, Watched
from serve.graph.core import Group, prepare
from serve.graph.shelf import Shelf
from serve.memory.store import Store
from serve.memory.store_shadow import ShadowRow

log = logging.getLogger(__name__)
MOST_WAITING = 64  # rounds of answers; further ones are left out
AT_ONCE = 128  # windows that are scored in one pass
QUIET_S = 0.05  # without an answer, before a challenger is scored
DROP_EVERY_S = 3600.0
Key = tuple[Unit, str]


class _Answered(NamedTuple):
    """Windows that one bundle has answered, with what is watched beside it."""

    bundle: Bundle
    both: Watched
    asks: list[Ask]
    windows: Windows
    risk_BH: Floats


def _together(parts: Sequence[_Answered]) -> _Answered:
    """Join windows of one bundle that are watched alike."""
    return parts[0]._replace(
        asks=[ask for part in parts for ask in part.asks],
        windows=concat([part.windows for part in parts]),
        risk_BH=np.concatenate([part.risk_BH for part in parts]),
    )


class _Judged(NamedTuple):
    """Windows with their risks and alarms [B, H] by one bundle, and where each stands."""

    bundle: Bundle
    windows: Windows
    risk_BH: Floats
    alarm_BH: Bools
    places: dict[Key, int]

    @classmethod
    def of(cls, bundle: Bundle, windows: Windows, risk_BH: Floats) -> _Judged:
        known_BH = risk_BH[~np.isnan(risk_BH)]
        if ((known_BH < 0) | (known_BH > 1)).any():
            raise BundleError(f"{bundle.name} gave a risk that is no probability")
        threshold_BH = bundle.decision.threshold_BH(windows.column("facility_id"))
        alarm_BH = alarms(risk_BH, threshold_BH)
        return cls(bundle, windows, risk_BH, alarm_BH, _places(windows))


class Shadow:
    """Scores what a challenger says of windows that were answered, and keeps both risks.

    It delays no answer and breaks none: it works on a thread of its own when no answer was given for a
    moment, leaves out what it cannot keep up with, and counts what fails.

    Args:
        shelf: bundles at hand, apart from those that answer.
        store: opens the store, in this thread.
        keep_days: days for which pairs are kept.
    """

    def __init__(
        self, shelf: Shelf, store: Callable[[], Store], keep_days: float
    ) -> None:
        self._shelf = shelf
        self._open = store
        self._store: Store | None = None
        self._keep_days = keep_days
        self._dropped_at = -DROP_EVERY_S
        self._waiting = deque[_Answered]()
        self._last = 0.0  # when the newest answer was given
        self._told: set[str] = set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="shadow")

    def follow(self, bundle: Bundle, group: Group, risk_BH: Floats) -> None:
        """Have the windows of a group scored by the bundles that they are watched with, later."""
        watched = {ask.watched for ask in group.asked_B if ask.watched}
        if not watched or not self._keep_days:
            return
        if len(self._waiting) >= MOST_WAITING:
            service_metrics.SHADOW.labels("dropped").inc(len(group.asked_B))
            return
        for both in watched:
            rows_B = np.array([ask.watched == both for ask in group.asked_B])
            answered = _Answered(
                bundle,
                both,
                [ask for ask in group.asked_B if ask.watched == both],
                group.latest.windows.take(rows_B),
                risk_BH[rows_B],
            )
            self._waiting.append(answered)
        self._last = time.monotonic()
        self._thread.submit(self._work)

    def wait(self) -> None:
        """Wait until all that was followed is done."""
        self._thread.submit(int).result()

    def _work(self) -> None:
        """Score what waits, some at once, by bundle."""
        while self._waiting:
            self._wait_for_quiet()
            of_bundles: dict[tuple[str, Watched], list[_Answered]] = defaultdict(list)
            count = 0
            while self._waiting and count < AT_ONCE:
                answered = self._waiting.popleft()
                count += len(answered.asks)
                of_bundles[answered.bundle.name, answered.both].append(answered)
            for parts in of_bundles.values():
                self._score(_together(parts))

    def _wait_for_quiet(self) -> None:
        """Wait until no answer was given for a moment, unless much waits."""
        while len(self._waiting) < MOST_WAITING // 2:
            pause = self._last + QUIET_S - time.monotonic()
            if pause <= 0:
                break
            time.sleep(pause)

    def _score(self, answered: _Answered) -> None:
        count = len(answered.windows)
        try:
            with service_metrics.timed("shadow"):
                pairs = self._pairs(answered)
            self._keep(pairs)
        except Exception:
            service_metrics.SHADOW.labels("failed").inc(count)
            self._tell(answered.both)
        else:
            service_metrics.SHADOW.labels("kept").inc(count)

    def _tell(self, both: Watched) -> None:
        """Log the first failure of a challenger; the metric counts the others."""
        if both.challenger not in self._told:
            self._told.add(both.challenger)
            log.exception(
                "challenger %s cannot be scored in shadow; further failures are only counted"
                " (hvac_shadow_windows)",
                both.challenger,
            )

    def _pairs(self, answered: _Answered) -> list[ShadowRow]:
        bundle, both, asks, windows, risk_BH = answered
        other = self._shelf(both.other(bundle.name))
        same = _windows_for(other, bundle, windows, asks, self._shelf)
        judged = _Judged.of(other, same, newest_risks(other, same))
        champion, challenger = _Judged.of(bundle, windows, risk_BH), judged
        if bundle.name == both.challenger:
            champion, challenger = challenger, champion
        return list(_rows(champion, challenger))

    def _keep(self, pairs: Sequence[ShadowRow]) -> None:
        if self._store is None:
            self._store = self._open()
        self._store.add_shadow(pairs)
        if time.monotonic() - self._dropped_at > DROP_EVERY_S:
            self._store.drop_shadow(self._keep_days)
            self._dropped_at = time.monotonic()


def _windows_for(
    other: Bundle, bundle: Bundle, windows: Windows, asks: Sequence[Ask], shelf: Shelf
) -> Windows:
    """Return windows as another bundle looks at them; the embedding of the same encoder is kept."""
    if other.recipe != bundle.recipe:
        of_unit = {ask.unit: replace(ask, bundle_id=other.name) for ask in asks}
        (group,) = prepare(shelf, [*of_unit.values()])
        return group.latest.windows
    if other.encoder_sha256 != bundle.encoder_sha256:
        return replace(windows, z_BCE=None, p_BCPE=None, u_BCE=None)
    return windows


def _places(windows: Windows) -> dict[Key, int]:
    """Return where the window of each unit and point stands."""
    names = ("facility_id", "equipment_id", "point_id")
    columns = [windows.column(name).tolist() for name in names]
    return {
        (Unit(facility, equipment), point or ""): b
        for b, (facility, equipment, point) in enumerate(zip(*columns, strict=True))
    }


def _rows(champion: _Judged, challenger: _Judged) -> Iterator[ShadowRow]:
    """Yield both risks of every window and horizon that both bundles score."""
    now = time.time()
    day_B = champion.windows.end_day_B.tolist()
    bundles = champion.bundle.name, challenger.bundle.name
    for key, b in champion.places.items():
        c = challenger.places.get(key)
        for h, horizon in enumerate(champion.bundle.horizons):
            if c is None or horizon not in challenger.bundle.horizons:
                continue
            k = challenger.bundle.horizons.index(horizon)
            risk_2 = np.array([champion.risk_BH[b, h], challenger.risk_BH[c, k]])
            if np.isnan(risk_2).any():
                continue
            before, after = sure_log_odds(risk_2).tolist()
            alarm_2 = int(champion.alarm_BH[b, h]), int(challenger.alarm_BH[c, k])
            unit, point = key
            risks = (*risk_2.tolist(), after - before)
            yield ShadowRow._make(
                (*unit, point, horizon, day_B[b], *risks, *alarm_2, *bundles, now)
            )
