"""Reasons for a bundle's risks: from windows to what can be seen on the machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hvac.errors import BundleError
from hvac.explain.background import choose_background
from hvac.explain.past_cases import choose_cases
from hvac.explain.reason import Reason
from hvac.explain.reasons import PointScale, reasons_of
from hvac.features.describing import describe
from hvac.features.scene import Scene, UnitRecord, scenes
from hvac.features.table import Windows, concat
from hvac.models.family import prepared
from hvac.panel.grid import Unit, panels
from hvac.scoring.bundle import Bundle
from hvac.scoring.explanations import explain_newest
from hvac.scoring.latest import latest_rows
from hvac.scoring.newest_windows import newest
from tests.models.models_example import (
    HORIZONS,
    bundled,
    fit_family,
    packaged_encoder,
    recipe,
)
from tests.panel.panel_example import readings, series

POINTS = ("flow", "vibration")
FAULTY = "E03"


def scene_of(made: Bundle | None, name: str, drift: float, seed: int) -> Scene:
    rng = np.random.default_rng(seed)
    ramp = np.r_[np.zeros(180), np.linspace(0, drift, 40)]
    rows = [
        row | {"equipment_id": name}
        for point, extra in (("flow", 0 * ramp), ("vibration", ramp))
        for row in series(rng.normal(20, 1, 220) + extra, point=point)
    ]
    rule = recipe(POINTS)
    (panel,) = panels(readings(rows), {Unit("F1", name): POINTS})
    (scene,) = scenes(panel, rule, UnitRecord(class_name="ahu"))
    return scene


@pytest.fixture(scope="module")
def fleet() -> list[Scene]:
    return [scene_of(None, f"E{n:02}", 12.0 * (n % 2), n) for n in range(24)]


@pytest.fixture(scope="module")
def labelled(fleet: list[Scene]) -> Windows:
    """Windows of 24 units; those whose vibration rises are followed by an anomaly."""
    rule = recipe(POINTS)
    parts = []
    for n, scene in enumerate(fleet):
        days = np.arange(
            scene.panel.last_day - 30, scene.panel.last_day + 1, 5, dtype=np.int32
        )
        part = describe(scene, days, rule)
        y_BH = np.full((len(part), 3), bool(n % 2))
        keys = part.keys.set_column(5, "split", [["train"] * len(part)])
        parts.append(replace(part, keys=keys, y_BH=y_BH, known_BH=np.ones_like(y_BH)))
    return prepared(concat(parts), ("embedding",), packaged_encoder)


@pytest.fixture(scope="module")
def made(labelled: Windows) -> Bundle:
    model = fit_family("et_full", labelled, labelled, trees=30, min_leaf=2)
    return bundled(
        model,
        recipe(POINTS),
        labelled,
        background=choose_background(labelled, model.config.needs),
        cases=choose_cases(labelled, HORIZONS),
    )


def reasons(made: Bundle, scene: Scene, horizon: int = 0) -> tuple[Reason, ...]:
    (explanation,) = explain_newest(made, newest([scene], made.recipe))
    assert explanation is not None
    return explanation.reasons_H[horizon]


def test_the_drifting_point_is_the_first_reason(
    made: Bundle, fleet: list[Scene]
) -> None:
    first = reasons(made, fleet[3])[0]
    assert first.player == "vibration"
    assert first.log_odds > 0.5
    assert first.moved is not None
    assert first.moved > 2
    assert first.usual == pytest.approx(20, abs=0.5)
    assert first.now == pytest.approx(30, abs=2.5)
    assert first.since is not None


def test_a_healthy_machine_has_reasons_against(
    made: Bundle, fleet: list[Scene]
) -> None:
    raised = sum(reason.log_odds for reason in reasons(made, fleet[2]))
    assert raised < 0.2 * reasons(made, fleet[3])[0].log_odds


def test_reasons_sum_to_the_distance_from_healthy_windows(
    made: Bundle, labelled: Windows
) -> None:
    shown = labelled.take(np.arange(20))
    explained = made.contributions(shown)
    score_BH = made.model.score(shown)
    np.testing.assert_allclose(
        explained.added_BPH.sum(axis=1), score_BH - explained.usual_BH, atol=1e-6
    )


def test_saved_bundle_gives_the_same_reasons(
    made: Bundle, fleet: list[Scene], tmp_path: Path
) -> None:
    loaded = Bundle.load(made.save(tmp_path))
    assert loaded.cases is not None
    for before, after in zip(
        reasons(made, fleet[3]), reasons(loaded, fleet[3]), strict=True
    ):
        assert before._replace(log_odds=0) == after._replace(log_odds=0)
        assert before.log_odds == pytest.approx(after.log_odds, abs=1e-9)
    assert (loaded.folder / "reasons.safetensors").stat().st_size < 500_000


def test_a_bundle_made_before_reasons_says_so(made: Bundle, labelled: Windows) -> None:
    old = replace(made, background=None, cases=None)
    with pytest.raises(BundleError, match=r"was made before reasons: train anew"):
        old.contributions(labelled)
    assert old.predict(labelled).risk_BH.shape == (len(labelled), 3)


def test_a_class_of_very_many_points_says_that_it_has_no_reasons(made: Bundle) -> None:
    many = tuple(f"p{n}" for n in range(57))
    wide = replace(made, recipe=replace(made.recipe, points=many))
    with pytest.raises(
        BundleError, match="no reasons for classes of more than 56 points"
    ):
        wide.explainer  # noqa: B018 - it is made when it is asked for


def test_damaged_reasons_are_refused(made: Bundle, tmp_path: Path) -> None:
    folder = made.save(tmp_path)
    file = folder / "reasons.safetensors"
    file.write_bytes(file.read_bytes()[:-7])
    with pytest.raises(BundleError, match="is damaged"):
        Bundle.load(folder)


def test_a_window_with_a_point_that_is_missing_is_explained(
    made: Bundle, fleet: list[Scene], labelled: Windows
) -> None:
    gone = labelled.take(np.array([0]))
    arrays = {}
    for name in ("n_BCS", "r_BCS", "d_BCS", "e_BCS"):
        array = np.array(getattr(gone, name))
        array[:, 1] = np.nan
        arrays[name] = array
    explained = made.contributions(replace(gone, **arrays))
    assert np.isfinite(explained.added_BPH).all()


@pytest.mark.parametrize("explain", ["alarms", "all", "none"])
def test_latest_rows_hold_the_reasons_that_are_asked_for(
    made: Bundle, fleet: list[Scene], explain: str
) -> None:
    rows = latest_rows(fleet, made, explain=explain).to_pylist()  # type: ignore[arg-type]
    alarmed = {row["equipment_id"] for row in rows if row["alarm"]}
    explained = {row["equipment_id"] for row in rows if row["reasons"] is not None}
    expected = {
        "none": set(),
        "alarms": alarmed,
        "all": {row["equipment_id"] for row in rows},
    }
    assert 0 < len(alarmed) < len(fleet)
    assert explained == expected[explain]


def test_a_point_that_is_scored_alone_goes_by_its_own_name(
    made: Bundle, fleet: list[Scene], labelled: Windows
) -> None:
    explained = made.contributions(labelled.take(np.array([5])))
    alone = replace(explained, players=("point", *explained.players[1:]))
    latest = newest([fleet[3]], made.recipe)
    scale = PointScale(*latest.frames[0], based=True)
    context = made.recipe.context.names
    (of_horizons,) = reasons_of(alone, made.prepared(latest.windows), [scale], context)
    players = {reason.player for reasons in of_horizons for reason in reasons}
    assert "point" not in players
    assert players & set(POINTS)
