"""How answers are made of rows of `latest.parquet`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, cast

from hvac.explain.reason import reason_of
from hvac.explain.wording import reason_sentence
from hvac.scoring.details import PointDetail
from hvac.scoring.latest_rows import DoubtRow, LatestRow, StoredReason
from serve.bodies.answers import (
    Aspect,
    HorizonRisk,
    PointForecast,
    ReasonAspect,
    ReasonDays,
    ReasonText,
    RiskReason,
    SimilarCase,
    UnitPrediction,
)


def risk_row(row: LatestRow) -> HorizonRisk:
    """Return one horizon's risk out of a row of `latest.parquet`."""
    forecast = None
    if row["forecast"]:
        low = row["forecast_low"]
        high = row["forecast_high"]
        forecast = PointForecast(
            point_id=row["driving_point"],
            value=row["forecast"][-1],
            low=None if low is None else _number(low[-1]),
            high=None if high is None else _number(high[-1]),
            crossing_probability=row["crossing_probability"],
            method=row.get("forecast_method"),
        )
    return HorizonRisk(
        days=row["horizon"],
        risk=row["risk"],
        threshold=row["threshold"],
        alarm=row["alarm"],
        risk_low=row.get("risk_low"),
        risk_high=row.get("risk_high"),
        needs_look=row.get("needs_look"),
        forecast=forecast,
        reasons=risk_reasons(row.get("reasons"), row.get("details") or {}),
    )


def risk_reasons(
    plain: Sequence[StoredReason] | None, details: Mapping[str, PointDetail]
) -> list[RiskReason] | None:
    """Return reasons as the API shows them, with what is behind those of points."""
    if plain is None:
        return None
    return [
        RiskReason(
            player=reason.player,
            log_odds=reason.log_odds,
            since=reason.since,
            now=reason.now,
            usual=reason.usual,
            over_peers=reason.over_peers,
            text=ReasonText(
                en=reason_sentence(reason, "en"), ja=reason_sentence(reason, "ja")
            ),
            aspects=_aspects(details.get(reason.player)),
            days=_days(details.get(reason.player)),
        )
        for reason in map(reason_of, plain)
    ]


def _aspects(detail: PointDetail | None) -> list[ReasonAspect] | None:
    if detail is None:
        return None
    return [
        ReasonAspect(aspect=cast(Aspect, aspect), log_odds=added)
        for aspect, added in detail.aspects
    ]


def _days(detail: PointDetail | None) -> list[ReasonDays] | None:
    if detail is None or not detail.days:
        return None
    return [ReasonDays(**span._asdict()) for span in detail.days]


def _cases(row: LatestRow) -> list[SimilarCase] | None:
    cases = row.get("cases")
    if cases is None:
        return None
    similar = []
    for case in cases:
        here = case.facility_id == row["facility_id"]
        similar.append(
            SimilarCase(
                facility_id=case.facility_id if here else None,
                equipment_id=case.equipment_id if here else None,
                end_date=case.end_date,
                anomaly_within_days=case.within_days,
                distance=case.distance,
            )
        )
    return similar


def _number(value: float | None) -> float | None:
    return None if value is None or value != value else value


def unit_predictions(rows: list[LatestRow]) -> list[UnitPrediction]:
    """Return units' predictions out of rows of `latest.parquet`, a row per unit and horizon."""
    rows_of_unit: dict[tuple[int | str | None, ...], list[LatestRow]] = {}
    for row in rows:
        key = (row.get("ask"), row["facility_id"], row["equipment_id"], row["point_id"])
        rows_of_unit.setdefault(key, []).append(row)
    return [_unit_prediction(unit_rows) for unit_rows in rows_of_unit.values()]


def _unit_prediction(rows: list[LatestRow]) -> UnitPrediction:
    first = rows[0]
    return UnitPrediction(
        facility_id=first["facility_id"],
        equipment_id=first["equipment_id"],
        point_id=first["point_id"],
        end_date=first["end_date"],
        status=first["status"],
        learning_days_left=first["learning_days_left"],
        observed_share=first["observed_share"],
        equipment_class=first["class"],
        quality=grade(first["observed_share"], first["status"], first.get("doubts")),
        doubts=first.get("doubts") or [],
        driving_point=first["driving_point"],
        similar_units=first.get("similar_units"),
        model=first["model"],
        bundle_id=first["bundle_id"],
        horizons=[risk_row(row) for row in rows],
        past_cases=_cases(first),
    )


def grade(
    observed_share: float, status: str, doubts: Sequence[DoubtRow] | None = None
) -> Literal["A", "B", "C", "D"] | None:
    """Grade the data quality of a window in one letter; None while learning, when points without a
    baseline do not count.

    A doubt about a point's readings makes it C at best.

    >>> grade(0.95, "ok"), grade(0.3, "insufficient_data"), grade(0.9, "learning")
    ('A', 'D', None)
    >>> grade(0.95, "ok", [{"point_id": "flow", "kind": "flat"}])
    'C'
    """
    if status == "learning":
        return None
    if status == "insufficient_data" or observed_share < 0.5:
        return "D"
    if doubts:
        return "C"
    return "A" if observed_share >= 0.9 else "B" if observed_share >= 0.7 else "C"
