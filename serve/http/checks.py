"""What to check first before a machine, by class: a table that a facility may replace by its own."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import yaml

from hvac.errors import ConfigError
from hvac.storage import AnyPath, place
from hvac.words import LANGUAGES

OWN = Path(__file__).parent / "checks.yaml"
Checks = dict[str, tuple[dict[str, str], ...]]


def checks_of(class_name: str, language: str, file: AnyPath | None = None) -> list[str]:
    """Return what to check first on equipment of a class; nothing where the table has none.

    Args:
        class_name: as in the register; upper and lower case are one.
        language: `en` or `ja`.
        file: a facility's own table; default: the packaged one.

    Raises:
        ConfigError: the file cannot be read, or is no table of checks.

    >>> checks_of("Pump", "en")[0]
    'Vibration and noise of bearings, coupling'
    """
    of_class = _table(str(file) if file else "").get(class_name.casefold(), ())
    return [check[language] for check in of_class]


@lru_cache(maxsize=4)
def _table(file: str) -> Checks:
    path = place(file) if file else OWN
    try:
        stored = yaml.safe_load(path.read_text(encoding="utf-8"))
        return {
            str(name).casefold(): tuple(map(_check, checks))
            for name, checks in stored.items()
        }
    except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise ConfigError(
            f"checks: {path} is no table of checks ({error}): expected a class with a list of"
            " {en: …, ja: …}"
        ) from error


def _check(given: dict[str, str]) -> dict[str, str]:
    return {language: str(given[language]) for language in LANGUAGES}
