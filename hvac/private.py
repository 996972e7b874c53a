"""Files that only their owner may read: the store, and the token of Ray's clusters."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

OTHERS = 0o077


def keep_private(*files: str | Path) -> None:
    """Take from everybody but the owner the right to files, where they are there and ours."""
    for file in map(Path, files):
        with contextlib.suppress(OSError):
            mode = file.stat().st_mode
            if file.is_file() and mode & OTHERS:
                file.chmod(mode & ~OTHERS & 0o777)


def ray_token_file() -> Path:
    """Return where Ray keeps the token of its clusters, which it makes readable to all."""
    return Path(
        os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token"
    )
