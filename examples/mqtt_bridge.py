"""Carry readings from an MQTT broker into a running service.

    pip install paho-mqtt
    python examples/mqtt_bridge.py 127.0.0.1:1883 http://127.0.0.1:8000 --topic 'plant/+/+/+'

The last three levels of a topic are facility, equipment and point. The payload is a number, or JSON:
`{"value": 12.5, "date": "2024-03-31"}`; without a date the reading is of the day on which it comes. The
service keeps one reading per point and day: the last one counts.

A message is acknowledged when the service has kept its reading, and the session stays with the broker:
what is sent with QoS 1 while the bridge or the service is away comes afterwards. What is no reading, or is
refused by the service, is told in one line and left out. Each message is a request of its own; where
there are more than some dozens a second, collect them first.

The service's key is read from HVAC_KEY, the broker's user and password from MQTT_USER and
MQTT_PASSWORD. paho-mqtt (1.6 or later) is needed here only: hvac-foresight does not depend on it.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import logging
import os
import sys
from typing import Any, NamedTuple

from hvac.client import Client, ServiceError

log = logging.getLogger("mqtt_bridge")
REFUSED = (400, 404, 413, 422)  # the service would answer the same again


class NoReadingError(ValueError):
    """A message that holds no reading; the text says why."""


class Reading(NamedTuple):
    """One value of a point on one day."""

    facility_id: str
    equipment_id: str
    point_id: str
    date: str
    value: float

    def as_unit(self) -> dict[str, Any]:
        """Return the reading as `POST /v1/readings` takes it."""
        reading = {"point_id": self.point_id, "date": self.date, "value": self.value}
        return {
            "facility_id": self.facility_id,
            "equipment_id": self.equipment_id,
            "readings": [reading],
        }


def reading_of(topic: str, payload: bytes, today: dt.date) -> Reading:
    """Return the reading that a message holds. Raises NoReadingError where it holds none."""
    levels = topic.split("/")
    if len(levels) < 3 or not all(levels[-3:]):
        raise NoReadingError(
            f"topic {topic!r} does not end in facility/equipment/point"
        )
    try:
        content = json.loads(payload)
    except ValueError:
        raise NoReadingError(
            f"{topic}: {payload[:40]!r} is no number and no JSON"
        ) from None
    if not isinstance(content, dict):
        content = {"value": content}
    value, date = content.get("value"), content.get("date", str(today))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NoReadingError(f"{topic}: 'value' is {value!r}: send a number")
    facility, equipment, point = levels[-3:]
    return Reading(facility, equipment, point, date, value)


def carry(service: Client, topic: str, payload: bytes) -> None:
    """Push one message's reading.

    Raises:
        ServiceError: the service cannot be reached, or cannot answer now.
    """
    try:
        reading = reading_of(topic, payload, dt.date.today())
        service.push([reading.as_unit()])
    except NoReadingError as error:
        log.warning("%s", error)
    except ServiceError as error:
        if error.status not in REFUSED:
            raise
        log.warning("%s: %s", topic, error)


def connected(broker: str, name: str) -> Any:
    """Return a client of the broker whose session outlives it."""
    from paho.mqtt import client as mqtt

    host, _, port = broker.partition(":")
    versions = getattr(mqtt, "CallbackAPIVersion", None)  # asked for since 2.0
    chosen = (versions.VERSION2,) if versions else ()
    client = mqtt.Client(*chosen, client_id=name, clean_session=False)
    if user := os.environ.get("MQTT_USER"):
        client.username_pw_set(user, os.environ.get("MQTT_PASSWORD"))
    client.connect(host, int(port or 1883))
    return client


def main() -> None:
    """Carry readings until the process is ended."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("broker", help="host:port of the broker")
    parser.add_argument("service", help="URL of the service")
    parser.add_argument(
        "--topic", default="+/+/+", help="pattern; ends in facility/equipment/point"
    )
    parser.add_argument(
        "--name", default="hvac-bridge", help="name of the session with the broker"
    )
    parser.add_argument(
        "--retries",
        type=int,
        default=4,
        help="how often a reading is sent again before the bridge ends",
    )
    asked = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr
    )
    key = os.environ.get("HVAC_KEY")
    service = Client(asked.service, key=key, retries=asked.retries)
    try:
        client = connected(asked.broker, asked.name)
    except ImportError:
        sys.exit("error: paho-mqtt is not installed: pip install paho-mqtt")
    except OSError as error:
        sys.exit(f"error: the broker {asked.broker} cannot be reached ({error})")

    def subscribe(*_: object) -> None:
        client.subscribe(asked.topic, qos=1)
        log.info("carrying %s from %s to %s", asked.topic, asked.broker, asked.service)

    client.on_connect = subscribe
    client.on_message = lambda _, __, message: carry(
        service, message.topic, message.payload
    )
    try:
        client.loop_forever()
    except ServiceError as error:
        sys.exit(
            f"error: {error}; the message stays with the broker, start again to go on"
        )


if __name__ == "__main__":
    main()
