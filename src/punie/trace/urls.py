"""URLs that others name: read strictly, and shown without what is secret in them."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

_PASSWORD: Final = re.compile(r"^(\w+://[^/?#]*?):[^/?#]*@")
# In a text, also of a URL that was taken for a path, which has one slash.
_PASSWORDS: Final = re.compile(r"(?:(?<=//)|(?<=:/))([^/?#\s:@]*):[^/?#\s]*@")


def split_url(url: str) -> SplitResult:
    """Its parts. Raises `ValueError` for what no request can carry: a port, a host, a character."""
    url.encode()
    parts = urlsplit(url)
    _ = parts.port, urlsplit(f"//{host_and_port(parts)}")  # which stand alone where the credentials are gone
    return parts


def host_and_port(parts: SplitResult) -> str:
    """As they stand in the URL, without user and password."""
    return parts.netloc.rpartition("@")[2]


def bare(parts: SplitResult) -> str:
    """Scheme, host, port and path: keys travel in all the rest."""
    return f"{parts.scheme}://{host_and_port(parts)}{parts.path}"


def without_password(text: str) -> str:
    """A path or URL as it may be printed: `scheme://user@host/…`."""
    return _PASSWORD.sub(r"\1@", text)


def without_passwords(text: str) -> str:
    """A text that may quote URLs, each as `without_password` gives it."""
    return _PASSWORDS.sub(r"\1@", text)
