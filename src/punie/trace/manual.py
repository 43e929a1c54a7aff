"""Where the manual is: on its site once there is one, else in the clone that this was installed from."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

_PACKAGE: Final = "punie-trace"
_SITE: Final = "Documentation"  # its label in `[project.urls]`


def page_of_errors() -> str:
    """The page with a section for each slug; empty where none is known."""
    try:
        found = metadata.distribution(_PACKAGE)
    except metadata.PackageNotFoundError:
        return ""
    site = _site(found.metadata.get_all("Project-URL") or ())
    return f"{site}/errors.html" if site else _in_clone(found.read_text("direct_url.json") or "{}")


def _site(urls: list[str] | tuple[str, ...]) -> str:
    named = dict(url.split(", ", 1) for url in urls if ", " in url)
    return named.get(_SITE, "").rstrip("/")


def _in_clone(origin: str) -> str:
    """`origin` is what the installer noted (PEP 610); a folder is a clone."""
    url = urlsplit(json.loads(origin).get("url", ""))
    page = Path(unquote(url.path)) / "docs" / "errors.md"
    return str(page) if url.scheme == "file" and page.is_file() else ""
