"""Errors that a client is told of: an HTTP status and a sentence for each case."""

from __future__ import annotations

from hvac.errors import HvacError

NOBODY_FREE = {  # Ray's errors, by name: this module knows no Ray; and Python's of a connection
    "ActorDiedError",
    "ActorUnavailableError",
    "BackPressureError",
    "DeploymentUnavailableError",
    "GetTimeoutError",
    "LocalRayletDiedError",
    "NodeDiedError",
    "ObjectLostError",
    "OutOfMemoryError",
    "OwnerDiedError",
    "RayActorError",
    "RaySystemError",
    "ReplicaUnavailableError",
    "RequestCancelledError",
    "TaskCancelledError",
    "TimeoutError",
    "WorkerCrashedError",
}


class Refused(HvacError):  # noqa: N818
    """A request that is answered with a sentence; `retry_after` in seconds where it is worth trying
    again.
    """

    status = 422

    def __init__(self, sentence: str, *, retry_after: int | None = None) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class Unknown(Refused):
    """There is no such thing, or not for this key."""

    status = 404


class NoKey(Refused):
    """No key, or one that is not known."""

    status = 401


class Forbidden(Refused):
    """The key does not open this."""

    status = 403


class OldForm(Refused):
    """A form that another site's page sent, or that was open for too long."""

    status = 403


class TooMuch(Refused):
    """More than one request may ask."""

    status = 413


class WrongKind(Refused):
    """A body of a kind that is not read here."""

    status = 415


class Busy(Refused):
    """Too much is waiting already."""

    status = 429


class Away(Refused):
    """Something the answer needs is not there now."""

    status = 503


class TooSlow(Refused):
    """The answer took longer than allowed."""

    status = 504


def is_passing(error: BaseException) -> bool:
    """Tell whether an error means only that nobody could do the work now: try again then."""
    names = {type(error).__name__, type(getattr(error, "cause", None)).__name__}
    return isinstance(error, TooSlow | Busy | Away) or bool(names & NOBODY_FREE)


class BadHost(Refused):
    """A request that names another host than this service, or comes from another site's page."""

    status = 421


class TooLate(Refused):
    """A body that did not come in time."""

    status = 408


class BadLength(Refused):
    """A request that contradicts itself."""

    status = 400


class Gone(Exception):  # noqa: N818
    """The caller went away before the body was whole: nobody waits for an answer."""
