"""The HTTP face: routes, who may use them, and the answers where something goes wrong."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi import Path as InPath
from fastapi.responses import PlainTextResponse

from hvac.panel.names import load_names
from serve import service_metrics
from serve.bodies import unfold
from serve.bodies.answer_rows import unit_predictions
from serve.bodies.answers import Forecasts, Predictions, Problem, Stored
from serve.bodies.bulk import ARROW, PARQUET, check_kind
from serve.bodies.looks import ModelsAnswer, PromotionAnswer
from serve.bodies.schemas import ForecastBody, PredictBody, PromoteBody, PushBody
from serve.http import api_page, pages
from serve.http.api_answers import daily_forecast, stream
from serve.http.case_routes import case_routes
from serve.http.door import Door
from serve.http.error_answers import install_handlers
from serve.http.guard import Guard
from serve.http.look_routes import look_routes
from serve.http.shadow_routes import shadow_routes
from serve.ids import SentId
from serve.keys import Caller
from serve.service import Service
from serve.work.bundle_choice import ListedBundle, Promotion
from serve.work.ready_state import ServiceReadiness

ABOUT = (
    "How likely an anomaly begins within 30, 60 and 90 days, for every piece of HVAC equipment."
    " Risks are probabilities (0 to 1); days are calendar days; values are in each point's own"
    " physical unit."
)
ProblemSet = {
    code: {"model": Problem}
    for code in (400, 401, 403, 404, 405, 408, 413, 415, 421, 422, 429, 503, 504)
}
BundleId = Annotated[SentId, InPath(description="bundle")]
Explain = Annotated[
    bool,
    Query(
        description="add to every horizon its reasons, and the past cases that were alike"
    ),
]
Detail = Annotated[
    bool,
    Query(description="add which aspects and weeks of a point count; includes explain"),
]


Wait = Annotated[
    bool, Query(description="answer when the equipment is scored, with its new risks")
]
BULK_BODY = {
    "required": True,
    "description": "one row per window; the columns are told above",
    "content": {
        kind: {"schema": {"type": "string", "format": "binary"}}
        for kind in (ARROW, PARQUET)
    },
}
BULK_ANSWER = {
    "type": "string",
    "format": "binary",
    "description": "an Arrow stream: one row per window and horizon (days), in the order asked",
}


def make_api(service: Service, door: Door) -> FastAPI:
    """Build the whole application over a service; `door` decides who may come in."""
    api = FastAPI(
        title="hvac-foresight",
        version="1",
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would name whatever host the request named
        responses=ProblemSet,  # type: ignore[arg-type]
    )
    api.state.service = service
    api.state.door = door
    api.state.simulated = service.config.simulated
    api.state.names = load_names(service.config.panel_folder)
    install_handlers(api, service.config.language)
    api.add_middleware(Guard, door=door, config=service.config)
    api.include_router(_predicting(service, door))
    api.include_router(look_routes(service, door))
    api.include_router(case_routes(service, door))
    api.include_router(_operating(service, door))
    api.include_router(shadow_routes(service, door))
    api.include_router(api_page.make_docs(service.config.language))
    api.include_router(pages.make_pages(service, door))
    return api


def _predicting(service: Service, door: Door) -> APIRouter:
    routes = APIRouter(prefix="/v1", tags=["predict"])
    read = Depends(door.may("read"))
    push = Depends(door.may("push"))

    @routes.post("/predict", response_model=Predictions)
    async def predict(
        body: PredictBody,
        caller: Caller = read,
        explain: Explain = False,
        detail: Detail = False,
    ) -> Response:
        """Predict how likely an anomaly begins within 30, 60 and 90 days, for one or many pieces of
        equipment; `explain=true` adds the reasons and similar past cases, `detail=true` also which
        aspect and which weeks of a point count.
        """
        door.check(caller, *(unit.facility_id for unit in body.units))
        rows = await service.predict(body.units, explain=explain, detail=detail)
        answer = Predictions(predictions=unit_predictions(rows))
        return Response(
            answer.model_dump_json(by_alias=True), media_type="application/json"
        )

    @routes.post(
        "/predict/bulk",
        response_class=Response,
        responses={200: {"content": {ARROW: {"schema": BULK_ANSWER}}}},
        openapi_extra={"requestBody": BULK_BODY},
    )
    async def bulk(request: Request, caller: Caller = read) -> Response:
        """Predict thousands of ready windows, sent as an Arrow stream or a Parquet file; the answer
        is an Arrow stream.

        Columns: facility_id, equipment_id, end_date (date), values (list of points × 90 normalised
        numbers, point after point, as in the featurized table); optional class, point_id, context,
        and recent, raw, peers, residuals (lists of points × 9 numbers, as in the featurized table),
        which the default family `fusion` looks at.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        check_kind(kind)
        table = await service.within(
            unfold.unfold_windows(await request.body(), kind, service.config.limits)
        )
        return Response(
            stream(await service.bulk(table, caller.sees)), media_type=ARROW
        )

    @routes.post("/forecast", response_model=Forecasts)
    async def forecast(body: ForecastBody, caller: Caller = read) -> Forecasts:
        """Forecast every point's value day by day, with a 90 % band."""
        door.check(caller, body.facility_id)
        first, answer = await service.forecast(body, body.horizons)
        return Forecasts(
            facility_id=first["facility_id"],
            equipment_id=first["equipment_id"],
            end_date=first["end_date"],
            status=first["status"],
            forecasts=[daily_forecast(one) for one in answer],
        )

    @routes.post("/readings", response_model=Stored, status_code=202)
    async def readings(
        body: PushBody, caller: Caller = push, wait: Wait = False
    ) -> Stored:
        """Keep readings and events. Sending them twice is the same as once; the equipment is scored
        again at once, and `wait=true` answers with the new risks.
        """
        door.check(caller, *(unit.facility_id for unit in body.units))
        return await service.push(
            body.units, caller.sees, only_known_points=body.only_known_points, wait=wait
        )

    return routes


def _operating(service: Service, door: Door) -> APIRouter:
    routes = APIRouter(tags=["operate"])
    read = Depends(door.may("read"))
    admin = Depends(door.may("admin"))

    @routes.get("/v1/models", response_model=ModelsAnswer)
    async def models(caller: Caller = read) -> dict[str, list[ListedBundle]]:
        """List the bundles, and whom each serves."""
        return {"models": await service.models(caller)}

    @routes.post("/v1/models/{bundle_id}/promote", response_model=PromotionAnswer)
    async def promote(
        bundle_id: BundleId, body: PromoteBody | None = None, caller: Caller = admin
    ) -> Promotion:
        """Let a bundle serve its class in a facility, or in the whole fleet, without a restart."""
        facility = body.facility_id if body else None
        door.check_promote(caller, facility)
        return await service.promote(bundle_id, facility)

    @routes.get("/healthz", include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @routes.get("/readyz", include_in_schema=False, response_model=None)
    async def readyz(request: Request) -> ServiceReadiness:
        """Tell whether requests can be answered (the store is there, and a bundle serves), and what
        cannot be scored.
        """
        return await service.ready(request.scope["state"]["caller"])

    @routes.get("/metrics", include_in_schema=False)
    async def prometheus(caller: Caller = read) -> PlainTextResponse:
        door.check_fleet(caller)
        return PlainTextResponse(
            service_metrics.exposition(), media_type="text/plain; version=0.0.4"
        )

    return routes
