"""Are the Python packages there, in versions that fit?"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from typing import Final

from packaging.requirements import Requirement

from punie.trace.doctor.check import Finding, fail, ok

PACKAGE: Final = "punie-trace"

VersionOf = Callable[[str], str | None]


def installed_version(name: str) -> str | None:
    """The version of an installed distribution, None if it isn't there."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def check_packages(
    requirements: Iterable[str] | None = None, version_of: VersionOf = installed_version
) -> Finding:
    """Hold `requirements` (by default our own) against what is installed; extras are no requirement."""
    texts = (metadata.requires(PACKAGE) or ()) if requirements is None else requirements
    needed = [item for text in texts if _applies(item := Requirement(text), extra="")]
    problems = list(_problems(needed, version_of))
    if problems:
        return fail(
            "; ".join(problems),
            f"reinstall them: python -m pip install --upgrade {PACKAGE}",
        )
    return ok(f"Python {platform.python_version()}, {len(needed)} packages as required")


def check_extras(
    requirements: Iterable[str] | None = None, version_of: VersionOf = installed_version
) -> Finding:
    """Which optional packages are missing: never more than a remark."""
    texts = (metadata.requires(PACKAGE) or ()) if requirements is None else requirements
    extras = metadata.metadata(PACKAGE).get_all("Provides-Extra") or ()
    wanted = [(extra, Requirement(text)) for text in texts for extra in extras]
    missing = sorted(
        {
            extra
            for extra, item in wanted
            if not _applies(item, extra="") and _applies(item, extra=extra) and version_of(item.name) is None
        }
    )
    if not missing:
        return ok("all there")
    names = ",".join(missing)
    return ok(f"not installed: {names}", f"if you want them: pip install '{PACKAGE}[{names}]'")


def _applies(item: Requirement, *, extra: str) -> bool:
    return item.marker is None or item.marker.evaluate({"extra": extra})


def _problems(needed: Iterable[Requirement], version_of: VersionOf) -> Iterator[str]:
    for item in needed:
        found = version_of(item.name)
        if found is None:
            yield f"{item.name} is missing"
        elif not item.specifier.contains(found, prereleases=True):
            yield f"{item.name} {found} is installed, {item.specifier} is needed"
