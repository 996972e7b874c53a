"""Send notifications: by POST to a webhook, or as a mail by SMTP; to nobody but the settings' targets.

Errors and names of targets hold no path of a URL and no password, which may be secret.
"""

from __future__ import annotations

import hashlib
import smtplib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import formatdate
from http.client import HTTPException, HTTPMessage
from typing import IO, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from hvac.errors import HvacError
from serve.notify_settings import MailConfig, NotifyConfig
from serve.work.notice_texts import AlarmNotice, NoticeWords


class DeliveryError(HvacError):
    """A notification that could not be sent."""


class Target(Protocol):
    """Somebody who is told of alarms."""

    kind: str
    key: str
    """Name in the store; the same after a restart."""
    shown: str
    """Name in logs, without secrets."""
    together: bool
    """Whether alarms that are new together are told together."""

    def send(self, notices: Sequence[AlarmNotice]) -> None:
        """Tell of alarms. Raise DeliveryError where it did not come to that."""


class Webhook:
    """A URL that gets a JSON body for each alarm."""

    kind = "webhook"
    together = False

    def __init__(self, url: str, timeout_s: float) -> None:
        self.key = f"webhook {hashlib.sha256(url.encode()).hexdigest()[:16]}"
        self.shown = f"webhook {urlsplit(url).hostname}"
        self._url = url
        self._timeout_s = timeout_s
        self._opener = build_opener(_NoRedirects)

    def send(self, notices: Sequence[AlarmNotice]) -> None:
        """Send each alarm. Raise DeliveryError where the answer is not 2xx."""
        for notice in notices:
            headers = {
                "Content-Type": "application/json",
                "User-Agent": "hvac-foresight",
                "Idempotency-Key": notice.id,
            }
            body = notice.model_dump_json().encode()
            try:
                request = Request(self._url, data=body, headers=headers)
                self._opener.open(request, timeout=self._timeout_s).close()
            except HTTPError as error:
                raise DeliveryError(f"{self.shown} answered {error.code}") from None
            except (OSError, HTTPException, ValueError) as error:
                reason = error.reason if isinstance(error, URLError) else error
                raise DeliveryError(
                    f"{self.shown} gave no answer ({_kind_of(reason)})"
                ) from None


class _NoRedirects(HTTPRedirectHandler):
    """Follow no redirect: only what the settings name is told."""

    def redirect_request(
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> Request | None:
        """Return None, so that the redirect counts as an error."""
        return None


class Mail:
    """Addresses that get one mail about alarms that are new together."""

    kind = "mail"
    key = "mail"
    together = True

    def __init__(
        self, config: MailConfig, words: NoticeWords, timeout_s: float
    ) -> None:
        self.shown = f"mail by {config.host}"
        self._config = config
        self._words = words
        self._timeout_s = timeout_s

    def send(self, notices: Sequence[AlarmNotice]) -> None:
        """Send one mail about all. Raise DeliveryError where the server does not take it."""
        try:
            with self._connection() as server:
                server.send_message(self._message(notices))
        except smtplib.SMTPResponseException as error:
            raise DeliveryError(f"{self.shown} answered {error.smtp_code}") from None
        except (OSError, smtplib.SMTPException) as error:
            raise DeliveryError(
                f"{self.shown} took nothing ({_kind_of(error)})"
            ) from None

    def _message(self, notices: Sequence[AlarmNotice]) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._config.sender
        message["To"] = ", ".join(self._config.to)
        message["Subject"] = self._words.subject(notices)
        message["Date"] = formatdate(localtime=True)
        ids = " ".join(notice.id for notice in notices)
        number = hashlib.sha256(ids.encode()).hexdigest()[:32]
        message["Message-ID"] = f"<{number}@{self._config.sender.rpartition('@')[2]}>"
        message.set_content(self._words.mail(notices))
        return message

    def _connection(self) -> smtplib.SMTP:
        """Return a connection to the server, encrypted and logged in as the settings say."""
        config = self._config
        where = (config.host, config.port)
        safe = ssl.create_default_context()
        server: smtplib.SMTP
        if config.tls == "tls":
            server = smtplib.SMTP_SSL(*where, timeout=self._timeout_s, context=safe)
        else:
            server = smtplib.SMTP(*where, timeout=self._timeout_s)
        try:
            if config.tls == "starttls":
                server.starttls(context=safe)
            if config.user:
                server.login(config.user, config.password)
        except BaseException:
            server.close()
            raise
        return server


def targets_of(config: NotifyConfig, words: NoticeWords) -> list[Target]:
    """Return everybody whom the settings name. Raise ConfigError where a file cannot be read."""
    targets: list[Target] = [
        Webhook(url, config.timeout_s) for url in config.all_webhooks
    ]
    if config.mail:
        targets.append(Mail(config.mail, words, config.timeout_s))
    return targets


def _kind_of(reason: object) -> str:
    """Return what kind of error it is: its text may hold a secret."""
    return type(reason).__name__
