"""Try to better the serving bundles on labels that have matured, and change them only without harm.

    python -m ray_jobs.update --config FILE [key.sub=value …]

Candidates are climbed from the simplest: nothing, an intercept a class, slope and intercept a class,
and a model trained anew in a workspace of its own (`update.retrained`). The winner becomes the
challenger; it is watched for `update.shadow_days` of the record, and then serves by hand
(`update.promote=true`) or by itself (`update.managed: true`). `champions.json` keeps every change with
its figures, `update/shadow.parquet` both risks of every machine's newest window.
`python -m ray_jobs.rollback` takes a change back.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np

from hvac.days import date_of
from hvac.errors import InputError
from hvac.json_values import Json
from hvac.panel.registry import Registry
from hvac.scoring.bundle import Bundle
from hvac.storage import place, read_parquet, write_json, write_parquet
from hvac.update.bends import Bend, fit_bends
from hvac.update.champions import Challenger, Champions, read_champions, write_champions
from hvac.update.ladder import Climb, TooEarlyError, climb, origins_of
from hvac.update.matured import Matured, common_rows
from hvac.update.promotion_gate import GateFacts, check_gate
from hvac.update.shadow import COLUMNS, paired_by_line, paired_by_row
from ray_jobs.renew.matured_rows import nothing_matured, read_matured
from ray_jobs.renew.steering import save_bent, steer
from ray_jobs.run.command import main
from ray_jobs.run.records import FeaturizeRecord, TrainRecord
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace, workspace_of

log = logging.getLogger(__name__)


def run(config: RunConfig) -> dict[str, Json]:
    """Watch the challenger that there is, else look for one; return what was decided and why."""
    if config.ready_windows:
        raise InputError(
            "source: the predecessor's CSV holds ready windows and no record, so no label matures:"
            " updates need a source of readings and events"
        )
    workspace = workspace_of(config)
    trained = workspace.record(TrainRecord).bundles
    before = read_champions(workspace.root, trained)
    registry = Registry.load(workspace.panel)
    if before.challenger is None:
        after = look(config, workspace, before, registry)
    else:
        after = watch(config, workspace, before, registry.days[1])
    promoted = after.history[-1].action == "promoted"
    if config.update.alarms_per_unit_year is not None and not promoted:
        after = steer(config, workspace, after, registry)
    write_champions(workspace.root, after)
    for change in after.history[len(before.history) :]:
        log.info("update: %s: %s", change.action, change.why)
    last = after.history[-1]
    _write_shadow(config, workspace, after)
    summary: dict[str, Json] = {
        "action": last.action,
        "why": last.why,
        "figures": last.figures,
        "champion": after.champion,
        "challenger": after.challenger.bundles if after.challenger else None,
    }
    write_json(workspace.root / "update" / "summary.json", summary)
    return summary


def look(
    config: RunConfig, workspace: Workspace, before: Champions, registry: Registry
) -> Champions:
    """Look for a challenger.

    Where thresholds are steered, which needs no label, too few labels are noted and no error.

    Raises:
        HvacError: there is none that `update.promote` could let serve.
        TooEarlyError: too few labels have matured.
    """
    if config.update.promote:
        return before.promoted("by hand")
    try:
        matured = read_matured(config, workspace, before.champion, registry)
        if not len(matured.end_day_N):
            raise nothing_matured(config, registry.days[1])
        return challenge(config, workspace, before, matured, registry.days[1])
    except TooEarlyError as error:
        if config.update.alarms_per_unit_year is None:
            raise
        return before.noted("kept", str(error))


def challenge(
    config: RunConfig,
    workspace: Workspace,
    before: Champions,
    matured: Matured,
    day: int,
) -> Champions:
    """Climb the ladder; the winner that passes the gate becomes the challenger."""
    origins = origins_of(matured, config.update.judged_days)
    anew = None
    if config.update.retrained is not None:
        anew = _retrained(config, before, origins[0])
        matured, its_rows = common_rows(matured, anew.rows)
        if not (matured.end_day_N >= origins[0]).any():
            raise InputError(
                f"update.retrained {anew.workspace.root}: it scored none of the windows since"
                f" {date_of(origins[0])}: run ray_jobs.evaluate and ray_jobs.score there, on the"
                " same source"
            )
    climbed = climb(
        matured, origins, retrained=its_rows if anew else None, seed=config.seed
    )
    figures = _figures(climbed)
    if climbed.winner == "none":
        return before.noted("kept", "no candidate is surely better", figures)
    alarm_N = climbed.rows.alarm_N
    if climbed.winner == "retrained" and anew:
        alarm_N = common_rows(climbed.rows, its_rows)[1].alarm_N
    gate = check_gate(climbed, alarm_N, budget=_budget(config), seed=config.seed + 1)
    figures |= {"gate": gate_figures(gate)}
    if gate.refused:
        return before.noted("refused", f"{climbed.winner}: {gate.refused}", figures)
    bends: dict[str, Bend] = {}
    if climbed.winner == "retrained" and anew:
        bundles = _copied(anew, workspace)
    else:
        bends = fit_bends(matured, with_slope=climbed.winner == "platt")
        bundles = save_bent(workspace, before, bends, climbed.winner)
    challenger = Challenger(
        bundles=bundles,
        rung=climbed.winner,
        since=day,
        lines=bends,
        trained_in=str(anew.workspace.root) if not bends and anew else None,
    )
    why = f"{climbed.winner} is better by {gate.less_loss.value:.4f} of log-loss"
    return before.noted("challenged", why, figures, challenger=challenger)


class _Retrained(NamedTuple):
    """A workspace that was trained anew: its bundles by class, and the risks that they gave."""

    workspace: Workspace
    bundles: dict[str, str]
    rows: Matured


def _retrained(config: RunConfig, champions: Champions, origin: int) -> _Retrained:
    """Read the candidate of `update.retrained`.

    Raises:
        InputError: it looks at another table, or saw days on which candidates are scored.
    """
    assert config.update.retrained is not None, "the caller looked"
    other = Workspace(place(config.update.retrained))
    bundles = other.record(TrainRecord).bundles
    ours = workspace_of(config)
    for name, bundle_id in bundles.items():
        _check_same_table(champions, ours, name, Bundle.load(other.bundles / bundle_id))
    learned = other.record(FeaturizeRecord).borders.t2
    if learned >= origin:
        raise InputError(
            f"update.retrained {other.root}: it learned until {date_of(learned)}, and candidates are"
            f" scored from {date_of(origin)} on: train it on earlier days (splits), or lower"
            " update.judged_days"
        )
    registry = Registry.load(ours.panel)
    return _Retrained(other, bundles, read_matured(config, other, bundles, registry))


def _copied(anew: _Retrained, workspace: Workspace) -> dict[str, str]:
    """Copy the bundles of a workspace trained anew, and return them by class."""
    copied = {}
    for name, bundle_id in anew.bundles.items():
        bundle = Bundle.load(anew.workspace.bundles / bundle_id)
        copied[name] = bundle.save(workspace.bundles).name
    return copied


def watch(
    config: RunConfig, workspace: Workspace, before: Champions, day: int
) -> Champions:
    """Promote the challenger once its shadow is over, by hand or where updates are managed."""
    challenger = before.challenger
    assert challenger is not None, "the caller looked"
    _check_challenger(workspace, before, challenger)
    watched = day - challenger.since
    section = config.update
    if watched < section.shadow_days and not section.promote:
        until = date_of(challenger.since + section.shadow_days)
        return before.noted("kept", f"the challenger is watched until {until}")
    if section.promote or section.managed:
        why = "by hand" if section.promote else f"watched for {watched} days"
        return before.promoted(why)
    return before.noted(
        "kept", "the challenger may serve: run ray_jobs.update with update.promote=true"
    )


def _check_challenger(
    workspace: Workspace, champions: Champions, challenger: Challenger
) -> None:
    for name, bundle_id in challenger.bundles.items():
        bundle = Bundle.load(workspace.bundles / bundle_id)
        _check_same_table(champions, workspace, name, bundle)


def _check_same_table(
    champions: Champions, workspace: Workspace, name: str, bundle: Bundle
) -> None:
    """Raise InputError for a challenger of another class, other points or windows than serve."""
    if name not in champions.champion:
        raise InputError(
            f"challenger {bundle.name}: no bundle serves its class {name}; classes:"
            f" {', '.join(champions.champion)}"
        )
    own = bundle.recipe
    serving = Bundle.load(workspace.bundles / champions.champion[name]).recipe
    if (own.points, own.windows) != (serving.points, serving.windows):
        raise InputError(
            f"challenger {bundle.name} looks at another table than {champions.champion[name]}"
            " (points or windows differ): train it with the same source and windows"
        )


def _write_shadow(
    config: RunConfig, workspace: Workspace, champions: Champions
) -> None:
    """Write both risks of every machine's newest window while there is a challenger."""
    challenger = champions.challenger
    file = workspace.root / "update" / "shadow.parquet"
    if challenger is None:
        file.unlink(missing_ok=True)
        return
    roots = [workspace.root]
    if challenger.rung == "retrained":
        roots.append(place(challenger.trained_in or str(config.update.retrained)))
    missing = [root for root in roots if not (root / "latest.parquet").exists()]
    if missing:
        log.warning(
            "update: no shadow of this day: %s has no scores (latest.parquet): run ray_jobs.score"
            " there",
            missing[0],
        )
        file.unlink(missing_ok=True)
        return
    latest, *others = [read_parquet(root / "latest.parquet", COLUMNS) for root in roots]
    paired = (
        paired_by_row(latest, others[0])
        if others
        else paired_by_line(latest, challenger.lines)
    )
    write_parquet(paired, file)


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
    }


def gate_figures(gate: GateFacts) -> dict[str, Json]:
    """Return the figures that decided, as JSON holds them."""
    return {**gate._asdict(), "less_loss": list(gate.less_loss[:3])}


def _budget(config: RunConfig) -> float:
    return config.decision.threshold.false_alarms_per_unit_year


if __name__ == "__main__":
    main(run, __doc__)
