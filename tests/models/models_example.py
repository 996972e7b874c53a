"""Small windows, a recipe, a fitted bundle: made in memory, the same each time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from hvac.certainty.certainty import fit_certainty
from hvac.decision.abstain_config import AbstainConfig
from hvac.decision.calibration import bent
from hvac.decision.decision import Decision, Scored
from hvac.decision.fit_decisions import DecisionConfig, fit_decisions
from hvac.explain.background import choose_background
from hvac.explain.past_cases import choose_cases
from hvac.features.context import ContextSpec
from hvac.features.encoder import Encoder, EncoderConfig, load_encoder
from hvac.features.recipe import Recipe
from hvac.features.statistics import statistics
from hvac.features.table import KEY_SCHEMA, Windows
from hvac.models.families import config_of, fit
from hvac.models.family import Fitting, prepared
from hvac.panel.labels import LabelConfig
from hvac.panel.windows import WindowConfig
from hvac.scoring.bundle import Bundle

HORIZONS = (30, 60, 90)
SUMMARIES = ("n_BCS", "r_BCS", "d_BCS", "e_BCS")


def recipe(points: Sequence[str] = ("p",), **more: Any) -> Recipe:
    return Recipe(
        class_name="ahu",
        points=tuple(points),
        windows=WindowConfig(horizons=HORIZONS, **more),
        labels=LabelConfig(),
        context=ContextSpec(kinds=("failure",), classes=("ahu",)),
    )


def keys(rows: int, *, point: str | None = None) -> pa.Table:
    columns: dict[str, list[Any]] = {
        "facility_id": [f"F{k % 2}" for k in range(rows)],
        "equipment_id": [f"E{k % 20}" for k in range(rows)],
        "point_id": [point] * rows,
        "class": ["ahu"] * rows,
        "end_date": [
            dt.date(2024, 2, 1) + dt.timedelta(days=7 * (k // 20)) for k in range(rows)
        ],
        "split": ["train"] * rows,
        "status": ["ok"] * rows,
    }
    return pa.table(columns, schema=KEY_SCHEMA)


def windows(
    rows: int = 60, *, points: int = 1, seed: int = 0, without: Sequence[str] = ()
) -> Windows:
    """Windows of which the first column of every block carries the label; a fifth of the labels is unknown."""
    rng = np.random.default_rng(seed)
    truth_B = rng.normal(size=rows)
    x_BCL = (
        rng.normal(20, 3, (rows, points, 90))
        + np.linspace(0, 3, 90) * truth_B[:, None, None]
    )
    arrays: dict[str, Any] = {
        "observed_B": np.ones(rows),
        "persistence_B": rng.random(rows),
        "x_BCL": x_BCL,
        "f_BCF": rng.normal(size=(rows, points, 28)),
        "z_BCE": rng.normal(size=(rows, points, 64)),
        "k_BK": rng.normal(size=(rows, 5)),
        "a_BCA": np.random.default_rng(seed + 1).normal(size=(rows, points, 4)),
        **{
            part: np.random.default_rng((seed, n)).normal(size=(rows, points, 9))
            for n, part in enumerate(SUMMARIES)
        },
    }
    for part in ("f_BCF", "z_BCE", "a_BCA", *SUMMARIES):
        arrays[part][:, 0, 0] = truth_B
    arrays["k_BK"][:, 0] = truth_B
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    arrays["y_BH"] = truth_B[:, None] + rng.normal(0, 0.5, (rows, 3)) > np.array(
        [1.0, 0.5, 0.0]
    )
    arrays["known_BH"] = rng.random((rows, 3)) < 0.8
    return Windows(
        keys=keys(rows),
        **{name: array for name, array in arrays.items() if name not in without},
    )


def described(rows: int = 60, *, points: int = 1, seed: int = 0) -> Windows:
    """Windows as featurize makes them: the statistics and the packaged encoder's embedding are those of the values."""
    made = windows(rows, points=points, seed=seed)
    assert made.x_BCL is not None
    f_BCF = statistics(made.x_BCL.astype(np.float64)).astype(np.float32)
    return replace(made, f_BCF=f_BCF, z_BCE=packaged_encoder().embed(made.x_BCL))


@cache
def packaged_encoder() -> Encoder:
    return load_encoder(EncoderConfig())


def decision(score_BH: Any, cal: Windows, **more: Any) -> Decision:
    return decided(score_BH, cal, config=DecisionConfig(**more))


def fleet_of(
    facilities: dict[str, tuple[int, float]], *, windows: int = 8
) -> tuple[Any, Windows]:
    """Scores and *cal* windows of facilities: of each, machines and how far its log-odds lie above the scores.

    Unlike the class as a whole, whose scores are right on average, a facility's are not. All labels are known.
    """
    rng = np.random.default_rng(0)
    parts = []
    for name, (machines, above) in facilities.items():
        score_B = np.repeat(rng.normal(-0.5, 1, machines), windows)
        y_BH = rng.random((len(score_B), 1)) < 1 / (
            1 + np.exp(-score_B[:, None] - above - [-0.5, 0.0, 0.5])
        )
        named = [(name, f"E{k // windows}", k % windows) for k in range(len(score_B))]
        parts.append((score_B, y_BH, named))
    score_B, y_BH, named = (
        np.concatenate([part[k] for part in parts]) for k in range(3)
    )
    columns = {
        "facility_id": named[:, 0].tolist(),
        "equipment_id": named[:, 1].tolist(),
        "end_date": [
            dt.date(2024, 2, 1) + dt.timedelta(days=7 * int(week))
            for week in named[:, 2]
        ],
    }
    same = {"point_id": None, "class": "ahu", "split": "cal", "status": "ok"}
    columns |= {key: [value] * len(score_B) for key, value in same.items()}
    cal = Windows(
        keys=pa.table({field.name: columns[field.name] for field in KEY_SCHEMA}, schema=KEY_SCHEMA),
        observed_B=np.ones(len(score_B), dtype=np.float32), y_BH=y_BH, known_BH=np.ones_like(y_BH),
    )  # fmt: skip
    return np.tile(score_B[:, None], (1, 3)), cal


def decided(
    score_BH: Any, cal: Windows, *, config: DecisionConfig, **more: Any
) -> Decision:
    return fit_decisions(
        {"ahu": Scored(score_BH, cal)}, horizons=HORIZONS, config=config, **more
    )["ahu"]


def fit_family(name: str, train: Windows, tune: Windows, **settings: Any) -> Any:
    """A family fitted in this process, on the packaged encoder."""
    config = config_of(name, **settings)
    ready = [prepared(part, config.needs, packaged_encoder) for part in (train, tune)]
    return fit(*ready, config, Fitting(packaged_encoder))


def bundled(model: Any, rule: Recipe, cal: Windows, **more: Any) -> Bundle:
    """A bundle of any fitted family, decided on *cal*."""
    score_BH = model.score(prepared(cal, model.config.needs, packaged_encoder))
    return Bundle(
        model=model,
        recipe=rule,
        decision=decision(score_BH, cal),
        encoder_config=EncoderConfig(),
        encoder_sha256=packaged_encoder().sha256,
        **more,
    )


@cache
def fitted(points: int = 1, seed: int = 0) -> Any:
    train, tune = (described(200, points=points, seed=part) for part in (1, 2))
    return fit_family("hybrid", train, tune, epochs=3, seed=seed)


def bundle(points: Sequence[str] = ("p",), *, seed: int = 0, **more: Any) -> Bundle:
    rule = recipe(points, **more)
    band = {
        h: np.tile(np.sqrt(np.arange(1.0, h + 1)), (rule.width, 1)) for h in HORIZONS
    }
    cal = described(200, points=rule.width, seed=3)
    model = fitted(rule.width, seed)
    reasons = {
        "background": choose_background(cal, model.config.needs),
        "cases": choose_cases(replace(cal, k_BK=None), HORIZONS),
    }
    made = bundled(model, rule, cal, band=band, training={"rows": 200}, **reasons)
    scored = Scored(model.score(cal), cal)
    sure = fit_certainty(scored, made.decision, AbstainConfig(), HORIZONS)
    return replace(made, certainty=sure)


def departing(facility: str, **more: Any) -> Bundle:
    """A bundle whose decision departs at one facility: higher risks, and cut-offs of its own."""
    made = bundle(**more)
    own = Decision(
        calibrators=tuple(bent(each, 1.0, 1.0) for each in made.decision.calibrators),
        thresholds=tuple(
            each._replace(value=0.9 * each.value) for each in made.decision.thresholds
        ),
    )
    return replace(made, decision=replace(made.decision, facilities={facility: own}))
