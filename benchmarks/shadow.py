"""What a challenger in shadow costs the service, and whether answers wait for it.

    python benchmarks/shadow.py [runs/demo]

Takes a workspace that `ray_jobs.pipeline` has finished, bends every bundle for a challenger (its
model, its calibrators moved), and scores machines of the store as the service does: one by one and
32 at once, with a challenger and without, in turns.

- milliseconds of CPU of all threads a machine, from the ask to the answer and to the pairs in the
  store (SQLite), the median over rounds;
- milliseconds until the answer is there, while the shadow works on those before (half and 99 of 100).

Writes results/shadow.json.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from support import Row, machine, parser, record  # isort: skip

import numpy as np

from hvac.panel.grid import Unit
from hvac.scoring.bundle import Bundle
from hvac.update.bends import Bend
from hvac.update.bent_bundle import bent_bundle
from serve.graph.asks import Ask, Watched
from serve.graph.published_peers import PeerLevels
from serve.graph.shadowing import Shadow
from serve.graph.shelf import Shelf
from serve.graph.stages import LocalStages
from serve.load import load
from serve.memory.store import Store
from serve.service import Service
from serve.settings import ServeConfig

TOGETHER = 32
BEND = Bend(0.9, -0.2)


class Case:
    """Stages with a shadow, and asks of machines with a challenger and without."""

    def __init__(self, workspace: Path, folder: Path, machines: int) -> None:
        bundles = folder / "bundles"
        shutil.copytree(workspace / "bundles", bundles)
        self.config = ServeConfig(
            workspace=workspace, bundles=bundles, store=str(folder / "store.sqlite")
        )
        self.store = Store.open(self.config.store_url)
        load(self.store, self.config)
        shelf = Shelf(bundles, 32, PeerLevels(self.config.peer_folder))
        self.shadow = Shadow(shelf, lambda: self.store, 28)
        self.stages = LocalStages(
            bundles, 32, peers=self.config.peer_folder, shadow=self.shadow
        )
        service = Service(self.config, self.store, self.stages)
        assigned = self.store.assignments()
        units = [Unit(*row[:2]) for row in self.store.units()]
        picked = units[:: max(len(units) // machines, 1)][:machines]
        self.alone = [service.stored_ask(unit, assigned) for unit in picked]
        bent = {}
        for name in {ask.bundle_id for ask in self.alone}:
            other = bent_bundle(Bundle.load(bundles / name), BEND, "benchmark", 0)
            bent[name] = Watched(name, other.save(bundles).name)
        self.watched = [replace(ask, watched=bent[ask.bundle_id]) for ask in self.alone]

    def cpu_ms(self, asks: Sequence[Ask], at_once: int) -> float:
        """Return the CPU of all threads a machine, until the pairs are kept."""
        started = time.process_time()
        for start in range(0, len(asks), at_once):
            asyncio.run(self.stages.predict(asks[start : start + at_once]))
        self.shadow.wait()
        return 1000 * (time.process_time() - started) / len(asks)

    def waits_ms(self, asks: Sequence[Ask]) -> list[float]:
        """Return how long each answer takes, one after the other."""

        async def answers() -> list[float]:
            seconds = []
            for ask in asks:
                started = time.perf_counter()
                await self.stages.predict([ask])
                seconds.append(1000 * (time.perf_counter() - started))
            return seconds

        found = asyncio.run(answers())
        self.shadow.wait()
        return found


def main() -> None:
    options = parser(__doc__)
    options.add_argument("workspace", nargs="?", type=Path, default=Path("runs/demo"))
    given = options.parse_args()
    machines, rounds = (8, 2) if given.quick else (96, 9)
    where = machine(["numpy", "torch", "sqlalchemy"], cores=1)
    with tempfile.TemporaryDirectory(prefix="hvac-shadow-") as folder:
        case = Case(given.workspace, Path(folder), machines)
        case.cpu_ms(case.watched, TOGETHER)
        figures: dict[str, float] = {}
        for at_once in (1, TOGETHER):
            of_round = [
                (case.cpu_ms(case.alone, at_once), case.cpu_ms(case.watched, at_once))
                for _ in range(rounds)
            ]
            alone, both = map(statistics.median, zip(*of_round, strict=True))
            figures |= {f"alone_{at_once}": alone, f"both_{at_once}": both}
        waits = [
            (case.waits_ms(case.alone), case.waits_ms(case.watched))
            for _ in range(rounds)
        ]
        for name, parts in zip(
            ("alone", "both"), zip(*waits, strict=True), strict=True
        ):
            half, most = np.percentile(np.concatenate(parts), [50, 99])
            figures |= {f"answer_{name}_p50": half, f"answer_{name}_p99": most}
        pairs = len(case.store.shadow_rows(most=10**6))
    rows = [
        Row(
            f"CPU a machine with a challenger, {at_once} at once",
            "",
            f"{figures[f'both_{at_once}']:.2f} ms"
            f" (+{figures[f'both_{at_once}'] - figures[f'alone_{at_once}']:.2f})",
            f"{figures[f'alone_{at_once}']:.2f} ms without",
            None,
        )
        for at_once in (1, TOGETHER)
    ]
    for name in ("p50", "p99"):
        rows.append(
            Row(
                f"wait for an answer with a challenger, {name}",
                "",
                f"{figures[f'answer_both_{name}']:.1f} ms",
                f"{figures[f'answer_alone_{name}']:.1f} ms without",
                None,
            )
        )
    found = {"figures": figures, "machines": machines, "pairs": pairs}
    record("shadow", where, rows, found, given.quick)


if __name__ == "__main__":
    main()
