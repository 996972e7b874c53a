"""Golden windows: made-up windows that a bundle keeps with its own risks for them.

Before a bundle serves it is asked again: another answer means that weights, calibration or manifest
are not those that were saved, though each file may look sound. A bundle without them (of an older
version) is only checked to answer at all.
Legend: B windows, C points, L lookback days, K context features, S summaries of the last days, H
horizons.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hvac.arrays import AnyArray, AnyFloats
from hvac.errors import BundleError, HvacError
from hvac.features.recent import RECENT_NAMES, recent_of_windows
from hvac.features.statistics import statistics
from hvac.features.table import KEY_SCHEMA, Windows
from hvac.json_values import JsonObject
from hvac.models.family import prepared

if TYPE_CHECKING:
    from hvac.scoring.bundle import Bundle

Arrays = dict[str, AnyArray]
WINDOWS = 3
OWN_FACILITIES = 2  # facilities with a decision of their own that are asked about
RISK_TOLERANCE = 1e-6
SCORE_TOLERANCE = 1e-5  # scores of one model on two machines differ by rounding
INPUTS = ("x_BCL", "k_BK", "n_BCS", "r_BCS", "d_BCS", "e_BCS", "persistence_B")
CONTENT = (
    "family",
    "config",
    "recipe",
    "decision",
    "encoder",
    "encoder_sha256",
    "forecast",
)


def content_digest(manifest: JsonObject) -> npt.NDArray[np.uint8]:
    """Return the SHA-256 of what a manifest tells of the model, whatever the order of its keys.

    It is an array [32]. What manifests of before do not have is left out.
    """
    content = {name: manifest[name] for name in CONTENT if name in manifest}
    text = json.dumps(content, sort_keys=True).encode()
    return np.frombuffer(hashlib.sha256(text).digest(), dtype=np.uint8)


def weights_digest(arrays: Mapping[str, AnyArray]) -> npt.NDArray[np.uint8]:
    """Return the SHA-256 of a model's arrays [32]."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
    return np.frombuffer(digest.digest(), dtype=np.uint8)


def golden_arrays(bundle: Bundle, manifest: JsonObject) -> Arrays:
    """Return windows, scores and risks to keep.

    It is nothing where the family looks at what cannot be made up.
    """
    windows = _made_up(bundle)
    try:
        score_BH, risk_BH = _answers(bundle, windows)
    except HvacError:
        return {}
    inputs: Arrays = {
        name: np.ascontiguousarray(getattr(windows, name)) for name in INPUTS
    }
    digests = {
        "content": content_digest(manifest).copy(),
        "weights": weights_digest(bundle.arrays()).copy(),
    }
    return inputs | digests | {"score_BH": score_BH, "risk_BH": risk_BH}


def check_answers(bundle: Bundle, arrays: Arrays, manifest: JsonObject) -> None:
    """Ask a bundle about its golden windows, or about made-up ones where it has none.

    Raises:
        BundleError: if risks are no probabilities, forecasts are no numbers, or the answers are
            other than those kept.
    """
    if arrays:
        _check_digests(bundle, arrays, manifest)
    windows = _kept(bundle, arrays) if arrays else _made_up(bundle)
    score_BH, risk_BH = _answers(bundle, windows)
    probable = np.isfinite(risk_BH) & (risk_BH >= 0) & (risk_BH <= 1)
    if not np.isfinite(score_BH).all() or not probable.all():
        raise BundleError(
            "its risks of made-up windows are no probabilities: its weights are damaged"
        )
    _check_forecasts(bundle, windows)
    if arrays:
        _check_kept(bundle, arrays, score_BH, risk_BH)


def _check_digests(bundle: Bundle, arrays: Arrays, manifest: JsonObject) -> None:
    """Refuse changed arrays before the bundle is asked: damaged trees need not end anywhere."""
    if not np.array_equal(arrays.get("content", ()), content_digest(manifest)):
        raise BundleError(
            "its manifest is not the one that was saved with its golden windows"
        )
    if not np.array_equal(arrays.get("weights", ()), weights_digest(bundle.arrays())):
        raise BundleError(
            "its weights are not those that were saved with its golden windows"
        )


def _check_kept(
    bundle: Bundle, arrays: Arrays, score_BH: AnyFloats, risk_BH: AnyFloats
) -> None:
    kept_score_BH = arrays["score_BH"]
    kept_risk_BH = arrays["risk_BH"]
    facility_B = _keys(bundle, len(kept_score_BH)).column("facility_id").to_numpy()
    same_score = np.allclose(
        score_BH, kept_score_BH, rtol=SCORE_TOLERANCE, atol=SCORE_TOLERANCE
    )
    decided_BH = bundle.decision.risk(kept_score_BH, facility_B)
    same_decision = np.allclose(decided_BH, kept_risk_BH, rtol=0, atol=RISK_TOLERANCE)
    if not (same_score and same_decision):
        worst = float(np.abs(risk_BH - kept_risk_BH).max())
        raise BundleError(
            f"its risks of its golden windows are not those that were kept (up to {worst:.2g}"
            " apart)"
        )


def _check_forecasts(bundle: Bundle, windows: Windows) -> None:
    for horizon in bundle.horizons:
        value, low, high = bundle.forecast(np.asarray(windows.x_BCL), horizon)
        infinite = np.isinf(low) | np.isinf(high)
        crossed = (low > high).any()
        if not np.isfinite(value).all() or infinite.any() or crossed:
            raise BundleError(
                f"its forecasts for {horizon} days are no numbers: its band is damaged"
            )


def _answers(bundle: Bundle, windows: Windows) -> tuple[AnyFloats, AnyFloats]:
    """Return scores and risks of windows."""
    ready = prepared(windows, bundle.needs, lambda: bundle.encoder)
    score_BH = np.asarray(bundle.model.score(ready), np.float64)
    shape = (len(windows), len(bundle.horizons))
    if score_BH.shape != shape:
        raise BundleError(
            f"it gives scores of shape {score_BH.shape}, expected {shape}"
        )
    return score_BH, bundle.predict(ready).risk_BH


def _made_up(bundle: Bundle) -> Windows:
    """Return windows of noise around a level, a rise and a walk, the same each time."""
    rng = np.random.default_rng(0)
    width = bundle.recipe.width
    lookback = bundle.recipe.windows.lookback
    context = len(bundle.recipe.context.names)
    x_BCL = rng.normal(0, 1, (WINDOWS, width, lookback))
    x_BCL[1] += np.linspace(0, 4, lookback)
    x_BCL[2] = np.cumsum(x_BCL[2], axis=-1) / 4
    shape = (WINDOWS, width, len(RECENT_NAMES))
    arrays = {
        "x_BCL": x_BCL,
        "k_BK": rng.uniform(0, 300, (WINDOWS, context)),
        "n_BCS": recent_of_windows(x_BCL),
        "r_BCS": rng.normal(20, 2, shape),
        "d_BCS": rng.normal(0, 1, shape),
        "e_BCS": rng.normal(0, 1, shape),
        "persistence_B": rng.random(WINDOWS),
    }
    for name in ("k_BK", "d_BCS", "e_BCS"):  # unknown, as where nothing is stored yet
        arrays[name][0] = np.nan
    single = {name: array.astype(np.float32) for name, array in arrays.items()}
    return _windows(bundle, single)


def _kept(bundle: Bundle, arrays: Arrays) -> Windows:
    lacking = [name for name in (*INPUTS, "score_BH", "risk_BH") if name not in arrays]
    if lacking or not 1 <= len(arrays["x_BCL"]) <= WINDOWS:
        raise BundleError(
            f"its golden windows are damaged: expected {', '.join(INPUTS)} of up to {WINDOWS}"
            " windows"
        )
    return _windows(bundle, {name: arrays[name] for name in INPUTS})


def _windows(bundle: Bundle, arrays: Arrays) -> Windows:
    x_BCL = arrays["x_BCL"]
    expected = (len(x_BCL), bundle.recipe.width, bundle.recipe.windows.lookback)
    if x_BCL.shape != expected:
        raise BundleError(
            f"its golden windows are of shape {x_BCL.shape}, its recipe makes {expected}"
        )
    return Windows(
        keys=_keys(bundle, len(x_BCL)),
        observed_B=np.ones(len(x_BCL), dtype=np.float32),
        f_BCF=statistics(x_BCL.astype(np.float64)).astype(np.float32),
        x_BCL=x_BCL,
        k_BK=arrays["k_BK"],
        n_BCS=arrays["n_BCS"],
        r_BCS=arrays["r_BCS"],
        d_BCS=arrays["d_BCS"],
        e_BCS=arrays["e_BCS"],
        persistence_B=arrays["persistence_B"],
    )


def _keys(bundle: Bundle, rows: int) -> pa.Table:
    facilities = sorted(bundle.decision.facilities)[:OWN_FACILITIES]
    columns: dict[str, list[Any]] = {
        "facility_id": (["", *facilities] * rows)[:rows],
        "equipment_id": ["golden"] * rows,
        "point_id": [None] * rows,
        "class": [bundle.recipe.class_name] * rows,
        "end_date": [dt.date(2000, 1, 1)] * rows,
        "split": [None] * rows,
        "status": ["ok"] * rows,
    }
    return pa.table(columns, schema=KEY_SCHEMA)
