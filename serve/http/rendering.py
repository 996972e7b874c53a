"""Templates, the reader's language, and pages made of both."""

from __future__ import annotations

import datetime as dt
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from hvac.days import EPOCH
from hvac.words import LANGUAGES, short_number
from serve.http.chart import draw_trend
from serve.http.page_words import PageWords
from serve.ids import segment

FOLDER = Path(__file__).parent / "templates"
A_YEAR = 31_536_000


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["segment"] = segment
    environment.globals["drawn_trend"] = lambda points: Markup(draw_trend(points))
    environment.globals["date_of"] = lambda day: EPOCH + dt.timedelta(days=day)
    return environment


def render(
    request: Request, name: str, *, default: str, status: int = 200, **more: Any
) -> HTMLResponse:
    """Render a page in the reader's language; a chosen language is remembered in a cookie."""
    words = page_words(request, default)
    switch = str(request.url.include_query_params(lang=words.other).query)
    here = f"/{request.scope['path'].lstrip('/')}"  # never //another.host
    same: dict[str, Any] = {"simulated": request.app.state.simulated}
    same |= {
        "t": words,
        "here": here,
        "query": switch,
        "percent": percent,
        "number": short_number,
    }
    response = HTMLResponse(
        _templates().get_template(name).render(**same, **more), status_code=status
    )
    if request.query_params.get("lang") in LANGUAGES:
        response.set_cookie(
            "lang", words.language, max_age=A_YEAR, samesite="strict", httponly=True
        )
    return response


def page_words(request: Request, default: str) -> PageWords:
    """Return the texts in the reader's language, with the names that the fleet's things have."""
    return PageWords(language_of(request, default), request.app.state.names)


def language_of(request: Request, default: str) -> str:
    """Return the language of the address, else of the cookie, else the browser's preference, else
    the default.
    """
    chosen = request.query_params.get("lang") or request.cookies.get("lang")
    if chosen in LANGUAGES:
        return str(chosen)
    for part in request.headers.get("accept-language", "").split(","):
        if part.strip()[:2] in LANGUAGES:
            return part.strip()[:2]
    return default


def percent(risk: float, beside: float | None = None) -> str:
    """Write a probability in whole per cent, never 0 or 100.

    One that would look equal to the number `beside` it, and is not, has a decimal.

    >>> percent(0.374), percent(0.0004), percent(0.9999)
    ('37', '<1', '>99')
    >>> percent(0.316, 0.318), percent(0.318, 0.316)
    ('31.6', '31.8')
    """
    if (
        beside is not None
        and risk != beside
        and f"{100 * risk:.0f}" == f"{100 * beside:.0f}"
    ):
        return f"{100 * risk:.1f}"
    return "<1" if risk < 0.005 else ">99" if risk > 0.995 else f"{100 * risk:.0f}"


def wants_page(request: Request) -> bool:
    """Tell whether a browser asks for a page."""
    return "text/html" in request.headers.get(
        "accept", ""
    ) and not request.url.path.startswith("/v1/")
