"""Brick models in Turtle, read by `rdflib`: machines, their points, and where they stand.

https://brickschema.org. The ontology itself is not needed: only what the model states.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from hvac.readings.building_model import (
    ModelPoint,
    Thing,
    needs_library,
    unreadable_model,
)
from hvac.storage import as_given

if TYPE_CHECKING:
    from rdflib import Graph

BRICK: Final = "https://brickschema.org/schema/Brick#"
REFERENCE: Final = "https://brickschema.org/schema/Brick/ref#"
LABEL: Final = "http://www.w3.org/2000/01/rdf-schema#label"
TYPE: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
# What leads from a thing to what holds it, forwards and backwards.
HELD_BY: Final = ("isPointOf", "isPartOf", "hasLocation", "isLocatedIn")
HOLDS: Final = ("hasPoint", "hasPart", "isLocationOf")
PLACES: Final = ("Site", "Building")  # the first that holds a machine is its facility
NO_MACHINES: Final = (
    *PLACES,
    *(
        "Location",
        "Floor",
        "Room",
        "Space",
        "Zone",
        "HVAC_Zone",
        "Wing",
        "Storey",
        "Collection",
    ),
)
# Classes of Brick that a thing may have beside its own.
GENERAL: Final = (
    *(
        "Entity",
        "Equipment",
        "HVAC_Equipment",
        "Point",
        "Sensor",
        "Setpoint",
        "Command",
        "Status",
    ),
    *("Alarm", "Parameter"),
)
DEEPEST: Final = 10  # steps from a machine to its site
# Units of measure by their name in QUDT.
UNITS: Final = {
    "DEG_C": "°C", "DEG_F": "°F", "K": "K", "PERCENT": "%", "PERCENT_RH": "%", "W": "W",
    "KiloW": "kW", "KiloW-HR": "kWh", "PA": "Pa", "KiloPA": "kPa", "BAR": "bar", "A": "A", "V": "V",
    "HZ": "Hz", "M3-PER-HR": "m³/h", "M3-PER-SEC": "m³/s", "L-PER-SEC": "L/s", "L-PER-MIN": "L/min",
    "FT3-PER-MIN": "ft³/min", "PSI": "psi", "REV-PER-MIN": "1/min", "MilliM-PER-SEC": "mm/s",
    "PPM": "ppm", "UNITLESS": "",
}  # fmt: skip


def brick_points(path: str) -> list[ModelPoint]:
    """Read the points of a model that belong to a machine. Raises InputError where it is no Turtle."""
    try:
        from rdflib import Graph
    except ImportError as error:
        raise needs_library(path, "rdflib", "brick") from error
    graph = Graph()
    try:
        graph.parse(data=as_given(path).read_bytes(), format="turtle")
    except Exception as error:  # the parser's errors have no common class
        raise unreadable_model(path, "a Brick model in Turtle", error) from error
    return [
        point for node in _nodes(graph) if (point := _point(graph, node)) is not None
    ]


def _nodes(graph: Graph) -> list[Any]:
    """Return what belongs to something as its point, in the order of their names."""
    points = set(graph.subjects(_iri(BRICK + "isPointOf")))
    return sorted(points | set(graph.objects(None, _iri(BRICK + "hasPoint"))), key=str)


def _point(graph: Graph, node: Any) -> ModelPoint | None:
    holders = list(_holders(graph, node, ("isPointOf",), ("hasPoint",)))
    machines = [holder for holder in holders if _kind(graph, holder) not in NO_MACHINES]
    if not machines:
        return None
    machine = machines[0]
    site = _site(graph, machine)
    name = _label(graph, node)
    return ModelPoint(
        headings=tuple(
            dict.fromkeys(filter(None, [*_references(graph, node), name, _name(node)]))
        ),
        kind=_kind(graph, node) or _name(node),
        own_name=_name(node),
        unit=_unit(graph, node),
        equipment=Thing(_name(machine), _label(graph, machine)),
        facility=Thing("" if site is None else _name(site), _label(graph, site)),
        class_name=_kind(graph, machine),
    )


def _site(graph: Graph, machine: Any) -> Any:
    """Return the site that holds a machine, else the building; None where the model has neither."""
    reached = [machine]
    for _ in range(DEEPEST):
        nearer = [
            up for node in reached for up in _holders(graph, node, HELD_BY, HOLDS)
        ]
        reached += [node for node in dict.fromkeys(nearer) if node not in reached]
    for place in PLACES:
        for node in reached:
            if _kind(graph, node) == place:
                return node
    return None


def _holders(
    graph: Graph, node: Any, forwards: Iterable[str], backwards: Iterable[str]
) -> Iterable[Any]:
    for name in forwards:
        yield from sorted(graph.objects(node, _iri(BRICK + name)), key=str)
    for name in backwards:
        yield from sorted(graph.subjects(_iri(BRICK + name), node), key=str)


def _references(graph: Graph, node: Any) -> Iterable[str]:
    """Yield the ids under which a point's values are stored."""
    for reference in graph.objects(node, _iri(REFERENCE + "hasExternalReference")):
        yield from map(
            str, graph.objects(reference, _iri(REFERENCE + "hasTimeseriesId"))
        )
    timeseries = _iri(BRICK + "timeseries")  # as Brick 1.2 has it
    for reference in graph.objects(node, timeseries):
        yield from map(str, graph.objects(reference, _iri(BRICK + "hasTimeseriesId")))


def _kind(graph: Graph, node: Any) -> str:
    """Return the Brick class of a thing; of several a particular one, with the longest name."""
    kinds = [str(kind) for kind in graph.objects(node, _iri(TYPE))]
    names = sorted(kind.removeprefix(BRICK) for kind in kinds if kind.startswith(BRICK))
    return max(names, key=lambda name: (name not in GENERAL, len(name)), default="")


def _label(graph: Graph, node: Any) -> str:
    labels = (
        sorted(map(str, graph.objects(node, _iri(LABEL)))) if node is not None else []
    )
    return labels[0] if labels else ""


def _unit(graph: Graph, node: Any) -> str:
    for unit in graph.objects(node, _iri(BRICK + "hasUnit")):
        name = _name(unit)
        return UNITS.get(name, name)
    return ""


def _name(node: Any) -> str:
    return re.split(r"[/#]", str(node).rstrip("/#"))[-1].removeprefix("urn:")


def _iri(text: str) -> Any:
    from rdflib import URIRef

    return URIRef(text)
