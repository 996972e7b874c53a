"""sweep.html: what a sweep tried and found, one self-contained page in both languages.

Each section is a function `Shown -> blocks`; a section without blocks is left out. The words are in
`sweep_texts.yaml`, the page is the report's (`sweep.html.j2` adds sorting and highlighting).
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jinja2
from markupsafe import Markup
from matplotlib.figure import Figure

from hvac.evaluation.sweep_importance import FEW, Importance, importance
from hvac.report.figures import as_data_uri
from hvac.report.sweep_figures import (
    TEXTS,
    Axis,
    importance_bars,
    learning_curves,
    parallel_coordinates,
    short_setting,
)
from hvac.report.texts import LANGUAGES, Words
from hvac.report.view import DASH, Block, Cell, Image, Note, Row, Table, show
from hvac.storage import AnyPath, as_given, write_text

Trial = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class SweepDrawing:
    """An SVG inside the page."""

    svg: Markup
    caption: str
    kind: str = "drawing"


@dataclass(frozen=True)
class Shown:
    """A sweep (the content of sweep.json) as one language shows it."""

    sweep: Mapping[str, Any]
    words: Words
    importance: Importance | None

    @property
    def trials(self) -> list[Trial]:
        """All trials."""
        return list(self.sweep["trials"])

    @property
    def scored(self) -> list[Trial]:
        """Those with a score."""
        return [trial for trial in self.trials if trial["value"] is not None]

    @property
    def best(self) -> Trial:
        """The best trial."""
        return next(trial for trial in self.trials if trial["trial"] == self.sweep["best"])

    @property
    def space(self) -> Mapping[str, Mapping[str, list[Any]]]:
        """Distributions by setting."""
        found: Mapping[str, Mapping[str, list[Any]]] = self.sweep["search"]["space"]
        return found

    @property
    def model(self) -> str:
        """The family in words."""
        return self.words.name("model", self.sweep["family"])

    def picture(self, name: str, figure: Figure) -> Image:
        """A figure with its caption."""
        alt, caption = (self.words(f"figure.{name}.{part}") for part in ("alt", "caption"))
        return Image(uri=as_data_uri(figure), alt=alt, caption=caption)


def in_short(shown: Shown) -> list[Any]:
    """What was tried, what came of it, and what that is worth."""
    words, sweep = shown.words, shown.sweep
    counts = {
        s: sum(trial["status"] == s for trial in shown.trials)
        for s in ("finished", "stopped", "failed")
    }
    algorithm = sweep["search"]["algorithm"]
    days = sweep["search"]["metric"].rpartition("_")[2]
    named = (
        words("metric.tune_pr_auc_days", days=days)
        if days.isdigit()
        else words("metric.tune_pr_auc")
    )
    median = show(statistics.median(trial["value"] for trial in shown.scored))
    notes: list[Any] = [
        Note(
            text=words(
                "short.scope",
                trials=len(shown.trials),
                model=shown.model,
                algorithm=words(f"algorithm.{algorithm}"),
                **counts,
            )
        ),
        Note(
            text=words(
                "short.best",
                trial=sweep["best"],
                metric=named,
                value=show(shown.best["value"]),
                median=median,
            )
        ),
        Note(text=words("short.honest"), kind="warning"),
    ]
    if len(shown.scored) < FEW:
        notes.append(Note(text=words("short.few", n=len(shown.scored))))
    return [*notes, Note(text=words("short.pbt"))] if algorithm == "pbt" else notes


def best_settings(shown: Shown) -> list[Any]:
    """The best settings beside what was searched and what stood there before."""
    words = shown.words
    rows = [
        Row(
            head=Cell(text=key),
            cells=[
                Cell(text=short_setting(shown.best["settings"][key])),
                Cell(text=short_setting(shown.sweep["before"][key])),
                Cell(text=_range(words, distribution)),
            ],
        )
        for key, distribution in shown.space.items()
    ]
    heads = [words(f"head.{name}") for name in ("setting", "best", "before", "searched")]
    return [Table(caption=words("caption.best"), head=heads, rows=rows)]


def _range(words: Words, distribution: Mapping[str, list[Any]]) -> str:
    [(kind, values)] = distribution.items()
    if kind == "choice":
        return " / ".join(map(short_setting, values))
    return words(f"range.{kind}", low=short_setting(values[0]), high=short_setting(values[1]))


def at_a_glance(shown: Shown) -> list[Any]:
    """Parallel coordinates."""
    axes = [
        Axis(key, *next(iter(distribution.items()))) for key, distribution in shown.space.items()
    ]
    drawn = parallel_coordinates(shown.trials, axes, best=shown.sweep["best"], words=shown.words)
    return [SweepDrawing(svg=drawn, caption=shown.words("figure.parallel.caption"))]


def what_mattered(shown: Shown) -> list[Any]:
    """Importance of settings, and how far to trust it."""
    words, found, n = shown.words, shown.importance, len(shown.scored)
    if found is None:
        return [Note(text=words("importance.too_few", n=n))]
    told = (
        words("importance.explained", share=show(found.explained, "share"))
        if found.explained > 0
        else words("importance.nothing")
    )
    notes = [Note(text=told)]
    if any(trial["status"] == "stopped" for trial in shown.scored):
        notes.append(Note(text=words("importance.stopped")))
    if found.weak:
        notes.append(Note(text=words("importance.weak", n=n), kind="warning"))
    return [*notes, shown.picture("importance", importance_bars(found, language=words.language))]


def curves(shown: Shown) -> list[Any]:
    """Learning curves, for families that learn by epochs."""
    if all(len(trial["rows"]) < 2 for trial in shown.trials):
        return []
    metric, language = shown.sweep["search"]["metric"], shown.words.language
    figure = learning_curves(
        shown.scored, best=shown.sweep["best"], metric=metric, language=language
    )
    return [shown.picture("curves", figure)]


def all_trials(shown: Shown) -> list[Any]:
    """Every trial; those that failed once more with the reason."""
    words, days = shown.words, shown.sweep["horizons"]
    measures = [("pr_auc", "tune_pr_auc"), ("threshold", "threshold")]
    heads = [
        *(words(f"head.{name}") for name in ("trial", "value", "status", "epochs", "seconds")),
        *shown.space,
        *(words(f"head.{head}", days=each) for head, _ in measures for each in days),
    ]
    rows = [
        Row(
            head=Cell(text=trial["trial"]),
            cells=[
                Cell(text=show(trial["value"])),
                Cell(text=words(f"status.{trial['status']}")),
                Cell(text=show(trial["epochs"], "count")),
                Cell(text=show(trial["seconds"], "days")),
                *(
                    Cell(text=short_setting(trial["settings"].get(key, DASH)))
                    for key in shown.space
                ),
                *(
                    Cell(text=show(_last(trial).get(f"{name}_{each}")))
                    for _, name in measures
                    for each in days
                ),
            ],
            strong=trial["trial"] == shown.sweep["best"],
        )
        for trial in sorted(shown.trials, key=lambda trial: -(trial["value"] or 0.0))
    ]
    table = Table(caption=words("caption.trials"), head=heads, rows=rows)
    failed = [
        Row(head=Cell(text=trial["trial"]), cells=[Cell(text=trial["why"] or DASH)])
        for trial in shown.trials
        if trial["status"] == "failed"
    ]
    heads = [words("head.trial"), words("head.why")]
    return [
        table,
        *(
            [Table(caption=words("caption.failed"), head=heads, rows=failed, kind="words")]
            if failed
            else []
        ),
    ]


def _last(trial: Trial) -> Mapping[str, Any]:
    return trial["rows"][-1] if trial["rows"] else {}


def what_next(shown: Shown) -> list[Block]:
    """Commands to go on with."""
    words, folder = shown.words, as_given(shown.sweep["folder"])
    return [
        Note(text=words("next.run")),
        Note(text=f"python -m ray_jobs.pipeline --config {folder / 'best.yaml'}", kind="code"),
        Note(text=words("next.curves")),
        Note(text=f"make tensorboard WORKSPACE={folder.parent.parent}", kind="code"),
    ]


SECTIONS: dict[str, Callable[[Shown], list[Any]]] = {
    "short": in_short,
    "best": best_settings,
    "parallel": at_a_glance,
    "importance": what_mattered,
    "curves": curves,
    "trials": all_trials,
    "next": what_next,
}


def write_sweep_page(sweep: Mapping[str, Any], *, path: str | AnyPath, language: str) -> None:
    """Write one HTML file with both languages inside; `language` is shown first, a button switches.

    Args:
        sweep: the content of sweep.json; one trial at least has a score.
    """
    scored = [trial for trial in sweep["trials"] if trial["value"] is not None]
    mattered = importance(
        [trial["settings"] for trial in scored], [trial["value"] for trial in scored]
    )
    languages = sorted(LANGUAGES, key=lambda word: word != language)
    pages = [_page(Shown(sweep, Words(shown, TEXTS), mattered)) for shown in languages]
    loader = jinja2.PackageLoader("hvac", "report")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    html = environment.get_template("sweep.html.j2").render(pages=pages, language=language)
    write_text(as_given(path), html)


def _page(shown: Shown) -> dict[str, Any]:
    blocks = {key: build(shown) for key, build in SECTIONS.items()}
    names = {"name": shown.sweep["name"], "created": shown.sweep["created"], "model": shown.model}
    return {
        "language": shown.words.language,
        "title": shown.words("title"),
        "byline": shown.words("byline", **names),
        "words": shown.words,
        "sections": [
            (key, shown.words(f"section.{key}"), found) for key, found in blocks.items() if found
        ],
    }
