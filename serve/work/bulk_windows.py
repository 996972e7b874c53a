"""Predictions of ready windows, many at once: each goes to the bundle of its facility and class."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import pyarrow as pa

from serve import service_metrics
from serve.bodies.problems import Unknown
from serve.graph.stages import Stages
from serve.memory.store import ALL
from serve.work.bundle_choice import BundleChoice
from serve.work.request_limits import check_count, within
from serve.work.risk_rows import check_risks


async def predict_windows(
    choice: BundleChoice, stages: Stages, table: pa.Table, sees: Callable[[str], bool]
) -> pa.Table:
    """Predict ready windows; rows in their order, by horizon (columns: see `api.bulk`).

    Raises:
        TooMuch, TooSlow: there are too many, or there is no answer in time.
        Unknown, Refused: a facility is not of the caller's, or no bundle scores a class.
    """
    limits = choice.config.limits
    check_count(table.num_rows, limits.windows, "windows")
    numbers = pa.array(range(table.num_rows), pa.int64())
    numbered = table.append_column("row", numbers)
    parts = await asyncio.to_thread(_by_bundle, choice, numbered, sees)
    answers_to_come = asyncio.gather(*(stages.bulk(part) for part in parts))
    predictions = await within(answers_to_come, limits)
    answers = []
    for (_, windows), answer in zip(parts, predictions, strict=True):
        answers.append(_with_rows(answer, windows["row"].to_pylist()))
    for answer in answers:
        check_risks(answer["risk"].to_pylist(), answer["bundle_id"])
    order = [("row", "ascending"), ("horizon", "ascending")]
    joined = pa.concat_tables(answers).sort_by(order)
    for facility, count in Counter(table["facility_id"].to_pylist()).items():
        service_metrics.WINDOWS.labels(choice.label(facility), "ok").inc(count)
    return joined.drop_columns(["row"])


def _by_bundle(
    choice: BundleChoice, table: pa.Table, sees: Callable[[str], bool]
) -> list[tuple[str, pa.Table]]:
    facilities = table["facility_id"].to_pylist()
    classes = [ALL] * len(facilities)
    if "class" in table.column_names:
        classes = table["class"].to_pylist()
    strangers = sorted({str(f) for f in facilities if f is None or not sees(f)})
    if strangers:
        raise Unknown(f"facility {strangers[0]} is not known to this key")
    of_bundle: dict[str, list[int]] = {}
    for row, (facility, name) in enumerate(zip(facilities, classes, strict=True)):
        of_bundle.setdefault(choice.bundle_for(facility, name or ALL), []).append(row)
    return [(bundle, table.take(pa.array(rows))) for bundle, rows in of_bundle.items()]


def _with_rows(answer: pa.Table, rows: list[int]) -> pa.Table:
    """Add the number of its window to each row of an answer: a row per window and horizon."""
    per_window = len(answer) // max(len(rows), 1)
    numbers = [row for row in rows for _ in range(per_window)]
    return answer.append_column("row", pa.array(numbers))
