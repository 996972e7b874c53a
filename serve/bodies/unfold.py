"""Unfold bulk bodies in processes of their own, whose memory is bounded; a body that ends one harms
no other.

parent → child:  {"kind", "size", "limits"} as a line of JSON, then the body
child → parent:  {"size"} or {"error", "sentence"} as a line of JSON, then an Arrow stream
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import ctypes
import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, BinaryIO, TypedDict

import pyarrow as pa

from hvac.errors import HvacError, InputError
from hvac.json_values import JsonObject
from serve.bodies.bulk import read_bulk_windows, unfolded_bytes
from serve.bodies.problems import TooMuch, WrongKind
from serve.settings import MIB, Limits

AT_ONCE = 2
SLACK = 64 * MIB  # stacks, code loaded late
COPIES = 3  # of what is unfolded, while it is checked
ERRORS: dict[str, type[HvacError]] = {
    kind.__name__: kind for kind in (InputError, TooMuch, WrongKind)
}
QUIET = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "1",
    "OMP_NUM_THREADS": "1",
    "ARROW_IO_THREADS": "1",
}
CODE = "from serve.bodies.unfold import serve_parent; serve_parent()"

_threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="unfold")
_of_thread = threading.local()


async def unfold_windows(content: bytes, kind: str, limits: Limits) -> pa.Table:
    """Read a bulk body in another process. Raise what `read_bulk_windows` raises, and TooMuch where
    it takes too long.
    """
    return await asyncio.get_running_loop().run_in_executor(
        _threads, _in_child, content, kind, limits
    )


def _in_child(content: bytes, kind: str, limits: Limits) -> pa.Table:
    child = getattr(_of_thread, "child", None)
    if child is None or child.has_ended:
        child = _of_thread.child = Child()
    return child.unfold_windows(content, kind, limits)


class Child:
    """One process that unfolds one body after another."""

    def __init__(self) -> None:
        root = str(Path(__file__).parents[2])
        given_path = os.environ.get("PYTHONPATH")
        path = os.pathsep.join([root, given_path]) if given_path else root
        self._process = subprocess.Popen(
            [sys.executable, "-c", CODE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **QUIET, "PYTHONPATH": path},
        )
        atexit.register(self.end)

    @property
    def has_ended(self) -> bool:
        """Return whether another process is needed."""
        return self._process.poll() is not None

    def end(self) -> None:
        """Stop it at once."""
        atexit.unregister(self.end)
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if pipe:
                    pipe.close()

    def unfold_windows(self, content: bytes, kind: str, limits: Limits) -> pa.Table:
        """Send a body and return its table."""
        late = threading.Event()

        def stop() -> None:
            late.set()
            self._process.kill()

        seconds = limits.timeout_s / 2  # half is left for the stages
        timer = threading.Timer(seconds, stop)
        timer.start()
        try:
            head, table = self._exchange(content, kind, limits)
        except (OSError, ValueError) as error:
            self.end()
            if late.is_set():
                raise TooMuch(
                    f"the body could not be unfolded within {seconds:g} s: send it in parts"
                ) from error
            raise InputError(
                f"the body cannot be read as {kind}: it is damaged, or unfolds to too much"
            ) from error
        finally:
            timer.cancel()
        if "error" in head:
            raise ERRORS.get(head["error"], InputError)(head["sentence"])
        return pa.ipc.open_stream(pa.py_buffer(table)).read_all()

    def _exchange(
        self, content: bytes, kind: str, limits: Limits
    ) -> tuple[AnswerHead, bytes]:
        to_child = self._process.stdin
        from_child = self._process.stdout
        assert to_child is not None
        assert from_child is not None
        request: JsonObject = {
            "kind": kind,
            "size": len(content),
            "limits": limits.model_dump(mode="json"),
        }
        _send(to_child, request, content)
        answer: AnswerHead = json.loads(from_child.readline())
        table = from_child.read(answer.get("size", 0))
        if len(table) != answer.get("size", 0):
            raise ValueError("the process ended while it answered")
        return answer, table


class AnswerHead(TypedDict, total=False):
    """The head of an answer: how many bytes follow, or the error with its sentence."""

    size: int
    error: str
    sentence: str


def _send(pipe: IO[bytes], head: JsonObject, content: bytes | memoryview) -> None:
    pipe.write(json.dumps(head).encode() + b"\n")
    pipe.write(content)
    pipe.flush()


def serve_parent() -> None:
    """Unfold each body that arrives on standard input, until it ends."""
    given = sys.stdin.buffer
    answers = sys.stdout.buffer
    while line := given.readline():
        head = json.loads(line)
        body = given.read(head["size"])
        _answer(answers, body, head["kind"], Limits(**head["limits"]))
        _give_back()


def _answer(answers: BinaryIO, content: bytes, kind: str, limits: Limits) -> None:
    allowed = unfolded_bytes(len(content), limits)
    try:
        with _bounded(SLACK + COPIES * allowed):
            sink = pa.BufferOutputStream()
            table = read_bulk_windows(content, kind, limits)
            with pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table)
            stream = sink.getvalue()
    except MemoryError:
        sentence = f"the table unfolds to more than the {allowed} bytes allowed for a body of this size"
        _send(answers, {"error": "TooMuch", "sentence": sentence}, b"")
    except HvacError as error:
        _send(answers, {"error": type(error).__name__, "sentence": str(error)}, b"")
    else:
        _send(answers, {"size": stream.size}, memoryview(stream))


@contextlib.contextmanager
def _bounded(more: int) -> Iterator[None]:
    """Let this process take only so much more memory (where the system knows how)."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    with contextlib.suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        soft = pages * resource.getpagesize() + more
        limits = [limit for limit in before if limit != resource.RLIM_INFINITY]
        resource.setrlimit(resource.RLIMIT_AS, (min([soft, *limits]), before[1]))
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, before)


def _give_back() -> None:
    """Return free memory to the system."""
    pa.default_memory_pool().release_unused()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
