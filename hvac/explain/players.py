"""Who shares a risk out among themselves: each point, and what else is known of a machine.

A technician thinks in points, history, season, age, limits and completeness of the record, not in
columns. All columns of one point (statistics, embedding, activity, peers, residuals, last days) are
one player; a point that is opened is divided into its aspects, which are players then.

Legend: C points, N columns, P players.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from hvac.arrays import Ints
from hvac.explain.aspects import ASPECTS, aspects_of_block
from hvac.explain.reason import COVERAGE, HISTORY, LIMITS, OTHERS, SEASON_AND_AGE
from hvac.features.table import Windows
from hvac.models.family import NEEDS

LIMIT_COLUMNS: Final = ("limit_margin_last", "days_to_limit")
SEASON_COLUMNS: Final = ("age_days", "season_sin", "season_cos")
CONTEXT: Final = "context"


class Players(NamedTuple):
    """The points of a class first, then `OTHERS`; and the names of the context's columns.

    The aspects of the `opened` point follow; the point itself keeps its place, without columns.
    """

    points: tuple[str, ...]
    context: tuple[str, ...]
    opened: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return all players, points first.

        >>> Players(("flow",), ()).names
        ('flow', 'history', 'season_and_age', 'limits', 'coverage')
        """
        return (*self.points, *OTHERS, *(ASPECTS if self.opened else ()))

    def __len__(self) -> int:
        return len(self.names)

    @property
    def group(self) -> int:
        """Return the aspects of the opened point as bits; 0 where no point is opened.

        >>> bin(Players((), (), opened="flow").group)
        '0b111111110000'
        """
        first = len(self.points) + len(OTHERS)
        return (2 ** len(ASPECTS) - 1) << first if self.opened else 0

    def of_columns(self, windows: Windows, blocks: Sequence[str]) -> Ints:
        """Return the player of each column of `models.blocks.inputs(windows, blocks)`: [N]."""
        parts = [self._of_block(windows, block) for block in blocks]
        return np.concatenate(parts).astype(np.int64)

    def _of_block(self, windows: Windows, block: str) -> Ints:
        if block == CONTEXT:
            first = len(self.points)
            places = [first + OTHERS.index(_player_of(name)) for name in self.context]
            return np.array(places, dtype=np.int64)
        shape = getattr(windows, NEEDS[block]).shape
        width = 1 if len(shape) < 3 else shape[2]
        player_CN = np.repeat(
            np.arange(len(self.points), dtype=np.int64)[:, None], width, axis=1
        )
        if self.opened:
            first = len(self.points) + len(OTHERS)
            aspect_N = np.array(aspects_of_block(block, width), dtype=np.int64)
            player_CN[self.points.index(self.opened)] = first + aspect_N
        return player_CN.ravel()


def _player_of(column: str) -> str:
    """Return the player of a column of the context; what never varies within a class has no say.

    >>> _player_of("days_since_failure"), _player_of("age_days"), _player_of("class_pump")
    ('history', 'season_and_age', 'season_and_age')
    """
    if column in LIMIT_COLUMNS:
        return LIMITS
    if column == "observed_share":
        return COVERAGE
    if column in SEASON_COLUMNS or column.startswith("class_"):
        return SEASON_AND_AGE
    return HISTORY
