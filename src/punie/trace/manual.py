"""Where the manual is: on its site once there is one, else in the clone that this was installed from."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

_PACKAGE: Final = "punie-trace"
_SITE: Final = "Documentation"  # its label in `[project.urls]`
ERRORS: Final = "errors"  # the page with a section for each error's slug
FINDINGS: Final = "findings"  # the page with a section for each finding's


def page(name: str) -> str:
    """The address or the path of a page; empty where neither a site nor a clone is known."""
    return page_on_site(name) or _in_clone(name)


def page_on_site(name: str) -> str:
    """A page's address, which works for whoever reads it; empty where no site is known."""
    found = _installed()
    named = (
        dict(url.split(", ", 1) for url in (found.metadata.get_all("Project-URL") or ()) if ", " in url)
        if found
        else {}
    )
    return f"{named[_SITE].rstrip('/')}/{name}.html" if _SITE in named else ""


def _in_clone(name: str) -> str:
    """What the installer noted (PEP 610) of where it installed from; a folder is a clone."""
    found = _installed()
    url = urlsplit(json.loads((found and found.read_text("direct_url.json")) or "{}").get("url", ""))
    path = Path(unquote(url.path)) / "docs" / f"{name}.md"
    return str(path) if url.scheme == "file" and path.is_file() else ""


def _installed() -> metadata.Distribution | None:
    try:
        return metadata.distribution(_PACKAGE)
    except metadata.PackageNotFoundError:
        return None
