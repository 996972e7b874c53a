"""The domain: readings, panels, features, models, scores, reports. It knows no Ray and no HTTP."""

from importlib.metadata import PackageNotFoundError, version

DISTRIBUTION = "hvac-foresight"

try:
    __version__ = version(DISTRIBUTION)
except PackageNotFoundError:
    __version__ = "not installed"
