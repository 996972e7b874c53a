"""Take passwords out of what is printed: store URLs in every form, and what a database says of
them.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

SECRET_NAMES = r"(?:\w*pass\w*|pwd|token|secret\w*)"
LOGIN = re.compile(r"(?P<head>[A-Za-z][\w+.-]*://)(?P<login>\S*)@")
SETTING = re.compile(
    rf"(?i)\b(?P<name>{SECRET_NAMES})(?P<equals>\s*=\s*)(?P<value>'[^']*'|[^\s&;'\",)]+)"
)


def without_secrets(text: str, url: str = "") -> str:
    """Return the text without the logins and passwords of URLs; those of `url` go wherever they
    stand in it.

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
    """Return the text with a dot in the place of what a URL says of who may enter."""
    text = LOGIN.sub(lambda found: f"{found['head']}…@", text)
    return SETTING.sub(lambda found: f"{found['name']}{found['equals']}…", text)


def _secrets(url: str) -> set[str]:
    """Return the passwords of a URL, as written and as meant; their parts too, where a database
    divides them.
    """
    found = {each["value"].strip("'") for each in SETTING.finditer(url)}
    found |= {each["login"].partition(":")[2] for each in LOGIN.finditer(url)}
    found |= {part for secret in found for part in re.split(r"[@/?#:]", secret)}
    return {form for secret in found for form in (secret, unquote(secret)) if len(form) > 2}
