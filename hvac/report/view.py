"""What sections of the report are made of: numbers as text, cells, tables, notes, figures, and the
view of a run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hvac.report.texts import Words, in_order

DASH = "–"
NBSP = "\N{NO-BREAK SPACE}"  # an interval stays on one line
FEW_EVENTS = 30
FEW_UNITS = 20  # with an event: fewer make a rough calibration
FORMATS = {  # z: a rounded −0 is 0
    "ratio": "{:z.3f}",
    "share": "{:z.1%}",
    "count": "{:,.0f}",
    "rate": "{:z.2f}",
    "signed": "{:+z.3f}",
    "days": "{:.0f}",
}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What stands in a table: a text, beneath it a smaller detail, and a tone (better, worse,
    unclear).
    """

    text: str
    detail: str = ""
    tone: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row with its header cell."""

    head: Cell
    cells: Sequence[Cell]
    strong: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table; `groups` is a first header line of (text, columns spanned), after the corner."""

    caption: str
    rows: Sequence[Row]
    head: Sequence[str] = ()
    groups: Sequence[tuple[str, int]] = ()
    kind: str = "table"


@dataclass(frozen=True, kw_only=True)
class Note:
    """A paragraph (text), a warning, a list item with a tone (verdict) or a command (code)."""

    text: str
    kind: str = "text"
    tone: str = ""
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class Image:
    """A figure inside the page."""

    uri: str
    alt: str
    caption: str
    kind: str = "figure"


Block = Table | Note | Image


@dataclass(frozen=True, kw_only=True)
class View:
    """The metrics of one run as one language shows them."""

    metrics: Mapping[str, Any]
    images: Mapping[str, str]
    words: Words

    def at(self, *keys: str) -> Any:
        """The value at a path of keys, {} where the path breaks off."""
        return dig(self.metrics, *keys)

    @property
    def default(self) -> str:
        """The model the report is about: the run's family, else the first there is."""
        family = str(self.at("run", "family") or "hybrid")
        models = list(self.at("models"))
        return family if family in models or not models else models[0]

    @property
    def model(self) -> str:
        """The default model in words."""
        return self.words.name("model", self.default)

    @property
    def horizons(self) -> list[str]:
        """Horizons of the default model, rising."""
        return in_order(list(self.at("models", self.default)))

    def measured(self, horizon: str) -> Mapping[str, Any]:
        """The metrics of the default model at one horizon."""
        found: Mapping[str, Any] = self.at("models", self.default, horizon)
        return found

    def few(self, horizon: str) -> bool:
        """Whether there are too few events for a headline."""
        events = number(self.measured(horizon).get("events"))
        return self.measured(horizon).get("headline") is False or (
            events is not None and events < FEW_EVENTS
        )

    def days(self, horizons: Iterable[str]) -> str:
        """Horizons as a list in words."""
        short = [self.words("horizon_short", days=horizon) for horizon in horizons]
        return self.words("horizon_list", list=self.words.join(short))

    def heads(self, horizons: Sequence[str]) -> list[str]:
        """Column headers of horizons; one with few events says so."""
        return [self.words("horizon_few" if self.few(h) else "horizon", days=h) for h in horizons]


def dig(tree: Any, *keys: str) -> Any:
    """The value at a path of keys, {} where the path breaks off.

    >>> dig({"a": {"b": 1}}, "a", "b"), dig({"a": None}, "a", "b")
    (1, {})
    """
    for key in keys:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return {} if tree is None else tree


def number(measured: Any, key: str = "value") -> float | None:
    """A plain number, or one part of {value, low, high}; None where unknown or not finite."""
    found = (
        measured.get(key)
        if isinstance(measured, Mapping)
        else (measured if key == "value" else None)
    )
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        return None
    return float(found) if math.isfinite(found) else None


def show(measured: Any, form: str = "ratio", key: str = "value") -> str:
    """A number as the report writes it, a dash where there is none.

    >>> show({"value": 0.2481}), show(0.062, "share"), show(float("nan")), show(1204, "count"), show(-0.0001)
    ('0.248', '6.2%', '–', '1,204', '0.000')
    """
    found = number(measured, key)
    return DASH if found is None else FORMATS[form].format(found)


def cell(measured: Any, form: str = "ratio") -> Cell:
    """Value over interval."""
    low, high = (show(measured, form, key) for key in ("low", "high"))
    return Cell(
        text=show(measured, form), detail="" if DASH in (low, high) else f"[{low},{NBSP}{high}]"
    )


def plain(found: Any) -> Cell:
    """An identifier, date or whole number as it is."""
    if isinstance(found, (int, float)) and not isinstance(found, bool):
        return Cell(text=show(found, "count"))
    return Cell(text=DASH if found is None or found == {} or found == "" else str(found))


def labelled(words: Words, key: str) -> Cell:
    """The name of a metric over a line that explains it."""
    detail = words.name("metric_note", key)
    return Cell(text=words.name("metric", key), detail="" if detail == key else detail)


def model_cell(words: Words, model: str) -> Cell:
    """The name of a model over its identifier."""
    name = words.name("model", model)
    return Cell(text=name, detail="" if name == model else model)


def counts(view: View, caption: str, found: Mapping[str, Any], group: str = "") -> list[Block]:
    """A two-column table of things counted; nothing where nothing was counted."""
    if not found:
        return []
    names = [view.words.name(group, str(key)) if group else str(key) for key in found]
    rows = [
        Row(head=Cell(text=name), cells=[plain(value)])
        for name, value in zip(names, found.values(), strict=True)
    ]
    head = [view.words("table.reason"), view.words("table.count")] if group else []
    return [Table(caption=view.words(f"caption.{caption}"), head=head, rows=rows)]


def image(view: View, name: str, **values: str) -> list[Block]:
    """A figure if the run made it."""
    if name not in view.images:
        return []
    alt, caption = (view.words(f"figure.{name}.{part}", **values) for part in ("alt", "caption"))
    return [Image(uri=view.images[name], alt=alt, caption=caption)]
