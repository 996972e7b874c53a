"""What a monitor found: rows of alerts, facts for the summary, or what it waits for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from hvac.json_values import Json
from hvac.monitor.alerts import AlertRow
from hvac.monitor.charts import Charted
from hvac.words import LANGUAGES, Texts, read_texts


class Found(NamedTuple):
    """What a monitor found: rows, facts for the summary, or what it waits for, by language.

    `explained` counts the alerts whose machine is known to have failed or alarmed.
    """

    rows: list[AlertRow]
    facts: dict[str, Json]
    waits: Mapping[str, str] = {}
    explained: int = 0


def waiting(monitor: str, **words: object) -> Found:
    """Return what a monitor waits for, as one sentence in each language."""
    tree = read_texts("hvac.monitor", "texts.yaml")
    return Found(
        [],
        {},
        {
            language: Texts(language, tree)(f"sentence.waiting.{monitor}", **words)
            for language in LANGUAGES
        },
    )


def chart_facts(charts: Sequence[Charted]) -> dict[str, Json]:
    """Return what each chart declares and measured; nan is told as none."""
    facts: dict[str, Json] = {}
    for found in charts:
        known = np.isfinite(found.threshold)
        facts[found.chart.name] = {
            "declared_per_year": found.chart.alerts_per_year,
            "threshold": found.threshold if known else None,
            "series": found.series,
            "alerts": len(found.alerts),
            "watched_years": round(found.watched_years, 3),
        }
    return facts
