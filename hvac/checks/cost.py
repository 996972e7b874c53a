"""Minutes and memory that a run is likely to take: a rough model, within a factor of three.

Calibrated on `benchmarks/results/pipeline.json` and `benchmarks/results/scale.json` (2 cores, the
families `hybrid` and `fusion`). Networks that read raw days take longer.
"""

from __future__ import annotations

from typing import Final, NamedTuple

MEASURED_CPUS: Final = 2
START: Final = 20.0  # seconds: Ray, imports
FAMILY_SECONDS: Final = {"fusion": 2.5e-3}  # of training, per window
OTHER_FAMILY: Final = 1.2e-3
BASE_GB: Final = 0.8  # driver and Ray
WORKER_GB: Final = 1.2  # per CPU
WINDOW_BYTES: Final = 512  # of a point's window in the table
COPIES: Final = 4  # of the table in memory while a class is trained


class RunCost(NamedTuple):
    """Seconds by step, and memory of all processes in GB."""

    seconds: dict[str, float]
    memory_gb: float

    @property
    def minutes(self) -> float:
        """Return the minutes of all steps together."""
        return sum(self.seconds.values()) / 60


def expected_cost(
    *, readings: int, windows: int, points: float, machines: int, family: str, cpus: int
) -> RunCost:
    """Return what a run is likely to take.

    Args:
        readings: readings in all.
        windows: windows that train, validate and test.
        points: points of a window, on average.
        machines: machines that are scored.
        family: the family of models.
        cpus: CPUs that the run may use.

    >>> cost = expected_cost(
    ...     readings=1_500_000, windows=33_000, points=5, machines=288, family="fusion", cpus=2
    ... )
    >>> round(cost.minutes, 1), round(cost.memory_gb, 1)
    (4.4, 3.5)
    """
    share = MEASURED_CPUS / max(cpus, 1)
    seconds = {
        "start": START,
        "ingest": 4 + 3e-6 * readings * share,
        "featurize": 10 + 2e-4 * windows * points * share,
        "train": 15 + FAMILY_SECONDS.get(family, OTHER_FAMILY) * windows * share,
        "evaluate": 20 + 2e-3 * windows * share,
        "score": 5 + 1e-2 * machines * share,
    }
    table_gb = windows * points * WINDOW_BYTES * COPIES / 1e9
    return RunCost(seconds, BASE_GB + WORKER_GB * max(cpus, 1) + table_gb)
