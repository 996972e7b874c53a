"""Figures of the sweep's page: parallel coordinates, learning curves, importance of settings.

Every visible word comes from `sweep_texts.yaml` through `Words`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from hvac.evaluation.sweep_importance import Importance
from hvac.json_values import Json
from hvac.report.style import FAINT, INK, PAST, WIDTH, finish, style
from hvac.report.sweep_view import Trial
from hvac.report.texts import Words

TEXTS = "sweep_texts.yaml"
BEST = "#D55E00"
PALE = "#C3CFD8"
TOP = 34.0
BOTTOM = 320.0
SIDE = 70.0
STEP = 130.0
FULL = 1110.0
SVG = Markup(
    '<svg class="parallel" role="img" aria-label="{}" viewBox="0 0 {w:.0f} 350" '
    'style="--full: {w:.0f}px">{}{}</svg>'
)
LINE = Markup(
    '<polyline data-trial="{}" class="{}" points="{}" stroke="{}"><title>{}: {}</title></polyline>'
)
RULE = Markup(
    '<line x1="{0}" x2="{0}" y1="{1}" y2="{2}"/><text class="name" x="{0}" y="18">{3}</text>'
)
MARK = Markup('<text x="{}" y="{}">{}</text>')


class Axis(NamedTuple):
    """One upright axis: its name, its kind, and both ends or all choices.

    The kind is `uniform`, `loguniform`, `int` or `choice`.
    """

    name: str
    kind: str
    values: Sequence[Json]

    def place(self, value: Json) -> float:
        """Return where a value lies, from 0 (bottom) to 1 (top).

        >>> Axis("rate", "loguniform", [0.01, 1.0]).place(0.1)
        0.5
        """
        if self.kind == "choice":
            return (list(self.values).index(value) + 0.5) / len(self.values)
        low, high = map(self._scaled, self.values)
        return (self._scaled(value) - low) / (high - low) if high > low else 0.5

    @property
    def ticks(self) -> Sequence[Json]:
        """Return the values to label."""
        if self.kind == "choice":
            return list(self.values)
        low, high = map(_amount, self.values)
        if self.kind == "int":
            return sorted({low, (low + high) // 2, high})
        middle = (
            math.sqrt(low * high) if self.kind == "loguniform" else (low + high) / 2
        )
        return [low, middle, high] if high > low else [low]

    def _scaled(self, value: Json) -> float:
        amount = _amount(value)
        return math.log(amount) if self.kind == "loguniform" else float(amount)


def _amount(value: Json) -> float:
    assert isinstance(value, int | float), f"an axis of numbers, not {value!r}"
    return value


def short_setting(value: Json) -> str:
    """Write a setting as a person does.

    >>> short_setting(0.00048712), short_setting([128, 64]), short_setting(None)
    ('0.000487', '[128, 64]', 'none')
    """
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(short_setting, value))}]"
    if isinstance(value, float):
        return f"{value:.3g}"
    return "none" if value is None else str(value)


def parallel_coordinates(
    trials: Sequence[Trial], axes: Sequence[Axis], *, best: str, words: Words
) -> Markup:
    """Return an SVG with one line per trial that has a score, the best on top.

    The last axis is the score.
    """
    scored = [trial for trial in trials if trial["value"] is not None]
    scored.sort(key=lambda trial: (trial["trial"] == best, _amount(trial["value"])))
    values = [_amount(trial["value"]) for trial in scored]
    score = Axis(words("head.value"), "uniform", (min(values), max(values)))
    all_axes = [*axes, score]
    width = max(FULL, 2 * SIDE + STEP * (len(all_axes) - 1))
    places = np.linspace(SIDE, width - SIDE, len(all_axes)).tolist()
    shares = np.linspace(0, 1, len(scored)).tolist()
    lines = Markup("")
    for trial, share in zip(scored, shares, strict=True):
        lines += _line(trial, all_axes, places, _colour(trial, best, share))
    rules = Markup("")
    for axis, x in zip(all_axes, places, strict=True):
        rules += _ruled(axis, x)
    return SVG.format(words("figure.parallel.alt"), lines, rules, w=width)


def _colour(trial: Trial, best: str, share: float) -> str:
    if trial["trial"] == best:
        return BEST
    pale = np.array(to_rgb(PALE))
    dark = np.array(to_rgb(PAST))
    return to_hex(tuple(pale + share * (dark - pale)))


def _line(
    trial: Trial, axes: Sequence[Axis], places: Sequence[float], colour: str
) -> Markup:
    points = []
    settings = []
    for axis, x in zip(axes, places, strict=True):
        value: Json = (
            trial["value"] if axis is axes[-1] else trial["settings"][axis.name]
        )
        points.append(f"{x:.1f},{_height(axis.place(value)):.1f}")
        settings.append(f"{axis.name} {short_setting(value)}")
    winner = " winner" if colour == BEST else ""
    return LINE.format(
        trial["trial"],
        f"{trial['status']}{winner}",
        " ".join(points),
        colour,
        trial["trial"],
        ", ".join(settings),
    )


def _height(place: float) -> float:
    return BOTTOM - place * (BOTTOM - TOP)


def _ruled(axis: Axis, x: float) -> Markup:
    ruled = RULE.format(f"{x:.1f}", TOP, BOTTOM, axis.name)
    for tick in axis.ticks:
        y = _height(axis.place(tick)) + 4
        ruled += MARK.format(f"{x + 6:.1f}", f"{y:.1f}", short_setting(tick))
    return ruled


def learning_curves(
    trials: Sequence[Trial], *, best: str, metric: str, language: str
) -> Figure:
    """Draw on the left the score by epoch of every trial, on the right the best trial's losses."""
    words = Words(language, TEXTS)
    with style(language):
        figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        for trial in sorted(trials, key=lambda trial: bool(trial["trial"] == best)):
            if trial["trial"] == best:
                left.plot(*_curve(trial, metric), color=BEST, lw=2.2)
                for name, dash in (("train", (0, (3, 1.5))), ("tune", "-")):
                    curve = _curve(trial, f"{name}_loss")
                    label = words(f"axis.{name}")
                    right.plot(*curve, color=INK, ls=dash, lw=1.3, label=label)
            else:
                left.plot(*_curve(trial, metric), color=FAINT, lw=0.8, alpha=0.8)
        left.set_title(words("axis.best_so_far"))
        right.set_title(words("axis.loss", trial=best))
        right.legend()
        for axes in (left, right):
            axes.set_xlabel(words("axis.epoch"))
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        return finish(figure, language)


def _curve(trial: Trial, name: str) -> tuple[list[float | None], list[float | None]]:
    """Return the epochs where a number is known, and the numbers."""
    rows = [row for row in trial["rows"] if row.get(name) is not None]
    return [row["epoch"] for row in rows], [row[name] for row in rows]


def importance_bars(importance: Importance, *, language: str) -> Figure:
    """Draw a bar per setting with its spread over shuffles, the largest on top."""
    words = Words(language, TEXTS)
    keys = sorted(importance.share, key=lambda key: importance.share[key])
    shares = [importance.share[key] for key in keys]
    spreads = [importance.spread[key] for key in keys]
    with style(language):
        figure = Figure(figsize=(WIDTH, 0.3 * len(keys) + 0.8), layout="constrained")
        axes = figure.subplots()
        axes.barh(keys, shares, color=PAST, height=0.6)
        axes.errorbar(shares, keys, xerr=spreads, fmt="none", ecolor=INK, lw=1.0)
        axes.set_xlim(0, min(1.0, 1.2 * max(shares)) or 1.0)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.set_xlabel(words("axis.share"))
        return finish(figure, language)
