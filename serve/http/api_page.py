"""The page `/docs`: the OpenAPI document as tables to read; no script, nothing from outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from serve.http.rendering import render

Node = Mapping[str, Any]  # a part of the document
LIMITS = {
    "minimum": "≥ {}",
    "maximum": "≤ {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} entries",
    "maxItems": "at most {} entries",
}
ERRORS = "Problem"


class TypePart(NamedTuple):
    """A piece of a type's text; `link` names the object that it is, "" where it is none."""

    text: str
    link: str = ""


class FieldRow(NamedTuple):
    """One field of an object, or one parameter of a route."""

    name: str
    type: list[TypePart]
    required: bool
    about: str


class RouteView(NamedTuple):
    """One route: what it does, what it takes, what it answers."""

    method: str
    path: str
    about: str
    parameters: list[FieldRow]
    body: list[tuple[str, list[TypePart]]]
    answers: list[tuple[str, str, list[TypePart]]]
    refusals: list[str]


class ObjectView(NamedTuple):
    """One object of the API with its fields."""

    name: str
    about: str
    fields: list[FieldRow]


def make_docs(default_language: str) -> APIRouter:
    """Build the route of the page."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/docs")
    async def docs(request: Request) -> HTMLResponse:
        document = request.app.openapi()
        return render(
            request,
            "api.html.j2",
            default=default_language,
            about=document["info"]["description"],
            routes=routes_of(document),
            objects=objects_of(document),
        )

    return routes


def routes_of(document: Node) -> list[RouteView]:
    """Return the routes of an OpenAPI document, in its order."""
    return [
        _route(path, method, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]


def objects_of(document: Node) -> list[ObjectView]:
    """Return the objects of an OpenAPI document by name."""
    return [
        ObjectView(name, schema.get("description", ""), _fields(schema))
        for name, schema in sorted(document["components"]["schemas"].items())
    ]


def type_text(schema: Node) -> list[TypePart]:
    """Return what a schema allows as a text, in parts that may be links to objects.

    >>> "".join(part.text for part in type_text({"type": "array", "items": {"type": "number"}}))
    'list of number'
    >>> type_text({"$ref": "#/components/schemas/Event"})
    [TypePart(text='Event', link='Event')]
    """
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return [TypePart(name, name)]
    if "anyOf" in schema:
        choices = [type_text(choice) for choice in schema["anyOf"]]
        return [part for choice in choices for part in (TypePart(" or "), *choice)][1:]
    if "const" in schema:
        return [TypePart(str(schema["const"]))]
    if "enum" in schema:
        return [TypePart(" or ".join(map(str, schema["enum"])))]
    if schema.get("type") == "array":
        return [
            TypePart("list of "),
            *type_text(schema.get("items", {})),
            *_limits(schema),
        ]
    if isinstance(schema.get("additionalProperties"), Mapping):
        return [TypePart("by name: "), *type_text(schema["additionalProperties"])]
    return [TypePart(_simple(schema)), *_limits(schema)]


def _simple(schema: Node) -> str:
    names = {"date": "date", "binary": "bytes"}
    plain = {"string": "text", "integer": "whole number", "boolean": "true or false"}
    kind = str(schema.get("type", "anything"))
    return names.get(str(schema.get("format")), plain.get(kind, kind))


def _limits(schema: Node) -> list[TypePart]:
    limits = [text.format(schema[key]) for key, text in LIMITS.items() if key in schema]
    return [TypePart(f" ({', '.join(limits)})")] if limits else []


def _route(path: str, method: str, operation: Node) -> RouteView:
    parameters = [
        FieldRow(
            parameter["name"],
            type_text(parameter["schema"]),
            parameter["required"],
            parameter["description"],
        )
        for parameter in operation.get("parameters", ())
    ]
    answers: list[tuple[str, str, list[TypePart]]] = []
    refusals: list[str] = []
    for status, answer in operation["responses"].items():
        for kind, content in answer.get("content", {}).items():
            parts = type_text(content["schema"])
            if [part.link for part in parts] == [ERRORS]:
                refusals.append(status)
            else:
                about = content["schema"].get("description")
                parts += [TypePart(f" ({about})")] if about else []
                answers.append((status, kind, parts))
    body = operation.get("requestBody", {}).get("content", {})
    return RouteView(
        method.upper(),
        path,
        operation.get("description", ""),
        parameters,
        [(kind, type_text(content["schema"])) for kind, content in body.items()],
        answers,
        refusals,
    )


def _fields(schema: Node) -> list[FieldRow]:
    required = schema.get("required", ())
    return [
        FieldRow(name, type_text(field), name in required, field.get("description", ""))
        for name, field in schema.get("properties", {}).items()
    ]
