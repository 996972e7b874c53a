"""Forms with a file, as browsers send them (multipart/form-data, RFC 7578)."""

from __future__ import annotations

import re
from email.message import Message

from serve.bodies.problems import WrongKind

MOST_PARTS = 16
NAME = re.compile(rb'(?i)content-disposition:[^\r\n]*[; ]name="([^"\r\n]*)"')


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
    parts = {}
    for part in (b"\r\n" + body).split(mark, MOST_PARTS)[1:]:
        head, _, content = part.partition(b"\r\n\r\n")
        if name := NAME.search(head):
            parts[name[1].decode(errors="replace")] = content
    return parts
