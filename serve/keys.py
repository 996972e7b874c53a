"""API keys: `python -m serve.keys add NAME [--facility F] [--role read|push|admin]`; only their
hashes are kept.

A key is shown once, when it is made. A key of one facility sees nothing of another. `read` asks,
`push` also sends readings, `admin` also changes which bundle serves."""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import secrets
import sys
from collections.abc import Mapping
from typing import NamedTuple

from hvac.errors import HvacError
from serve.ids import is_id
from serve.memory.store import FLEET, KeyRow, Store

ROLES = ("read", "push", "admin")


class Caller(NamedTuple):
    """Who calls: the facility it may see ("" means all) and what it may do."""

    name: str
    facility_id: str
    role: str

    def may(self, role: str) -> bool:
        """Tell whether the caller's role is at least as high as another."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def sees(self, facility_id: str) -> bool:
        """Tell whether a facility is this caller's."""
        return self.facility_id in (FLEET, facility_id)


ANYONE = Caller("local", FLEET, "admin")


def hash_key(key: str) -> str:
    """Return the SHA-256 of a key, which is enough for keys of 256 random bits."""
    return hashlib.sha256(key.encode()).hexdigest()


def make_key(
    store: Store, name: str, *, facility_id: str = FLEET, role: str = "read"
) -> str:
    """Make a key, keep its hash, return it."""
    key = f"hvac_{secrets.token_urlsafe(32)}"
    store.add_key(KeyRow(hash_key(key), name, facility_id, role))
    return key


def given_key(headers: Mapping[str, str], *, browser: bool) -> str | None:
    """Return the key of a request: X-API-Key, Bearer, or (browsers, reading only) Basic with any
    user name.
    """
    if "x-api-key" in headers:
        return headers["x-api-key"]
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() == "basic" and browser:
        try:
            return (
                base64.b64decode(credentials, validate=True).decode().partition(":")[2]
            )
        except (binascii.Error, UnicodeDecodeError):
            return None
    return None


def main(given: list[str] | None = None) -> int:
    """Add, list or withdraw keys."""
    parser = argparse.ArgumentParser(prog="python -m serve.keys", description=__doc__)
    parser.add_argument("do", choices=["add", "list", "drop"])
    parser.add_argument("name", nargs="?")
    parser.add_argument("--store", default="runs/demo/serve/store.sqlite")
    parser.add_argument(
        "--facility", help="the one facility the key opens; default: all"
    )
    parser.add_argument("--role", choices=ROLES, default="read")
    arguments = parser.parse_args(given)
    if arguments.do != "list" and not arguments.name:
        parser.error(f"{arguments.do} needs a name")
    facility = FLEET if arguments.facility is None else arguments.facility.strip()
    if arguments.facility is not None and not is_id(facility):
        parser.error(
            f"--facility {arguments.facility!r} is no id of a facility: leave it out for a key of"
            " all facilities"
        )
    try:
        return _do(Store.open(arguments.store), arguments, facility)
    except HvacError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2


def _do(store: Store, arguments: argparse.Namespace, facility: str) -> int:
    if arguments.do == "add":
        sys.stdout.write(
            make_key(store, arguments.name, facility_id=facility, role=arguments.role)
            + "\n"
        )
    elif arguments.do == "drop":
        sys.stdout.write(f"{store.drop_keys(arguments.name)} withdrawn\n")
    else:
        sys.stdout.writelines(
            f"{key.name}\t{key.facility_id or 'fleet'}\t{key.role}\n"
            for key in store.api_keys()
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
