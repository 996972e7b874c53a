"""sweep.html: what a sweep tried and which settings mattered, in both languages.

Each section is a function `SweepView -> blocks`; a section without blocks is left out. The words
are in `sweep_texts.yaml`, the page is the report's (`sweep.html.j2` adds sorting and highlighting).
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from hvac.evaluation.sweep_importance import FEW, importance
from hvac.report.page import PageContent, page_content, write_pages
from hvac.report.sweep_figures import (
    TEXTS,
    Axis,
    importance_bars,
    learning_curves,
    parallel_coordinates,
)
from hvac.report.sweep_tables import all_trials, best_settings
from hvac.report.sweep_view import Sweep, SweepDrawing, SweepView, Trial
from hvac.report.texts import Words, languages_from
from hvac.report.view import Block, Note, show
from hvac.storage import AnyPath, as_given


def in_short(view: SweepView) -> list[Block]:
    """Return what was tried, the best result, and what that is worth."""
    words = view.words
    sweep = view.sweep
    algorithm = sweep["search"]["algorithm"]
    days = sweep["search"]["metric"].rpartition("_")[2]
    metric = words("metric.tune_pr_auc")
    if days.isdigit():
        metric = words("metric.tune_pr_auc_days", days=days)
    statuses = [trial["status"] for trial in view.trials]
    scope = words(
        "short.scope",
        trials=len(view.trials),
        model=view.model,
        algorithm=words(f"algorithm.{algorithm}"),
        finished=statuses.count("finished"),
        stopped=statuses.count("stopped"),
        failed=statuses.count("failed"),
    )
    median = statistics.median(map(_score, view.scored))
    best = words(
        "short.best",
        trial=sweep["best"],
        metric=metric,
        value=show(view.best["value"]),
        median=show(median),
    )
    honest = Note(words("short.honest"), kind="warning")
    blocks: list[Block] = [Note(scope), Note(best), honest]
    if len(view.scored) < FEW:
        blocks.append(Note(words("short.few", n=len(view.scored))))
    if algorithm == "pbt":
        blocks.append(Note(words("short.pbt")))
    return blocks


def _score(trial: Trial) -> float:
    """Return the score of a trial that has one."""
    assert trial["value"] is not None, trial["trial"]
    return trial["value"]


def at_a_glance(view: SweepView) -> list[SweepDrawing]:
    """Return the parallel coordinates: a line per trial across its settings and its score."""
    axes = []
    for key, distribution in view.space.items():
        [(kind, values)] = distribution.items()
        axes.append(Axis(key, kind, values))
    svg = parallel_coordinates(
        view.trials, axes, best=view.sweep["best"], words=view.words
    )
    return [SweepDrawing(svg=svg, caption=view.words("figure.parallel.caption"))]


def what_mattered(view: SweepView) -> list[Block]:
    """Return the importance of settings, and how far to trust it."""
    words = view.words
    importance = view.importance
    n = len(view.scored)
    if importance is None:
        return [Note(words("importance.too_few", n=n))]
    explained = words("importance.nothing")
    if importance.explained > 0:
        explained = words(
            "importance.explained", share=show(importance.explained, "share")
        )
    blocks: list[Block] = [Note(explained)]
    if any(trial["status"] == "stopped" for trial in view.scored):
        blocks.append(Note(words("importance.stopped")))
    if importance.weak:
        blocks.append(Note(words("importance.weak", n=n), kind="warning"))
    figure = importance_bars(importance, language=words.language)
    return [*blocks, view.picture("importance", figure)]


def curves(view: SweepView) -> list[Block]:
    """Return the learning curves, for families that learn by epochs."""
    if all(len(trial["rows"]) < 2 for trial in view.trials):
        return []
    figure = learning_curves(
        view.scored,
        best=view.sweep["best"],
        metric=view.sweep["search"]["metric"],
        language=view.words.language,
    )
    return [view.picture("curves", figure)]


def what_next(view: SweepView) -> list[Block]:
    """Return the commands to go on with."""
    words = view.words
    folder = as_given(view.sweep["folder"])
    return [
        Note(words("next.run")),
        Note(
            f"python -m ray_jobs.pipeline --config {folder / 'best.yaml'}", kind="code"
        ),
        Note(words("next.curves")),
        Note(f"make tensorboard WORKSPACE={folder.parent.parent}", kind="code"),
    ]


SECTIONS: dict[str, Callable[[SweepView], Sequence[Block | SweepDrawing]]] = {
    "short": in_short,
    "best": best_settings,
    "parallel": at_a_glance,
    "importance": what_mattered,
    "curves": curves,
    "trials": all_trials,
    "next": what_next,
}


def write_sweep_page(sweep: Sweep, *, path: str | AnyPath, language: str) -> None:
    """Write one HTML file with both languages inside; `language` is shown first, a button switches.

    Args:
        sweep: the content of sweep.json; one trial at least has a score.
        path: where to write the page.
        language: `en` or `ja`.
    """
    scored = [trial for trial in sweep["trials"] if trial["value"] is not None]
    settings = [trial["settings"] for trial in scored]
    shares = importance(settings, [_score(trial) for trial in scored])
    pages = []
    for page_language in languages_from(language):
        pages.append(_page(SweepView(sweep, Words(page_language, TEXTS), shares)))
    write_pages(pages, path=path, language=language, template="sweep.html.j2")


def _page(view: SweepView) -> PageContent:
    name = view.sweep["name"]
    created = view.sweep["created"]
    byline = view.words("byline", name=name, created=created, model=view.model)
    blocks = {key: build(view) for key, build in SECTIONS.items()}
    return page_content(view.words, byline, blocks)
