"""Count the windows and positives that featurize would make, without their features."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from hvac.checks.findings import Finding, stopping
from hvac.days import EPOCH
from hvac.errors import HvacError, InputError
from hvac.features.describing import bare_windows
from hvac.features.learnable import empty_parts, unlearnable
from hvac.features.recipe import Recipe
from hvac.features.recipes import (
    make_recipes,
    needs_limits,
    require_kinds,
    split_registry,
)
from hvac.features.scene import UnitRecord, scenes
from hvac.features.training_windows import training_windows
from hvac.features.window_counts import WindowCounts, count_windows
from hvac.panel.grid import Panel
from hvac.panel.labels import LabelConfig
from hvac.panel.limits import Limits, fit_limits, sample_values
from hvac.panel.registry import Registry
from hvac.panel.split_config import SplitConfig
from hvac.panel.splits import Splitter
from hvac.panel.windows import WindowConfig


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Counts by class and split; `left_out` counts windows by reason."""

    counts: dict[str, dict[str, WindowCounts]] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    borders: tuple[int, int] | None = None

    @property
    def windows(self) -> int:
        """Return how many windows there are in all."""
        splits = [
            split for of_class in self.counts.values() for split in of_class.values()
        ]
        return sum(split["windows"] for split in splits)


def expect_windows(
    panels: list[Panel],
    registry: Registry,
    windows: WindowConfig,
    labels: LabelConfig,
    splits: SplitConfig,
    *,
    has_log: bool,
) -> tuple[Expected, list[Finding]]:
    """Return the counts, and for what featurize or train would refuse to go on.

    Args:
        panels: one per unit, with the points of its class.
        has_log: whether the run names an event log.
    """
    faults = []
    try:
        require_kinds(registry, labels, has_log=has_log)
    except InputError as error:
        faults.append(stopping(str(error)))
    try:
        splitter = split_registry(registry, windows, labels, splits)
    except HvacError as error:
        faults.append(stopping(str(error)))
        return Expected(), faults
    recipes = _recipes(panels, registry, windows, labels, splitter)
    expected = _counted(panels, registry, recipes, splitter)
    if not faults:  # without events no label is positive: that is told already
        faults += _unlearnable(expected, recipes, splitter)
    return expected, faults


def _recipes(
    panels: list[Panel],
    registry: Registry,
    windows: WindowConfig,
    labels: LabelConfig,
    splitter: Splitter,
) -> dict[str, Recipe]:
    """Return the recipe of every class, with limits fitted on training where labels need them."""
    limits: dict[str, Limits] = {}
    if needs_limits(labels):
        samples = defaultdict(list)
        for panel in filter(lambda panel: splitter.trains(panel.unit), panels):
            sample = sample_values(
                panel, normalise=windows.normalise, training_end=splitter.training_end
            )
            samples[registry.classes[panel.unit]].append(sample)
        for name, of_class in samples.items():
            limits[name] = fit_limits(of_class, labels.limit_quantiles)
    return make_recipes(registry, windows, labels, splitter, limits)


def _counted(
    panels: list[Panel],
    registry: Registry,
    recipes: dict[str, Recipe],
    splitter: Splitter,
) -> Expected:
    first = next(iter(recipes.values()))
    follow_up = registry.follow_up(first.labels.kinds)
    parts = defaultdict(list)
    left_out: Counter[str] = Counter()
    for panel in panels:
        name = registry.classes[panel.unit]
        record = UnitRecord(
            events=registry.events_of(panel.unit), follow_up=follow_up[panel.unit]
        )
        for scene in scenes(panel, recipes[name], record):
            windows, reasons = training_windows(
                scene, recipes[name], splitter, make=bare_windows
            )
            parts[name].append(windows)
            left_out.update(reasons)
    counts = {
        name: count_windows(parts[name], first.windows.horizons)
        for name in sorted(parts)
    }
    borders = (
        (splitter.t1, splitter.t2) if splitter.config.kind in ("time", "both") else None
    )
    return Expected(counts=counts, left_out=dict(+left_out), borders=borders)


def _unlearnable(
    expected: Expected, recipes: dict[str, Recipe], splitter: Splitter
) -> Iterable[Finding]:
    """Yield for what train would refuse to go on."""
    empty = empty_parts(expected.counts, t1=splitter.t1, t2=splitter.t2)
    yield from map(stopping, empty)
    for name in recipes:
        yield from map(stopping, unlearnable(name, expected.counts.get(name)))


def border_dates(expected: Expected) -> list[dt.date]:
    """Return the days between the splits by time; [] where there are none."""
    return [EPOCH + dt.timedelta(days=day) for day in expected.borders or ()]
