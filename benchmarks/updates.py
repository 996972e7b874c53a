"""Do updates of a serving model help where it drifted, and leave it alone where it did not?

    python benchmarks/updates.py [--quick]

Made-up fleets of 288 machines in 6 classes (the demo's): a latent state wanders (autoregressive, 0.97 a day), onsets
come at a rate that grows with it, and a logistic line that was fitted on other fleets gives the risks of three
horizons every week. After a year of matured labels one update is made (`hvac.update`: rolling origins over the last
180 days, gate), and judged on the half year that follows, by the paired difference of the log-loss over
machines. Drift is planted from day 200 on: rates times 1.5 or 2, the score's scale times 0.4, 0.6 or 1.8 (as of a
sensor that was changed), a failure mode that the score does not see.

Beside each world stands what its true lines would have come to (fitted on 6,000 other machines of it, after the
drift), and what lines fitted on the judged half year itself gain, which flatters. Worlds that are `tried monthly`
get an update every month of the half year until one serves, as in a plant; risks are frozen until then. What was
chosen of `hvac.update` was chosen on seeds from 100 on; the fleets measured here have seeds from 0 on.

The threshold's controller runs for a year in which the base rate doubles little by little, one step a month; beside
it, for a year in which it doubles on the first day (a step of 0.1 cannot follow that).

Fleets are of scores, not of readings: a run of the whole pipeline for each would take hours.
Writes results/updates.json.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from support import Row, machine, parser, record  # isort: skip

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from hvac.decision.alarm_episodes import alarm_episodes, merge_gap
from hvac.logistic_line import line_loss
from hvac.update.bends import bent_log_odds, fit_bends
from hvac.update.ladder import LINES, Rung, climb, less_loss, mean_loss, origins_of
from hvac.update.matured import Matured
from hvac.update.promotion_gate import check_gate
from hvac.update.threshold_steps import next_step

HORIZONS = (30, 60, 90)
CLASSES, UNITS, DAYS, STRIDE = 6, 288, 720, 7
DRIFT_FROM, NOW, JUDGED_DAYS = 200, 540, 180
FLEETS, QUICK_FLEETS = 20, 3
MONTHS = range(NOW, NOW + JUDGED_DAYS, 30)
MODEL_SEED, TRUE_SEED = 9_999, 9_998
BAR_HARMED, BAR_HELPED = 1, 15
BUDGET = 1.0
DECLARED, MONTH, YEAR_FROM = 1.0, 30, 360
BAR_RATE = 0.30


@dataclass(frozen=True)
class World:
    """How a fleet behaves from `DRIFT_FROM` on."""

    rate: float = 1.0
    scale: float = 1.0
    unseen: float = 0.0


Lines = dict[int, np.ndarray]  # slope and intercept by horizon
WORLDS = {
    "no drift": World(),
    "rates x 1.5": World(rate=1.5),
    "rates x 2": World(rate=2.0),
    "score's scale x 0.6": World(scale=0.6),
    "score's scale x 0.4": World(scale=0.4),
    "score's scale x 1.8": World(scale=1.8),
    "unseen failure mode": World(unseen=0.004),
}
MONTHLY = ("no drift", "rates x 1.5", "score's scale x 0.6")


def main() -> None:
    """Every world, the controller, the file."""
    asked = parser(__doc__).parse_args()
    fleets = QUICK_FLEETS if asked.quick else FLEETS
    lines = fitted_lines(MODEL_SEED, World(), units=1_500, days=400)
    rows: list[Row] = []
    figures: dict[str, Any] = {}
    for name, world in WORLDS.items():
        true_lines = fitted_lines(TRUE_SEED, world, units=6_000, since=NOW)
        once, monthly = [], []
        for seed in range(fleets):
            made = Made.of(seed, world, lines, true_lines)
            once.append(updated(made, (NOW,)))
            if name in MONTHLY:
                monthly.append(updated(made, MONTHS))
        figures[name] = once
        rows.append(world_row(name, once))
        if monthly:
            tried = f"{name}, tried monthly"
            figures[tried] = monthly
            rows.append(world_row(tried, monthly))
    for name, sudden in (("little by little", False), ("on the first day", True)):
        steered = [steer(seed, lines, sudden=sudden) for seed in range(fleets)]
        figures[f"controller, {name}"] = steered
        rows += controller_rows(name, steered, judged=not sudden)
    record("updates", machine(("numpy", "scipy"), 1), rows, figures, asked.quick)


def world_row(name: str, told: list[dict[str, Any]]) -> Row:
    """Count what was done, and what came of it."""
    harmed = sum(one["after"] == "worse" for one in told)
    helped = sum(one["after"] == "better" for one in told)
    nothing = sum(one["after"] == "same" for one in told)
    gained = np.mean([one["less_loss"][0] for one in told])
    measured = (
        f"better in {helped}, worse in {harmed} of {len(told)}; did nothing in {nothing};"
        f" log-loss {gained:.4f} lower"
    )
    bar = round(BAR_HELPED * len(told) / FLEETS)
    if name.startswith("no drift"):
        least, peer = f"worse in <= {BAR_HARMED}", oracle_text(told, 0)
        return Row(name, least, measured, peer, harmed <= BAR_HARMED)
    peer = oracle_text(told, bar)
    return Row(name, f"better in >= {bar}", measured, peer, helped >= bar)


def oracle_text(told: list[dict[str, Any]], bar: int) -> str:
    """Tell what the true lines come to, and what lines fitted on the judged half year gain."""
    truly = [one["true_lines"] for one in told]
    helped = sum(one["verdict"] == "better" for one in truly)
    gained = np.mean([one["less_loss"][0] for one in truly])
    seen = np.mean([one["fitted_on_judged"] for one in told])
    below = ", fewer than the bar" if helped < bar else ""
    return (
        f"true lines: better in {helped} of {len(told)}{below}, {gained:.4f} lower;"
        f" fitted on the judged half year itself {seen:.4f}"
    )


def fitted_lines(
    seed: int, world: World, *, units: int, days: int = DAYS, since: int = -1
) -> Lines:
    """Fit the line of each horizon on machines that are used for nothing else."""
    rows = fleet(seed, world, units=units, days=days)
    lines = {}
    for horizon in HORIZONS:
        of = (rows["horizon"] == horizon) & (rows["day"] > since)
        score, onset = rows["score"][of], rows["onset"][of]
        weights = np.full(of.sum(), 1 / of.sum())
        fitted = minimize(
            lambda line, s=score, y=onset, w=weights: line_loss(line, s, y, w),
            np.zeros(2),
            jac=True,
        )
        lines[horizon] = fitted.x
    return lines


def fleet(
    seed: int, world: World, *, units: int = UNITS, days: int = DAYS
) -> dict[str, np.ndarray]:
    """Make the windows of a fleet: unit, class, day, horizon, score and onset."""
    rng = np.random.default_rng(seed)
    total = days + max(HORIZONS) + 1
    noise_UT = rng.normal(size=(units, total))
    state_UT = np.zeros((units, total))
    for t in range(1, total):
        state_UT[:, t] = 0.97 * state_UT[:, t - 1] + 0.24 * noise_UT[:, t]
    hazard_UT = expit(-6.2 + 1.3 * state_UT)
    hazard_UT[:, DRIFT_FROM:] = hazard_UT[:, DRIFT_FROM:] * world.rate + world.unseen
    onset_UT = rng.random((units, total)) < hazard_UT
    score_UT = state_UT.copy()
    score_UT[:, DRIFT_FROM:] *= world.scale
    ends = np.arange(0, days, STRIDE)
    parts = []
    for horizon in HORIZONS:
        for end in ends:
            onset = onset_UT[:, end + 1 : end + 1 + horizon].any(axis=1)
            parts.append(
                (np.full(units, end), np.full(units, horizon), score_UT[:, end], onset)
            )
    day, horizons, score, onset = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    names = np.arange(units).astype(str)
    kinds = np.array([f"class {unit % CLASSES}" for unit in range(units)])
    return {
        "unit": np.tile(names, len(parts)),
        "class": np.tile(kinds, len(parts)),
        "day": day,
        "horizon": horizons,
        "score": score,
        "onset": onset,
    }


def matured(seed: int, world: World, lines: Lines) -> tuple[Matured, np.ndarray]:
    """Return the risks that the lines give the windows of a fleet, and the scores behind them."""
    rows = fleet(seed, world)
    odds = log_odds(lines, rows["horizon"], rows["score"])
    order = np.lexsort((rows["day"], rows["horizon"], rows["unit"]))
    made = Matured.of(
        class_N=rows["class"],
        unit_N=rows["unit"],
        end_day_N=rows["day"],
        horizon_N=rows["horizon"],
        log_odds_N=odds,
        onset_N=rows["onset"],
        alarm_N=expit(odds) > 0.3,
    )
    return made, rows["score"][order]


def log_odds(lines: Lines, horizon: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Return the log-odds that the lines give scores."""
    odds = np.zeros(len(score))
    for name, (slope, intercept) in lines.items():
        of = horizon == name
        odds[of] = slope * score[of] + intercept
    return odds


class Made(NamedTuple):
    """A fleet: all rows, those of the judged half year, and what the true lines come to there."""

    seed: int
    rows: Matured
    later: Matured
    known: dict[str, Any]

    @classmethod
    def of(cls, seed: int, world: World, lines: Lines, true_lines: Lines) -> Self:
        """Make it."""
        rows, score = matured(seed, world, lines)
        later = rows.where(rows.end_day_N > NOW)
        truth = log_odds(true_lines, later.horizon_N, score[rows.end_day_N > NOW])
        less = less_loss(later, later.log_odds_N, truth, seed=seed + 2)
        best = bent_log_odds(later, fit_bends(later, LINES["platt"]))
        gained = mean_loss(later, later.log_odds_N) - mean_loss(later, best)
        oracle = {"verdict": less.verdict, "less_loss": list(less[:3])}
        return cls(
            seed, rows, later, {"true_lines": oracle, "fitted_on_judged": gained}
        )


def updated(made: Made, days: Iterable[int]) -> dict[str, Any]:
    """Try to update on some days until one serves, and compare with the frozen model."""
    told = {
        "seed": made.seed,
        "after": "same",
        "less_loss": [0.0] * 3,
        "tries": [],
        **made.known,
    }
    for day in days:
        past = made.rows.where(made.rows.known_from_N <= day)
        climbed = climb(past, origins_of(past, JUDGED_DAYS), seed=made.seed)
        refused = ""
        if climbed.winner != "none":
            refused = check_gate(climbed, budget=BUDGET, seed=made.seed + 1).refused
        told["tries"].append([day, climbed.winner, refused])
        if climbed.winner != "none" and not refused:
            return {**told, **served(made, past, climbed.winner, day)}
    return told


def served(made: Made, past: Matured, rung: Rung, day: int) -> dict[str, Any]:
    """Judge the half year in which an update serves from a day on."""
    later = made.later
    bent = bent_log_odds(later, fit_bends(past, LINES[rung]))
    given = np.where(later.end_day_N > day, bent, later.log_odds_N)
    less = less_loss(later, later.log_odds_N, given, seed=made.seed + 2)
    sure = less.verdict in ("better", "worse")
    after = less.verdict if sure else "no clear difference"
    return {"after": after, "less_loss": list(less[:3])}


def steer(seed: int, lines: Lines, *, sudden: bool) -> dict[str, Any]:
    """Run the controller for a year in which the base rate, and with it every risk, doubles."""
    every, _ = matured(seed, World(), lines)
    one = every.where(every.horizon_N == HORIZONS[0])
    grown = np.clip((one.end_day_N - YEAR_FROM) / 360, 0, 1)
    share = (one.end_day_N >= YEAR_FROM) if sudden else grown
    odds = one.log_odds_N + np.log(2.0) * share
    start = threshold = start_threshold(one, odds)
    steps = []
    alarm = np.zeros(len(odds), bool)
    for month in range(YEAR_FROM, DAYS, MONTH):
        past = one.end_day_N < month
        step = next_step(
            odds[past],
            threshold,
            unit_N=one.unit_N[past],
            end_day_N=one.end_day_N[past],
            horizon=HORIZONS[0],
            declared=DECLARED,
        )
        threshold += step.shift
        steps.append(step.shift)
        this = (one.end_day_N >= month) & (one.end_day_N < month + MONTH)
        alarm |= this & (odds >= threshold)
    frozen = episode_rate(one, (odds >= start) & (one.end_day_N >= YEAR_FROM))
    turns = int((np.diff(np.sign([step for step in steps if step])) != 0).sum())
    rate = episode_rate(one, alarm)
    return {
        "seed": seed,
        "rate": rate,
        "frozen": frozen,
        "steps": steps,
        "turns": turns,
    }


def start_threshold(rows: Matured, odds: np.ndarray) -> float:
    """Return the threshold that gives the declared rate in the year before."""
    before = rows.end_day_N < YEAR_FROM
    tried = np.linspace(-3, 3, 241)
    rates = [
        abs(episode_rate(rows, (odds >= cut) & before) - DECLARED) for cut in tried
    ]
    return float(tried[int(np.argmin(rates))])


def episode_rate(rows: Matured, alarm: np.ndarray) -> float:
    """Return alarm episodes per unit-year of the year in which there are alarms."""
    episodes = alarm_episodes(
        alarm,
        units_B=rows.unit_N,
        end_day_B=rows.end_day_N,
        gap_days=merge_gap(HORIZONS[0]),
    )
    return len(episodes.unit_A) / UNITS / (360 / 365.25)


def controller_rows(
    name: str, steered: list[dict[str, Any]], *, judged: bool
) -> list[Row]:
    """Return the controller's rows: the rate of the year, and whether it oscillates."""
    rates = np.array([one["rate"] for one in steered])
    frozen = np.array([one["frozen"] for one in steered])
    inside = float(np.mean(np.abs(rates / DECLARED - 1) <= BAR_RATE))
    turns = max(one["turns"] for one in steered)
    measured = (
        f"{rates.mean():.2f} alarms a unit-year ({rates.min():.2f} to {rates.max():.2f}), within"
        f" 30 % in {inside:.0%} of {len(steered)}; a threshold that stays {frozen.mean():.2f}"
    )
    bar = f"{DECLARED:g} +- 30 %" if judged else ""
    return [
        Row(
            f"base rate doubles {name}",
            bar,
            measured,
            "",
            inside == 1 if judged else None,
        ),
        Row(f"turns, {name}", "<= 2", f"at most {turns}", "", turns <= 2),
    ]


if __name__ == "__main__":
    main()
