"""What a trained workspace holds, as lines: steps, record, bundles, figures, newest day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from hvac.json_values import Json, JsonObject, branch, listed
from hvac.report.closing_summary import model_lines
from hvac.report.view import dig, number

STEPS: Final = ("ingest", "featurize", "train", "evaluate", "score")
NAMED_POINTS: Final = 6
NAMED_FACILITIES: Final = 6


def workspace_facts(
    records: Mapping[str, JsonObject],
    manifests: Mapping[str, JsonObject],
    metrics: JsonObject,
    newest: JsonObject,
) -> JsonObject:
    """Return what a workspace holds as plain values.

    Args:
        records: by step, what each finished step recorded.
        manifests: each class's bundle; empty where it is not there.
        metrics: the content of metrics.json, empty before `evaluate`.
        newest: the newest day, units by status, alarms by horizon; empty before `score`.
    """
    record = branch(records, "ingest")
    named = (
        "facilities",
        "equipment",
        "points",
        "first_date",
        "last_date",
        "events",
        "classes",
    )
    return {
        "steps": {
            step: branch(records, step)["seconds"] for step in STEPS if step in records
        },
        "not_done": [step for step in STEPS if step not in records],
        "record": {name: record[name] for name in named if name in record},
        "bundles": {name: _bundle(manifest) for name, manifest in manifests.items()},
        "family": dig(metrics, "run", "family") or None,
        "figures": _figures(metrics),
        "newest": newest,
    }


def _bundle(manifest: JsonObject) -> JsonObject:
    """Return id, family, points, horizons, calibration and thresholds of one bundle, those of
    facilities that have their own too.
    """
    decision = branch(manifest, "decision")
    horizons = listed(dig(manifest, "recipe", "windows", "horizons"))
    of_fleet = _thresholds(decision, horizons)
    of_facilities = {
        name: own
        for name, of_facility in branch(decision, "facilities").items()
        if (own := _thresholds(branch(of_facility), horizons)) != of_fleet
    }
    methods = [
        dig(calibrator, "method") for calibrator in listed(decision.get("calibrators"))
    ]
    return {
        "id": manifest.get("id"),
        "family": manifest.get("family"),
        "points": dig(manifest, "recipe", "points"),
        "horizons": horizons,
        "thresholds": of_fleet,
        "facility_thresholds": of_facilities,
        "calibration": dict(zip(map(str, horizons), methods, strict=False)),
        "forecast": manifest.get("forecast"),
    }


def _thresholds(decision: JsonObject, horizons: Sequence[Json]) -> JsonObject:
    """Return the thresholds of a fleet or a facility by horizon."""
    thresholds = listed(decision.get("thresholds"))
    values = [dig(threshold, "value") for threshold in thresholds]
    return dict(zip(map(str, horizons), values, strict=False))


def _figures(metrics: JsonObject) -> JsonObject:
    """Return PR-AUC, ROC-AUC and base rate with intervals, by model and horizon."""
    figures: dict[str, Json] = {}
    for model, horizons in branch(metrics, "models").items():
        figures[model] = {
            days: {
                name: dig(measured, name) for name in ("pr_auc", "roc_auc", "base_rate")
            }
            for days, measured in branch(horizons).items()
        }
    return figures


def workspace_lines(facts: JsonObject, metrics: JsonObject) -> Iterator[str]:
    """Yield the facts of a workspace as lines, the figures as the closing summary shows them."""
    yield f"steps done  {_counted(facts['steps'], ' s')}"
    if listed(facts["not_done"]):
        yield f"not done    {', '.join(map(str, listed(facts['not_done'])))}"
    record = branch(facts, "record")
    if record:
        yield (
            f"record      {record['equipment']} machines in {record['facilities']} facilities,"
            f" {record['points']} points, {record['first_date']} to {record['last_date']}"
        )
        yield f"events      {_counted(record['events'])}"
    for name, bundle in branch(facts, "bundles").items():
        yield from _bundle_lines(
            name, branch(bundle), branch(record, "classes").get(name)
        )
    watched = branch(facts, "challenger")
    if watched:
        yield _challenger_line(watched)
    newest = branch(facts, "newest")
    if newest:
        yield (
            f"newest day  {newest['day']}; machines: {_counted(newest['units'])};"
            f" alarms: {_counted(newest['alarms'])}"
        )
    if branch(facts, "figures"):
        yield from model_lines(metrics)


def _bundle_lines(name: str, bundle: JsonObject, machines: Json) -> Iterator[str]:
    if bundle["id"] is None:
        yield f"class       {name}: its bundle is not there, or damaged: run train again"
        return
    points = list(map(str, listed(bundle["points"])))
    more = (
        f" and {len(points) - NAMED_POINTS} more" if len(points) > NAMED_POINTS else ""
    )
    many = f"{machines} machines, " if machines else ""
    yield f"class       {name}: {many}bundle {bundle['id']} ({bundle['family']})"
    yield f"            points {', '.join(points[:NAMED_POINTS])}{more}"
    yield f"            alarm from a risk of: {_levels(branch(bundle, 'thresholds'))}"
    own = branch(bundle, "facility_thresholds")
    for facility in sorted(own)[:NAMED_FACILITIES]:
        yield f"            in {facility}: {_levels(branch(own, facility))}"
    if others := len(own) - min(len(own), NAMED_FACILITIES):
        yield f"            in {others} more facilities: thresholds of their own"


def _levels(thresholds: JsonObject) -> str:
    return ", ".join(
        f"{days} days {_share(value)}" for days, value in thresholds.items()
    )


def _challenger_line(watched: JsonObject) -> str:
    """Return the bundles that are watched, and where they speak already."""
    line = f"challenger  {', '.join(map(str, listed(watched['bundles'])))} since {watched['since']}"
    facilities = ", ".join(map(str, listed(watched["speaks_in"])))
    speaks = f"; speaks in {facilities} since {watched['speaks_since']}"
    return line + speaks if facilities else line


def _share(value: Json) -> str:
    share = number(value)
    return "never" if share is None or share > 1 else f"{share:.0%}"


def _counted(counts: Json, unit: str = "") -> str:
    return (
        ", ".join(f"{name} {n:,}{unit}" for name, n in branch(counts).items()) or "none"
    )
