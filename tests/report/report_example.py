"""A realistic report to develop and test against: invented numbers in the exact shape that `evaluate` gives."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from hvac.panel.grid import Unit
from hvac.report.figures import DrawnForecast, ForecastPanel

HORIZONS = (30, 60, 90)
BASE = {"30": 0.062, "60": 0.104, "90": 0.139}
PR_AUC = {
    "hybrid": 0.248,
    "gbdt_28": 0.236,
    "gbdt_92": 0.241,
    "gbdt_context": 0.262,
    "gbdt_full": 0.279,
    "fusion": 0.301,
    "logistic_28": 0.198,
    "lstm": 0.143,
    "cnn1d": 0.151,
    "persistence": 0.112,
    "base_rate": 0.062,
}


def around(value: float, width: float = 0.04) -> dict[str, float]:
    return {
        "value": round(value, 4),
        "low": round(value - width, 4),
        "high": round(value + width, 4),
    }


def model_metrics(pr_auc: float, horizon: str) -> dict[str, Any]:
    lifted = pr_auc + {"30": 0.0, "60": 0.04, "90": 0.07}[horizon]
    good = pr_auc - 0.06
    return {
        "headline": True,
        "pr_auc": around(lifted),
        "base_rate": around(BASE[horizon], 0.006),
        "roc_auc": around(0.5 + 1.4 * good, 0.03),
        **{f"lift_{k}": around(1 + good * 40 / k, 0.3) for k in (1, 5, 10)},
        **{f"recall_{k}": around(0.01 * k + good * k / 7, 0.03) for k in (1, 5, 10)},
        "brier": around(0.055, 0.004),
        "brier_skill": around(good * 0.7, 0.03),
        "ece": around(0.013, 0.004),
        "f1": around(0.31),
        "precision": around(0.29),
        "recall": around(0.36),
        "accuracy": around(0.902, 0.01),
        **{
            key: {"value": n, "low": None, "high": None}
            for key, n in zip(
                ("tn", "fp", "fn", "tp"), (4136, 254, 171, 112), strict=True
            )
        },
        "event_recall": around(0.61, 0.09),
        "alarm_precision": around(0.43, 0.08),
        "false_alarms_per_unit_year": around(0.82, 0.15),
        "lead_q25": around(9.0, 1),
        "lead_median": around(17.0, 2),
        "lead_q75": around(24.0, 2),
        "events": 118,
        "windows": 4673,
        "units": 312,
    }


def differences() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for model, pr_auc in PR_AUC.items():
        if model == "hybrid":
            continue
        gap = PR_AUC["hybrid"] - pr_auc
        verdict = (
            "better"
            if gap > 0.02
            else "worse"
            if gap < -0.02
            else "no clear difference"
        )
        one = {**around(gap, 0.02), "verdict": verdict}
        found[model] = {
            h: {
                "pr_auc": one,
                "roc_auc": one,
                "brier": {**around(-gap / 10, 0.002), "verdict": verdict},
            }
            for h in BASE
        }
    return found


def leaderboard() -> dict[str, Any]:
    order = sorted(PR_AUC, key=lambda model: -PR_AUC[model])
    rows = [ranked(model, champion=order[0]) for model in order]
    names = {
        "name": "families",
        "table": "c0ffee",
        "champion": order[0],
        "default": "hybrid",
    }
    return {**names, "horizons": list(HORIZONS), "rows": rows}


def ranked(model: str, *, champion: str) -> dict[str, Any]:
    """A row of the leaderboard."""
    return {
        "name": model,
        "family": model,
        "runs": 3,
        "parameters": 20_609,
        "fit_seconds": 61.2,
        "microseconds_per_window": 3.41,
        "validation": {
            "pr_auc": dict.fromkeys(BASE, PR_AUC[model] + 0.02),
            "mean": PR_AUC[model] + 0.02,
        },
        "test": {h: {**model_metrics(PR_AUC[model], h)} for h in BASE},
        "seeds": {h: [PR_AUC[model] - 0.01, PR_AUC[model] + 0.01] for h in BASE},
        "against_default": against(model, "hybrid"),
        "against_champion": against(model, champion),
    }


def against(model: str, other: str) -> dict[str, Any] | None:
    """The row minus the other."""
    gap = PR_AUC[model] - PR_AUC[other]
    verdict = (
        "better" if gap > 0.02 else "worse" if gap < -0.02 else "no clear difference"
    )
    return (
        {h: {"pr_auc": {**around(gap, 0.02), "verdict": verdict}} for h in BASE}
        if model != other
        else None
    )


def curves() -> dict[str, Any]:
    recall = np.linspace(0, 1, 40)
    found: dict[str, Any] = {}
    for model, pr_auc in PR_AUC.items():
        found[model] = {}
        for h, base in BASE.items():
            precision = base + (1 - base) * np.exp(
                -recall * base * 1.2 / max(pr_auc - base, 0.003) * 3
            ) * min(pr_auc * 2.6, 0.9)
            risk = np.linspace(0.01, 0.35, 8)
            rate = risk * (0.7 + 1.2 * pr_auc) + 0.01 * np.sin(40 * risk + 10 * pr_auc)
            found[model][h] = {
                "base_rate": base,
                "pr": {"recall": recall.tolist(), "precision": precision.tolist()},
                "reliability": {
                    "risk": risk.tolist(),
                    "rate": rate.tolist(),
                    "low": (rate * 0.75).tolist(),
                    "high": (rate * 1.3).tolist(),
                    "count": [2600, 900, 500, 300, 180, 100, 60, 33],
                },
            }
    return found


def history(classes: tuple[str, ...] = ("AHU", "冷凍機", "pump")) -> dict[str, Any]:
    epochs = np.arange(1, 21)
    found: dict[str, Any] = {}
    for place, name in enumerate(classes):
        found[name] = {}
        for shift, h in enumerate(BASE):
            quality = (
                0.26
                + 0.02 * shift
                - 0.15 * np.exp(-epochs / 5)
                - 0.0004 * (epochs - 13) ** 2 * (place + 1) / 3
            )
            found[name][h] = [
                {
                    "epoch": int(epoch),
                    "train_loss": 0.0088 - 0.0001 * epoch + 0.0004 * shift,
                    "tune_loss": 0.0081 - 0.00005 * epoch + 0.0004 * shift,
                    "tune_pr_auc": float(value),
                }
                for epoch, value in zip(epochs, quality, strict=True)
            ]
            found[name][h][15 - place]["kept"] = 1.0
    return found


def windows() -> dict[str, Any]:
    sizes = {
        "train": (58_300, 312),
        "tune": (6_412, 156),
        "cal": (6_380, 156),
        "test": (4_673, 312),
    }
    found: dict[str, Any] = {
        part: {
            "windows": n,
            "units": units,
            "positives": {h: round(n * base) for h, base in BASE.items()},
            "known": dict.fromkeys(BASE, n),
            "base_rate": dict(BASE),
        }
        for part, (n, units) in sizes.items()
    }
    found["excluded"] = {
        "learning": 28_080,
        "insufficient_data": 1_204,
        "in_episode": 3_377,
        "purged": 11_540,
        "odd_reason": 3,
    }
    return found


def slices() -> dict[str, Any]:
    def one(events: int, pr_auc: float | None) -> dict[str, Any]:
        return {
            h: {
                "windows": 890,
                "events": events,
                "base_rate": base,
                "pr_auc": pr_auc,
                "roc_auc": 0.7,
            }
            for h, base in BASE.items()
        }

    return {
        "facility": {
            "tokyo-01": one(44, 0.27),
            "大阪-02": one(39, 0.24),
            "<b>fukuoka</b>": one(3, None),
        },
        "class": {
            "AHU": one(61, 0.26),
            "冷凍機": one(40, 0.23),
            "pump": one(17, float("nan")),
        },
    }


def unseen() -> dict[str, Any]:
    """Facilities left out in turn; one has too few events to be judged."""

    def one(events: int, share: float) -> dict[str, Any]:
        return {
            model: {
                h: {
                    **model_metrics(share * PR_AUC[model], h),
                    "events": events,
                    "units": 40,
                    "headline": events >= 30,
                }
                for h in BASE
            }
            for model in ("hybrid", "gbdt_full", "base_rate")
        }

    return {
        "table": "c0ffee",
        "model": "hybrid",
        "models": ["hybrid", "gbdt_full", "base_rate"],
        "horizons": list(HORIZONS),
        "least_events": 30,
        "facilities": {
            "tokyo-01": one(44, 0.9),
            "大阪-02": one(39, 0.8),
            "<b>fukuoka</b>": one(3, 0.7),
        },
        "all": one(86, 0.85),
        "left_out": {"大阪-02": {"冷凍機": "no training window elsewhere"}},
    }


def own_decisions() -> dict[str, Any]:
    def one(calibration: int, thresholds: int) -> dict[str, Any]:
        return {
            "calibration": {"own": calibration, "of": 9},
            "thresholds": {"own": thresholds, "of": 9},
        }

    return {"tokyo-01": one(9, 4), "大阪-02": one(6, 0), "<b>fukuoka</b>": one(0, 0)}


def example_metrics() -> dict[str, Any]:
    """A full metrics dict; every call gives a fresh one, no part of it shared."""
    return json.loads(json.dumps(_metrics()))


def _metrics() -> dict[str, Any]:
    return {
        "run": {
            "name": "demo-2025",
            "created": "2026-02-15 19:08",
            "config_hash": "9f3ac41be07d",
            "version": "0.1.0",
            "language": "ja",
            "command": "python -m ray_jobs.evaluate --config ray_jobs/configs/demo.yaml split.t2=2025-08-30",
            "bundles": {
                "AHU": "ahu-9f3ac41b",
                "冷凍機": "chiller-77b0e2aa",
                "pump": "pump-0c8d11f3",
            },
            "family": "hybrid",
            "encoder": {
                "source": "packaged",
                "sha256": "c0ffee" * 10 + "abcd",
                "dim": 64,
                "patches": 9,
                "pooling": "last",
            },
            "split": {
                "kind": "time",
                "t1": "2025-02-01",
                "t2": "2025-08-30",
                "purge_days": 90,
                "train_stride": 1,
                "evaluation_stride": 7,
            },
            "labels": {"source": "events", "events": ["failure", "limit_exceedance"]},
            "seed": 42,
            "by": "equipment",
        },
        "panel": {
            "rows_read": 1_234_567,
            "readings": 1_229_841,
            "missing": 21_404,
            "rejected": {
                "text_in_value": 3_512,
                "unreadable_date": 214,
                "limits_swapped": 1_000,
                "odd_fault": 2,
            },
            "repeated_unit_days": 1_280,
            "dropped_points": {
                "AHU": ["還気CO2", "filter_dp"],
                "pump": [f"P{n:02d}" for n in range(23)],
                "冷凍機": [],
            },
            "facilities": 14,
            "equipment": 312,
            "points": 1_103,
            "first_date": "2023-01-01",
            "last_date": "2025-12-31",
            "events": {
                "failure": 402,
                "failure:comp3": 31,
                "limit_exceedance": 377,
                "maintenance": 1_204,
                "odd": 5,
            },
            "classes": {"AHU": 140, "冷凍機": 72, "pump": 100},
        },
        "windows": windows(),
        "models": {
            model: {h: model_metrics(pr_auc, h) for h in BASE}
            for model, pr_auc in PR_AUC.items()
        },
        "thresholds": {
            "hybrid": {
                h: {"value": 0.21, "policy": "budget", "note": "≤ 1 / unit-year"}
                for h in BASE
            }
        },
        "calibration": {"hybrid": {h: {"method": "isotonic"} for h in BASE}},
        "differences": differences(),
        "leaderboard": leaderboard(),
        "ablation": {
            name: {
                h: {"pr_auc": around(value), "roc_auc": around(value + 0.48)}
                for h in BASE
            }
            for name, value in {
                "features_only": 0.236,
                "embedding_only": 0.19,
                "both": 0.248,
                "untrained_encoder": 0.221,
            }.items()
        },
        "forecast": {
            h: {
                "methods": {
                    "last_value": {"mase": 1.02 + place / 10},
                    "damped_trend": {"mase": 0.97 + place / 10},
                    "quadratic": {"mase": 0.95 + place / 10},
                    "encoder": {"mase": 0.91 + place / 10},
                },
                "shown": {"mase": 0.91 + place / 10, "coverage": 0.894},
                "over_last_value": {
                    "value": -0.11,
                    "low": -0.2 + place / 10,
                    "high": -0.02 + place / 10,
                },
            }
            for place, h in enumerate(BASE)
        },
        "monitors": {
            "since": "2023-01-02",
            "last_week": "2024-03-25",
            "monitors": [
                {
                    "name": "data",
                    "declared_per_year": 1.0,
                    "alerts": 1,
                    "watched_years": 1.2,
                    "measured_per_year": 0.8,
                    "waits": None,
                }
            ],
            "alerts": [],
        },
        "updates": {
            "as_trained": False,
            "changes": [
                {
                    "day": "2026-03-30",
                    "words": {
                        "en": "The models were changed: by hand",
                        "ja": "モデルを切り替え：手動で運用に移しました",
                    },
                }
            ],
        },
        "now": {
            "end_date": "2026-03-31",
            "equipment": 120,
            "alarms": 1,
            "soon": 1,
            "rows": [
                {
                    "facility_id": "大阪-02",
                    "equipment_id": "<b>P-7</b>",
                    "about": {"en": "Osaka · pump", "ja": "大阪 · ポンプ"},
                    "risks": dict.fromkeys(BASE, 0.61),
                    "alarms": list(BASE),
                    "why": {
                        "en": "vibration is higher than usual",
                        "ja": "vibration が普段より高い",
                    },
                }
            ],
        },
        "forecast_methods": {
            "AHU": "encoder",
            "冷凍機": "last_value",
            "pump": "encoder",
        },
        "slices": slices(),
        "unseen": unseen(),
        "own_decisions": own_decisions(),
        "importance": importance(),
        "sureness": sureness(),
        "curves": curves(),
        "history": history(),
    }


def example_panels() -> list[ForecastPanel]:
    """Five windows, one of each outcome and a mixed one."""
    stories = [
        ("tokyo-01 / AHU-03", "給気温度", "℃", "tn", "tn", 0.02),
        ("tokyo-01 / AHU-07", "supply air temperature", "°C", "tp", "tp", 0.35),
        ("大阪-02 / 冷凍機-1", "冷水流量", "m³/h", "fp", "fp", 0.25),
        ("大阪-02 / 冷凍機-2", "冷水出口温度", "℃", "fn", "tp", 0.1),
        ("fukuoka / P-11", "vibration", "mm/s", "fn", "fn", -0.05),
    ]
    return [_panel(place, *story) for place, story in enumerate(stories)]


def _panel(
    place: int, unit: str, point: str, uom: str, first: str, later: str, slope: float
) -> ForecastPanel:
    rng = np.random.default_rng(place)
    day = np.arange(90)
    past = (
        18
        + np.sin(day / 9)
        + rng.normal(0, 0.4, 90)
        + slope * np.maximum(day - 60, 0) * 0.3
    )
    outcome = {30: first, 60: later, 90: later}
    truth = any(word in ("tp", "fn") for word in outcome.values())
    end_day = 20_345 + 7 * place
    return ForecastPanel(
        unit=Unit(*unit.split(" / ")),
        point=point,
        uom=uom,
        end_day=end_day,
        past_L=past,
        lower_limit=15.0 if place % 2 else float("nan"),
        upper_limit=60.0 if place == 2 else 24.0,
        events=((end_day + 22, end_day + 41), (end_day + 70, end_day + 74))
        if truth
        else (),
        forecasts={
            h: _outlook(word, float(past[-9:].mean()), slope=slope, horizon=h)
            for h, word in outcome.items()
        },
    )


def _outlook(word: Any, level: float, *, slope: float, horizon: int) -> DrawnForecast:
    day_D = np.arange(1, horizon + 1)
    forecast_D = level + slope * day_D * 0.2 * np.exp(-day_D / (2 * horizon))
    width_D = 0.8 + np.sqrt(day_D) * 0.18
    alarm = word in ("tp", "fp")
    return DrawnForecast(
        forecast_D=forecast_D,
        band_low_D=forecast_D - width_D,
        band_high_D=forecast_D + width_D,
        risk=0.34 if alarm else 0.06,
        threshold=0.21,
        alarm=alarm,
        outcome=word,
    )


def importance() -> dict[str, Any]:
    """Importance of the points of two classes, as evaluate gives it."""
    figures = {
        name: {
            "added": around(0.6 - 0.1 * n),
            "shuffled": around(0.03 - 0.01 * n, 0.01),
        }
        for n, name in enumerate(
            ("vibration", "history", "limits", "flow_rate", "coverage")
        )
    }
    return {name: {str(h): figures for h in HORIZONS} for name in ("pump", "ahu")}


def sureness() -> dict[str, Any]:
    """Figures of bands and withheld alarms of two classes, as evaluate gives them."""
    figures = {
        "width": 0.12,
        "needs_look": 0.03,
        "brier": 0.06,
        "brier_gain": around(0.01, 0.004),
        "false_alarms": 0.82,
        "false_alarms_kept": 0.7,
        "promised": True,
        "calibration": 0.08,
    }
    return {name: {str(h): figures for h in HORIZONS} for name in ("pump", "ahu")}
