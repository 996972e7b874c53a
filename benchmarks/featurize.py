"""How long the featurize job takes on Ray Data, beside the bare kernels on two processes; and how much memory it takes.

    python benchmarks/featurize.py [--quick] [--large]

The input is a simulated fleet that gives exactly 583 windows a unit (one point, no gaps, one failure): 10, 100 and (with
--large) 1,000 units, ingested before the clock starts. Parquet → Parquet, two CPUs, one torch thread a process.

- job: `ray_jobs.featurize.run`, on a Ray that is started.
- bare: the same functions (panel, windows, statistics, context, labels, embedding, Parquet) over the same buckets on a
  pool of two processes, without Ray.

Both import the encoder's library, which takes seconds in every process: *cold* is both from the start of their
processes, *warm* is both where the processes have imported it and loaded the weights. Bare: a pool that is kept. The
job's actors are new in every run, so for it warm is cold less what the first of its actors spent on its constructor
(measured inside the actor); tasks run in processes that Ray keeps. Job and bare take turns, each keeps its shortest
time. The bar is held against warm.

Memory is the resident set of the processes that Ray started and of the driver, sampled every 0.1 s; every size runs in
a session of its own. Shared pages (libraries, object store) count in every process that has touched them, so `private`
(resident less shared) is there too.
"""

import datetime
import json
import os
import shutil
import statistics as st
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

from support import Row, machine, parser, record

import numpy as np  # isort: skip
import psutil  # isort: skip
import pyarrow as pa  # isort: skip
import pyarrow.parquet as pq  # isort: skip

from hvac.panel.readings import SourceConfig  # isort: skip
from ray_jobs.buckets import BucketPlan  # isort: skip
from ray_jobs.run_config import RunConfig  # isort: skip
