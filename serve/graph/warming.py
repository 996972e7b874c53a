"""Make a process ready before it says that it is: no request waits for what only the first one needs."""

from __future__ import annotations

import logging

import numpy as np
import pyarrow as pa

from hvac.errors import BundleError
from hvac.lasting import keep_all
from hvac.panel.grid import Unit
from hvac.panel.windows import BASELINE_DAYS
from hvac.readings.gate import CANONICAL
from hvac.scoring.bundle import Bundle
from hvac.storage import AnyPath, matching
from serve.graph import core
from serve.graph.asks import Ask, compact
from serve.graph.shelf import Shelf, try_out

log = logging.getLogger(__name__)
MADE_UP = Unit("made up", "made up")
FIRST_DAY = 19_000  # any


def warm(folder: AnyPath) -> None:
    """Load and check a bundle of a folder, and answer a made-up request by it.

    Imports, compiled functions and the encoder's first pass take as long as ten requests. All that
    is there then is taken for lasting.
    """
    _warm(folder)
    keep_all()


def _warm(folder: AnyPath) -> None:
    for manifest in matching(folder, "[!.]*/manifest.json"):
        try:
            bundle = Bundle.load(manifest.parent)
            try_out(bundle)
            return _answer_once(Shelf(folder, size=1), bundle)
        except (
            BundleError
        ) as error:  # it may serve nobody: the others must not wait for it
            log.warning("%s", error)
    return None


def _answer_once(shelf: Shelf, bundle: Bundle) -> None:
    """Take a made-up unit all the way from its readings to its answer and its reasons."""
    ask = _made_up(bundle)
    for group in core.prepare(shelf, [ask]):
        risk_BH = core.newest_risks(bundle, group.latest.windows)
        driving = core.driving_outlooks(bundle, group.latest)
        core.assemble(bundle, group, risk_BH, driving)
    if bundle.background is not None:
        core.explanations(shelf, [ask], detailed=False)


def _made_up(bundle: Bundle) -> Ask:
    """Return an ask with random readings of every day, long enough for a score, limits, an event."""
    recipe = bundle.recipe
    days = 2 * (recipe.windows.lookback + BASELINE_DAYS)
    points = list(recipe.points)
    count = days * len(points)
    day_N = np.repeat(np.arange(FIRST_DAY, FIRST_DAY + days), len(points))
    filled = {
        "point_id": pa.array(points * days),
        "date": pa.array(day_N, pa.int32()),
        "value": pa.array(np.random.default_rng(0).normal(20, 2, count)),
        "lower_limit": pa.array(np.full(count, 10.0)),
        "upper_limit": pa.array(np.full(count, 30.0)),
    }
    columns = [
        filled[field.name].cast(field.type)
        if field.name in filled
        else pa.nulls(count, field.type)
        for field in CANONICAL
    ]
    kind = (*recipe.labels.kinds, "failure")[0]
    day = FIRST_DAY + days // 2
    return Ask(
        bundle_id=bundle.name,
        unit=MADE_UP,
        class_name=recipe.class_name,
        readings=compact(pa.table(columns, schema=CANONICAL)),
        events=[(*MADE_UP, kind, day, day, None)],
    )
