"""Where the manual is: on its site once there is one, else in the clone that this was installed from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from importlib.metadata import Distribution

_PACKAGE: Final = "punie-trace"
_SITE: Final = "Documentation, "  # its label in `[project.urls]`, as metadata has it before the address
ERRORS: Final = "errors"  # the page with a section for each error's slug
FINDINGS: Final = "findings"  # the page with a section for each finding's


def page(name: str) -> str:
    """The address or the path of a page; empty where neither a site nor a clone is known."""
    return page_on_site(name) or _page_in_clone(name)


def page_on_site(name: str) -> str:
    """A page's address, which works for whoever reads it; empty where no site is known."""
    installed = _installed()
    urls = installed.metadata.get_all("Project-URL") or () if installed else ()
    sites = [url.removeprefix(_SITE).rstrip("/") for url in urls if url.startswith(_SITE)]
    return f"{sites[0]}/{name}.html" if sites else ""


def _page_in_clone(name: str) -> str:
    """A file, where the installer noted (PEP 610) that it installed from a folder, which a clone is."""
    import json
    from urllib.parse import unquote, urlsplit

    installed = _installed()
    origin = installed.read_text("direct_url.json") if installed else None
    url = urlsplit(json.loads(origin or "{}").get("url", ""))
    path = Path(unquote(url.path)) / "docs" / f"{name}.md"
    return str(path) if url.scheme == "file" and path.is_file() else ""


def _installed() -> Distribution | None:
    from importlib import metadata

    try:
        return metadata.distribution(_PACKAGE)
    except metadata.PackageNotFoundError:
        return None
