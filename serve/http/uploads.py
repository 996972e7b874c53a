"""Forms with a file, as browsers send them (multipart/form-data, RFC 7578)."""

from __future__ import annotations

from email.message import Message

from serve.bodies.problems import WrongKind

MOST_PARTS = 16
MOST_HEAD = 4096  # bytes of the lines above a part's content


def read_upload(content_type: str, body: bytes) -> dict[str, bytes]:
    """Return the contents of a form's parts by their names. Raise WrongKind where it is no such form.

    >>> part = b'--b\\r\\nContent-Disposition: form-data; name="a"; filename="x.csv"\\r\\n\\r\\n1,2\\r\\n'
    >>> read_upload("multipart/form-data; boundary=b", part + b"--b--\\r\\n")
    {'a': b'1,2'}
    """
    message = Message()
    message["content-type"] = content_type
    boundary = str(message.get_param("boundary", ""))
    if message.get_content_type() != "multipart/form-data" or not boundary:
        raise WrongKind("expected a form with a file (multipart/form-data)")
    mark = b"\r\n--" + boundary.encode(errors="replace")
    _, *pieces = (b"\r\n" + body).split(mark, MOST_PARTS + 1)
    if len(pieces) > MOST_PARTS:
        raise WrongKind(f"a form has at most {MOST_PARTS} parts here")
    parts = {}
    for piece in pieces:
        end = piece.find(b"\r\n\r\n", 0, MOST_HEAD)
        name = _name(piece[:end]) if end >= 0 else None
        if name is not None:
            parts[name] = piece[end + 4 :]
    return parts


def _name(head: bytes) -> str | None:
    """Return the name of a part by the lines above its content."""
    for line in head.decode(errors="replace").split("\r\n"):
        kind, _, value = line.partition(":")
        if kind.strip().lower() == "content-disposition":
            message = Message()
            message[kind.strip()] = value.strip()
            name = message.get_param("name", header=kind.strip())
            return str(name) if name is not None else None
    return None
