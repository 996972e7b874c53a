"""Explain risks: what each player adds to the log-odds of a window, against a healthy background.

Legend: B windows, P players, A aspects, H horizons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from hvac.arrays import Floats, Ints
from hvac.errors import BundleError
from hvac.explain.background import nearest_in_year
from hvac.explain.games import Game, game_of
from hvac.explain.players import Players
from hvac.features.table import Windows
from hvac.models.family import Model

TINY: Final = 1e-12


@dataclass(frozen=True, kw_only=True)
class Contributions:
    """What each player adds to the log-odds of each window and horizon, and what is usual.

    `added_BPH` sums over the players to the window's log-odds minus `usual_BH`, the mean log-odds
    of the healthy windows it is compared with.
    """

    players: tuple[str, ...]
    added_BPH: Floats
    usual_BH: Floats

    def take(self, rows: Ints) -> Contributions:
        """Return those of some windows."""
        return Contributions(
            players=self.players,
            added_BPH=self.added_BPH[rows],
            usual_BH=self.usual_BH[rows],
        )


class Explainer:
    """The game of one bundle, made ready once for all windows.

    Args:
        model: fitted.
        players: of the bundle's class.
        background: healthy windows with what the model looks at.

    Raises:
        BundleError: there are no reasons for the model's family, or the background does not fit it.
    """

    def __init__(self, model: Model, players: Players, background: Windows) -> None:
        self.players = players
        self._model, self._background = model, background
        self._opened: dict[str, Game] = {}
        self._end_day_W = background.end_day_B
        try:
            self._game: Game = game_of(model, players, background)
            self._score_WH = np.asarray(model.score(background), dtype=np.float64)
        except (IndexError, ValueError) as error:
            if isinstance(error, BundleError):
                raise
            raise BundleError(
                f"its background does not fit its model ({error})"
            ) from error

    def contributions(self, windows: Windows) -> Contributions:
        """Return what each player adds, for windows that carry what the model looks at."""
        chosen_B = nearest_in_year(windows.end_day_B, self._end_day_W)
        bit_BW = np.array(
            [[c >> w & 1 for w in range(len(self._end_day_W))] for c in chosen_B]
        )
        usual_BH = bit_BW @ self._score_WH / bit_BW.sum(axis=1, keepdims=True)
        return Contributions(
            players=self.players.names,
            added_BPH=self._game.contributions(windows, chosen_B),
            usual_BH=usual_BH,
        )

    def aspects(self, windows: Windows, point: str, added_BH: Floats) -> Floats:
        """Return what each of a point's aspects adds: [B, A, H]; together what the point adds.

        They are Owen values: exact for lines and boosted trees. Of forests and networks they are
        sampled, and what is then missing from the point's own part is shared out by size.

        Args:
            windows: that carry what the model looks at.
            point: one of the players.
            added_BH: what the point adds (`contributions`).
        """
        if point not in self._opened:
            opened = Players(self.players.points, self.players.context, point)
            self._opened[point] = game_of(self._model, opened, self._background)
        chosen_B = nearest_in_year(windows.end_day_B, self._end_day_W)
        every_BPH = self._opened[point].contributions(windows, chosen_B)
        aspect_BAH = every_BPH[:, len(self.players) :]
        missing_BH = added_BH - aspect_BAH.sum(axis=1)
        size_BAH = np.abs(aspect_BAH)
        total_BH = np.maximum(size_BAH.sum(axis=1), TINY)
        return np.asarray(aspect_BAH + size_BAH * (missing_BH / total_BH)[:, None])
