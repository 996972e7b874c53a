"""Ids in bodies and addresses: the one rule of `hvac.readings.accepted`, and how an id stands in a
URL.

Routes match the address as it was sent; the ids in it are decoded one by one, so that `%2F` belongs
to an id and `/` ends it."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote, unquote_to_bytes

from pydantic import (
    AfterValidator,
    BeforeValidator,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from hvac.readings.accepted import ID_CHARACTERS, ID_PATTERN, NO_IDS


def _is_one(text: str) -> str:
    if text in NO_IDS:
        raise ValueError(f"{text} is no id: it says that there is none")
    return text


def _decoded(segment: str) -> str:
    try:
        return unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError("the address is not UTF-8") from error


Id = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        min_length=1,
        max_length=ID_CHARACTERS,
        pattern=ID_PATTERN,
    ),
    AfterValidator(_is_one),
]
SentId = Annotated[Id, BeforeValidator(_decoded)]
_RULE: TypeAdapter[str] = TypeAdapter(Id)


def is_id(text: str) -> bool:
    """Tell whether a text is an id as it stands, without trimming.

    >>> is_id("本社/北館"), is_id(" a"), is_id("nan"), is_id("a\\x00")
    (True, False, False, False)
    """
    try:
        return _RULE.validate_python(text) == text
    except ValidationError:
        return False


def segment(text: str) -> str:
    """Return an id as one part of an address.

    A part that is only dots would be taken for a way up or nowhere: a blank follows it, which is
    trimmed.

    >>> segment("本社/1"), segment("..")
    ('%E6%9C%AC%E7%A4%BE%2F1', '..%20')
    """
    return quote(text, safe="") + ("%20" if text in (".", "..") else "")


def sent_path(path: str, raw_path: bytes | None) -> str:
    """Return the path of a request as it was sent: percent-encoded, whatever else is in it.

    >>> sent_path("/facility/a/b", b"/facility/a%2Fb"), sent_path("/日", None)
    ('/facility/a%2Fb', '/%E6%97%A5')
    """
    sent = (
        path.encode(errors="replace")
        if raw_path is None
        else raw_path.partition(b"?")[0]
    )
    return quote(sent, safe=SAFE if raw_path is None else f"{SAFE}%")


SAFE = "/!$&'()*+,;=:@-._~"
