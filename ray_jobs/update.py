"""Try to better the serving bundles on labels that have matured, and change them only without harm.

    python -m ray_jobs.update --config FILE [key.sub=value …]

Candidates are climbed from the simplest: nothing, an intercept, slope and intercept (each for the
fleet, then by class), a fusion's weights, its trees and lines (`update.refit`), and a model trained
anew in a workspace of its own (`update.retrained`). The winner becomes the challenger; it is watched for
`update.shadow_days` of the record, compared once more on labels that were not known when it was
chosen, and then serves by hand (`update.promote=true`) or by itself (`update.managed: true`): in all
facilities, or in a share of them first (`update.canary_share`), and after `update.canary_days` in all
or in none, as labels or alarms decide.
`champions.json` keeps every change with its figures; `ray_jobs.score` and `ray_jobs.daily` write
both risks of every machine's newest window into `update/shadow`.
`python -m ray_jobs.rollback` takes a change back.
"""

from __future__ import annotations

import logging

import pyarrow as pa
import pyarrow.compute as pc

from hvac.errors import InputError
from hvac.json_values import Json
from hvac.panel.registry import Registry
from hvac.sentences import translated
from hvac.storage import matching, parquet_dataset, remove_tree, write_json
from hvac.update.champions import Champions, read_champions, write_champions
from hvac.update.shadow import shadow_figures
from ray_jobs.renew.challenging import look
from ray_jobs.renew.steering import steer
from ray_jobs.renew.watching import watch
from ray_jobs.run.command import main
from ray_jobs.run.records import TrainRecord
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
        after = watch(config, workspace, before, registry)
    promoted = after.history[-1].action in ("promoted", "canary")
    steered = config.update.alarms_per_unit_year is not None
    # bundles that are counted by their alarms stay as they are
    if steered and not promoted and not after.speaks_in:
        after = steer(config, workspace, after, registry)
    write_champions(workspace.root, after)
    for change in after.history[len(before.history) :]:
        why = translated(change.why, config.language)
        log.info("update: %s: %s", change.action, why)
    last = after.history[-1]
    summary: dict[str, Json] = {
        "action": last.action,
        "why": last.why,
        "figures": last.figures,
        "champion": after.champion,
        "challenger": after.challenger.bundles if after.challenger else None,
        "shadow": _shadow(workspace, after),
    }
    write_json(workspace.root / "update" / "summary.json", summary)
    return summary


def _shadow(workspace: Workspace, champions: Champions) -> dict[str, Json] | None:
    """Compare both risks of the windows scored since there is a challenger; forget them without."""
    folder = workspace.root / "update" / "shadow"
    if champions.challenger is None:
        remove_tree(folder)
        return None
    parts = matching(folder, "*/part-*.parquet")
    if not parts:
        log.info("update: ray_jobs.score and ray_jobs.daily score the challenger too")
        return None
    pairs = parquet_dataset(parts).to_table()
    ids = pa.array([*champions.challenger.bundles.values()], pa.string())
    ours = pairs.filter(pc.is_in(pairs["challenger_id"], ids))
    return shadow_figures(ours)._asdict()


if __name__ == "__main__":
    main(run, __doc__)
