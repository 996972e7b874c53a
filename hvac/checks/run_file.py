"""Write a commented run file for a user's own tables: what was guessed, and what else it might be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from hvac.checks.guesses import Guess, Guesses
from hvac.checks.record_check import RecordCheck, Settings, check_record
from hvac.panel.joins import folded, one_spelling
from hvac.panel.labels import LabelConfig
from hvac.panel.split_config import SplitConfig
from hvac.panel.windows import WindowConfig
from hvac.readings.gate import read_events
from hvac.readings.sources import SourceConfig

FAILURES: Final = (
    "fail",
    "fault",
    "trip",
    "breakdown",
    "故障",
    "異常",
    "不具合",
    "停止",
)
ATTEMPTS: Final = 4
MANY_MACHINES: Final = 50  # their windows every 7 days are enough to learn from
Sections = dict[str, dict[str, Guess]]


def choose_sections(source: SourceConfig) -> tuple[Sections, RecordCheck]:
    """Choose windows, labels and splits that the record can carry, and return the check of them.

    Where the check says that another class or split would go on, that one is taken.
    """
    sections: Sections = {
        "windows": {
            "class": Guess("each", "a bundle for each class of the register", "all")
        },
        "labels": _labels(source),
        "splits": {
            "kind": Guess("time", "the newest part tests", "equipment, facility, both")
        },
    }
    sections["windows"]["train_stride"] = Guess(7, "days between training windows", "1")
    check = _checked(source, sections)
    for _ in range(ATTEMPTS):
        stops = " ".join(fault.text for fault in check.faults if fault.level == "stops")
        kinds = set(check.registry.kinds.values()) if check.registry else set()
        if sections["windows"]["class"].value == "each" and (
            "windows.class: all" in stops or kinds == {"all"}
        ):
            why = "the classes are unknown, or too small for a bundle each"
            sections["windows"]["class"] = Guess("all", why, "each")
        elif (
            "splits.kind: equipment" in stops
            and sections["splits"]["kind"].value == "time"
        ):
            why = "the record is too short to part by time: some machines test"
            sections["splits"]["kind"] = Guess("equipment", why, "time, facility, both")
        else:
            break
        check = _checked(source, sections)
    return sections, check


def _labels(source: SourceConfig) -> dict[str, Guess]:
    """Return what is predicted: the kind of events that looks most like failures, else limits."""
    kinds = read_events(source).table["kind"].to_pylist()
    if not kinds:
        why = "there are no events: values out of their limits are predicted"
        return {"source": Guess("limits", why, "events, with source.events")}
    spelling = one_spelling(kinds)
    counts = Counter(spelling[kind] for kind in kinds).most_common()
    failures = [
        kind for kind, _ in counts if any(word in folded(kind) for word in FAILURES)
    ]
    listed = ", ".join(f"{kind} ({count})" for kind, count in counts[:8])
    why = "by their name" if failures else "the most frequent kind"
    return {"events": Guess(failures[:1] or [counts[0][0]], why, listed)}


def _checked(source: SourceConfig, sections: Sections) -> RecordCheck:
    values = {
        name: {key: guess.value for key, guess in section.items()}
        for name, section in sections.items()
    }
    return check_record(
        Settings(
            source=source,
            windows=WindowConfig(**values["windows"]),
            labels=LabelConfig(**values["labels"]),
            splits=SplitConfig(**values["splits"]),
        )
    )


def run_file(guesses: Guesses, sections: Sections, *, name: str) -> str:
    """Return the run file as text; every guess is marked, with its reason and what else it may be."""
    lines = [
        "# Written by hvac-foresight init. Lines marked GUESS were guessed: look at them, then run",
        "#   hvac-foresight check --config FILE",
        "#   hvac-foresight pipeline --config FILE",
        f"name: {_yaml(name)}",
        f"workspace: {_yaml(f'runs/{name}')}",
        f"language: {_guessed(_language(guesses))}",
        "source:",
        *_source_lines(guesses),
    ]
    for section, settings in sections.items():
        lines.append(f"{section}:")
        lines += [f"  {key}: {_guessed(guess)}" for key, guess in settings.items()]
    return "\n".join(lines) + "\n"


def _language(guesses: Guesses) -> Guess:
    """Return the language of pages: Japanese where the tables are written in it."""
    names = [str(guess.value) for guess in guesses.found.values()]
    if guesses.settings.get("format") == "inspection" or not all(
        map(str.isascii, names)
    ):
        return Guess("ja", "the tables are written in Japanese", "en")
    return Guess("en", "the tables are not written in Japanese", "ja")


def _source_lines(guesses: Guesses) -> Iterator[str]:
    for key, value in guesses.settings.items():
        guess = guesses.found.get(key)
        if isinstance(value, Mapping):
            yield f"  {key}:" if value else f"  {key}: {{}}"
            for name, inner in value.items():
                guess = guesses.found.get(f"{key}.{name}")
                yield f"    {name}: {_guessed(guess) if guess else _yaml(inner)}"
        elif guess is not None and key not in guesses.given:
            yield f"  {key}: {_guessed(guess)}"
        else:
            yield f"  {key}: {_yaml(value)}"


def _guessed(guess: Guess) -> str:
    others = f"; else: {guess.others}" if guess.others else ""
    comment = " ".join(f"GUESS: {guess.why}{others}".split())
    return f"{_yaml(guess.value)}  # {comment}"


def _yaml(value: Any) -> str:
    text = yaml.safe_dump(
        value, default_flow_style=True, allow_unicode=True, width=10_000
    )
    return text.removesuffix("...\n").strip()
