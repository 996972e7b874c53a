"""Test the notifications of new alarms: send a made-up one to everybody whom the settings name.

python -m serve.notify --test notify.webhooks=[https://…] notify.mail.host=… [key=value …]

It says for each target whether that took it, and ends with status 2 where one did not. The store is
not touched.
"""

from __future__ import annotations

import argparse
import datetime as dt
import math
import sys
import uuid
from typing import cast

from hvac.config import read_overrides
from hvac.errors import ConfigError, HvacError
from hvac.scoring.latest_rows import RankedUnit
from serve.settings import ServeConfig, read_serve_config
from serve.work.delivery import targets_of
from serve.work.notice_texts import AlarmNotice, NoticeWords

EXAMPLE: dict[str, object] = {
    "facility_id": "F001",
    "equipment_id": "EXAMPLE",
    "point": None,
    "risks": {30: 0.42},
    "thresholds": {30: 0.22},
    "reasons": [],
    "reasons_within": math.inf,
}


def example_notice(config: ServeConfig, words: NoticeWords) -> AlarmNotice:
    """Return a made-up notification, marked as a test."""
    today = dt.datetime.now(dt.UTC).date()
    entry = cast(RankedUnit, {**EXAMPLE, "end_date": today})
    number = f"test-{uuid.uuid4().hex}"
    return words.notice(entry, 30, episode=number, url=config.notify.url, test=True)


def send_example(config: ServeConfig) -> bool:
    """Send a made-up notification to every target; print and return whether all took it.

    Raises:
        ConfigError: the settings name nobody.
    """
    words = NoticeWords(config.notify.language or config.language)
    targets = targets_of(config.notify, words)
    if not targets:
        raise ConfigError(
            "nobody is told of alarms: set notify.webhooks or notify.mail"
        )
    notice = example_notice(config, words)
    all_took_it = True
    for target in targets:
        try:
            target.send([notice])
            sys.stdout.write(f"{target.shown}: sent\n")
        except HvacError as error:
            all_took_it = False
            sys.stdout.write(f"{target.shown}: failed: {error}\n")
    return all_took_it


def main(given: list[str] | None = None) -> int:
    """Send the test, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m serve.notify", description=__doc__)
    parser.add_argument(
        "--test", action="store_true", required=True, help="send a test"
    )
    parser.add_argument("settings", nargs="*", metavar="key=value")
    try:
        settings = parser.parse_intermixed_args(given).settings
        return 0 if send_example(read_serve_config(read_overrides(settings))) else 2
    except HvacError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
