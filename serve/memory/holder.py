"""The holder of a claim: a process of a machine, and whether it still runs; imports nothing of the
service.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

PROCESSES = Path("/proc")
GONE = "gone"


def this_process() -> str:
    """Return a name of this process that no later process has: host, number and start.

    >>> is_gone(this_process())
    False
    """
    return f"{socket.gethostname()} {os.getpid()} {_started(os.getpid())}"


def is_gone(holder: str) -> bool:
    """Tell whether a holder was a process of this machine that no longer runs; False for other
    machines.

    >>> import socket
    >>> is_gone(f"{socket.gethostname()} {2**22 + 1} 0"), is_gone("another-machine 1 0")
    (True, False)
    """
    host, _, rest = holder.rpartition(" ")[0].rpartition(" ")
    if host != socket.gethostname() or not rest.isdigit():
        return False
    return _started(int(rest)) != holder.rpartition(" ")[2]


def _started(number: int) -> str:
    """Return when a process of this machine started, in the kernel's ticks; `GONE` where there is
    none.

    Machines without /proc give no start: there a number that is taken again counts as the same
    process.
    """
    if not PROCESSES.exists():
        return "unknown" if _runs(number) else GONE
    try:
        text = (PROCESSES / str(number) / "stat").read_text(
            encoding="utf-8", errors="replace"
        )
    except OSError:
        return GONE
    return text.rpartition(")")[2].split()[19]


def _runs(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
