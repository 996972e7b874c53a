"""Settings of the notifications of new alarms: to whom they go, in which language, how often."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from hvac.config import Config
from hvac.errors import ConfigError


def _http_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected a URL such as https://host/path")
    return url


HttpUrl = Annotated[str, AfterValidator(_http_url)]
Address = Annotated[str, Field(pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+$")]


class MailConfig(Config):
    """A mail server, and who gets the mails."""

    host: str = Field(min_length=1)
    """Name of the SMTP server."""
    port: int = Field(default=587, ge=1, le=65535)
    """Port of the SMTP server; usual are 587 (starttls), 465 (tls) and 25 (plain)."""
    tls: Literal["starttls", "tls", "plain"] = "starttls"
    """How the connection is encrypted: after its start, from its start, or not at all."""
    sender: Address
    """Address from which mails come."""
    to: tuple[Address, ...] = Field(min_length=1)
    """Addresses to which mails go."""
    user: str | None = None
    """Name to log in with; default: no login."""
    password_file: Path | None = None
    """File that holds the password of `user`, so that no command line shows it."""

    @property
    def password(self) -> str:
        """Return the password, read anew each time. Raise ConfigError where it cannot be read."""
        if self.password_file is None:
            return ""
        return _secret(self.password_file, "notify.mail.password_file")


class NotifyConfig(Config):
    """Which new alarms are told to whom."""

    webhooks: tuple[HttpUrl, ...] = Field(
        default=(), repr=False
    )  # a token may be in it
    """URLs that get a JSON body by POST for each new alarm."""
    webhooks_file: Path | None = None
    """File of further such URLs, one a line, so that no command line shows their tokens."""
    mail: MailConfig | None = None
    """Mail server and addresses that get a mail; alarms that are new together share one."""
    language: Literal["en", "ja"] | None = None
    """Language of notifications; default: the service's."""
    within_days: int | None = Field(default=None, ge=1)
    """Only alarms at horizons up to so many days are told; default: at any horizon."""
    url: HttpUrl | None = None
    """Address under which people open the pages, for links; default: notifications have none."""
    present: bool = False
    """Whether alarms that are there already when notifications are first turned on are told too."""
    every_s: float = Field(default=5.0, gt=0)
    """Seconds between two looks for new alarms."""
    timeout_s: float = Field(default=10.0, gt=0)
    """Seconds that a server has for each step of taking a notification."""
    first_pause_s: float = Field(default=10.0, gt=0)
    """Seconds until a notification that failed is sent again; twice as long after each failure."""
    give_up_h: float = Field(default=72.0, gt=0)
    """Hours after which a notification that cannot be sent is given up."""

    @property
    def all_webhooks(self) -> tuple[str, ...]:
        """Return the URLs of the settings and of the file, each once.

        Raises:
            ConfigError: the file cannot be read, or holds something else.
        """
        lines: list[str] = []
        if self.webhooks_file is not None:
            lines = _secret(self.webhooks_file, "notify.webhooks_file").split()
        for number, line in enumerate(lines, 1):
            try:
                _http_url(line)
            except ValueError as error:
                where = f"notify.webhooks_file {self.webhooks_file}, URL {number}"
                raise ConfigError(f"{where}: {error}") from None
        return tuple(dict.fromkeys([*self.webhooks, *lines]))


def _secret(file: Path, setting: str) -> str:
    """Return what a file holds, without the blanks around it."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{setting} {file} cannot be read: {error}") from error
