"""The peer: plain FastAPI + uvicorn with the same functions, no Ray: python benchmarks/serve_plain.py PORT WORKSPACE"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import support  # noqa: F401  (puts the checkout before this folder, whose serve.py is not the package)
import uvicorn
from fastapi import FastAPI

from serve.graph.stages import LocalStages
from serve.http.api import make_api
from serve.http.door import Door
from serve.load import load
from serve.memory.store import Store
from serve.rescoring import rescore_forever
from serve.service import Service
from serve.settings import ServeConfig


def make(workspace: Path) -> FastAPI:
    config = ServeConfig(workspace=workspace)
    store = Store.open(config.store_url)
    load(store, config)
    stages = LocalStages(
        config.bundle_folder, config.bundles_in_memory, peers=config.peer_folder
    )
    service = Service(config, store, stages)
    api = make_api(service, Door(store, keys=False))

    @contextlib.asynccontextmanager
    async def rescoring(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(rescore_forever(service))
        yield
        task.cancel()

    api.router.lifespan_context = rescoring
    return api


if __name__ == "__main__":
    uvicorn.run(
        make(Path(sys.argv[2])),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        access_log=False,
        log_level="warning",
    )
