"""How often monitors alert where nothing changes, and what they find where something does.

    python benchmarks/monitors.py [--quick] [--fleets 200]

Fleets of 40 air handlers in 4 facilities with 3 points each, from `hvac.simulate` without a fault: season, weather
and load in common, gains that differ, gaps, stuck values, outliers, late files, marks. A year of reference, a year
watched; so one fleet is one fleet-year. Scores and labels are drawn beside them: a season, a common and an own
wandering, 3 classes; onsets by the risks that are shown, horizons 30, 60 and 90 days. Every threshold is chosen on its
own fleet's reference. What was settled by hand (half-life, tails, prior) was settled on seeds 0 to 39; the fleets
measured here have seeds from 10,000 on (bets: settled on 0 to 1,199, measured from 50,000 on). `steady` fleets have no
wandering; `wandering` ones the slow harmless drift of `simulate.wander: 0.6`, under which a drift of 0.8 is no news.

Planted, on the first days of the watched year: a drift of 0.8 standard deviations (day to day) in one point of 3 of 40
units; the cables of two points of one unit swapped; rates of onsets times 1.5. Beside the monitors: PSI > 0.2 and KS
p < 0.05 by month, ADWIN and KSWIN (river, `pip install river`; the extra `bench`) day by day, all on each point of each
unit, and an alarm every 100 days. Writes benchmarks/results/monitors.json.
"""

from __future__ import annotations

import datetime as dt
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

from support import Row, machine, parser, record  # isort: skip

import numpy as np
from scipy.stats import ks_2samp

from hvac.arrays import Bools, DayNumbers, Floats
from hvac.days import EPOCH
from hvac.monitor.bets import Bets, bet, disjoint
from hvac.monitor.data import (
    by_week,
    count_odd,
    odd_weeks,
    watch_data,
    without_marks,
)
from hvac.monitor.inputs import InputWeeks, watch_inputs
from hvac.monitor.monitor_settings import MonitorConfig
from hvac.monitor.periods import WEEK, PeriodMeans, first_day_of, week_means, week_of
from hvac.monitor.score_sums import score_sums, score_weeks, watch_scores
from hvac.panel.daily_readings import ALWAYS_KNOWN
from hvac.simulate.catalogue import KINDS
from hvac.simulate.faults import Life
from hvac.simulate.observation import Trouble, observe
from hvac.simulate.operation import climate, operate, settle_value
from hvac.simulate.towns import BUILDINGS, TOWNS

START = dt.date(2022, 1, 3)  # a Monday
FACILITIES, UNITS, POINTS = 4, 40, 3
REFERENCE, WATCHED = 52, 52  # weeks
WEEKS = range(
    week_of((START - EPOCH).days), week_of((START - EPOCH).days) + REFERENCE + WATCHED
)
DAYS = len(WEEKS) * WEEK
FIRST_SEED, LABEL_SEED = 10_000, 50_000
CONFIG = MonitorConfig()
WANDER = {"steady": 0.0, "wandering": 0.6}
HORIZONS = (30, 60, 90)
RATE = 1.15  # failures of a machine a year, as in the simulator
DRIFT, MOVED, FACTOR = 0.8, 3, 1.5
QUARTERS = 182  # days in which two quarters' labels are decided
PSI_LIMIT, KS_LIMIT = 0.2, 0.05
PLANTED = {"steady": 100, "wandering": 40}  # fleets in which something is planted, too
PEERS, RIVER_FLEETS = 40, 5  # fleets that the others look at
NEVER = 1e9  # days
WORKERS = 4
MONTH = 28
INPUT_CHARTS = ("drift", "jump", "common")


class Fleet(NamedTuple):
    """Readings [U, P, D] (nan: not read), the days they became known, facilities, and noise."""

    value_UPD: Floats
    known_UPD: DayNumbers
    facility_U: Any
    noise_UP: Floats


def fleet(seed: int, wander: float) -> Fleet:
    rng = np.random.default_rng(seed)
    kind = KINDS["ahu"]
    kind = kind._replace(points=kind.points[:POINTS])
    trouble = Trouble(gap_share=0.03, stuck_per_year=0.15, outlier_share=0.0005)
    parts, noises = [], []
    for facility in range(FACILITIES):
        place = (seed + facility) % len(TOWNS)
        building = BUILDINGS[place % len(BUILDINGS)]
        weather = climate(rng, TOWNS[place], building, start=START, days=DAYS)
        base = settle_value(rng, kind, units=UNITS // FACILITIES, noise=1.0)
        x_UPD = operate(rng, kind, base, weather, wander=wander)
        lives = [Life([], [])] * len(x_UPD)
        shown_UPD, there_UPD = observe(
            rng, x_UPD, base, trouble, lives=lives, weather=weather, fault_size=0.0
        )
        marked_UPD = rng.random(x_UPD.shape) < 1e-5
        shown_UPD = np.where(marked_UPD, -9999.0, shown_UPD)
        parts.append(np.where(there_UPD, shown_UPD, np.nan))
        noises.append(base.noise_UP * np.hypot(1.0, wander))
    value_UPD = np.concatenate(parts)
    facility_U = np.repeat(np.arange(FACILITIES), UNITS // FACILITIES)
    day_D = (START - EPOCH).days + np.arange(DAYS)
    late_FD = rng.random((FACILITIES, DAYS)) < 0.01
    late_UPD = late_FD[facility_U][:, None] & (rng.random((UNITS, 1, 1)) < 0.5)
    known_UPD = np.where(late_UPD, day_D + 5, ALWAYS_KNOWN)
    known_UPD = np.broadcast_to(known_UPD, value_UPD.shape).astype(np.int32)
    return Fleet(value_UPD, known_UPD, facility_U, np.concatenate(noises))


def inputs_of(made: Fleet) -> InputWeeks:
    """Weekly means beside the medians of the peers, as the step reads them."""
    first_UPD = made.value_UPD[..., :90]
    centre_UP1 = np.nanmedian(first_UPD, axis=2, keepdims=True)
    low, high = np.nanquantile(first_UPD, (0.25, 0.75), axis=2, keepdims=True)
    normal_UPD = (made.value_UPD - centre_UP1) / np.maximum(high - low, 1e-9)
    median_FPD = np.stack(
        [
            np.nanmedian(normal_UPD[made.facility_U == f], axis=0)
            for f in range(FACILITIES)
        ]
    )
    means = weekly(plain_readings(made), median_FPD[made.facility_U])
    kind_S = np.tile(np.arange(POINTS), UNITS)
    return InputWeeks(WEEKS, means, kind_S, weekly(median_FPD, median_FPD).value_PN)


def plain_readings(made: Fleet) -> Floats:
    """Leave marks for "no value" out, as the step does."""
    plain = []
    for value_PD, known_PD in zip(made.value_UPD, made.known_UPD, strict=True):
        readings = by_week(
            value_PD.T, known_PD.T, first_day=(START - EPOCH).days, weeks=WEEKS
        )
        value_PDC = without_marks(readings, REFERENCE).value_PDC
        plain.append(value_PDC.reshape(DAYS, POINTS).T)
    return np.stack(plain)


def weekly(value_XPD: Floats, level_XPD: Floats) -> PeriodMeans:
    value_DN, level_DN = (part.reshape(-1, DAYS).T for part in (value_XPD, level_XPD))
    first = (START - EPOCH).days
    return week_means(value_DN, level_DN, first_day=first, weeks=WEEKS)


def input_alerts(made: Fleet) -> list[tuple[str, int, int]]:
    """Chart, series and day (from the start of the watched year) of every alert."""
    found = []
    for chart in watch_inputs(inputs_of(made), REFERENCE, CONFIG):
        for alert in chart.alerts:
            day = (alert.period + 1) * chart.chart.every * WEEK - 1
            found.append((chart.chart.name, alert.series, day))
    return found


def data_alerts(made: Fleet) -> int:
    odd = []
    for value_PD, known_PD in zip(made.value_UPD, made.known_UPD, strict=True):
        readings = by_week(
            value_PD.T, known_PD.T, first_day=(START - EPOCH).days, weeks=WEEKS
        )
        odd.append(odd_weeks(readings, REFERENCE).sum(axis=1))
    odd_PFK = count_odd(made.facility_U, np.array(odd))[1]
    return sum(len(chart.alerts) for chart in watch_data(odd_PFK, REFERENCE, CONFIG))


def score_alerts(seed: int) -> int:
    """Scores of 3 classes of 40 machines: season, class's and machine's wandering."""
    rng = np.random.default_rng(seed)
    weeks = range(len(WEEKS))
    parts = []
    for name, level in (("ahu", -2.5), ("chiller", -2.0), ("pump", -3.0)):
        phase = rng.uniform(0, 2 * np.pi)
        season_P1 = (
            0.6 * np.cos(2 * np.pi * np.arange(len(weeks)) / 52.18 + phase)[:, None]
        )
        common_P1 = 0.15 * wandering(rng, (len(weeks), 1), 0.7)
        own_PU = 0.8 * wandering(rng, (len(weeks), UNITS), 0.9)
        odds_PU = level + season_P1 + common_P1 + own_PU
        week_PU = np.repeat(np.arange(len(weeks))[:, None], UNITS, axis=1)
        parts.append(
            score_sums(
                np.array([name] * odds_PU.size),
                week_PU.ravel(),
                odds_PU.ravel() > -1.2,
                odds_PU.ravel(),
                weeks,
            )
        )
    return len(watch_scores(score_weeks(parts, weeks), REFERENCE, CONFIG).alerts)


def wandering(
    rng: np.random.Generator, shape: tuple[int, int], memory: float
) -> Floats:
    value = rng.standard_normal(shape)
    for p in range(1, len(value)):
        value[p] = memory * value[p - 1] + np.sqrt(1 - memory**2) * value[p]
    return value


def labels(seed: int, years: int, change: int | None) -> dict[int, Bets]:
    """Bets on onsets of 40 machines; from a day on their rate is 1.5 times what risks say."""
    rng = np.random.default_rng(seed)
    days = round(years * 365.25)
    frailty_U1 = rng.gamma(4, 0.25, (UNITS, 1))
    day_D = np.arange(days + max(HORIZONS))
    season_D = 1 + 0.3 * np.cos(2 * np.pi * day_D / 365.25)
    own_UD = np.exp(0.5 * wandering(rng, (len(day_D), UNITS), 0.99).T - 0.125)
    hazard_UD = RATE / 365.25 * frailty_U1 * season_D * own_UD
    true_UD = hazard_UD * np.where(day_D >= (change or len(day_D)), FACTOR, 1.0)
    onset_UD = rng.random(true_UD.shape) < 1 - np.exp(-true_UD)
    bets = {}
    for horizon in HORIZONS:
        end_N = np.tile(np.arange(0, days - horizon, WEEK), UNITS)
        unit_N = np.repeat(np.arange(UNITS), len(end_N) // UNITS)
        keep = disjoint(unit_N, end_N + unit_N % WEEK, horizon)
        unit_N, end_N = unit_N[keep], end_N[keep] + unit_N[keep] % WEEK
        risk_N = 1 - np.exp(-ahead(hazard_UD, unit_N, end_N, horizon))
        seen_N = ahead(onset_UD.astype(float), unit_N, end_N, horizon) > 0
        bets[horizon] = Bets(risk_N, seen_N, (end_N + horizon).astype(np.int32))
    return bets


def ahead(value_UD: Floats, unit_N: Any, end_N: Any, horizon: int) -> Floats:
    """Sum over the days (end, end + horizon]."""
    sum_UD = np.cumsum(value_UD, axis=1)
    return np.asarray(sum_UD[unit_N, end_N + horizon] - sum_UD[unit_N, end_N])


def betting_days(seed: int, years: int, change: int | None) -> list[tuple[int, int]]:
    """Horizon and day of every alert of the bets."""
    found = []
    for horizon, bets in labels(seed, years, change).items():
        for alert in bet(bets, CONFIG.alerts_per_year / len(HORIZONS)).alerts:
            found.append((horizon, first_day_of(alert.week + 1) - 1))
    return found


def drifted(made: Fleet, seed: int) -> tuple[Fleet, list[int], int]:
    """Three units drift in one point from a day of the first 4 watched weeks on."""
    rng = np.random.default_rng(seed + 1)
    unit_M = rng.choice(UNITS, MOVED, replace=False)
    point_M = rng.integers(0, POINTS, MOVED)
    day = int(rng.integers(0, 28))
    value_UPD = made.value_UPD.copy()
    size_M1 = DRIFT * made.noise_UP[unit_M, point_M][:, None]
    value_UPD[unit_M, point_M, REFERENCE * WEEK + day :] += size_M1 * rng.choice(
        [-1, 1]
    )
    series = (unit_M * POINTS + point_M).tolist()
    return made._replace(value_UPD=value_UPD), series, day


def swapped(made: Fleet, seed: int) -> tuple[Fleet, list[int], int]:
    """The cables of two points of one unit are swapped."""
    rng = np.random.default_rng(seed + 2)
    unit = int(rng.integers(UNITS))
    one, other = rng.choice(POINTS, 2, replace=False).tolist()
    day = int(rng.integers(0, 28))
    value_UPD = made.value_UPD.copy()
    cut = np.s_[unit, [one, other], REFERENCE * WEEK + day :]
    value_UPD[cut] = made.value_UPD[unit, [other, one], REFERENCE * WEEK + day :]
    return (
        made._replace(value_UPD=value_UPD),
        [unit * POINTS + one, unit * POINTS + other],
        day,
    )


def delays(
    alerts: list[tuple[str, int, int]], series: list[int], day: int
) -> list[float]:
    """Days from the change to the first alert on each series; nan where there was none."""
    return [
        min(
            (float(at - day) for _, s, at in alerts if s == moved and at >= day),
            default=float("nan"),
        )
        for moved in series
    ]


def one_fleet(seed: int, world: str) -> dict[str, Any]:
    """All that is measured on one fleet-year; changes and peers on some fleets only."""
    made, number = fleet(seed, WANDER[world]), seed - FIRST_SEED
    quiet = input_alerts(made)
    found: dict[str, Any] = {
        "inputs": len(quiet),
        "charts": [name for name, _, _ in quiet],
    }
    if world == "steady":
        found["data"], found["scores"] = data_alerts(made), score_alerts(seed)
    if number >= PLANTED[world]:
        return found
    drift = drifted(made, seed)
    found["drift"] = delays(input_alerts(drift[0]), *drift[1:])
    if world == "steady":
        swap = swapped(made, seed)
        swap_delays = delays(input_alerts(swap[0]), *swap[1:])
        found["swap"] = [min([*(d for d in swap_delays if d == d), NEVER])]
        if number < PEERS:
            found["psi"] = monthly(made, drift, psi_moves)
            found["ks"] = monthly(made, drift, ks_moves)
    return found


def monthly(
    made: Fleet, drift: tuple[Fleet, list[int], int], moves: Any
) -> dict[str, Any]:
    """A rule by month on each series: alerts, months with any, and what it finds."""
    alerts_SM = moves(made.value_UPD)
    moved_SM = moves(drift[0].value_UPD)
    hit = []
    for s in drift[1]:
        months = np.flatnonzero(moved_SM[s] & (np.arange(1, 14) * MONTH > drift[2]))
        first = (months[0] + 1) * MONTH - 1 - drift[2] if len(months) else np.nan
        hit.append(float(first))
    return {
        "alerts": int(alerts_SM.sum()),
        "months": float(alerts_SM.any(axis=0).mean()),
        "drift": hit,
    }


def months_of(value_UPD: Floats) -> tuple[Floats, Floats]:
    value_SD = value_UPD.reshape(-1, DAYS)
    watched_SD = value_SD[:, REFERENCE * WEEK :]
    return value_SD[:, : REFERENCE * WEEK], watched_SD.reshape(len(value_SD), -1, MONTH)


def psi_moves(value_UPD: Floats) -> Bools:
    """Population stability index of each month's ten classes of the reference above 0.2."""
    before_SD, watched_SMD = months_of(value_UPD)
    moves = np.zeros(watched_SMD.shape[:2], bool)
    for s, before_D in enumerate(before_SD):
        edges = np.nanquantile(before_D, np.linspace(0.1, 0.9, 9))
        usual = shares(before_D, edges)
        for m, month_D in enumerate(watched_SMD[s]):
            now = shares(month_D, edges)
            moves[s, m] = ((now - usual) * np.log(now / usual)).sum() > PSI_LIMIT
    return moves


def shares(value_D: Floats, edges: Floats) -> Floats:
    known = value_D[np.isfinite(value_D)]
    count = np.bincount(np.searchsorted(edges, known), minlength=10) + 1e-4
    return np.asarray(count / count.sum())


def ks_moves(value_UPD: Floats) -> Bools:
    before_SD, watched_SMD = months_of(value_UPD)
    moves = np.zeros(watched_SMD.shape[:2], bool)
    for s, before_D in enumerate(before_SD):
        usual = before_D[np.isfinite(before_D)]
        for m, month_D in enumerate(watched_SMD[s]):
            now = month_D[np.isfinite(month_D)]
            if len(now):
                found = ks_2samp(usual, now, method="asymp")
                moves[s, m] = found.pvalue < KS_LIMIT
    return moves


def streamed(seed: int, name: str) -> dict[str, Any]:
    """River's detector on every series of a fleet, before and after a drift; None without river."""
    from river import drift as river_drift

    made = fleet(seed, 0.0)
    change = drifted(made, seed)
    detector = getattr(river_drift, name)

    def alarms(value_D: Floats) -> list[int]:
        before = value_D[: REFERENCE * WEEK]
        centre, spread = np.nanmean(before), np.nanstd(before)
        watching, days = detector(), []
        for day, value in enumerate(((value_D - centre) / spread).tolist()):
            if value == value:
                watching.update(value)
                if watching.drift_detected:
                    days.append(day - REFERENCE * WEEK)
        return [day for day in days if day >= 0]

    alerts = [alarms(value_D) for value_D in made.value_UPD.reshape(-1, DAYS)]
    hit = []
    for s in change[1]:
        later = [
            day
            for day in alarms(change[0].value_UPD.reshape(-1, DAYS)[s])
            if day >= change[2]
        ]
        hit.append(float(later[0] - change[2]) if later else float("nan"))
    return {
        "alerts": sum(map(len, alerts)),
        "per_series": float(np.mean([len(each) for each in alerts])),
        "drift": hit,
    }


def measure(fleets: int) -> dict[str, Any]:
    seeds = range(FIRST_SEED, FIRST_SEED + fleets)
    found: dict[str, Any] = {"fleets": fleets, "worlds": {}}
    with ProcessPoolExecutor(WORKERS) as pool:
        for world in WANDER:
            some = seeds if world == "steady" else seeds[: fleets // 2]
            each = list(pool.map(one_fleet, some, [world] * len(some), chunksize=2))
            found["worlds"][world] = summary(each)
        found["calibration"] = calibration(pool, fleets)
        found["streams"] = streams(pool, min(fleets, RIVER_FLEETS))
    return found


def summary(each: list[dict[str, Any]]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for name in ("data", "inputs", "scores"):
        counts = [one[name] for one in each if name in one]
        if counts:
            facts[name] = rate(counts)
    charts = [name for one in each for name in one["charts"]]
    by_chart = {name: charts.count(name) / len(each) for name in INPUT_CHARTS}
    facts["inputs"]["by_chart"] = by_chart
    for name, days in (("drift", 365), ("swap", 14)):
        delay_N = [delay for one in each for delay in one.get(name, [])]
        if delay_N:
            facts[name] = found_within(delay_N, days)
    for name in ("psi", "ks"):
        rows = [one[name] for one in each if name in one]
        if rows:
            facts[name] = {
                **rate([row["alerts"] for row in rows]),
                "months_with_an_alert": round(float(np.mean([row["months"] for row in rows])), 3),
                "drift": found_within([d for row in rows for d in row["drift"]], 365),
            }  # fmt: skip
    return facts


def rate(counts: list[int]) -> dict[str, Any]:
    """Alerts per fleet-year with their 95 % interval over fleets."""
    rng = np.random.default_rng(0)
    drawn = rng.choice(np.array(counts, float), (2000, len(counts))).mean(axis=1)
    return {
        "per_fleet_year": round(float(np.mean(counts)), 3),
        "interval": np.quantile(drawn, (0.025, 0.975)).round(3).tolist(),
        "fleet_years": len(counts),
    }


def found_within(delay_N: list[float], days: int) -> dict[str, Any]:
    delay = np.array(delay_N)
    hit = delay[delay <= days]
    return {
        "planted": len(delay),
        "found": round(float(np.mean(np.nan_to_num(delay, nan=NEVER) <= days)), 3),
        "median_delay": round(float(np.median(hit)), 1) if len(hit) else None,
    }


def calibration(pool: ProcessPoolExecutor, fleets: int) -> dict[str, Any]:
    """Four years without a change, the first of them begins without wealth; then rates times 1.5."""
    years, change = 5, 2 * 365
    seeds = range(LABEL_SEED, LABEL_SEED + max(fleets // 4, 2))
    quiet = list(
        pool.map(betting_days, seeds, [years] * len(seeds), [None] * len(seeds))
    )
    planted = range(LABEL_SEED + 10_000, LABEL_SEED + 10_000 + fleets)
    changes = [change + 7 * (seed % 52) for seed in planted]
    found = list(pool.map(betting_days, planted, [years] * len(planted), changes))
    delay = []
    for alerts, day in zip(found, changes, strict=True):
        in_time = [at - day for h, at in alerts if 0 <= at - day <= QUARTERS + h + WEEK]
        delay.append(float(min(in_time)) if in_time else float("nan"))
    counts = [len(alerts) / years for alerts in quiet]
    return {
        **rate(counts),
        "fleet_years": len(counts) * years,
        "changed": found_within(delay, 10_000),
    }


def streams(pool: ProcessPoolExecutor, fleets: int) -> dict[str, Any]:
    try:
        import river  # noqa: F401
    except ModuleNotFoundError:
        return {}
    seeds = range(FIRST_SEED, FIRST_SEED + fleets)
    facts = {}
    for name in ("ADWIN", "KSWIN"):
        each = list(pool.map(streamed, seeds, [name] * fleets))
        facts[name] = {
            **rate([one["alerts"] for one in each]),
            "per_point_and_year": round(float(np.mean([one["per_series"] for one in each])), 2),
            "drift": found_within([d for one in each for d in one["drift"]], 365),
        }  # fmt: skip
    return facts


def rows_of(found: dict[str, Any]) -> list[Row]:
    steady, wandering_world = found["worlds"]["steady"], found["worlds"]["wandering"]
    beside = "; ".join(peer_texts(found))
    rows = []
    measured = {
        "data": steady["data"],
        "inputs": steady["inputs"],
        "inputs, wandering": wandering_world["inputs"],
        "scores": steady["scores"],
        "calibration": found["calibration"],
    }
    for name, facts in measured.items():
        told = f"{facts['per_fleet_year']:.2f} {facts['interval']}, {facts['fleet_years']} fleet-years"
        peer = beside if name == "inputs" else ""
        met = facts["per_fleet_year"] <= 1.5 * CONFIG.alerts_per_year
        rows.append(
            Row(
                f"alerts per fleet-year where nothing changes, {name} (declared {CONFIG.alerts_per_year:g})",
                "≤ 1.5× declared", told, peer, met,
            )
        )  # fmt: skip
    planted = (
        (f"a drift of {DRIFT} standard deviations in {MOVED} of {UNITS} units, found in a year", 0.6, steady["drift"]),
        ("the same in fleets that wander harmlessly", None, wandering_world["drift"]),
        ("two points' cables swapped, found within 14 days", 0.95, steady["swap"]),
        (f"rates × {FACTOR}, found within two matured quarters", 0.6, found["calibration"]["changed"]),
    )  # fmt: skip
    for what, bar, facts in planted:
        told = f"{facts['found']:.0%} of {facts['planted']}, median {facts['median_delay']} days"
        peer = drift_peers(found) if what.startswith("a drift") else ""
        rows.append(
            Row(
                what, f"≥ {bar:.0%}" if bar else "", told, peer,
                facts["found"] >= bar if bar else None,
            )
        )  # fmt: skip
    return rows


def peer_texts(found: dict[str, Any]) -> list[str]:
    steady = found["worlds"]["steady"]
    texts = [
        f"{label}: {steady[name]['per_fleet_year']:.0f} (in {steady[name]['months_with_an_alert']:.0%} of months)"
        for name, label in (("psi", "PSI > 0.2"), ("ks", "KS p < 0.05"))
    ]
    texts += [
        f"{name}: {facts['per_fleet_year']:.0f} ({facts['per_point_and_year']} a point)"
        for name, facts in found["streams"].items()
    ]
    return [*texts, "every 100 days: 3.65"]


def drift_peers(found: dict[str, Any]) -> str:
    steady = found["worlds"]["steady"]
    peers = {"PSI": steady["psi"], "KS": steady["ks"], **found["streams"]}
    texts = [
        f"{name} {facts['drift']['found']:.0%}, {facts['drift']['median_delay']} days"
        for name, facts in peers.items()
    ]
    return "; ".join([*texts, "every 100 days: all, 50 days, no unit named"])


def main() -> None:
    command = parser(__doc__)
    command.add_argument(
        "--fleets", type=int, default=200, help="fleet-years per world"
    )
    asked = command.parse_args()
    started = time.perf_counter()
    where = machine(["numpy", "scipy", "river"], 2)
    found = measure(4 if asked.quick else asked.fleets)
    found["seconds"] = round(time.perf_counter() - started)
    record("monitors", where, rows_of(found), found, asked.quick)


if __name__ == "__main__":
    main()
