"""The store's and the token's files are for their owner."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from hvac.private import keep_private, ray_token_file


def test_only_the_owner_keeps_a_right_to_a_file(tmp_path: Path) -> None:
    file = tmp_path / "auth_token"
    file.write_text("x", encoding="ascii")
    file.chmod(0o644)
    keep_private(file, tmp_path / "not there", tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_token_is_where_ray_looks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    assert ray_token_file() == tmp_path / "token"
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH")
    assert ray_token_file().parts[-2:] == (".ray", "auth_token")
