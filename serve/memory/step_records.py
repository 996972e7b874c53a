"""What the batch jobs and earlier starts wrote down, as types: trained bundles, loaded tables,
declared bundles.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hvac.errors import ConfigError, InputError
from hvac.storage import AnyPath
from serve.ids import Id

BundleName = Annotated[str, Field(strict=True, min_length=1, max_length=255)]
Kind = TypeVar("Kind", bound=BaseModel)


class Trained(BaseModel):
    """`steps/train.json`: the bundle of every class."""

    bundles: dict[Id, BundleName]


class LoadedTables(BaseModel):
    """The note of what was taken over at the last load."""

    parts: list[str] = []
    latest: str | None = None
    bundles: dict[str, str] = {}
    challengers: dict[str, str] = {}
    speaks_in: list[str] = []
    pairs: str = ""


class WatchedBundles(BaseModel):
    """The note of the bundles that are watched: champion and challenger, by class.

    In the facilities `speaks_in` the challenger answers, from the day `speaks_since` on.
    """

    of_class: dict[str, tuple[str, str]] = {}
    speaks_in: list[str] = []
    speaks_since: int | None = None


class Declared(BaseModel):
    """One bundle of a Serve `user_config`."""

    model_config = ConfigDict(extra="forbid")
    equipment_class: Id = Field(alias="class")
    bundle_id: BundleName
    facility_id: Id | None = None


class UserConfig(BaseModel):
    """A Serve `user_config`."""

    bundles: list[Declared] = []


def trained_bundles(file: AnyPath) -> dict[str, str]:
    """Return the bundle of every class that was trained. Raise InputError where the record is
    damaged.
    """
    try:
        text = file.read_bytes()
    except FileNotFoundError:
        return {}
    try:
        return Trained.model_validate_json(text).bundles
    except ValidationError as error:
        raise InputError(
            f"{file} is damaged ({_first(error)}): run ray_jobs.train again"
        ) from error


def read_note(kind: type[Kind], text: str | None) -> Kind:
    """Read a note of the store; a damaged one counts as none."""
    try:
        return kind.model_validate_json(text or "{}")
    except ValidationError:
        return kind()


def read_user_config(given: object) -> UserConfig:
    """Read a `user_config`. Raise ConfigError where it is none."""
    try:
        return UserConfig.model_validate(given or {})
    except ValidationError as error:
        raise ConfigError(
            f"user_config: {_first(error)}; expected bundles: [{{class, bundle_id, facility_id}}]"
        ) from error


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[
        0
    ]
    return f"{'.'.join(map(str, first['loc'])) or 'all of it'}: {first['msg']}"[:300]
