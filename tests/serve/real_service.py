"""A service on a free port of this machine, over real HTTP."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from serve.http.api import make_api
from serve.http.door import Door
from serve.service import Service


@contextmanager
def listening(service: Service, *, keys: bool = False) -> Iterator[str]:
    """A service on a free port; gives its URL."""
    api = make_api(service, Door(service.store, keys=keys))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(api, host="127.0.0.1", port=port, log_level="error")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)
