"""What of a point a model looks at: its level, trend, spread, …; each a player when it is opened.

The columns of one point (28 statistics, embedding, activity, summaries of the last days, peers,
residuals) are many and alike; a reader wants to know which side of the point's behaviour counts.
"""

from __future__ import annotations

from typing import Final

from hvac.errors import BundleError
from hvac.features.recent import RECENT_NAMES
from hvac.features.statistics import FEATURE_NAMES

LEVEL: Final = "level"
TREND: Final = "trend"
SPREAD: Final = "spread"
SHAPE: Final = "shape"
PATTERN: Final = "pattern"
EXCURSIONS: Final = "excursions"
PEERS: Final = "peers"
RESIDUALS: Final = "residuals"
ASPECTS: Final = (LEVEL, TREND, SPREAD, SHAPE, PATTERN, EXCURSIONS, PEERS, RESIDUALS)

TREND_COLUMNS: Final = (
    *(
        "trend_slope",
        "recent_vs_past_ratio",
        "recent_vs_past_diff",
        "recent_change_rate",
    ),
    *("diff_mean", "slope_30d"),
)
LEVEL_COLUMNS: Final = (
    *("mean", "min", "max", "median", "q25", "q75", "trend_intercept", "last"),
    *(name for name in RECENT_NAMES if name.startswith("mean_")),
)
SHAPE_COLUMNS: Final = ("skewness", "kurtosis", "max_drawdown", "mean_drawdown")
WHOLE_BLOCKS: Final = {
    "embedding": PATTERN,
    "untrained": PATTERN,
    "activity": EXCURSIONS,
    "persistence": LEVEL,
    "peers": PEERS,
    "residuals": RESIDUALS,
}


def aspect_of(column: str) -> str:
    """Return the aspect of a statistic, or of a summary of the last days.

    >>> aspect_of("median"), aspect_of("slope_30d"), aspect_of("rolling_std_7d_max")
    ('level', 'trend', 'spread')
    """
    if column in LEVEL_COLUMNS:
        return LEVEL
    if column in TREND_COLUMNS:
        return TREND
    return SHAPE if column in SHAPE_COLUMNS else SPREAD


def aspects_of_block(block: str, width: int) -> list[int]:
    """Return the place in `ASPECTS` of each of a point's `width` columns in a block.

    Raises:
        BundleError: if the block's columns are not those of this version.
    """
    if block in WHOLE_BLOCKS:
        return [ASPECTS.index(WHOLE_BLOCKS[block])] * width
    names = FEATURE_NAMES if block == "features" else RECENT_NAMES
    if len(names) != width:
        raise BundleError(
            f"the columns of '{block}' are not named: expected {len(names)}"
        )
    return [ASPECTS.index(aspect_of(name)) for name in names]
