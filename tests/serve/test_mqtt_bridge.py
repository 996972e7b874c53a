"""The example that carries readings from an MQTT broker into the service."""

from __future__ import annotations

import datetime as dt
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hvac.days import EPOCH
from serve.service import Service
from tests.serve.real_service import listening
from tests.serve.serve_example import LAST, UNITS, scored, service_of

ROOT = Path(__file__).parents[2]
TODAY = dt.date(2024, 3, 31)
NEXT = str(EPOCH + dt.timedelta(days=LAST + 1))
DEBIANS_PYTHON = "/usr/bin/python3"  # python3-paho-mqtt is installed for it


@pytest.fixture(scope="module")
def bridge() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "mqtt_bridge", ROOT / "examples/mqtt_bridge.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


# Messages


@pytest.mark.parametrize(
    ("topic", "payload", "expected"),
    [
        ("F1/E1/p", b"12.5", ("F1", "E1", "p", "2024-03-31", 12.5)),
        ("plant/north/F1/E1/p", b"3", ("F1", "E1", "p", "2024-03-31", 3)),
        ("F1/E1/p", b'{"value": 1e3}', ("F1", "E1", "p", "2024-03-31", 1000.0)),
        (
            "F1/E1/p",
            b'{"value": 7, "date": "2024-03-01"}',
            ("F1", "E1", "p", "2024-03-01", 7),
        ),
    ],
)
def test_number_or_json_becomes_a_reading(
    bridge: ModuleType, topic: str, payload: bytes, expected: tuple[Any, ...]
) -> None:
    assert bridge.reading_of(topic, payload, TODAY) == expected


@pytest.mark.parametrize(
    ("topic", "payload", "said"),
    [
        ("E1/p", b"1", "does not end in facility/equipment/point"),
        ("F1//p", b"1", "does not end in facility/equipment/point"),
        ("F1/E1/p", b"warm", "is no number and no JSON"),
        ("F1/E1/p", b"\xff", "is no number and no JSON"),
        ("F1/E1/p", b"true", "'value' is True: send a number"),
        ("F1/E1/p", b'{"valeu": 1}', "'value' is None: send a number"),
        ("F1/E1/p", b"[1, 2]", "'value' is [1, 2]: send a number"),
    ],
)
def test_message_without_a_reading_is_refused_with_its_fault(
    bridge: ModuleType, topic: str, payload: bytes, said: str
) -> None:
    with pytest.raises(bridge.NoReadingError) as refusal:
        bridge.reading_of(topic, payload, TODAY)
    assert said in str(refusal.value)


def test_bridge_says_what_to_install_or_that_the_broker_is_not_there() -> None:
    command = [
        sys.executable,
        "examples/mqtt_bridge.py",
        f"127.0.0.1:{free_port()}",
        "http://x",
    ]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "pip install paho-mqtt" in done.stderr or "cannot be reached" in done.stderr


# A broker


def environment() -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_until(done: Callable[[], bool]) -> None:
    for _ in range(600):
        if done():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen in 30 s")


def takes_connections(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def python() -> str:
    """An interpreter that has paho-mqtt."""
    for command in (sys.executable, DEBIANS_PYTHON):
        tried = subprocess.run(
            [command, "-c", "import paho.mqtt.client"], capture_output=True
        )
        if tried.returncode == 0:
            return command
    pytest.skip("paho-mqtt is not installed (Debian: python3-paho-mqtt)")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    """A broker on a free port of this machine."""
    program = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("mosquitto is not installed")
    port = free_port()
    settings = tmp_path / "mosquitto.conf"
    settings.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\n", encoding="utf-8"
    )
    process = subprocess.Popen(
        [program, "-c", str(settings)], stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: takes_connections(port))
        yield port
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def bridging(
    python: str, broker: int, url: str, log: Path, *settings: str
) -> Iterator[subprocess.Popen[str]]:
    command = [python, "examples/mqtt_bridge.py", f"127.0.0.1:{broker}", url, *settings]
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [*command, "--topic", "plant/+/+/+"],
            cwd=ROOT,
            env=environment(),
            stderr=errors,
            text=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def publish(python: str, broker: int, *messages: tuple[str, str]) -> None:
    script = (
        "import sys; from paho.mqtt import publish;"
        "publish.multiple([(t, p, 1, False) for t, p in zip(sys.argv[2::2], sys.argv[3::2])],"
        " hostname='127.0.0.1', port=int(sys.argv[1]))"
    )
    words = [word for message in messages for word in message]
    subprocess.run([python, "-c", script, str(broker), *words], check=True, timeout=60)


def newest(service: Service) -> dict[tuple[str, str], Any]:
    """The readings of the day after the record, by equipment and point."""
    found = {}
    for unit in UNITS[:2]:
        for row in service.store.readings(unit).to_pylist():
            if str(row["date"]) == NEXT:
                found[row["equipment_id"], row["point_id"]] = row["value"]
    return found


def test_readings_of_a_broker_reach_the_store_and_bad_ones_are_told(
    python: str, broker: int, tmp_path: Path
) -> None:
    service = scored(service_of(tmp_path / "service"))
    log = tmp_path / "bridge.log"
    with listening(service) as url, bridging(python, broker, url, log):
        wait_until(lambda: "carrying plant/+/+/+" in log.read_text(encoding="utf-8"))
        publish(
            python,
            broker,
            ("plant/F1/E1/p", f'{{"value": 20.5, "date": "{NEXT}"}}'),
            ("plant/F1/E1/p", "warm"),
            ("plant/F1/E1/p", '{"value": 1, "date": "yesterday"}'),
            ("plant/F1/E2/p", f'{{"value": 21.5, "date": "{NEXT}"}}'),
        )
        wait_until(lambda: len(newest(service)) == 2)
    assert newest(service) == {("E1", "p"): 20.5, ("E2", "p"): 21.5}
    told = log.read_text(encoding="utf-8")
    assert "b'warm' is no number and no JSON" in told
    assert "WARNING plant/F1/E1/p: 422" in told


def test_message_stays_with_the_broker_while_the_service_is_away(
    python: str, broker: int, tmp_path: Path
) -> None:
    log = tmp_path / "bridge.log"
    nowhere = f"http://127.0.0.1:{free_port()}"
    with bridging(python, broker, nowhere, log, "--retries", "1") as process:
        wait_until(lambda: "carrying plant/+/+/+" in log.read_text(encoding="utf-8"))
        message = ("plant/F1/E1/p", f'{{"value": 20.5, "date": "{NEXT}"}}')
        publish(python, broker, message)
        assert process.wait(60) == 1
    assert "the message stays with the broker" in log.read_text(encoding="utf-8")
    service = scored(service_of(tmp_path / "service"))
    with listening(service) as url, bridging(python, broker, url, log):
        wait_until(lambda: bool(newest(service)))
    assert newest(service) == {("E1", "p"): 20.5}
