"""A process that says it is ready has imported and compiled what a request needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.models.models_example import bundle

PROGRAM = """
import sys
from pathlib import Path
from numba.core.dispatcher import Dispatcher
from serve.graph import core, warming
from serve.graph.asks import Ask, compact
from serve.graph.shelf import Shelf
from serve.memory.store_units import canonical
from tests.serve.serve_example import UNITS, reading_rows

def ready():
    compiled = set()
    for module in [module for name, module in sys.modules.items() if name.startswith("hvac")]:
        for name, value in vars(module).items():
            if isinstance(value, Dispatcher):
                compiled |= {(value.__module__, name, str(kind)) for kind in value.signatures}
    return set(sys.modules), compiled

folder, bundle_id = Path(sys.argv[1]), sys.argv[2]
if sys.argv[3] == "warm":
    warming.warm(folder)
modules, compiled = ready()
columns = list(zip(*(row[2:] for row in reading_rows(UNITS[0])), strict=True))
readings = compact(canonical(UNITS[0], columns))
event = (*UNITS[0], "failure", 19_900, 19_901, None)
ask = Ask(bundle_id=bundle_id, unit=UNITS[0], class_name="ahu", readings=readings, events=[event])
shelf = Shelf(folder, size=1)
(group,) = core.prepare(shelf, [ask])
risk_BH = core.newest_risks(shelf(bundle_id), group.latest.windows)
core.driving_outlooks(shelf(bundle_id), group.latest)
core.explanations(shelf, [ask], detailed=False)
assert (risk_BH > 0).all(), risk_BH
after_modules, after = ready()
print(len(after_modules - modules), len(after - compiled))
"""


def newly_loaded(folder: Path, name: str, start: str) -> tuple[int, ...]:
    """Return how many modules and compiled functions the first request brings."""
    command = [sys.executable, "-c", PROGRAM, str(folder), name, start]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    return tuple(map(int, told.stdout.split()))


def test_first_request_after_warming_imports_and_compiles_nothing(
    tmp_path: Path,
) -> None:
    name = bundle().save(tmp_path).name
    assert newly_loaded(tmp_path, name, "warm") == (0, 0)
    assert min(newly_loaded(tmp_path, name, "cold")) > 0
