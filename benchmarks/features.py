"""How long the 28 statistics take: ours beside the scipy oracle, pandas, numpy and two feature libraries, on one core.

    python benchmarks/features.py [--quick]

writes benchmarks/results/features.json. All figures are of one run: the candidates take turns, round after round, and
each keeps its shortest wall time, so that other work on the machine disturbs the ratios least. Peers that are not
installed are recorded as such (pip install pycatch22 tsfresh). The pandas loop uses pandas' own (unbiased) skewness and
kurtosis, and the peers compute other features: their rows say what a vector costs there, not the same vector.

Shapes: N series, L lookback days (90), F features (28).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from support import Row, machine, parser, record, shortest

import numpy as np  # isort: skip  (after the thread limits that support sets)
import numpy.typing as npt  # isort: skip
import pandas as pd  # isort: skip

from hvac.features.statistics import FEATURE_NAMES, statistics  # isort: skip

FloatArray = npt.NDArray[np.float64]
Run = Callable[[FloatArray], object]

SERIES, DAYS = 5_000, 90
ROUNDS = 40
PACKAGES = ("numpy", "numba", "scipy", "pandas", "pycatch22", "tsfresh")
BAR_MICROSECONDS, BAR_RATIO = 6.0, 400.0


def main() -> None:
    quick = parser(__doc__).parse_args().quick
    where = machine(PACKAGES, cores=1)
    rows = measure(simulated_series(), rounds=2 if quick else ROUNDS)
    ours = rows["ours"]["microseconds_per_series"]
    for row in rows.values():
        if "microseconds_per_series" in row:
            row["times_ours"] = round(row["microseconds_per_series"] / ours, 1)
    print_table(rows)
    bars = {"microseconds_per_series": BAR_MICROSECONDS, "times_oracle": BAR_RATIO}
    found = {
        "days": DAYS,
        "features": len(FEATURE_NAMES),
        "bars": bars,
        "results": rows,
    }
    record("features", where, summary(rows), found, quick)


def summary(rows: dict[str, dict[str, Any]]) -> list[Row]:
    ours, ratio = (
        rows["ours"]["microseconds_per_series"],
        rows["scipy_oracle"]["times_ours"],
    )
    peers = ("numpy_vectorised", "pandas_loop", "pycatch22", "tsfresh_minimal")
    others = [
        f"{name} {rows[name].get('microseconds_per_series', 'not installed')}"
        for name in peers
    ]
    return [
        Row(
            what=f"28 features, float64, {DAYS} days, one core",
            bar=f"≤ {BAR_MICROSECONDS:g} µs a series",
            measured=f"{ours:.2f} µs",
            peer="µs a series: " + ", ".join(others),
            met=ours <= BAR_MICROSECONDS,
        ),
        Row(
            what="the same, times faster than the oracle",
            bar=f"≥ {BAR_RATIO:g}×",
            measured=f"{ratio:.0f}×",
            peer=f"scipy, one by one: {rows['scipy_oracle']['microseconds_per_series']:.0f} µs",
            met=ratio >= BAR_RATIO,
        ),
    ]


def simulated_series() -> FloatArray:
    """Random walks with daily noise: neither sorted nor smooth, as readings of equipment are."""
    rng = np.random.default_rng(0)
    return (
        20
        + 0.1 * rng.normal(size=(SERIES, DAYS)).cumsum(axis=1)
        + rng.normal(size=(SERIES, DAYS))
    )


def measure(x_NL: FloatArray, rounds: int) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    calls: dict[str, Callable[[], object]] = {}
    for name, optional, count, prepare in CANDIDATES:
        try:
            run, features = prepare()
            calls[name] = partial(run, x_NL[:count])
            calls[name]()  # compile, import, warm the caches
            rows[name] = {"series": count, "features": features}
        except ImportError as error:
            if not optional:
                raise
            calls.pop(name, None)
            rows[name] = {"skipped": f"not installed: {error}"}
    for name, seconds in shortest(calls, rounds).items():
        rows[name]["microseconds_per_series"] = round(
            seconds / rows[name]["series"] * 1e6, 3
        )
    return rows


def ours() -> tuple[Run, int]:
    return lambda x_NL: statistics(x_NL[:, None, :]), len(FEATURE_NAMES)


def ours_float32() -> tuple[Run, int]:
    small_NL = simulated_series().astype(np.float32)
    return lambda x_NL: statistics(small_NL[: len(x_NL), None, :]), len(FEATURE_NAMES)


def scipy_oracle() -> tuple[Run, int]:
    from tests.reference.statistics_oracle import statistics_oracle

    return lambda x_NL: [statistics_oracle(x_L) for x_L in x_NL], len(FEATURE_NAMES)


def pandas_loop() -> tuple[Run, int]:
    return lambda x_NL: [pandas_features(pd.Series(x_L)) for x_L in x_NL], len(
        FEATURE_NAMES
    )


def pandas_features(x: pd.Series) -> list[float]:
    """What one writes first: a Series per window, one method per feature."""
    std, mean, q25, q75 = x.std(ddof=0), x.mean(), x.quantile(0.25), x.quantile(0.75)
    step, drawdown = x.diff().dropna(), x.cummax() - x
    slope, intercept = np.polyfit(np.arange(len(x)), x, 1)
    recent, past = x.iloc[-30:].mean(), x.iloc[-60:-30].mean()
    rolling = [x.rolling(days).std(ddof=0) for days in (7, 14, 30)]
    return [
        *(
            mean,
            std,
            x.min(),
            x.max(),
            x.median(),
            x.max() - x.min(),
            q25,
            q75,
            q75 - q25,
        ),
        *(
            x.skew(),
            x.kurt(),
            std / abs(mean),
            slope,
            intercept,
            recent / past,
            recent - past,
        ),
        *(
            (x.iloc[-1] - x.iloc[-10]) / 10,
            step.mean(),
            step.std(ddof=0),
            step.abs().mean(),
        ),
        *(figure for std_L in rolling for figure in (std_L.mean(), std_L.max())),
        *(drawdown.max(), drawdown.mean()),
    ]


def numpy_vectorised() -> tuple[Run, int]:
    return numpy_features, len(FEATURE_NAMES)


def numpy_features(x_NL: FloatArray) -> FloatArray:
    """All series at once, without compiling anything."""
    day_L = np.arange(x_NL.shape[1]) - (x_NL.shape[1] - 1) / 2
    mean, std = x_NL.mean(1), x_NL.std(1)
    z_NL = (x_NL - mean[:, None]) / std[:, None]
    q25, median, q75 = np.quantile(x_NL, [0.25, 0.5, 0.75], axis=1)
    low, high = x_NL.min(1), x_NL.max(1)
    slope = x_NL @ day_L / (day_L @ day_L)
    recent, past = x_NL[:, -30:].mean(1), x_NL[:, -60:-30].mean(1)
    step_NL, drawdown_NL = (
        np.diff(x_NL, axis=1),
        np.maximum.accumulate(x_NL, axis=1) - x_NL,
    )
    windows = (
        np.lib.stride_tricks.sliding_window_view(x_NL, days, axis=1).std(-1)
        for days in (7, 14, 30)
    )
    columns = [
        *(mean, std, low, high, median, high - low, q25, q75, q75 - q25),
        *((z_NL**3).mean(1), (z_NL**4).mean(1) - 3, std / np.abs(mean)),
        *(
            slope,
            mean + slope * day_L[0],
            recent / past,
            recent - past,
            (x_NL[:, -1] - x_NL[:, -10]) / 10,
        ),
        *(step_NL.mean(1), step_NL.std(1), np.abs(step_NL).mean(1)),
        *(figure for std_NW in windows for figure in (std_NW.mean(1), std_NW.max(1))),
        *(drawdown_NL.max(1), drawdown_NL.mean(1)),
    ]
    return np.stack(columns, axis=1)


def catch22() -> tuple[Run, int]:
    import pycatch22

    return lambda x_NL: [pycatch22.catch22_all(x_L) for x_L in x_NL.tolist()], 22


def tsfresh_minimal() -> tuple[Run, int]:
    from tsfresh import extract_features
    from tsfresh.feature_extraction import MinimalFCParameters

    def run(x_NL: FloatArray) -> object:
        long = pd.DataFrame(
            {
                "id": np.repeat(np.arange(len(x_NL)), DAYS),
                "day": np.tile(np.arange(DAYS), len(x_NL)),
            }
        )
        long["value"] = x_NL.ravel()
        return extract_features(
            long,
            column_id="id",
            column_sort="day",
            default_fc_parameters=MinimalFCParameters(),
            n_jobs=0,
            disable_progressbar=True,
        )

    return run, len(MinimalFCParameters())


# name, optional, number of series, how to prepare it
CANDIDATES: tuple[tuple[str, bool, int, Callable[[], tuple[Run, int]]], ...] = (
    ("ours", False, SERIES, ours),
    ("ours_float32", False, SERIES, ours_float32),
    ("scipy_oracle", False, 20, scipy_oracle),
    ("pandas_loop", False, 20, pandas_loop),
    ("numpy_vectorised", False, 500, numpy_vectorised),
    ("pycatch22", True, 100, catch22),
    ("tsfresh_minimal", True, 200, tsfresh_minimal),
)


def print_table(rows: dict[str, dict[str, Any]]) -> None:
    print(f"{'':<18}{'series':>8}{'features':>10}{'µs/series':>12}{'× ours':>10}")
    for name, row in rows.items():
        if "skipped" in row:
            print(f"{name:<18}{row['skipped']}")
        else:
            print(
                f"{name:<18}{row['series']:>8}{row['features']:>10}{row['microseconds_per_series']:>12.2f}"
                f"{row['times_ours']:>10.1f}"
            )


if __name__ == "__main__":
    main()
