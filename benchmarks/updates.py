"""Do updates of a serving model help where it drifted, and leave it alone where it did not?

    python benchmarks/updates.py [--quick]

Made-up fleets of 288 machines in 6 classes (the demo's): a latent state wanders (autoregressive, 0.97 a day), onsets
come at a rate that grows with it, and a logistic line that was fitted on other fleets gives the risks
of three horizons every week. After a year of matured labels one update is made (`hvac.update`: rolling
origins over the last 180 days, closed test, gate), and judged on the half year that follows, by the
paired difference of the log-loss over machines. Drift is planted from day 200 on: rates times 1.5 or 2,
the
score's scale times 0.6 or 1.8 (as of a sensor that was changed), a failure mode that the score does not see.
Beside each stands what the best lines, fitted on the half year itself, would have gained. The
threshold's controller runs for a year in which the base rate doubles little by little, one step a month;
beside it, for a year in which it doubles on the first day (a step of 0.1 cannot follow that).

Fleets are of scores, not of readings: a run of the whole pipeline for each would take hours.
Writes results/updates.json.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from support import Row, machine, parser, record  # isort: skip

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from hvac.decision.alarm_episodes import alarm_episodes, merge_gap
from hvac.logistic_line import line_loss
from hvac.update.bends import bent_log_odds, fit_bends
from hvac.update.ladder import climb, less_loss, mean_loss, origins_of
from hvac.update.matured import Matured
from hvac.update.promotion_gate import check_gate
from hvac.update.threshold_steps import next_step

HORIZONS = (30, 60, 90)
CLASSES, UNITS, DAYS, STRIDE = 6, 288, 720, 7
DRIFT_FROM, NOW, JUDGED_DAYS = 200, 540, 180
FLEETS, QUICK_FLEETS = 20, 3
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


WORLDS = {
    "no drift": World(),
    "rates x 1.5": World(rate=1.5),
    "rates x 2": World(rate=2.0),
    "score's scale x 0.6": World(scale=0.6),
    "score's scale x 1.8": World(scale=1.8),
    "unseen failure mode": World(unseen=0.004),
}


def main() -> None:
    """Every world, the controller, the file."""
    asked = parser(__doc__).parse_args()
    fleets = QUICK_FLEETS if asked.quick else FLEETS
    lines = fitted_lines()
    rows: list[Row] = []
    figures: dict[str, Any] = {}
    for name, world in WORLDS.items():
        told = [updated(seed, world, lines) for seed in range(fleets)]
        figures[name] = told
        rows.append(world_row(name, told))
    for name, sudden in (("little by little", False), ("on the first day", True)):
        steered = [steer(seed, lines, sudden=sudden) for seed in range(fleets)]
        figures[f"controller, {name}"] = steered
        rows += controller_rows(name, steered, judged=not sudden)
    record("updates", machine(("numpy", "scipy"), 1), rows, figures, asked.quick)


def world_row(name: str, told: list[dict[str, Any]]) -> Row:
    """Count what was done, and what came of it."""
    harmed = sum(one["after"] == "worse" for one in told)
    helped = sum(one["after"] == "better" for one in told)
    nothing = sum(one["rung"] == "none" or bool(one["refused"]) for one in told)
    gained = np.mean([one.get("less_loss", [0.0])[0] for one in told])
    to_gain = np.mean([one["to_gain"] for one in told])
    measured = (
        f"better in {helped}, worse in {harmed} of {len(told)}; did nothing in {nothing};"
        f" log-loss {gained:.4f} lower, of {to_gain:.4f} to be had"
    )
    if name == "no drift":
        bar = f"worse in <= {BAR_HARMED}"
        return Row(name, bar, measured, "", harmed <= BAR_HARMED)
    bar = round(BAR_HELPED * len(told) / FLEETS)
    return Row(name, f"better in >= {bar}", measured, "", helped >= bar)


def fitted_lines() -> dict[int, np.ndarray]:
    """Fit the line of each horizon on fleets that are used for nothing else."""
    rows = fleet(9_999, World(), units=1_500, days=400)
    lines = {}
    for horizon in HORIZONS:
        of = rows["horizon"] == horizon
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


def matured(seed: int, world: World, lines: dict[int, np.ndarray]) -> Matured:
    """Return the risks that the line gives the windows of a fleet."""
    rows = fleet(seed, world)
    log_odds = np.zeros(len(rows["score"]))
    for horizon, (slope, intercept) in lines.items():
        of = rows["horizon"] == horizon
        log_odds[of] = slope * rows["score"][of] + intercept
    return Matured.of(
        class_N=rows["class"],
        unit_N=rows["unit"],
        end_day_N=rows["day"],
        horizon_N=rows["horizon"],
        log_odds_N=log_odds,
        onset_N=rows["onset"],
        alarm_N=expit(log_odds) > 0.3,
    )


def updated(seed: int, world: World, lines: dict[int, np.ndarray]) -> dict[str, Any]:
    """Update once, and compare with the frozen model on the windows that follow."""
    rows = matured(seed, world, lines)
    past = rows.where(rows.known_from_N <= NOW)
    later = rows.where(rows.end_day_N > NOW)
    climbed = climb(past, origins_of(past, JUDGED_DAYS), seed=seed)
    best = bent_log_odds(later, fit_bends(later, with_slope=True))
    told: dict[str, Any] = {
        "seed": seed,
        "rung": climbed.winner,
        "refused": "",
        "after": "same",
        "to_gain": mean_loss(later, later.log_odds_N) - mean_loss(later, best),
    }
    if climbed.winner == "none":
        return told
    gate = check_gate(climbed, budget=BUDGET, seed=seed + 1)
    told["refused"] = gate.refused
    if gate.refused:
        return told
    bends = fit_bends(past, with_slope=climbed.winner == "platt")
    less = less_loss(
        later, later.log_odds_N, bent_log_odds(later, bends), seed=seed + 2
    )
    verdict = (
        less.verdict if less.verdict in ("better", "worse") else "no clear difference"
    )
    return {**told, "after": verdict, "less_loss": list(less[:3])}


def steer(seed: int, lines: dict[int, np.ndarray], *, sudden: bool) -> dict[str, Any]:
    """Run the controller for a year in which the base rate, and with it every risk, doubles."""
    every = matured(seed, World(), lines)
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
