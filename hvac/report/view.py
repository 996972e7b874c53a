"""What sections are made of: numbers as text, cells, tables, notes, figures, the view of a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import zip_longest

from hvac.json_values import Json, JsonObject, branch
from hvac.panel.names import NO_NAMES, Names
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


@dataclass(frozen=True)
class Cell:
    """A cell of a table: a text, a smaller detail beneath it, and a tone.

    The tone is `better`, `worse` or `unclear`, `sentence` for words to be read, or empty.
    """

    text: str
    _: KW_ONLY
    detail: str = ""
    tone: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of a table with its header cell; `strong` rows stand out."""

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

    @property
    def labels(self) -> list[str]:
        """Return what each cell of a row is called where the head cannot stand above it."""
        heads = [*self.head[1:]]
        groups = [text for text, span in self.groups for _ in range(span)]
        pairs = zip_longest(groups, heads, fillvalue="")
        return [" · ".join(filter(None, pair)) for pair in pairs]


@dataclass(frozen=True)
class Note:
    """A paragraph (`text`), a `warning`, an `item` of a list, or a command (`code`)."""

    text: str
    _: KW_ONLY
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
    """The metrics of one run as one language shows them; `names` are what things are called."""

    metrics: JsonObject
    images: Mapping[str, str]
    words: Words
    names: Names = NO_NAMES

    def at(self, *keys: str) -> Json:
        """Return the value at a path of keys, {} where the path breaks off."""
        return dig(self.metrics, *keys)

    def group(self, *keys: str) -> JsonObject:
        """Return the mapping at a path of keys, {} where there is none."""
        return branch(self.metrics, *keys)

    @property
    def default(self) -> str:
        """Return the model the report is about: the run's family, else the first there is."""
        family = str(self.at("run", "family") or "hybrid")
        models = list(self.group("models"))
        return family if family in models or not models else models[0]

    @property
    def model(self) -> str:
        """Return the default model's name in words."""
        return self.words.name("model", self.default)

    @property
    def horizons(self) -> list[str]:
        """Return the horizons of the default model, rising."""
        return in_order(list(self.group("models", self.default)))

    def named(self, of: str, given: str, facility_id: str = "") -> Cell:
        """Return a cell with the name of a thing over its id; the id alone where it has no name."""
        name = self.names.shown(of, given, self.words.language, facility_id)
        return Cell(name, detail="" if name == given else given)

    def called(self, of: str, given: str) -> str:
        """Return the name of a thing with its id in brackets, as sentences have it."""
        name = self.named(of, given)
        if not name.detail:
            return given
        return self.words("with_detail", text=name.text, detail=name.detail)

    def measured(self, horizon: str) -> JsonObject:
        """Return the metrics of the default model at one horizon."""
        return self.group("models", self.default, horizon)

    def few(self, horizon: str) -> bool:
        """Tell whether a horizon has too few events for a headline."""
        events = number(self.measured(horizon).get("events"))
        return self.measured(horizon).get("headline") is False or (
            events is not None and events < FEW_EVENTS
        )

    def days(self, horizons: Iterable[str]) -> str:
        """Return horizons as a list in words."""
        short = [self.words("horizon_short", days=horizon) for horizon in horizons]
        return self.words("horizon_list", list=self.words.join(short))

    def heads(self, horizons: Sequence[str]) -> list[str]:
        """Return column headers of horizons; the header of one with few events says so."""
        return [
            self.words("horizon_few" if self.few(h) else "horizon", days=h)
            for h in horizons
        ]


def dig(tree: Json, *keys: str) -> Json:
    """Return the value at a path of keys, {} where the path breaks off.

    >>> dig({"a": {"b": 1}}, "a", "b"), dig({"a": None}, "a", "b")
    (1, {})
    """
    for key in keys:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return {} if tree is None else tree


def number(measured: Json, key: str = "value") -> float | None:
    """Return a plain number, or one part of {value, low, high}.

    It is None where the number is unknown or not finite; a plain number has a `value` only.
    """
    value = measured if key == "value" else None
    if isinstance(measured, Mapping):
        value = measured.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def show(measured: Json, form: str = "ratio", key: str = "value") -> str:
    """Return a number as the report writes it, a dash where there is none.

    >>> show({"value": 0.2481}), show(0.062, "share"), show(float("nan"))
    ('0.248', '6.2%', '–')
    >>> show(1204, "count"), show(-0.0001)
    ('1,204', '0.000')
    """
    value = number(measured, key)
    return DASH if value is None else FORMATS[form].format(value)


def cell(measured: Json, form: str = "ratio") -> Cell:
    """Return a cell with the value over its interval, where it has one."""
    low = show(measured, form, "low")
    high = show(measured, form, "high")
    detail = "" if DASH in (low, high) else f"[{low},{NBSP}{high}]"
    return Cell(show(measured, form), detail=detail)


def plain(value: Json) -> Cell:
    """Return a cell with an identifier, a date or a whole number as it is; else a dash."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Cell(show(value, "count"))
    missing = value is None or value == {} or value == ""
    return Cell(DASH if missing else str(value))


def labelled(words: Words, key: str) -> Cell:
    """Return a cell with the name of a metric over a line that explains it."""
    detail = words.name("metric_note", key)
    return Cell(words.name("metric", key), detail="" if detail == key else detail)


def model_cell(words: Words, model: str) -> Cell:
    """Return a cell with the name of a model over its identifier."""
    name = words.name("model", model)
    return Cell(name, detail="" if name == model else model)


def counts(
    view: View, caption: str, by_key: JsonObject, group: str = ""
) -> list[Block]:
    """Return a two-column table of things counted; nothing where nothing was counted.

    Args:
        view: the metrics of a run.
        caption: the caption's name in the texts.
        by_key: what to show, by its identifier or name.
        group: the group of the identifiers' names in the texts; without it there is no header.
    """
    words = view.words
    if not by_key:
        return []
    rows = []
    for key, value in by_key.items():
        name = words.name(group, str(key)) if group else str(key)
        rows.append(Row(head=Cell(name), cells=[plain(value)]))
    head = [words("table.reason"), words("table.count")] if group else []
    return [Table(caption=words(f"caption.{caption}"), head=head, rows=rows)]


def image(view: View, name: str, **values: str) -> list[Block]:
    """Return the figure of this name, if the run has it.

    Args:
        view: the metrics of a run.
        name: the figure's name under `figure` of the texts.
        values: what its texts name.
    """
    if name not in view.images:
        return []
    alt = view.words(f"figure.{name}.alt", **values)
    caption = view.words(f"figure.{name}.caption", **values)
    return [Image(uri=view.images[name], alt=alt, caption=caption)]
