"""What must be right before Ray is started: workspace, secrets, keys where they are needed."""

from __future__ import annotations

from pathlib import Path

from hvac.errors import ConfigError, nearest
from hvac.storage import AnyPath, place
from serve.http.listening import check_keys, is_loopback
from serve.memory.store import Store
from serve.settings import ServeConfig


def check_start(config: ServeConfig, host: str) -> None:
    """Check what would otherwise be found out only after Ray has started.

    Raises:
        ConfigError: the workspace or a file of secrets is not there, or keys are needed on this
            host and there is none.
        StoreError: keys are needed and the store cannot be opened.
    """
    _check_workspace(config)
    _check_secrets(config)
    if config.keys == "required" or (config.keys == "auto" and not is_loopback(host)):
        store = Store.open(config.store_url)
        try:
            check_keys(store, config)
        finally:
            store.close()


def _check_workspace(config: ServeConfig) -> None:
    """Raise ConfigError where there are neither bundles nor tables to serve."""
    workspace = place(config.workspace)
    if config.bundle_folder.exists() or (workspace / "panel").exists():
        return
    near = _nearest_workspace(workspace)
    hint = f"did you mean {near}? Else" if near else "set workspace=FOLDER, or"
    raise ConfigError(
        f"there is no workspace of the jobs at {config.workspace}: {hint} make one with"
        " `make demo` or `python -m ray_jobs.pipeline --config FILE`"
    )


def _check_secrets(config: ServeConfig) -> None:
    """Raise ConfigError where a file that notifications need cannot be read."""
    _ = config.notify.all_webhooks
    if config.notify.mail:
        _ = config.notify.mail.password


def _nearest_workspace(workspace: AnyPath) -> str:
    """Return the workspace beside one that is not there whose name is most like it, else ""."""
    if not isinstance(workspace, Path) or not workspace.parent.is_dir():
        return ""
    names = [folder.parent.name for folder in workspace.parent.glob("*/steps")]
    near = nearest(workspace.name, names)
    return str(workspace.parent / near) if near else ""
