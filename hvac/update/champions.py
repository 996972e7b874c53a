"""Which bundle serves each class, which did before, which may come next, and why that was changed.

`champions.json` of a workspace holds it whole, history too, so that no change is without its reason.
A training after it counts for more: its bundles serve then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from hvac.days import date_of, now_text
from hvac.errors import HvacError, InputError
from hvac.storage import AnyPath, write_json
from hvac.update.bends import Bend
from hvac.update.ladder import Rung

FILE: Final = "champions.json"
Action = Literal[
    "challenged",
    "canary",
    "promoted",
    "rolled_back",
    "thresholds",
    "kept",
    "refused",
]
Bundles = dict[str, str]
NO_CHALLENGER: Final = (
    "there is no challenger to promote: run ray_jobs.update without update.promote"
)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Challenger(_Frozen):
    """Bundles that may serve next; they are watched (in shadow) from a day of the record on.

    `lines` bend the serving risks into theirs, by class; none where they were trained anew, in the
    workspace `trained_in`. In the facilities `speaks_in` they speak already, from the day
    `speaks_since` on.
    """

    bundles: Bundles
    rung: Rung
    since: int
    lines: dict[str, Bend] = {}
    trained_in: str | None = None
    speaks_in: tuple[str, ...] = ()
    speaks_since: int | None = None


class Change(_Frozen):
    """One row of the history: what was done, to which bundles, by which figures, and why."""

    at: str
    action: Action
    bundles: Bundles
    why: str
    figures: dict[str, Any] = {}


class Champions(_Frozen):
    """Bundles by class: as trained, serving, serving before, and next; and all changes.

    `earlier` served before `previous` did, the newest last: a roll-back takes back one change.
    """

    trained: Bundles
    champion: Bundles
    previous: Bundles | None = None
    earlier: tuple[Bundles, ...] = ()
    challenger: Challenger | None = None
    history: tuple[Change, ...] = ()

    @property
    def speaks_in(self) -> tuple[str, ...]:
        """Return the facilities in which the challenger speaks already."""
        return self.challenger.speaks_in if self.challenger else ()

    @property
    def speaking(self) -> set[str]:
        """Return the bundles whose risks are shown somewhere."""
        some = (
            self.challenger.bundles.values()
            if self.challenger and self.speaks_in
            else ()
        )
        return {*self.champion.values(), *some}

    def replaced_by(self, champion: Bundles) -> dict[str, Any]:
        """Return the aliases that change where other bundles serve from now on."""
        earlier = (*self.earlier, self.previous) if self.previous else self.earlier
        return {"champion": champion, "previous": self.champion, "earlier": earlier}

    def noted(
        self, action: Action, why: str, figures: Mapping[str, Any] = {}, **new: Any
    ) -> Champions:
        """Return them with new aliases and one more row of history."""
        changed = self.model_copy(update=new)
        shown = changed.challenger or self.challenger
        bundles = (
            shown.bundles
            if action in ("challenged", "canary") and shown
            else changed.champion
        )
        row = Change(
            at=now_text(),
            action=action,
            bundles=bundles,
            why=why,
            figures=dict(figures),
        )
        return changed.model_copy(update={"history": (*self.history, row)})

    def promoted(self, why: str, figures: Mapping[str, Any] = {}) -> Champions:
        """Let the challenger serve. Raise HvacError where there is none."""
        if self.challenger is None:
            raise HvacError(NO_CHALLENGER)
        aliases = self.replaced_by({**self.champion, **self.challenger.bundles})
        return self.noted("promoted", why, figures, **aliases, challenger=None)

    def speaking_in(
        self,
        facilities: tuple[str, ...],
        day: int,
        why: str,
        figures: Mapping[str, Any],
    ) -> Champions:
        """Let the challenger speak in some facilities from a day on. Raise HvacError without one."""
        if self.challenger is None:
            raise HvacError(NO_CHALLENGER)
        speaks = {"speaks_in": facilities, "speaks_since": day}
        challenger = self.challenger.model_copy(update=speaks)
        more = {"facilities": list(facilities)}
        return self.noted("canary", why, {**figures, **more}, challenger=challenger)

    def taken_back(self, why: str, figures: Mapping[str, Any] = {}) -> Champions:
        """Let the champion speak everywhere, and set the challenger aside; keep where it spoke."""
        spoke: dict[str, Any] = {}
        if self.challenger and self.challenger.speaks_since is not None:
            since = date_of(self.challenger.speaks_since).isoformat()
            spoke = {"facilities": list(self.speaks_in), "spoke_since": since}
        return self.noted("rolled_back", why, {**figures, **spoke}, challenger=None)

    def rolled_back(self, why: str) -> Champions:
        """Let what served before serve again; a challenger that speaks somewhere is taken back.

        Raises:
            HvacError: nothing served before.
        """
        if self.speaks_in:
            return self.taken_back(why)
        if self.previous is None:
            raise HvacError(
                "nothing served before these bundles: there is nothing to roll back to"
            )
        aliases: dict[str, Any] = {
            "champion": self.previous,
            "previous": self.earlier[-1] if self.earlier else None,
            "earlier": self.earlier[:-1],
        }
        return self.noted("rolled_back", why, **aliases, challenger=None)


def read_champions(root: AnyPath, trained: Mapping[str, str]) -> Champions:
    """Return the champions of a workspace; the bundles as trained where nothing came after.

    Raises:
        InputError: the file is damaged.
    """
    file = root / FILE
    fresh = Champions(trained=dict(trained), champion=dict(trained))
    if not file.exists():
        return fresh
    try:
        known = Champions.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise InputError(
            f"{file} is damaged ({error.errors()[0]['msg']}): put back a copy, or delete it so that"
            " the bundles as trained serve"
        ) from error
    if known.trained != fresh.trained:
        return fresh.model_copy(update={"history": known.history})
    return known


def serving_bundles(root: AnyPath, trained: Mapping[str, str]) -> Bundles:
    """Return the bundle that serves each class. Raise InputError where the file is damaged."""
    return read_champions(root, trained).champion


def write_champions(root: AnyPath, champions: Champions) -> None:
    """Write the champions of a workspace, whole or not at all."""
    write_json(root / FILE, champions.model_dump(mode="json"))
