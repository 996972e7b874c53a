"""Prometheus metrics of the service.

With PROMETHEUS_MULTIPROC_DIR set (as `python -m serve` does) `/metrics` shows the sum over all
processes of the node: ingress, features, model, forecast.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
REGISTRY = CollectorRegistry()

REQUESTS = Counter(
    "hvac_requests",
    "Requests by route and status.",
    ["route", "status"],
    registry=REGISTRY,
)
REQUEST_SECONDS = Histogram(
    "hvac_request_seconds",
    "Time to answer.",
    ["route"],
    buckets=SECONDS,
    registry=REGISTRY,
)
STAGE_SECONDS = Histogram(
    "hvac_stage_seconds",
    "Time in a stage.",
    ["stage"],
    buckets=SECONDS,
    registry=REGISTRY,
)
BATCH_SIZE = Histogram(
    "hvac_batch_size",
    "Requests in one batch of a stage.",
    ["stage"],
    buckets=SIZES,
    registry=REGISTRY,
)
WINDOWS = Counter(
    "hvac_windows",
    "Windows scored, by facility and status.",
    ["facility", "status"],
    registry=REGISTRY,
)
ALARMS = Counter(
    "hvac_alarms",
    "Alarms given, by facility and horizon (days).",
    ["facility", "days"],
    registry=REGISTRY,
)
READINGS = Counter(
    "hvac_readings", "Readings stored, by facility.", ["facility"], registry=REGISTRY
)
UNKNOWN_READINGS = Counter(
    "hvac_unknown_readings",
    "Readings stored of points that no bundle looks at, by facility.",
    ["facility"],
    registry=REGISTRY,
)
IN_FLIGHT = Gauge(
    "hvac_in_flight",
    "Requests being worked on.",
    registry=REGISTRY,
    multiprocess_mode="livesum",
)
STALE = Gauge(
    "hvac_stale",
    "Equipment that waits to be scored again.",
    registry=REGISTRY,
    multiprocess_mode="max",
)

ASIDE = Gauge(
    "hvac_set_aside",
    "Equipment that cannot be scored.",
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)
ROUNDS_FAILED = Counter(
    "hvac_rescoring_failed",
    "Rounds of scoring again that failed whole.",
    registry=REGISTRY,
)
OPEN_CASES = Gauge(
    "hvac_open_cases",
    "Open cases, by state.",
    ["state"],
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)
MONITOR_ALERTS = Gauge(
    "hvac_monitor_alerts",
    "Alerts of a monitor since it watches, but of machines that failed or alarmed.",
    ["monitor"],
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)
MONITOR_DECLARED = Gauge(
    "hvac_monitor_declared",
    "Alerts of a monitor that are declared for the time that it watched.",
    ["monitor"],
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)
SHADOW = Counter(
    "hvac_shadow_windows",
    "Windows that a challenger was to score beside the champion, by outcome (kept, failed, dropped).",
    ["outcome"],
    registry=REGISTRY,
)
CANARY = Gauge(
    "hvac_canary_facilities",
    "Facilities in which a challenger speaks, before it may in all.",
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)
NOTICES = Counter(
    "hvac_notices",
    "Notifications of new alarms, by kind of target and outcome (sent, failed, given_up).",
    ["kind", "outcome"],
    registry=REGISTRY,
)
NOTICES_WAITING = Gauge(
    "hvac_notices_waiting",
    "Notifications of new alarms that wait to be sent.",
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)


@contextmanager
def timed(stage: str) -> Iterator[None]:
    """Measure the time in a stage."""
    started = time.perf_counter()
    try:
        yield
    finally:
        STAGE_SECONDS.labels(stage).observe(time.perf_counter() - started)


def exposition() -> bytes:
    """Return all metrics as text."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
