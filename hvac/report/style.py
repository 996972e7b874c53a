"""How figures look: colours, sizes, and fonts with every Japanese glyph.

Matplotlib's global settings stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import util
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from hvac.report.texts import Words

DPI = 140
WIDTH = 10.0  # inches: 1,400 px

PAST = "#0072B2"
ALARM = "#C8321E"
CALM = "#00845E"
EVENT = "#E69F00"
INK = "#333333"
FAINT = "#8A8F94"
PALETTE = (
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#7A7A7A",
    "#8C6D31",
)  # Okabe-Ito, without the default's blue
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)))
HORIZON_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")


@cache
def _japanese_font() -> str:
    """Register the IPAex Gothic that matplotlib-fontja carries, and return its name.

    The package is not imported, because that would change matplotlib's global settings.
    """
    from matplotlib import font_manager

    package = util.find_spec("matplotlib_fontja")
    assert package is not None
    assert package.submodule_search_locations is not None
    path = Path(package.submodule_search_locations[0]) / "fonts" / "ipaexg.ttf"
    font_manager.fontManager.addfont(path)
    return font_manager.FontProperties(fname=path).get_name()


def _families(language: str) -> list[str]:
    fonts = ["DejaVu Sans", _japanese_font()]
    return fonts if language == "en" else fonts[::-1]


@contextmanager
def style(language: str) -> Iterator[None]:
    """Give figures that are made within this context the report's style."""
    quiet: dict[Any, Any] = {
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": FAINT,
        "legend.frameon": False,
    }
    small: dict[Any, Any] = {
        "font.size": 9,
        "axes.titlesize": 9,
        "axes.labelsize": 8.5,
        "legend.fontsize": 8.5,
    }
    rc: dict[Any, Any] = {
        "font.family": _families(language),
        "text.color": INK,
        "text.parse_math": False,
    }
    with mpl.rc_context({**rc, **quiet, **small, "axes.titlelocation": "left"}):
        yield


def finish(figure: Figure, language: str) -> Figure:
    """Give the ticks of every axis the report's font, and return the figure.

    Ticks are made only when the figure is drawn, outside of `style`.
    """
    for axes in figure.axes:
        axes.tick_params(
            labelsize=8,
            labelfontfamily=_families(language),
            color=FAINT,
            length=3,
            width=0.6,
        )
    return figure


def nothing(words: Words) -> Figure:
    """Return a figure that says that there is nothing to show."""
    figure = Figure(figsize=(WIDTH, 1.2))
    figure.text(0.5, 0.5, words("axis.nothing"), ha="center", va="center")
    return figure


def horizon_title(words: Words, horizon: str) -> str:
    """Return a horizon in words."""
    return words("horizon", days=horizon) if horizon.isdigit() else horizon
