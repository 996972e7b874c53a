"""From the registry and a run's settings to the splitter and a recipe per class."""

from __future__ import annotations

from collections.abc import Mapping

from hvac.errors import InputError
from hvac.features.context import ContextSpec
from hvac.features.recipe import Recipe
from hvac.panel.joins import folded
from hvac.panel.labels import LabelConfig
from hvac.panel.limits import Limits
from hvac.panel.registry import ALL, Registry
from hvac.panel.split_config import SplitConfig
from hvac.panel.splits import Splitter, make_splitter
from hvac.panel.windows import WindowConfig


def require_kinds(
    registry: Registry, labels: LabelConfig, *, has_log: bool = True
) -> None:
    """Raise InputError where a kind of events is to be predicted that the log does not have.

    Args:
        has_log: whether the run names an event log.
    """
    if labels.source != "events":
        return
    if not registry.event_kinds:
        what = "the event log has no events" if has_log else "source.events is not set"
        raise InputError(
            f"{what}: name a log with failures in source.events, or set labels.source: limits"
        )
    there = set(map(folded, registry.event_kinds))
    unknown = [kind for kind in labels.events if folded(kind) not in there]
    if unknown:
        raise InputError(
            f"labels.events names {', '.join(unknown)}; the event log has only"
            f" {', '.join(registry.event_kinds)}: correct labels.events, or set labels.source:"
            " limits"
        )


def split_registry(
    registry: Registry, windows: WindowConfig, labels: LabelConfig, splits: SplitConfig
) -> Splitter:
    """Decide the part of every unit, and the days between the splits.

    Raises SplitError where the record is too short, or has too few units.
    """
    onsets = {}
    for unit, events in registry.unit_events.items():
        onsets[unit] = events.of_kinds(labels.kinds).start_N
    return make_splitter(
        splits,
        registry.classes,
        spans=registry.unit_spans,
        lookback=windows.lookback,
        purge=max(windows.horizons),
        onsets=onsets,
    )


def needs_limits(labels: LabelConfig) -> bool:
    """Tell whether labels rest on limits, which are fitted where the record has none."""
    return labels.source == "limits" or labels.label == "value_at"


def make_recipes(
    registry: Registry,
    windows: WindowConfig,
    labels: LabelConfig,
    splitter: Splitter,
    limits: Mapping[str, Limits],
) -> dict[str, Recipe]:
    """Return the recipe of every class; `limits` are the fitted ones, by class."""
    pooled = (
        sorted(set(registry.kinds.values()))
        if set(registry.classes.values()) == {ALL}
        else []
    )
    trained = list(filter(splitter.trains, registry.classes))
    context = ContextSpec(
        kinds=registry.event_kinds,
        classes=tuple(pooled) if len(pooled) > 1 else (),
        rates=registry.yearly_rates(trained, splitter.training_end),
    )
    recipes = {}
    for name, points in registry.points.items():
        recipes[name] = Recipe(
            class_name=name,
            points=points,
            windows=windows,
            labels=labels,
            context=context,
            limits=dict(limits.get(name, {})),
        )
    return recipes
