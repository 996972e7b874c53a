"""Servers of this machine that take notifications: HTTP and SMTP; they can be told to refuse."""

from __future__ import annotations

import base64
import contextlib
import json
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast


class Taken:
    """What a server took; `status` is its next answer, `hang_s` how long it thinks about it."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.logins: list[str] = []
        self.asked = 0
        self.status = 200
        self.hang_s = 0.0
        self.address = ""
        self.port = 0


@contextmanager
def running(server: socketserver.TCPServer) -> Iterator[None]:
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}
    )
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)


@contextmanager
def web_server() -> Iterator[Taken]:
    """A server of webhooks on a free port; `bodies` are those it answered with 2xx."""
    taken = Taken()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.headers["Idempotency-Key"] == body["id"]
            taken.asked += 1
            status = taken.status
            time.sleep(taken.hang_s)
            if status < 300:
                taken.bodies.append(body)
            self.send_response(status)
            if status == 302:
                self.send_header("Location", f"{taken.address}/elsewhere")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    taken.port = server.server_address[1]
    taken.address = f"http://127.0.0.1:{taken.port}/hook/s3cret-token"
    with running(server):
        yield taken


@contextmanager
def mail_server(
    starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[Taken]:
    """An SMTP server on a free port; `status` other than 200 refuses the data.

    With a context it is encrypted, after its start or from its start.
    """
    taken = Taken()

    class Handler(socketserver.StreamRequestHandler):
        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

        def encrypt(self, context: ssl.SSLContext) -> None:
            self.connection = context.wrap_socket(self.connection, server_side=True)
            self.rfile = self.connection.makefile("rb")
            self.wfile = cast(Any, self.connection.makefile("wb", buffering=0))

        def handle(self) -> None:
            with contextlib.suppress(
                OSError
            ):  # the client turns away from our certificate
                if tls:
                    self.encrypt(tls)
                self.say("220 here")
                self.talk()

        def talk(self) -> None:
            recipients: list[str] = []
            while line := self.rfile.readline():
                word, _, rest = line.decode().strip().partition(" ")
                if word.upper() == "EHLO":
                    self.say("250-here")
                    if starttls:
                        self.say("250-STARTTLS")
                    self.say("250 AUTH PLAIN")
                elif word.upper() == "STARTTLS" and starttls:
                    self.say("220 go on")
                    self.encrypt(starttls)
                elif word.upper() == "AUTH":
                    taken.logins.append(base64.b64decode(rest.split()[1]).decode())
                    self.say("235 welcome")
                elif word.upper() == "RCPT":
                    recipients.append(rest.partition("<")[2].partition(">")[0])
                    self.say("250 ok")
                elif word.upper() == "DATA":
                    self.say("354 go on")
                    self.take(recipients)
                elif word.upper() == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 ok")

        def take(self, recipients: list[str]) -> None:
            lines = []
            for line in self.rfile:
                if line == b".\r\n":
                    break
                lines.append(
                    line.removeprefix(b".") if line.startswith(b"..") else line
                )
            taken.asked += 1
            time.sleep(taken.hang_s)
            if taken.status != 200:
                self.say(f"{taken.status} not now")
                return
            message = message_from_bytes(b"".join(lines), policy=policy.default)
            assert isinstance(message, EmailMessage)
            taken.mails.append(message)
            taken.recipients.append(recipients)
            self.say("250 taken")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    taken.port = server.server_address[1]
    with running(server):
        yield taken
