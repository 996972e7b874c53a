"""Write docs/configuration.md: every key of every configuration, from the models that check them.

python docs/make_configuration.py
"""

from __future__ import annotations

import ast
import datetime as dt
import inspect
import textwrap
import types
import typing
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from hvac.features.self_supervised import PretrainConfig
from hvac.models.families import FAMILIES
from hvac.storage import Place
from ray_jobs.detector.detect_config import DetectConfig
from ray_jobs.run.run_config import RunConfig
from serve.settings import ServeConfig

PAGE = Path(__file__).with_name("configuration.md")
TOPS = {
    "Run files": (
        RunConfig,
        "`ray_jobs/configs/*.yaml`: every step but detect and pretrain",
    ),
    "Detection runs": (DetectConfig, "`ray_jobs.detect`"),
    "Pretraining": (PretrainConfig, "`python -m ray_jobs.pretrain key=value …`"),
    "The service": (
        ServeConfig,
        "`python -m serve key=value …`, `serve run serve.app:build key=value …`",
    ),
}
NAMES = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    dt.date: "date",
    type(None): "null",
    Path: "path",
    Place: "URL",
    Any: "anything",
}
HEAD = """# Configuration

Written by `python docs/make_configuration.py` from the models that check every key; do not edit it.
A run is one YAML file of sections; `key.sub=value` on the command line is laid over it. `extends:
other.yaml` takes another file's settings as a base. An unknown key is an error that names the
nearest one. A path may be a URL.
"""


def page() -> str:
    """Return the whole page."""
    blocks = [HEAD]
    for title, (model, where) in TOPS.items():
        blocks.append(f"## {title}\n\n{where}\n")
        blocks += [_section(name, section) for name, section in _sections(model)]
    blocks.append(
        "## Model families\n\nThe `model` section of a run; `family` names one.\n"
    )
    blocks += [_section(names, config) for names, config in _families()]
    return "\n".join(blocks)


def _families() -> Iterator[tuple[str, type[BaseModel]]]:
    """Give every configuration class of families with the names it goes by."""
    names: dict[type[BaseModel], list[str]] = {}
    for name, family in FAMILIES.items():
        names.setdefault(family.config, []).append(f"`{name}`")
    for config, of_config in names.items():
        yield ", ".join(of_config), config


def _sections(
    model: type[BaseModel], name: str = "", seen: set[Any] | None = None
) -> Iterator[tuple[str, type[BaseModel]]]:
    """Give a model and the models of its fields, each once, with its dotted name."""
    seen = set() if seen is None else seen
    if model in seen or any(model is family.config for family in FAMILIES.values()):
        return
    seen.add(model)
    yield f"`{name}`" if name else "Top level", model
    for key, field in model.model_fields.items():
        for inner in _models_of(field.annotation):
            yield from _sections(
                inner, f"{name}.{field.alias or key}".lstrip("."), seen
            )


def _models_of(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _models_of(part)


def _section(title: str, model: type[BaseModel]) -> str:
    about = " ".join((model.__doc__ or "").split("\n\n")[0].split())
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    meanings = _meanings(model)
    for name, field in model.model_fields.items():
        cells = (
            f"`{field.alias or name}`",
            _type(field),
            _default(field),
            " ".join(meanings.get(name, "").split()),
        )
        rows.append(
            "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
        )
    return f"### {title}\n\n{about}\n\n" + "\n".join(rows) + "\n"


def _type(field: FieldInfo) -> str:
    """Return the field's type in words that no version of Python changes."""
    if any(True for _ in _models_of(field.annotation)):
        return "section"
    return _words(field.annotation)


def _words(annotation: Any) -> str:
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return " or ".join(f"`{part}`" for part in parts)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(_words(part) for part in parts))
    if origin is typing.Annotated:
        return _words(parts[0])
    if origin in (tuple, list):
        inner = dict.fromkeys(_words(part) for part in parts if part is not Ellipsis)
        return f"list of {' and '.join(inner)}"
    if origin is dict:
        return f"mapping from {_words(parts[0])} to {_words(parts[1])}"
    return NAMES.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is PydanticUndefined or isinstance(value, BaseModel):
        return "see its section" if isinstance(value, BaseModel) else "its own"
    return f"`{'null' if value is None else value}`"


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """Return the text below every field, by the field's name; a class's own before its parents'."""
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__[: model.__mro__.index(BaseModel)]):
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
        assert isinstance(tree, ast.ClassDef)
        for field, below in pairwise(tree.body):
            match field, below:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    found[name] = text
    return found


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
