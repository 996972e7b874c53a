"""A bundle: everything needed to predict for one class of equipment, as a folder without pickle.

    <id>/manifest.json       family, recipe, decision, training record, SHA-256 of all other files
    <id>/model.safetensors   the family's arrays, and the forecast's band
    <id>/golden.safetensors  made-up windows with the bundle's answers (older bundles have none)
    <id>/reasons.safetensors healthy windows and past cases, to explain risks (older: none)
    <id>/encoder/            the encoder's architecture and weights (Hugging Face layout)

Legend: B windows, C points, H horizons, D days ahead, N series.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hvac.arrays import AnyFloats, AnyInts, Bools, Floats
from hvac.certainty.certainty import Sureness
from hvac.decision.thresholds import alarms
from hvac.errors import BundleError
from hvac.explain.explainer import Contributions, Explainer
from hvac.explain.games import MOST_PLAYERS, has_reasons
from hvac.explain.players import Players
from hvac.explain.reason import OTHERS
from hvac.features.encoder import Encoder
from hvac.features.table import Windows
from hvac.models.family import prepared
from hvac.panel.windows import INSUFFICIENT, LEARNING
from hvac.readings.frames import Table
from hvac.scoring.bundle_content import BundleContent
from hvac.scoring.bundle_files import DAMAGE, load_own_encoder
from hvac.scoring.bundle_folder import read_bundle, save_bundle
from hvac.scoring.forecast import Moments
from hvac.scoring.forecast_methods import forecasts_by
from hvac.scoring.golden import check_answers
from hvac.scoring.predict_readings import predict_readings
from hvac.storage import AnyPath

ONE_POINT = "point"  # the player of bundles that score points alone


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
class Bundle(BundleContent):
    """A fitted family that scores windows, explains its risks and forecasts points."""

    @cached_property
    def encoder(self) -> Encoder:
        """Load the encoder when it is first needed.

        Raises:
            BundleError: if its weights are not those the bundle was trained with.
        """
        return load_own_encoder(self.encoder_config, self.folder, self.encoder_sha256)

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
        return Prediction(
            score_BH, risk_BH, threshold_BH, alarms(risk_BH, threshold_BH)
        )

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
            raise BundleError(
                f"{self.name} was made before reasons: train anew (ray_jobs.train)"
            )
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
        unscored = np.isin(
            windows.column("status").astype(str), (LEARNING, INSUFFICIENT)
        )
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
        x_NL = x_BCL.reshape(-1, shape[-1])
        (parts,) = self.forecast_series(x_NL, point_N, [horizon])
        return Outlook(*(part_ND.reshape(*shape[:2], horizon) for part_ND in parts))

    def forecast_series(
        self, x_NL: AnyFloats, point_N: AnyInts, horizons: Sequence[int]
    ) -> Iterator[Outlook]:
        """Forecast N series for each horizon; `point_N` holds each series' point index.

        Yields:
            Value, low and high, each [N, D].
        """
        moments = Moments.of(x_NL)
        method = self.forecast_method
        every = forecasts_by(method, x_NL, horizons, lambda: self.encoder, moments)
        for horizon, value_ND in zip(horizons, every, strict=True):
            band_CD = self.band.get(horizon)
            width_ND = np.nan if band_CD is None else band_CD[point_N]
            half_ND = moments.spread_B1 * width_ND
            yield Outlook(value_ND, value_ND - half_ND, value_ND + half_ND)

    def save(self, parent: AnyPath) -> AnyPath:
        """Write the bundle as `parent/<id>`, whole or not at all."""
        return save_bundle(self, parent)

    @classmethod
    def load(cls, path: str | AnyPath) -> Bundle:
        """Read a bundle folder; `path` may be a URL.

        Raises:
            BundleError: if a file is missing or differs from its SHA-256, or the format or family
                is unknown.
        """
        return read_bundle(cls, path)

    def check(self) -> None:
        """Ask the bundle about its golden windows (`hvac.scoring.golden`), before it serves.

        Raises:
            BundleError: if it cannot score them, or its answers are not those it gave when it was
                saved.
        """
        try:
            check_answers(self, self.golden, self.manifest)
        except BundleError as error:
            raise BundleError(
                f"{self.folder or self.name} is damaged: {error}"
            ) from error
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
