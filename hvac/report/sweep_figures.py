"""Figures of the sweep's page: parallel coordinates as SVG, learning curves and importance as
pictures.

Every visible word comes from `sweep_texts.yaml` through `Words`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from hvac.evaluation.sweep_importance import Importance
from hvac.report.style import FAINT, INK, PAST, WIDTH, finish, style
from hvac.report.texts import Words

TEXTS = "sweep_texts.yaml"
BEST, PALE = "#D55E00", "#C3CFD8"
TOP, BOTTOM, SIDE, STEP, FULL = 34.0, 320.0, 70.0, 130.0, 1110.0
Trial = Mapping[str, Any]


class Axis(NamedTuple):
    """One upright axis: its name, its kind (`uniform`, `loguniform`, `int` or `choice`), both ends
    or all choices.
    """

    name: str
    kind: str
    values: Sequence[Any]

    def place(self, value: Any) -> float:
        """Where a value lies, from 0 (bottom) to 1 (top).

        >>> Axis("rate", "loguniform", [0.01, 1.0]).place(0.1)
        0.5
        """
        if self.kind == "choice":
            return (list(self.values).index(value) + 0.5) / len(self.values)
        low, high = map(self._scaled, self.values)
        return (self._scaled(value) - low) / (high - low) if high > low else 0.5

    @property
    def ticks(self) -> list[Any]:
        """Values to label."""
        if self.kind == "choice":
            return list(self.values)
        low, high = self.values
        if self.kind == "int":
            return sorted({low, (low + high) // 2, high})
        middle = math.sqrt(low * high) if self.kind == "loguniform" else (low + high) / 2
        return [low, middle, high] if high > low else [low]

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.kind == "loguniform" else float(value)


def short_setting(value: Any) -> str:
    """A setting as a person writes it.

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
    """One line per trial that has a score, the best on top; the last axis is the score."""
    scored = sorted(
        (t for t in trials if t["value"] is not None),
        key=lambda t: (t["trial"] == best, t["value"]),
    )
    values = [float(trial["value"]) for trial in scored]
    every = [*axes, Axis(words("head.value"), "uniform", (min(values), max(values)))]
    width = max(FULL, 2 * SIDE + STEP * (len(every) - 1))
    at = np.linspace(SIDE, width - SIDE, len(every)).tolist()
    shares = np.linspace(0, 1, len(scored)).tolist()
    lines = [
        _line(trial, every, at, _colour(trial, best, share))
        for trial, share in zip(scored, shares, strict=True)
    ]
    ruled = [_ruled(axis, x) for axis, x in zip(every, at, strict=True)]
    head = (
        '<svg class="parallel" role="img" aria-label="{}" viewBox="0 0 {w:.0f} 350" style="--full:'
        ' {w:.0f}px">'
    )
    return Markup(head + "{}{}</svg>").format(
        words("figure.parallel.alt"), Markup("").join(lines), Markup("").join(ruled), w=width
    )


def _colour(trial: Trial, best: str, share: float) -> str:
    if trial["trial"] == best:
        return BEST
    pale, dark = np.array(to_rgb(PALE)), np.array(to_rgb(PAST))
    return to_hex(tuple(pale + share * (dark - pale)))


def _line(trial: Trial, axes: Sequence[Axis], at: Sequence[float], colour: str) -> Markup:
    given = [*(trial["settings"][axis.name] for axis in axes[:-1]), trial["value"]]
    heights = [_height(axis.place(value)) for axis, value in zip(axes, given, strict=True)]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(at, heights, strict=True))
    told = ", ".join(
        f"{axis.name} {short_setting(value)}" for axis, value in zip(axes, given, strict=True)
    )
    return Markup(
        '<polyline data-trial="{}" class="{}" points="{}" stroke="{}"><title>{}:'
        " {}</title></polyline>"
    ).format(
        trial["trial"],
        f"{trial['status']}{' winner' if colour == BEST else ''}",
        points,
        colour,
        trial["trial"],
        told,
    )


def _height(place: float) -> float:
    return BOTTOM - place * (BOTTOM - TOP)


def _ruled(axis: Axis, x: float) -> Markup:
    marks = [
        Markup('<text x="{}" y="{}">{}</text>').format(
            f"{x + 6:.1f}", f"{_height(axis.place(tick)) + 4:.1f}", short_setting(tick)
        )
        for tick in axis.ticks
    ]
    rule = Markup(
        '<line x1="{0}" x2="{0}" y1="{1}" y2="{2}"/><text class="name" x="{0}" y="18">{3}</text>'
    )
    return rule.format(f"{x:.1f}", TOP, BOTTOM, axis.name) + Markup("").join(marks)


def learning_curves(trials: Sequence[Trial], *, best: str, metric: str, language: str) -> Figure:
    """Left the score by epoch of every trial, right the losses of the best one."""
    words = Words(language, TEXTS)
    with style(language):
        figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        for trial in sorted(trials, key=lambda trial: bool(trial["trial"] == best)):
            look = (
                {"color": BEST, "lw": 2.2}
                if trial["trial"] == best
                else {"color": FAINT, "lw": 0.8, "alpha": 0.8}
            )
            left.plot(*_curve(trial, metric), **look)
        left.set_title(words("axis.best_so_far"))
        won = next(trial for trial in trials if trial["trial"] == best)
        for name, dash in (("train", (0, (3, 1.5))), ("tune", "-")):
            right.plot(
                *_curve(won, f"{name}_loss"),
                color=INK,
                ls=dash,
                lw=1.3,
                label=words(f"axis.{name}"),
            )
        right.set_title(words("axis.loss", trial=best))
        right.legend()
        for axes in (left, right):
            axes.set_xlabel(words("axis.epoch"))
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        return finish(figure, language)


def _curve(trial: Trial, name: str) -> tuple[list[float], list[float]]:
    known = [(row["epoch"], row[name]) for row in trial["rows"] if row.get(name) is not None]
    return [epoch for epoch, _ in known], [value for _, value in known]


def importance_bars(found: Importance, *, language: str) -> Figure:
    """A bar per setting, the largest on top."""
    words = Words(language, TEXTS)
    order = sorted(found.share, key=lambda key: found.share[key])
    with style(language):
        figure = Figure(figsize=(WIDTH, 0.3 * len(order) + 0.8), layout="constrained")
        axes = figure.subplots()
        axes.barh(order, [found.share[key] for key in order], color=PAST, height=0.6)
        spread = [found.spread[key] for key in order]
        axes.errorbar(
            [found.share[key] for key in order], order, xerr=spread, fmt="none", ecolor=INK, lw=1.0
        )
        axes.set_xlim(0, min(1.0, 1.2 * max(found.share.values())) or 1.0)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.set_xlabel(words("axis.share"))
        return finish(figure, language)
