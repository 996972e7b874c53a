"""A bundle's manifest as types: a damaged one is refused in a sentence."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any, NotRequired, Self, TypedDict, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from hvac.decision.decision import StoredDecision
from hvac.errors import BundleError
from hvac.features.recipe import StoredRecipe
from hvac.json_values import Json, JsonObject
from hvac.readings.accepted import ID_CHARACTERS
from hvac.scoring.forecast_methods import QUADRATIC, SIMPLEST_FIRST
from hvac.storage import AnyPath, folder_name

MANIFEST = "manifest.json"
FORMAT = 2
MOST_BYTES = 16 * 2**20
MOST_DAYS = 3660
MOST_HORIZONS = 16
MOST_POINTS = 4096
LARGEST_SETTING = 1_000_000  # of a family or an encoder; a seed may be larger
Name = Annotated[str, Field(strict=True, min_length=1, max_length=ID_CHARACTERS)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Count = Annotated[int, Field(strict=True, ge=0)]
Digest = Annotated[str, Field(strict=True, pattern=r"^[0-9a-f]{64}$")]


class Section(BaseModel):
    """Base of the parts: keys that they do not know are left to those who read the settings."""

    model_config = ConfigDict(extra="allow")


class CalibratorPart(Section):
    """One calibrator."""

    method: str = Field(strict=True)
    slope: Number
    intercept: Number
    score_K: list[Number]
    risk_K: list[Annotated[Number, Field(ge=0, le=1)]]


class ThresholdPart(Section):
    """One threshold; infinite where nothing is to alarm."""

    model_config = ConfigDict(extra="forbid")
    value: Annotated[float, Field(strict=True, ge=0)]
    policy: str = Field(strict=True)
    note: str = Field(default="", strict=True)


class DecisionPart(Section):
    """Calibrators and thresholds, one of each per horizon."""

    calibrators: list[CalibratorPart] = Field(min_length=1)
    thresholds: list[ThresholdPart] = Field(min_length=1)
    facilities: dict[str, DecisionPart] = {}
    units: Count = 0
    units_with_event: list[Count] = []

    def check_horizons(self, horizons: int) -> None:
        """Refuse another number of calibrators or thresholds than horizons, by ValueError."""
        if not len(self.calibrators) == len(self.thresholds) == horizons:
            counts = f"{len(self.calibrators)} calibrators and {len(self.thresholds)} thresholds"
            raise ValueError(
                f"decision: expected one of each for {horizons} horizons, found {counts}"
            )
        for decision in self.facilities.values():
            decision.check_horizons(horizons)


class WindowsPart(Section):
    """How windows are cut: what the memory that they take depends on."""

    lookback: Annotated[int, Field(strict=True, ge=1, le=MOST_DAYS)]
    horizons: list[Annotated[int, Field(strict=True, ge=1, le=MOST_DAYS)]] = Field(
        min_length=1, max_length=MOST_HORIZONS
    )


class ContextPart(Section):
    """Which kinds of events and which classes the context has columns for."""

    kinds: list[Name] = Field(max_length=MOST_POINTS)
    classes: list[Name] = Field(max_length=MOST_POINTS)
    rates: dict[Name, Number] = {}


class RecipePart(Section):
    """All that turns a panel into windows."""

    class_name: Name
    points: list[Name] = Field(min_length=1, max_length=MOST_POINTS)
    windows: WindowsPart
    labels: dict[str, Any]
    context: ContextPart
    limits: dict[Name, Annotated[list[Number], Field(min_length=2, max_length=2)]]

    @field_validator("points")
    @classmethod
    def _once(cls, points: list[str]) -> list[str]:
        if len(set(points)) < len(points):
            raise ValueError("a point stands there twice")
        return points


class Manifest(Section):
    """A whole manifest of the format that is read here."""

    id: Name
    family: Name
    config: dict[str, Any]
    recipe: RecipePart
    decision: DecisionPart
    encoder: dict[str, Any]
    encoder_sha256: Digest
    training: dict[str, Any]
    forecast: str = Field(default=QUADRATIC, strict=True)
    files: dict[str, Digest] = Field(min_length=1)

    @field_validator("forecast")
    @classmethod
    def _known(cls, forecast: str) -> str:
        if forecast not in SIMPLEST_FIRST:
            known = ", ".join(SIMPLEST_FIRST)
            raise ValueError(f"expected one of {known}, found {forecast[:40]!r}")
        return forecast

    @model_validator(mode="after")
    def _agree(self) -> Self:
        self.decision.check_horizons(len(self.recipe.windows.horizons))
        for name in ("config", "encoder"):
            _check_settings(name, getattr(self, name))
        if not re.fullmatch(
            re.escape(folder_name(self.recipe.class_name)) + "-[0-9a-f]{12}", self.id
        ):
            raise ValueError(
                f"id {self.id[:80]!r} is not one of class {self.recipe.class_name!r}"
            )
        return self


class StoredBundle(TypedDict):
    """A bundle as its manifest holds it; `id` and `files` (SHA-256 by name) are added last."""

    format: int
    family: str
    config: JsonObject
    recipe: StoredRecipe
    decision: StoredDecision
    encoder: JsonObject
    encoder_sha256: str
    training: dict[str, Json]
    forecast: NotRequired[str]
    id: NotRequired[str]
    files: NotRequired[dict[str, str]]


def _check_settings(where: str, value: Json) -> None:
    """Refuse numbers that would only take memory."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key != "seed":
                _check_settings(f"{where}.{key}", inner)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            _check_settings(f"{where}.{place}", inner)
    elif isinstance(value, int) and abs(value) > LARGEST_SETTING:
        raise ValueError(
            f"{where}: expected at most {LARGEST_SETTING}, found {str(value)[:40]}"
        )


def read_manifest(
    copy: Path, folder: AnyPath, families: tuple[str, ...]
) -> StoredBundle:
    """Read and check the manifest of a local copy; messages name the folder it is a copy of.

    Raises:
        BundleError: if there is none, or it is damaged, or of another format or family.
    """
    manifest = read_mapping(copy, folder)
    if manifest.get("format") != FORMAT or manifest.get("family") not in families:
        raise BundleError(
            f"{folder}: format {_short(manifest.get('format'))} of family"
            f" {_short(manifest.get('family'))} cannot be read; expected format {FORMAT} and one of"
            f" {', '.join(families)}"
        )
    try:
        Manifest.model_validate(manifest)
    except ValidationError as error:
        raise BundleError(f"{folder / MANIFEST} is damaged: {_first(error)}") from error
    return cast(StoredBundle, manifest)


def _short(value: Json) -> str:
    return repr(value)[:80]


def read_mapping(copy: Path, folder: AnyPath, kind: str = "bundle") -> dict[str, Any]:
    """Read the manifest of a local copy of a `kind` of folder, unchecked but for being a mapping.

    Raises:
        BundleError: if there is none, or it is damaged.
    """
    file = copy / MANIFEST
    try:
        if file.stat().st_size > MOST_BYTES:
            raise BundleError(
                f"{folder / MANIFEST} is damaged: it is larger than {MOST_BYTES} bytes"
            )
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError(f"{folder} is no {kind}: it has no {MANIFEST}") from None
    except OSError as error:
        raise BundleError(
            f"{folder / MANIFEST} cannot be read: {error.strerror}"
        ) from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(
            f"{folder / MANIFEST} is damaged: {str(error)[:200]}"
        ) from error
    if not isinstance(manifest, dict):
        raise BundleError(
            f"{folder / MANIFEST} is damaged: expected a mapping, found {type(manifest).__name__}"
        )
    return manifest


def _first(error: ValidationError) -> str:
    """Return the first fault: where, what."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[
        0
    ]
    where = ".".join(str(part) for part in first["loc"])
    text = first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        text = f"it lacks {where}"
    elif where:
        text = f"{where}: {text}"
    return text.replace("\n", " ")[:300]
