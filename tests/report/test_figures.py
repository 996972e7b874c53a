"""Figures can be drawn, hold every glyph, and leave matplotlib as they found it."""

from __future__ import annotations

import dataclasses
import importlib.util
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from hvac.errors import HvacError
from hvac.report import figures, style
from hvac.report.texts import Words, texts
from hvac.words import LANGUAGES


def _load_example() -> ModuleType:
    path = Path(__file__).with_name("report_example.py")
    spec = importlib.util.spec_from_file_location("report_example", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


example = _load_example()
METRICS = example.example_metrics()


def draw(name: str, language: str) -> Figure:
    if name == "forecast_comparison":
        return figures.forecast_comparison(
            example.example_panels(), horizons=example.HORIZONS, language=language
        )
    if name == "training_history":
        return figures.training_history(METRICS["history"], language=language)
    if name == "metric_bars":
        return figures.metric_bars(METRICS["models"], language=language)
    return getattr(figures, name)(METRICS["curves"], language=language)


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, dict[str, str]]]:
    if set(tree) <= {*LANGUAGES}:
        yield path, tree
        return
    for key, branch in tree.items():
        yield from leaves(branch, f"{path}.{key}")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "name",
    [
        "forecast_comparison",
        "training_history",
        "reliability",
        "pr_curves",
        "metric_bars",
    ],
)
def test_figure_is_drawn_with_every_glyph_when_ids_are_japanese(
    name: str, language: str, tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = figures.save(draw(name, language), tmp_path / "figures" / "one.png")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_missing_glyph_check_bites_when_the_font_lacks_one(tmp_path: Path) -> None:
    figure = Figure()
    figure.text(0.5, 0.5, "給気温度", family="DejaVu Sans")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="missing from font"):
            figures.save(figure, tmp_path / "one.png")


def test_drawing_leaves_rc_parameters_as_they_were() -> None:
    before = dict(mpl.rcParams)
    draw("metric_bars", "ja")
    assert dict(mpl.rcParams) == before


def test_import_does_not_load_pyplot_or_the_font_package() -> None:
    code = "import sys, hvac.report.figures; print([m for m in sys.modules if m.endswith(('pyplot', 'fontja'))])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "[]\n"
    )


def test_every_text_exists_in_both_languages_with_the_same_fields() -> None:
    for path, leaf in leaves(texts()):
        assert set(leaf) == set(LANGUAGES), path
        assert all(
            isinstance(text, str) and (text or "gap" in path) for text in leaf.values()
        ), path
        fields = [
            {part.split("}")[0] for part in text.split("{")[1:]}
            for text in leaf.values()
        ]
        assert fields[0] == fields[1], path


def test_words_name_the_languages_when_one_is_unknown() -> None:
    with pytest.raises(HvacError, match="expected one of en, ja, found 'fr'"):
        Words("fr")


def test_forecast_has_a_column_per_horizon_and_a_row_per_panel_up_to_five() -> None:
    panels = example.example_panels() * 2
    figure = figures.forecast_comparison(panels, horizons=(30, 60, 90), language="en")
    assert len(figure.axes) == 15


def test_forecast_is_red_where_an_alarm_was_raised_and_green_where_not() -> None:
    calm, alarmed = example.example_panels()[:2]
    for panel, colour in ((calm, style.CALM), (alarmed, style.ALARM)):
        figure = figures.forecast_comparison([panel], horizons=[30], language="en")
        dashed = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 30]
        assert [line.get_color() for line in dashed] == [colour]


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "alarm of a shorter horizon"), ("ja", "短い期間の警報が続く")],
)
def test_forecast_says_where_an_alarm_is_that_of_a_shorter_horizon(
    language: str, words: str
) -> None:
    panel = example.example_panels()[1]
    below = dataclasses.replace(panel.forecasts[60], risk=0.2, threshold=0.5)
    panel = dataclasses.replace(panel, forecasts={**panel.forecasts, 60: below})
    axes = figures.forecast_comparison(
        [panel], horizons=(30, 60), language=language
    ).axes
    assert words not in axes[0].get_title(loc="left")
    assert words in axes[1].get_title(loc="left")


def test_forecast_row_names_each_outcome_when_horizons_differ() -> None:
    mixed = example.example_panels()[3]
    figure = figures.forecast_comparison([mixed], horizons=(30, 60, 90), language="ja")
    assert "見逃し（30 日）、的中（60 日、90 日）" in figure.subfigs[0].get_suptitle()


def test_forecast_shades_the_event_only_within_its_columns() -> None:
    first, second = (20_352 + 45, 20_352 + 60), (20_352 + 75, 20_352 + 200)
    panel = dataclasses.replace(example.example_panels()[1], events=(first, second))
    axes = figures.forecast_comparison(
        [panel], horizons=(30, 60, 90), language="en"
    ).axes
    assert [len(column.patches) for column in axes] == [0, 1, 2]
    assert axes[2].patches[1].get_x() + axes[2].patches[1].get_width() == 90.5


def test_forecast_draws_the_forecast_of_each_columns_own_horizon() -> None:
    panel = example.example_panels()[1]
    axes = figures.forecast_comparison(
        [panel], horizons=(30, 60, 90), language="en"
    ).axes
    for column, horizon in zip(axes, (30, 60, 90), strict=True):
        drawn = next(
            line
            for line in column.lines
            if len(line.get_xdata()) and line.get_xdata()[0] == 1
        )
        assert np.array_equal(drawn.get_ydata(), panel.forecasts[horizon].forecast_D)
        assert list(drawn.get_xdata()) == list(range(1, horizon + 1))


def test_forecast_names_a_limit_that_is_too_far_to_draw() -> None:
    figure = figures.forecast_comparison(
        [example.example_panels()[2]], horizons=[30], language="en"
    )
    assert "upper limit 60 ↑" in [text.get_text() for text in figure.axes[0].texts]


def test_forecast_copes_with_missing_values() -> None:
    panel = example.example_panels()[0]
    panel.past_L[:] = np.nan
    for values in (panel.forecasts[30].band_low_D, panel.forecasts[30].band_high_D):
        values[:] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = figures.forecast_comparison([panel], horizons=[30], language="en")
        assert figures.as_data_uri(figure).startswith("data:image/png;base64,")


@pytest.mark.parametrize("classes", [1, 8])
def test_history_has_two_axes_per_class(classes: int) -> None:
    history = example.history(tuple(f"class {place}" for place in range(classes)))
    assert len(figures.training_history(history, language="ja").axes) == 2 * classes


def test_history_rings_the_epoch_with_the_best_tune_pr_auc() -> None:
    run = [
        {"epoch": epoch, "train_loss": 1, "tune_loss": None, "tune_pr_auc": q}
        for epoch, q in ((1, 0.2), (2, 0.4), (3, None))
    ]
    figure = figures.training_history({"all": {"30": run}}, language="en")
    ring = figure.axes[1].lines[-1]
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (2, 0.4)


def test_history_rings_the_epoch_that_was_kept_where_the_run_says_so() -> None:
    run = [
        {
            "epoch": epoch,
            "train_loss": 1,
            "tune_loss": epoch / 10,
            "tune_pr_auc": q,
            **kept,
        }
        for epoch, q, kept in (
            (1, 0.2, {"kept": 1.0}),
            (2, 0.4, {"kept": 0.0}),
            (3, 0.3, {}),
        )
    ]
    ring = (
        figures.training_history({"all": {"30": run}}, language="en").axes[1].lines[-1]
    )
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (1, 0.2)


def test_history_rings_the_loss_where_the_epoch_kept_has_no_pr_auc() -> None:
    run = [
        {
            "epoch": 1,
            "train_loss": 1,
            "tune_loss": 0.5,
            "tune_pr_auc": None,
            "kept": 1.0,
        }
    ]
    ring = (
        figures.training_history({"all": {"30": run}}, language="en").axes[0].lines[-1]
    )
    assert (ring.get_marker(), ring.get_ydata()[0]) == ("o", 0.5)


@pytest.mark.parametrize("language", LANGUAGES)
def test_figures_say_so_when_there_is_nothing_to_show(language: str) -> None:
    drawn = [
        figures.forecast_comparison([], horizons=[30], language=language),
        figures.training_history({}, language=language),
        figures.reliability({}, language=language),
        figures.pr_curves({}, language=language),
        figures.metric_bars({}, language=language),
    ]
    assert {figure.texts[0].get_text() for figure in drawn} == {
        Words(language)("axis.nothing")
    }


def test_default_model_is_drawn_widest() -> None:
    axes = draw("pr_curves", "en").axes[0]
    assert (
        max(axes.lines, key=lambda line: line.get_linewidth()).get_color() == style.PAST
    )


def test_metric_bars_copes_when_a_model_has_no_number() -> None:
    models = {
        "hybrid": {"30": {"pr_auc": {"value": 0.2, "low": 0.1, "high": 0.3}}},
        "lstm": {"30": {"pr_auc": None}},
    }
    drawn = figures.as_data_uri(figures.metric_bars(models, language="en"))
    assert drawn.startswith("data:image/png;base64,")


def test_data_uri_is_the_same_when_drawn_twice() -> None:
    first, second = (figures.as_data_uri(draw("metric_bars", "en")) for _ in range(2))
    assert first == second
    assert first.startswith("data:image/png;base64,")
