"""Is Jaeger's page there, and where does it show a trace?"""

from __future__ import annotations

import re
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

from punie.trace.bounded_get import getting
from punie.trace.errors import UsageError
from punie.trace.stack_ports import StackPort, stack_port
from punie.trace.urls import split_url, without_password

_EXAMPLE: Final = "http://127.0.0.1:16686"
TIMEOUT_S: Final = 2.0
_TITLE: Final = re.compile(rb"<title>\s*Jaeger UI", re.IGNORECASE)
_START: Final = 64 << 10  # bytes of the page in which its title stands
_OK: Final = 200


def usual_page() -> str:
    """The local stack's. Raises UsageError for a variable that names no port."""
    return f"http://127.0.0.1:{stack_port(StackPort.JAEGER)}"


def page_url(text: str, *, flag: str) -> str:
    """The address of the page without a slash at its end. Raises `UsageError`, naming `flag`, for one that is none."""
    try:
        parts = split_url(text)
    except ValueError as error:
        raise UsageError(
            f"{flag} {without_password(text)}: not an address: {error}", remedy=f"e.g. {flag} {_EXAMPLE}"
        ) from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{flag} {without_password(text)}: not an address", remedy=f"e.g. {flag} {_EXAMPLE}")
    return text.rstrip("/")


def trace_url(page: str, trace_id: str) -> str:
    """Where `page` draws the waterfall of a trace."""
    return f"{page}/trace/{trace_id}"


def why_no_page(page: str, *, timeout_s: float = TIMEOUT_S) -> str:
    """Empty if Jaeger's page answers there, else what is there instead.

    A Jaeger that was built without its page answers too, with a placeholder that shows no trace.
    """
    parts = urlsplit(page)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    accepted = {"Accept": "text/html"}
    try:
        with getting(connection, f"{parts.path}/", whole_s=2 * timeout_s, headers=accepted) as response:
            body = response.read(_START)
    except (OSError, HTTPException) as error:
        return f"no answer: {getattr(error, 'strerror', None) or str(error) or type(error).__name__}"
    if response.status != _OK:
        return f"HTTP {response.status} {response.reason}".rstrip()
    return "" if _TITLE.search(body) else "something else answers there than Jaeger's page"
