"""Ask a running service from Python; nothing but the standard library is imported.

    from hvac.client import Client

    service = Client("http://127.0.0.1:8000", key="hvac_…")
    for machine in service.ranking("F001")[:5]:
        print(machine["equipment_id"], machine["risks"])

Answers are plain dictionaries with the types of `hvac.client_answers`.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Mapping, Sequence
from email.message import Message
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage
from typing import IO, Any, cast
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from hvac.client_answers import (
    CaseChangeDict,
    CaseDict,
    EquipmentDict,
    FacilityCountsDict,
    ForecastsDict,
    GivenUnitDict,
    ModelDict,
    OutcomeDict,
    PredictionDict,
    RankedEquipmentDict,
    StoredDict,
    TakenOutcomesDict,
)
from hvac.errors import HvacError

PASSING = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
LONGEST_PAUSE_S = 60.0
UNREACHED = 0


class ServiceError(HvacError):
    """The service refused a request, or could not be reached (status 0); the text says why."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(f"{status}: {sentence}" if status else sentence)
        self.status = status
        self.sentence = sentence


class Client:
    """One service by its URL.

    Every request may be repeated: a push that arrives twice counts once. So a request is sent again
    where the service is busy (429), something it needs is away (503), or it cannot be reached.

    Args:
        url: such as `http://127.0.0.1:8000`.
        key: the API key, where the service asks for one.
        timeout_s: seconds that one attempt may take.
        retries: how often a request is sent again.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout_s: float = 30.0,
        retries: int = 4,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ServiceError(
                UNREACHED, f"expected a URL such as http://host:8000, found {url!r}"
            )
        self.url = url.rstrip("/")
        self.timeout_s = timeout_s
        self.retries = retries
        self._headers = {"X-API-Key": key} if key else {}
        self._opener = build_opener(_NoRedirects)

    def predict(
        self,
        units: Sequence[GivenUnitDict],
        *,
        explain: bool = False,
        detail: bool = False,
    ) -> list[PredictionDict]:
        """Predict how likely an anomaly begins, for stored equipment or by the readings given.

        Raises:
            ServiceError: it is refused, or there is no answer.
        """
        query = urlencode({"explain": explain, "detail": detail})
        answer = self._post(f"/v1/predict?{query.lower()}", {"units": units})
        return cast(list[PredictionDict], answer["predictions"])

    def push(
        self,
        units: Sequence[GivenUnitDict],
        *,
        only_known_points: bool = False,
        wait: bool = False,
    ) -> StoredDict:
        """Keep readings and events; the equipment is scored again within seconds.

        Args:
            units: the equipment, each with new or corrected readings and events.
            only_known_points: whether all is refused where a point is none that a bundle looks at;
                else such readings are kept, and the answer names them.
            wait: whether to wait until it is scored: the answer then has its new `predictions`.

        Raises:
            ServiceError: it is refused, or there is no answer.
        """
        more = {"only_known_points": True} if only_known_points else {}
        path = "/v1/readings?wait=true" if wait else "/v1/readings"
        return cast(StoredDict, self._post(path, {"units": units, **more}))

    def forecast(
        self, unit: GivenUnitDict, horizons: Sequence[int] | None = None
    ) -> ForecastsDict:
        """Forecast every point of a piece of equipment so many days ahead (default: the bundle's).

        Raises:
            ServiceError: it is refused, or there is no answer.
        """
        more = {} if horizons is None else {"horizons": list(horizons)}
        return cast(ForecastsDict, self._post("/v1/forecast", {**unit, **more}))

    def facilities(self) -> list[FacilityCountsDict]:
        """List every facility with its equipment in alarm. Raise ServiceError."""
        return cast(list[FacilityCountsDict], self._get("/v1/facilities")["facilities"])

    def ranking(self, facility_id: str) -> list[RankedEquipmentDict]:
        """List the equipment of a facility, the highest risk first. Raise ServiceError."""
        answer = self._get(f"/v1/facilities/{_segment(facility_id)}/ranking")
        return cast(list[RankedEquipmentDict], answer["ranking"])

    def equipment(self, facility_id: str, equipment_id: str) -> EquipmentDict:
        """Return everything stored of a piece of equipment. Raise ServiceError."""
        path = f"/v1/equipment/{_segment(facility_id)}/{_segment(equipment_id)}"
        return cast(EquipmentDict, self._get(path))

    def cases(
        self, facility_id: str | None = None, *, state: str = "open"
    ) -> list[CaseDict]:
        """List cases, the newest first; `state` is open, closed or all. Raise ServiceError."""
        query = {"state": state} | ({"facility_id": facility_id} if facility_id else {})
        answer = self._get(f"/v1/cases?{urlencode(query)}")
        return cast(list[CaseDict], answer["cases"])

    def change_case(self, case: CaseDict, change: CaseChangeDict) -> CaseDict:
        """Change a case as it was read, and return it as it is now.

        Raises:
            ServiceError: it is refused (status 409: somebody else changed it meanwhile), or there
                is no answer.
        """
        body = {"version": case["version"], **change}
        return cast(
            CaseDict, self._post(f"/v1/cases/{_segment(case['case_id'])}", body)
        )

    def tell_outcomes(self, outcomes: Sequence[OutcomeDict]) -> int:
        """Tell what became of alarms, or what visits found; return how many were kept.

        Raises:
            ServiceError: it is refused, or there is no answer.
        """
        answer = self._post("/v1/outcomes", {"outcomes": list(outcomes)})
        return int(answer["kept"])

    def tell_outcome_table(self, table: bytes) -> TakenOutcomesDict:
        """Tell outcomes as a CSV table (`Path("outcomes.csv").read_bytes()`), UTF-8 or cp932.

        The answer counts the rows that were taken and those known already, and names the others.

        Raises:
            ServiceError: the table cannot be read, is refused, or there is no answer.
        """
        headers = {**self._headers, "Content-Type": "text/csv"}
        url = f"{self.url}/v1/outcomes/table"
        answer = self._asked(Request(url, data=table, headers=headers))
        return cast(TakenOutcomesDict, answer)

    def models(self) -> list[ModelDict]:
        """List the bundles, and whom each serves. Raise ServiceError."""
        return cast(list[ModelDict], self._get("/v1/models")["models"])

    def _get(self, path: str) -> dict[str, Any]:
        return self._asked(Request(f"{self.url}{path}", headers=self._headers))

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        content = json.dumps(body, default=_plain).encode()
        headers = {**self._headers, "Content-Type": "application/json"}
        return self._asked(Request(f"{self.url}{path}", data=content, headers=headers))

    def _asked(self, request: Request) -> dict[str, Any]:
        """Return the answer to a request, sent again while that may help."""
        for attempt in range(self.retries + 1):
            wait_s = min(2.0**attempt, LONGEST_PAUSE_S)
            try:
                return self._answer(request)
            except HTTPError as error:
                refusal = _refusal(error)
                if error.code not in PASSING or attempt == self.retries:
                    raise refusal from None
                wait_s = _retry_after(error.headers, wait_s)
            except (OSError, HTTPException) as error:
                if attempt == self.retries:
                    reason = getattr(error, "reason", None) or error
                    sentence = (
                        f"no answer from {self.url} ({reason or type(error).__name__})"
                    )
                    raise ServiceError(UNREACHED, sentence) from error
            time.sleep(wait_s)
        raise AssertionError("the last attempt returns or raises")

    def _answer(self, request: Request) -> dict[str, Any]:
        with self._opener.open(request, timeout=self.timeout_s) as answer:
            content = answer.read()
        try:
            decoded = json.loads(content)
        except ValueError:
            decoded = None
        if not isinstance(decoded, dict):
            raise ServiceError(
                UNREACHED, f"{self.url} answers no JSON: is it the service?"
            )
        return decoded


class _NoRedirects(HTTPRedirectHandler):
    """Follow no redirect: the service sends none, and the key must not go to another host."""

    def redirect_request(
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> Request | None:
        """Return None, so that the redirect counts as an error."""
        return None


def _refusal(error: HTTPError) -> ServiceError:
    """Return the error with the sentence of an answer, else the status in words."""
    try:
        sentence = str(json.loads(error.read())["error"])
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        sentence = str(error.reason)
    return ServiceError(error.code, sentence)


def _retry_after(headers: Message, usual_s: float) -> float:
    """Return the seconds that an answer asks to wait, at most a minute; the usual ones without."""
    text = headers.get("Retry-After", "")
    return (
        min(float(text), LONGEST_PAUSE_S)
        if text.isascii() and text.isdigit()
        else usual_s
    )


def _segment(text: str) -> str:
    """Return an id as one part of an address; one of dots only gets a blank, which is trimmed.

    >>> _segment("本社/1"), _segment("..")
    ('%E6%9C%AC%E7%A4%BE%2F1', '..%20')
    """
    return quote(text, safe="") + ("%20" if text in (".", "..") else "")


def _plain(value: object) -> str:
    """Return a day as a text."""
    if isinstance(value, dt.date):
        return value.isoformat()
    raise ServiceError(UNREACHED, f"expected texts, numbers and days, found {value!r}")
