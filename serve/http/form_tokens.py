"""Tokens of the pages' forms: proof that a form was sent by a page that this service gave."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time

from serve.bodies.problems import OldForm
from serve.keys import Caller
from serve.memory.store import Store

SECRET_NOTE = "form_secret"
SLOT_S = 43_200  # a token holds for this time, and at most twice as long


class FormTokens:
    """Makes and checks tokens; all processes of a service share a secret in the store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._secret: bytes | None = None

    def token(self, caller: Caller) -> str:
        """Return the token of a caller's forms. Raise StoreError where the database is away."""
        return self._token(caller, int(time.time()) // SLOT_S)

    def check(self, caller: Caller, token: str) -> None:
        """Raise OldForm where a form has no token of this caller's, or an old one."""
        now = int(time.time()) // SLOT_S
        known = [self._token(caller, slot) for slot in (now, now - 1)]
        given = token.encode(errors="replace")
        if not any(hmac.compare_digest(given, one.encode()) for one in known):
            raise OldForm(
                "this form was open for too long, or was not sent by a page of this service: open"
                " the page again"
            )

    def _token(self, caller: Caller, slot: int) -> str:
        if self._secret is None:
            secret = secrets.token_hex(32)
            self._secret = self.store.note_once(SECRET_NOTE, secret).encode()
        content = f"{slot}\0{caller.name}\0{caller.facility_id}\0{caller.role}"
        return hmac.new(self._secret, content.encode(), hashlib.sha256).hexdigest()
