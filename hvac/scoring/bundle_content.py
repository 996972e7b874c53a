"""What a bundle holds: the fitted parts, its id, and all of them as JSON and arrays.

Legend: C points, H horizons, D days ahead.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

import numpy as np

from hvac.arrays import AnyArray, Floats
from hvac.certainty.certainty import Certainty
from hvac.decision.decision import Decision
from hvac.explain.background import background_arrays
from hvac.explain.past_cases import PastCases
from hvac.features.encoder import EncoderConfig
from hvac.features.recipe import Recipe
from hvac.features.table import Windows
from hvac.json_values import Json, JsonObject
from hvac.models.family import Model
from hvac.scoring.bundle_files import Arrays
from hvac.scoring.forecast_methods import QUADRATIC
from hvac.scoring.manifest import FORMAT, StoredBundle
from hvac.storage import AnyPath, folder_name

BAND = "forecast.band_{}"


@dataclass(frozen=True, kw_only=True)
class BundleContent:
    """A fitted family with its recipe, decision, forecast band and encoder.

    `background` holds healthy windows and `cases` past windows with their outcomes, to explain
    risks; `certainty` tells how sure they are. Bundles made before reasons have none of these.
    """

    model: Model
    recipe: Recipe
    decision: Decision
    encoder_config: EncoderConfig
    encoder_sha256: str
    band: dict[int, Floats] = field(default_factory=dict)
    forecast_method: str = QUADRATIC
    training: dict[str, Json] = field(default_factory=dict)
    folder: AnyPath | None = None
    background: Windows | None = field(default=None, repr=False, compare=False)
    cases: PastCases | None = field(default=None, repr=False, compare=False)
    certainty: Certainty | None = field(default=None, repr=False, compare=False)
    golden: dict[str, AnyArray] = field(default_factory=dict, repr=False, compare=False)
    manifest: JsonObject = field(default_factory=dict, repr=False, compare=False)

    @property
    def id(self) -> str:
        """Return the bundle's id: its class and a hash of its content.

        Equal training gives an equal id.
        """
        digest = hashlib.sha256(json.dumps(self.content(), sort_keys=True).encode())
        for name, array in sorted((self.arrays() | self.reason_arrays()).items()):
            digest.update(name.encode() + array.tobytes())
        return f"{folder_name(self.recipe.class_name)}-{digest.hexdigest()[:12]}"

    @property
    def name(self) -> str:
        """Return the name of the bundle's folder, or the id where there is none."""
        return self.folder.name if self.folder else self.id

    @property
    def horizons(self) -> tuple[int, ...]:
        """Return the horizons, in days ahead."""
        return self.recipe.windows.horizons

    @property
    def family(self) -> str:
        """Return the name of the model's family."""
        return str(self.model.config.family)

    def content(self) -> StoredBundle:
        """Return what the manifest holds, but for the id and the hashes of files."""
        return {
            "format": FORMAT,
            "family": self.family,
            "config": self.model.config.model_dump(mode="json"),
            "recipe": self.recipe.to_json(),
            "decision": self.decision.to_json(),
            "encoder": self.encoder_config.model_dump(mode="json"),
            "encoder_sha256": self.encoder_sha256,
            "training": self.training,
            "forecast": self.forecast_method,
        }

    def arrays(self) -> dict[str, AnyArray]:
        """Return the model's arrays and the forecast's bands, by name."""
        bands = {BAND.format(horizon): band for horizon, band in self.band.items()}
        return {
            name: np.ascontiguousarray(array)
            for name, array in (self.model.state() | bands).items()
        }

    def reason_arrays(self) -> Arrays:
        """Return what explains risks, as arrays by name."""
        arrays = (
            background_arrays(self.background) if self.background is not None else {}
        )
        arrays |= self.cases.arrays() if self.cases else {}
        return arrays | (self.certainty.arrays() if self.certainty else {})
