"""Take passwords out of what is printed: URLs of stores, and messages of a database."""

from __future__ import annotations

import re
from urllib.parse import unquote

SECRET_NAMES = r"(?:\w*pass\w*|pwd|token|secret\w*)"
LOGIN = re.compile(r"(?P<head>[A-Za-z][\w+.-]*://)(?P<login>\S*)@")
SETTING = re.compile(
    rf"(?i)\b(?P<name>{SECRET_NAMES})(?P<equals>\s*=\s*)(?P<value>'[^']*'|[^\s&;'\",)]+)"
)


def without_secrets(text: str, url: str = "") -> str:
    """Return the text without the logins and passwords of URLs; those of `url` are removed
    everywhere.

    >>> without_secrets("postgresql://me:a@b@host/db?sslmode=x&password=abc cannot be reached")
    'postgresql://…@host/db?sslmode=x&password=… cannot be reached'
    >>> without_secrets("wrong port: s3cret", "postgresql://me:s3cret@host:x/db")
    'wrong port: …'
    """
    text = text.replace(url, hidden(url)) if url else text
    for secret in sorted(_secrets(url), key=len, reverse=True):
        text = text.replace(secret, "…")
    return hidden(text)


def hidden(text: str) -> str:
    """Return the text with a dot in the place of logins and passwords."""
    text = LOGIN.sub(lambda match: f"{match['head']}…@", text)
    return SETTING.sub(lambda match: f"{match['name']}{match['equals']}…", text)


def _secrets(url: str) -> set[str]:
    """Return the passwords of a URL, as written and decoded, and their parts, where a database
    divides them.
    """
    secrets = {match["value"].strip("'") for match in SETTING.finditer(url)}
    secrets |= {match["login"].partition(":")[2] for match in LOGIN.finditer(url)}
    secrets |= {part for secret in secrets for part in re.split(r"[@/?#:]", secret)}
    return {
        form
        for secret in secrets
        for form in (secret, unquote(secret))
        if len(form) > 2
    }
