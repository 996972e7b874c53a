"""Keep what comparisons, leaky protocols, sweeps and the detector found: results/leaderboards.json, LEADERBOARDS.md.

    python benchmarks/leaderboards.py runs/demo runs/azure_pdm …

Reads compare/*/leaderboard.json and rotation.json, leaky_protocols/leaky_protocols.json, sweeps/*/sweep.json of every
given workspace, and metrics.json of a workspace of ray_jobs.detect; what was kept of other workspaces stays.
"""

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
KEPT, PAGE = (
    ROOT / "benchmarks" / "results" / "leaderboards.json",
    ROOT / "benchmarks" / "LEADERBOARDS.md",
)
MARKS = ("default", "champion")
SWEEP, TRIAL = (
    ("family", "search", "before", "best"),
    ("trial", "status", "epochs", "value", "settings"),
)
TOOK = ("seconds", "fits", "fits_made")
SHOWN = ("pr_auc", "roc_auc", "brier_skill", "ece", "base_rate", "events")
NEW_BASELINES = ("et_context", "et_28", "catboost_full")
NO_MODEL = (
    "warning",
    "usable",
    "protocols",
    "stale",
)  # what lies beside the models of a leaky board


def main() -> None:
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    for workspace in map(Path, sys.argv[1:]):
        for path in sorted(workspace.glob("compare/*/leaderboard.json")):
            board = json.loads(path.read_text(encoding="utf-8"))
            step = json.loads(
                (workspace / "steps" / f"compare_{path.parent.name}.json").read_text(
                    encoding="utf-8"
                )
            )
            kept[f"{workspace.name} · {path.parent.name}"] = trimmed(board) | {
                n: step[n] for n in TOOK if n in step
            }
        for path in sorted(workspace.glob("compare/*/rotation.json")):
            board = json.loads(path.read_text(encoding="utf-8"))
            step = json.loads(
                (workspace / "steps" / f"rotate_{path.parent.name}.json").read_text(
                    encoding="utf-8"
                )
            )
            kept[f"{workspace.name} · {path.parent.name} in turns"] = trimmed(board) | {
                n: step[n] for n in TOOK
            }
        leaky = workspace / "leaky_protocols" / "leaky_protocols.json"
        if leaky.exists():
            kept[f"{workspace.name} · leaky protocols (not usable)"] = json.loads(
                leaky.read_text(encoding="utf-8")
            )
        for path in sorted(
            workspace.glob("sweeps/*/sweep.json"), key=lambda file: file.stat().st_mtime
        ):
            sweep = json.loads(path.read_text(encoding="utf-8"))
            trials = [
                {name: trial[name] for name in TRIAL} for trial in sweep["trials"]
            ]
            kept[f"{workspace.name} · sweep {sweep['name']}"] = {
                **{n: sweep[n] for n in SWEEP},
                "trials": trials,
            }
        metrics = workspace / "metrics.json"
        detected = (
            json.loads(metrics.read_text(encoding="utf-8")) if metrics.exists() else {}
        )
        if "detector" in detected:
            kept[f"{detected['run']['name']} · 1D-CNN detector"] = {
                "detector": detection(detected)
            }
    KEPT.write_text(
        json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False) + "\n",
        encoding="utf-8",
    )
    PAGE.write_text(page(kept), encoding="utf-8")
    print(f"written to {PAGE.relative_to(ROOT)}")


def trimmed(board: dict[str, Any]) -> dict[str, Any]:
    kinds = {kind: _rows(rows) for kind, rows in board.get("kinds", {}).items()}
    parts = {"kinds": kinds, "unseen": _rows(board.get("unseen", []))}
    return {
        **board,
        "rows": _rows(board["rows"]),
        **{name: part for name, part in parts.items() if part},
    }


def _rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            **row,
            "test": {
                h: {n: each[n] for n in SHOWN if n in each}
                for h, each in row["test"].items()
            },
        }
        for row in rows
    ]


def page(kept: dict[str, Any]) -> str:
    lines = [
        "# Leaderboards",
        "",
        "Made by `python benchmarks/leaderboards.py runs/…` from what `ray_jobs.compare`, `ray_jobs.rotate` and",
        "`benchmarks.leaky.job` wrote. Rows are ordered by PR-AUC on the validation part, which alone chooses the",
        "champion; 95 % intervals on test by bootstrap over equipment. `vs default`, `vs champion`: paired difference",
        "of PR-AUC on test, the row minus the other. `test, mean`: averaged over horizons, as validation is.",
    ]  # fmt: skip
    lines += ["", *defaults_table(kept)]
    for name, found in sorted(kept.items()):
        kinds = {
            "turns": turned_table,
            "protocols": leaky_table,
            "trials": sweep_table,
            "detector": detector_table,
        }
        make = next((make for key, make in kinds.items() if key in found), table)
        lines += [
            "",
            f"## {name}",
            "",
            *([found["stale"], ""] if "stale" in found else []),
            *make(found),
        ]
    return "\n".join(lines) + "\n"


def defaults_table(kept: dict[str, Any]) -> list[str]:
    """One line per board of families: `fusion`, the best of all other models on test, and the new baselines."""
    lines = [
        "## `fusion`, the default, beside the best single model",
        "",
        "PR-AUC on test, mean over horizons; the lead is `fusion` minus the other, with its 95 % interval. The best",
        "single model is the best *on test*, which flatters it. Under 30 events at a horizon no verdict is given.",
        "",
        "| data set | events 30/60/90 d | `fusion` | best single model | lead | `et_context` | `et_28` "
        "| `catboost_full` | below / level / above | ECE 30/60/90 d |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, board in sorted(kept.items()):
        rows = {row["name"]: row for row in board.get("rows", [])}
        if (
            "fusion" in rows
            and board.get("default") == "fusion"
            and "stale" not in board
            and name.endswith("families")
        ):
            lines.append(f"| {' | '.join(default_cells(name, rows))} |")
    return lines


def default_cells(name: str, rows: dict[str, Any]) -> list[str]:
    own, others = rows["fusion"], [row for key, row in rows.items() if key != "fusion"]
    best = max(others, key=lambda row: row["mean"]["pr_auc"]["value"])
    verdicts = [row["mean"]["against_default"]["verdict"] for row in others]
    events, errors = (
        " / ".join(f"{each[figure]['value']:{form}}" for each in own["test"].values())
        for figure, form in (("events", ".0f"), ("ece", ".3f"))
    )
    counts = " / ".join(
        str(verdicts.count(word)) for word in ("better", "no clear difference", "worse")
    )
    counts += (
        f" ({verdicts.count('too few events')} untold)"
        if "too few events" in verdicts
        else ""
    )
    leads = [lead(rows[key]) if key in rows else "–" for key in NEW_BASELINES]
    mean, rival = (
        interval(own["mean"]["pr_auc"]),
        f"`{best['name']}` {best['mean']['pr_auc']['value']:.3f}",
    )
    return [
        name.removesuffix(" · families"),
        events,
        mean,
        rival,
        lead(best),
        *leads,
        counts,
        errors,
    ]


def lead(row: dict[str, Any]) -> str:
    """The default's lead over a row, whose own difference is the row minus the default."""
    gap = row["mean"]["against_default"]
    return f"{-gap['value']:+.3f} [{-gap['high']:+.3f}, {-gap['low']:+.3f}]"


def table(board: dict[str, Any]) -> list[str]:
    lines = [
        f"Champion: **{board['champion']}**; default: {board['default']}; {took(board)}.",
        "",
    ]
    mean = ["mean"] if "mean" in board["rows"][0] else []
    columns = [
        *(["test, mean"] if mean else []),
        *(f"test {h} d{counted(board['rows'], h)}" for h in board["horizons"]),
    ]
    head = "".join(f" {name} | vs default | vs champion |" for name in columns)
    lines += [f"| model | seeds | validation |{head} parameters | fit s | µs/window |"]
    lines += ["|---|---|---|" + "---|---|---|" * len(columns) + "---|---|---|"]
    for row in board["rows"]:
        cells = [row["name"], str(row["runs"]), f"{row['validation']['mean']:.3f}"]
        for found in (row[name] for name in mean):
            cells += [interval(found["pr_auc"])]
            cells += [verdict(found[f"against_{mark}"]) for mark in MARKS]
        for h in map(str, board["horizons"]):
            cells += [interval(row["test"][h]["pr_auc"])]
            cells += [versus(row, f"against_{mark}", h) for mark in MARKS]
        cells += [
            f"{row['parameters']:,}",
            f"{row['fit_seconds']:.1f}",
            f"{row['microseconds_per_window']:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def turned_table(board: dict[str, Any]) -> list[str]:
    kinds: dict[str, Any] = board.get("kinds", {})
    means = (
        [f"Figures are means over {len(kinds)} kinds of events, each predicted alone."]
        if kinds
        else []
    )
    lines = [
        f"Every unit is tested once, in {board['turns']} turns, by models that never saw it; nothing is chosen here.",
        *means,
        f"Default: **{board['default']}**; {took(board)}.",
    ]  # fmt: skip
    lines += ["", *turned_rows(board["rows"], board["horizons"])]
    if board.get("unseen"):
        lines += [
            "",
            "Of them the units that calibrate in no turn, so that no choice made on *cal* has seen them:",
            "",
        ]
        lines += turned_rows(board["unseen"], board["horizons"])
    for kind, rows in kinds.items():
        lines += ["", f"Of them `{kind}`:", "", *turned_rows(rows, board["horizons"])]
    return lines


def turned_rows(rows: list[dict[str, Any]], horizons: list[int]) -> list[str]:
    head = "".join(f" test {h} d{counted(rows, h)} | vs default |" for h in horizons)
    lines = [
        f"| model | seeds | test, mean | vs default |{head}",
        "|---|---|---|---|" + "---|---|" * len(horizons),
    ]
    for row in rows:
        cells = [row["name"], str(row["runs"])]
        cells += [interval(row["mean"]["pr_auc"])]
        cells += [verdict(row["mean"]["against_default"])]
        for h in map(str, horizons):
            cells += [
                interval(row["test"][h]["pr_auc"]),
                versus(row, "against_default", h),
            ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def took(board: dict[str, Any]) -> str:
    resumed = board.get("fits") != board.get("fits_made")
    part = (
        f" for {board['fits_made']} of {board['fits']} fits, the others were there"
        if resumed
        else ""
    )
    return f"took {board['seconds']:.0f} s{part}"


def interval(figure: dict[str, Any]) -> str:
    value, low, high = (
        "–" if figure[n] is None else f"{figure[n]:.3f}"
        for n in ("value", "low", "high")
    )
    return f"{value} [{low}, {high}]"


def counted(rows: list[dict[str, Any]], horizon: int) -> str:
    events = rows[0]["test"][str(horizon)].get("events")
    return f" ({events['value']:.0f} events)" if events else ""


def versus(row: dict[str, Any], against: str, horizon: str) -> str:
    differences = row[against]
    return verdict(differences and differences[horizon]["pr_auc"])


def verdict(found: dict[str, Any] | None) -> str:
    if not found or found["value"] is None:
        return "–"
    bounds = (
        "" if found["low"] is None else f" [{found['low']:+.3f}, {found['high']:+.3f}]"
    )
    return f"{found['value']:+.3f}{bounds} {found['verdict']}"


def leaky_table(found: dict[str, Any]) -> list[str]:
    lines = [
        f"**{found['warning']}**",
        "",
        "| model | protocol | PR-AUC{0} | ROC-AUC{0} | F1{0} |".format(
            f" {_shortest(found)} d"
        ),
        "|---|---|---|---|---|",
    ]
    for model in (name for name in found if name not in NO_MODEL):
        for protocol, by_horizon in found[model].items():
            first = by_horizon[_shortest(found)]
            cells = " | ".join(
                f"{first[name]:.3f}" for name in ("pr_auc", "roc_auc", "f1")
            )
            lines.append(f"| {model} | {protocol} | {cells} |")
    return lines


def _shortest(found: dict[str, Any]) -> str:
    protocols = next(found[name] for name in found if name not in NO_MODEL)
    return min(next(iter(protocols.values())), key=int)


def sweep_table(sweep: dict[str, Any]) -> list[str]:
    search = sweep["search"]
    names = list(search["space"])
    lines = [
        f"`{sweep['family']}`, {search['algorithm']}, {search['metric']} (mean over classes): it chose the winner,",
        "so it flatters it.",
        "",
        f"| trial | state | epochs | tune PR-AUC | {' | '.join(names)} |",
        "|---|---|---|---|" + "---|" * len(names),
    ]
    for trial in sorted(sweep["trials"], key=lambda each: -(each["value"] or 0)):
        settings = [
            f"{v:.3g}" if isinstance(v, float) else str(v)
            for v in map(trial["settings"].get, names)
        ]
        value = "–" if trial["value"] is None else f"{trial['value']:.3f}"
        lines.append(
            f"| {' | '.join([trial['trial'], trial['status'], str(trial['epochs']), value, *settings])} |"
        )
    return lines


def detection(metrics: dict[str, Any]) -> dict[str, Any]:
    """What every model found in the test part: windows told right, anomalies found, false alarms."""
    found = {}
    for model, parts in metrics["models"].items():
        events = parts["test"].get("events")
        counts = (
            {
                name: events[name]
                for name in ("events", "found", "false_alarms", "in_alarm")
            }
            if events
            else None
        )
        found[model] = {"pr_auc": parts["test"]["windows"]["pr_auc"], "events": counts}
    return found


def detector_table(found: dict[str, Any]) -> list[str]:
    lines = [
        "| model | PR-AUC of windows | anomalies found | false alarms |",
        "|---|---|---|---|",
    ]
    for model, test in found["detector"].items():
        area, events = test["pr_auc"], test["events"]
        caught = (
            f"{events['found']} of {events['events']} | {events['false_alarms']}"
            if events
            else "– | –"
        )
        lines.append(
            f"| {model} | {'–' if area is None else f'{area:.3f}'} | {caught} |"
        )
    return lines


if __name__ == "__main__":
    main()
