"""Look for a challenger: climb the ladder, pass the gate, write the bundles that may serve next."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from hvac.days import date_of
from hvac.errors import InputError
from hvac.json_values import Json
from hvac.panel.registry import Registry
from hvac.scoring.bundle import Bundle
from hvac.update.bends import Bend, fit_bends
from hvac.update.bent_bundle import bent_bundle
from hvac.update.champions import Challenger, Champions
from hvac.update.ladder import (
    FITTED_AGAIN,
    LEAST_ONSETS,
    LINES,
    RUNG_NAMES,
    Climb,
    NoLabelsError,
    Offer,
    Rung,
    climb,
    onsets_known,
    origins_of,
)
from hvac.update.matured import Matured
from hvac.update.promotion_gate import GateFacts, check_gate
from ray_jobs.renew.matured_rows import nothing_matured, read_matured
from ray_jobs.renew.refit_tasks import RefitPlan, final_refits, offers_of, refit_plan
from ray_jobs.renew.retrained import (
    Retrained,
    check_learned_before,
    copied,
    read_retrained,
)
from ray_jobs.renew.steering import save_bent
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace

log = logging.getLogger(__name__)


class Offered(NamedTuple):
    """Rows that all candidates can be scored on, further candidates, and what these are made of.

    Lines are fitted on `matured`, all rows, at last.
    """

    matured: Matured
    rows: Matured
    offers: dict[Rung, Offer]
    plan: RefitPlan | None = None
    anew: Retrained | None = None


def look(
    config: RunConfig, workspace: Workspace, before: Champions, registry: Registry
) -> Champions:
    """Look for a challenger.

    Where thresholds are steered, which needs no label, a lack of labels is noted and no error.

    Raises:
        HvacError: there is none that `update.promote` could let serve.
        NoLabelsError: too few labels have matured, or labels come from limits.
    """
    if config.update.promote:
        return before.promoted("by hand")
    try:
        matured = read_matured(config, workspace, before.champion, registry)
        if not len(matured.end_day_N):
            raise nothing_matured(config, registry.days[1])
        origins = origins_of(matured, config.update.judged_days)
    except NoLabelsError as error:
        if config.update.alarms_per_unit_year is None:
            raise
        return before.noted("kept", str(error))
    offered = _offered(config, workspace, before, matured, origins, registry)
    return challenge(config, workspace, before, offered, origins, registry.days[1])


def _offered(
    config: RunConfig,
    workspace: Workspace,
    before: Champions,
    matured: Matured,
    origins: list[int],
    registry: Registry,
) -> Offered:
    """Return the candidates beyond lines: parts fitted again, and a model trained anew."""
    offered = Offered(matured, matured, {})
    if config.update.refit:
        plan = refit_plan(config, workspace, before.champion, registry)
        if plan is not None:
            rows, offers = offers_of(plan, matured, origins)
            onsets = onsets_known(rows, origins[0])
            if onsets >= LEAST_ONSETS and (rows.end_day_N >= origins[0]).any():
                offered = Offered(matured, rows, offers, plan)
            else:
                log.warning(
                    "update: windows with features have %d onsets known by %s, %d are needed:"
                    " weights and trees stay",
                    onsets,
                    date_of(origins[0]),
                    LEAST_ONSETS,
                )
    if config.update.retrained is None:
        return offered
    anew = read_retrained(config, config.update.retrained, before, registry)
    check_learned_before(anew, origins[0])
    offer, here = anew.offer(offered.rows, len(origins))
    rows = offered.rows.where(here).weighed_again()
    if not (rows.end_day_N >= origins[0]).any():
        raise InputError(
            f"update.retrained {anew.workspace.root}: it scored none of the windows since"
            f" {date_of(origins[0])}: run ray_jobs.evaluate and ray_jobs.score there, on the"
            " same source"
        )
    offers = {
        rung: Offer(one.log_odds_PN[:, here], one.alarm_PN[:, here])
        for rung, one in offered.offers.items()
    }
    offers["retrained"] = offer
    return Offered(matured, rows, offers, offered.plan, anew)


def challenge(
    config: RunConfig,
    workspace: Workspace,
    before: Champions,
    offered: Offered,
    origins: list[int],
    day: int,
) -> Champions:
    """Climb the ladder; the winner that passes the gate becomes the challenger."""
    climbed = climb(offered.rows, origins, offered=offered.offers, seed=config.seed)
    figures = _figures(climbed)
    if climbed.winner == "none":
        return before.noted("kept", "no candidate is surely better", figures)
    winner = RUNG_NAMES[climbed.winner]
    budget = config.decision.threshold.false_alarms_per_unit_year
    gate = check_gate(climbed, budget=budget, seed=config.seed + 1)
    figures |= {"gate": gate_figures(gate)}
    if gate.refused:
        return before.noted("refused", f"{winner}: {gate.refused}", figures)
    challenger = _challenger(workspace, before, offered, climbed.winner, day)
    why = f"{winner}: log-loss is lower by {gate.less_loss.value:.4f}"
    return before.noted("challenged", why, figures, challenger=challenger)


def _challenger(
    workspace: Workspace, before: Champions, offered: Offered, winner: Rung, day: int
) -> Challenger:
    """Fit the winner on all labels, and write its bundles."""
    if winner == "retrained":
        assert offered.anew is not None, "it was offered"
        bundles = copied(offered.anew, workspace)
        trained_in = str(offered.anew.workspace.root)
        return Challenger(
            bundles=bundles, rung=winner, since=day, trained_in=trained_in
        )
    if winner in FITTED_AGAIN:
        bundles = _save_refits(workspace, before, offered, winner, day)
        return Challenger(bundles=bundles, rung=winner, since=day)
    lines = fit_bends(offered.matured, LINES[winner])
    bundles = save_bent(workspace, before, lines, winner, day)
    return Challenger(bundles=bundles, rung=winner, since=day, lines=lines)


def _save_refits(
    workspace: Workspace, before: Champions, offered: Offered, winner: Rung, day: int
) -> dict[str, str]:
    """Write bundles of which parts were fitted again, each with its line; return them by class."""
    assert offered.plan is not None, "it was offered"
    rows = offered.rows
    refits = final_refits(offered.plan, rows, winner)
    log_odds_N = rows.log_odds_N.copy()
    for name, refit in refits.items():
        log_odds_N[rows.class_N == name] = refit.log_odds_N
    lines = fit_bends(rows._replace(log_odds_N=log_odds_N), LINES["platt"])
    saved = {}
    for name, refit in refits.items():
        serving = Bundle.load(workspace.bundles / before.champion[name])
        changed = replace(serving, model=refit.model)
        bent = bent_bundle(changed, lines.get(name, Bend()), winner, day)
        saved[name] = bent.save(workspace.bundles).name
    return saved


def _figures(climbed: Climb) -> dict[str, Json]:
    scores: dict[str, Json] = {}
    for score in climbed.scores:
        less = score.less_loss
        scores[score.rung] = {
            "log_loss": score.log_loss,
            "against": score.against,
            "less_loss": list(less[:3]) if less else None,
        }
    return {
        "scores": scores,
        "origins": [str(date_of(day)) for day in climbed.origins],
        "windows": len(climbed.rows.end_day_N),
        "units": len(np.unique(climbed.rows.unit_N)),
        "onsets": int(climbed.rows.onset_N.sum()),
        "found_on_visits": int(climbed.rows.found_N.sum()),
    }


def gate_figures(gate: GateFacts) -> dict[str, Json]:
    """Return the figures that decided, as JSON holds them."""
    return {**gate._asdict(), "less_loss": list(gate.less_loss[:3])}
