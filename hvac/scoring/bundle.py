"""A bundle: everything needed to predict for one class of equipment, as a folder without pickle.

    <id>/manifest.json       family, recipe, decision, training record, SHA-256 of all other files
    <id>/model.safetensors   the family's arrays, and the forecast's band
    <id>/golden.safetensors  made-up windows with the bundle's answers (older bundles have none)
    <id>/reasons.safetensors healthy windows and past cases, to explain risks (older: none)
    <id>/encoder/            the encoder's architecture and weights (Hugging Face layout)

Legend: B windows, C points, H horizons, D days ahead, N series.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from safetensors.numpy import save_file

from hvac.arrays import AnyArray, AnyFloats, AnyInts, Bools, Floats
from hvac.certainty.certainty import PREFIX as BANDS
from hvac.certainty.certainty import Certainty, Sureness
from hvac.decision.decision import Decision
from hvac.decision.thresholds import alarms
from hvac.errors import BundleError
from hvac.explain.background import background_arrays, background_windows
from hvac.explain.explainer import Contributions, Explainer
from hvac.explain.games import MOST_PLAYERS, has_reasons
from hvac.explain.past_cases import PREFIX as CASE
from hvac.explain.past_cases import PastCases
from hvac.explain.players import Players
from hvac.explain.reason import OTHERS
from hvac.features.describe import Recipe
from hvac.features.encoder import Encoder, EncoderConfig
from hvac.features.table import Windows
from hvac.json_values import Json, JsonObject, as_json
from hvac.models.families import FAMILIES, restore
from hvac.models.family import Model, prepared
from hvac.panel.windows import INSUFFICIENT, LEARNING
from hvac.readings.frames import Table
from hvac.scoring.bundle_files import (
    DAMAGE,
    ENCODER,
    GOLDEN,
    MODEL,
    REASONS,
    Arrays,
    check_files,
    family_config_of,
    file_hashes,
    load_own_encoder,
    read_arrays,
)
from hvac.scoring.forecast import Moments
from hvac.scoring.forecast_methods import QUADRATIC, forecast_by
from hvac.scoring.golden import check_answers, golden_arrays
from hvac.scoring.manifest import FORMAT, MANIFEST, StoredBundle, read_manifest
from hvac.scoring.predict_readings import predict_readings
from hvac.storage import AnyPath, as_given, folder_name, local_folder, replacing_folder

ONE_POINT = "point"  # the player of bundles that score points alone
BAND = "forecast.band_{}"


class Prediction(NamedTuple):
    """The scores, risks, thresholds and alarms of windows."""

    score_BH: Floats
    risk_BH: Floats
    threshold_BH: Floats
    alarm_BH: Bools


class Outlook(NamedTuple):
    """Forecast of every point for one horizon, with a 90 % band.

    It is in the window's (normalised) units.
    """

    value_BCD: Floats
    low_BCD: Floats
    high_BCD: Floats


@dataclass(frozen=True, kw_only=True)
class Bundle:
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
        digest = hashlib.sha256(json.dumps(self._content(), sort_keys=True).encode())
        for name, array in sorted((self.arrays() | self._reason_arrays()).items()):
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

    @cached_property
    def encoder(self) -> Encoder:
        """Load the encoder when it is first needed.

        Raises:
            BundleError: if its weights are not those the bundle was trained with.
        """
        return load_own_encoder(self.encoder_config, self.folder, self.encoder_sha256)

    @property
    def family(self) -> str:
        """Return the name of the model's family."""
        return str(self.model.config.family)

    def predict(self, windows: Windows) -> Prediction:
        """Return scores, calibrated risks, thresholds and alarms, by each window's facility.

        Risks never fall with the horizon. Windows that carry values only are embedded first where
        the family needs an embedding.

        Raises:
            BundleError: if the windows lack something the family needs, or have another number of
                points.
        """
        self._check_windows(windows)
        score_BH = self.model.score(self.prepared(windows)).astype(np.float64)
        facility_B = windows.column("facility_id")
        risk_BH, threshold_BH = (
            self.decision.risk(score_BH, facility_B),
            self.decision.threshold_BH(facility_B),
        )
        return Prediction(score_BH, risk_BH, threshold_BH, alarms(risk_BH, threshold_BH))

    def prepared(self, windows: Windows) -> Windows:
        """Return the windows with all that the family looks at, embedded where needed."""
        return prepared(windows, self.needs, lambda: self.encoder)

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """Return what the family looks at, worked out once."""
        needs: tuple[str, ...] = self.model.config.needs
        return needs

    @cached_property
    def explainer(self) -> Explainer:
        """Make the game of the model ready when it is first needed.

        Raises:
            BundleError: if the bundle was made before reasons, or its family has none.
        """
        if not has_reasons(self.model.config):
            raise BundleError(f"there are no reasons for the family '{self.family}'")
        points = self.recipe.window_points or (ONE_POINT,)
        players = Players(points, self.recipe.context.names)
        if len(players) > MOST_PLAYERS:
            raise BundleError(
                f"there are no reasons for classes of more than {MOST_PLAYERS - len(OTHERS)} points"
            )
        if self.background is None:
            raise BundleError(f"{self.name} was made before reasons: train anew (ray_jobs.train)")
        return Explainer(self.model, players, self.background)

    def contributions(self, windows: Windows) -> Contributions:
        """Return what each point, history, season and so on add to the log-odds of windows.

        Raises:
            BundleError: if the windows do not fit, the bundle was made before reasons, or its
                family has none.
        """
        self._check_windows(windows)
        return self.explainer.contributions(self.prepared(windows))

    def sureness(self, windows: Windows, risk_BH: Floats) -> Sureness | None:
        """Tell how sure the risks of windows are; None where the bundle does not know it.

        Args:
            windows: with what past cases are compared by (`describe` gives it).
            risk_BH: their risks.
        """
        if self.certainty is None or self.cases is None:
            return None
        threshold_BH = self.decision.threshold_BH(windows.column("facility_id"))
        return self.certainty.of(risk_BH, threshold_BH, self.cases.similar(windows))

    def predict_readings(
        self,
        readings: Table,
        events: Table | None = None,
        equipment: Table | None = None,
        **settings: Any,
    ) -> pd.DataFrame:
        """Score the newest window of every unit of some readings.

        Args:
            readings: a file, folder, glob or URL, or a table; all that is known of the units, as
                the first 90 days are their baseline and other units their peers.
            events: past failures, maintenance and the like, likewise; context for the risks.
            equipment: the register with `class` and `install_date`. Where neither it nor the readings
                tell a class, all units are taken to be of the bundle's.
            settings: how files are written, as in a run file's `source` section.

        Returns:
            One row per unit (or point) and horizon: ids, `class`, `end_date`, `horizon`, `risk`,
            `threshold`, `alarm`, `status`, `learning_days_left`, `observed_share`; how sure:
            `risk_low`, `risk_high`, `needs_look`, `similar_units`; and `why`, what raises the risk
            where the unit alarms at any horizon (missing for bundles without reasons). Where `status`
            is not "ok" there is no risk: "learning" (too few days yet), "insufficient_data",
            "other_class" (another bundle's), "no_known_point" (none of the bundle's points).

        Raises:
            InputError: a table cannot be read, or events do not match the equipment.
        """
        return predict_readings(self, readings, events, equipment, **settings)

    def _check_windows(self, windows: Windows) -> None:
        """Raise BundleError for windows that the product does not score."""
        for array in (windows.f_BCF, windows.x_BCL, windows.z_BCE):
            if array is not None and array.shape[1] != self.recipe.width:
                raise BundleError(
                    f"expected windows of {self.recipe.width} points, found {array.shape[1]}"
                )
        if windows.points is not None and windows.points != self.recipe.window_points:
            raise BundleError(
                f"expected windows of the points {', '.join(self.recipe.window_points)},"
                f" found {', '.join(windows.points)}"
            )
        unscored = np.isin(windows.column("status").astype(str), (LEARNING, INSUFFICIENT))
        if unscored.any():
            raise BundleError(
                f"{unscored.sum()} of {len(windows)} windows are learning or have insufficient"
                " data, and get no risk: take those whose status is 'ok'"
            )

    def forecast(self, x_BCL: AnyFloats, horizon: int) -> Outlook:
        """Forecast every point by the method chosen for the class, with its band.

        The band is nan where it could not be calibrated.
        """
        shape = x_BCL.shape
        point_N = np.tile(np.arange(shape[1]), shape[0])
        parts = self.forecast_series(x_BCL.reshape(-1, shape[-1]), point_N, horizon)
        return Outlook(*(part_ND.reshape(*shape[:2], horizon) for part_ND in parts))

    def forecast_series(
        self,
        x_NL: AnyFloats,
        point_N: AnyInts,
        horizon: int,
        moments: Moments | None = None,
    ) -> Outlook:
        """Forecast N series; `point_N` holds each series' point index.

        Returns:
            Value, low and high, each [N, D].
        """
        moments = moments or Moments.of(x_NL)
        value_ND = forecast_by(self.forecast_method, x_NL, horizon, lambda: self.encoder, moments)
        band_CD = self.band.get(horizon)
        half_ND = moments.spread_B1 * (np.nan if band_CD is None else band_CD[point_N])
        return Outlook(value_ND, value_ND - half_ND, value_ND + half_ND)

    def _content(self) -> StoredBundle:
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

    def save(self, parent: AnyPath) -> AnyPath:
        """Write the bundle as `parent/<id>`, whole or not at all."""
        folder = parent / self.id
        with replacing_folder(folder, last=MANIFEST) as building:
            save_file(self.arrays(), building / MODEL)
            self.encoder.save(building / ENCODER)
            content = self._content()
            if golden := golden_arrays(self, as_json(content)):
                save_file(golden, building / GOLDEN)
            if reasons := self._reason_arrays():
                save_file(reasons, building / REASONS)
            manifest = {"id": self.id, **content, "files": dict(file_hashes(building))}
            (building / MANIFEST).write_text(
                json.dumps(manifest, indent=1) + "\n", encoding="utf-8"
            )
            for file in building.rglob("*.safetensors"):
                file.chmod((building / MANIFEST).stat().st_mode)
        return folder

    def _reason_arrays(self) -> Arrays:
        """Return what explains risks, as arrays by name."""
        arrays = background_arrays(self.background) if self.background is not None else {}
        arrays |= self.cases.arrays() if self.cases else {}
        return arrays | (self.certainty.arrays() if self.certainty else {})

    @classmethod
    def load(cls, path: str | AnyPath) -> Bundle:
        """Read a bundle folder; `path` may be a URL.

        Raises:
            BundleError: if a file is missing or differs from its SHA-256, or the format or family
                is unknown.
        """
        folder = as_given(path)
        with local_folder(folder) as copy:
            manifest = read_manifest(copy, folder, tuple(FAMILIES))
            check_files(copy, folder, manifest["files"])
            arrays = read_arrays(copy, folder, MODEL)
            golden = read_arrays(copy, folder, GOLDEN) if GOLDEN in manifest["files"] else {}
            reasons = read_arrays(copy, folder, REASONS) if REASONS in manifest["files"] else {}
        try:
            bundle = cls._restored(folder, manifest, arrays, golden)
            return _explaining(bundle, reasons)
        except BundleError:
            raise
        except DAMAGE as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise BundleError(
                f"{folder} is damaged: its parts do not fit each other ({reason})"
            ) from error

    @classmethod
    def _restored(
        cls, folder: AnyPath, manifest: StoredBundle, arrays: Arrays, golden: Arrays
    ) -> Bundle:
        prefix = BAND.format("")
        encoder_config, sha256 = EncoderConfig(**manifest["encoder"]), manifest["encoder_sha256"]
        model_arrays = {
            name: array for name, array in arrays.items() if not name.startswith(prefix)
        }
        return cls(
            model=restore(
                family_config_of(folder, manifest),
                model_arrays,
                lambda: load_own_encoder(encoder_config, folder, sha256),
            ),
            recipe=Recipe.from_json(manifest["recipe"]),
            decision=Decision.from_json(manifest["decision"]),
            encoder_config=encoder_config,
            encoder_sha256=sha256,
            band={
                int(name.removeprefix(prefix)): a
                for name, a in arrays.items()
                if name.startswith(prefix)
            },
            training=manifest["training"],
            forecast_method=manifest.get("forecast", QUADRATIC),
            folder=folder,
            golden=golden,
            manifest=as_json(manifest),
        )

    def check(self) -> None:
        """Ask the bundle about its golden windows (`hvac.scoring.golden`), before it serves.

        Raises:
            BundleError: if it cannot score them, or its answers are not those it gave when it was
                saved.
        """
        try:
            check_answers(self, self.golden, self.manifest)
        except BundleError as error:
            raise BundleError(f"{self.folder or self.name} is damaged: {error}") from error
        except DAMAGE as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise BundleError(
                f"{self.folder or self.name} is damaged: it cannot judge a window ({reason})"
            ) from error


def load_bundle(path: str | AnyPath) -> Bundle:
    """Read a bundle folder; `path` may be a URL.

    Raises:
        BundleError: a file is missing or damaged, or the format or family is unknown.
    """
    return Bundle.load(path)


def _explaining(bundle: Bundle, arrays: Arrays) -> Bundle:
    """Return the bundle with the background, past cases and certainty that arrays hold."""
    of_cases = {name: array for name, array in arrays.items() if name.startswith(CASE)}
    of_bands = {name: array for name, array in arrays.items() if name.startswith(BANDS)}
    rest = arrays.keys() - of_cases.keys() - of_bands.keys()
    of_background = {name: arrays[name] for name in rest}
    return replace(
        bundle,
        background=background_windows(of_background) if of_background else None,
        cases=PastCases.restore(of_cases) if of_cases else None,
        certainty=Certainty.restore(of_bands, len(bundle.horizons)) if of_bands else None,
    )
