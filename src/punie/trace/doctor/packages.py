"""Are the Python packages there, in versions that fit?"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement

from punie.trace.doctor.check import CheckResult, fail, ok
from punie.trace.extras import PACKAGE, install_command, packages_of

VersionOf = Callable[[str], str | None]


def installed_version(name: str) -> str | None:
    """The version of an installed distribution, None if it isn't there."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def check_packages(
    requirements: Iterable[str] | None = None, version_of: VersionOf = installed_version
) -> CheckResult:
    """Hold `requirements` (by default our own) against what is installed; extras are no requirement."""
    texts = (metadata.requires(PACKAGE) or ()) if requirements is None else requirements
    needed = [item for text in texts if _applies(item := Requirement(text), extra="")]
    problems = list(_problems(needed, version_of))
    if problems:
        return fail(
            "; ".join(item.text for item in problems),
            f"install what is needed: {install_command(item.needed for item in problems)}",
        )
    return ok(f"Python {platform.python_version()}, {len(needed)} packages as required")


def check_extras(
    requirements: Iterable[str] | None = None, version_of: VersionOf = installed_version
) -> CheckResult:
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
    packages = [package for extra in missing for package in packages_of(extra)]
    return ok(f"not installed: {', '.join(missing)}", f"if you want them: {install_command(packages)}")


def _applies(item: Requirement, *, extra: str) -> bool:
    return item.marker is None or item.marker.evaluate({"extra": extra})


@dataclass(frozen=True, slots=True)
class _Problem:
    """What is wrong with a package, and the requirement that would mend it."""

    text: str
    needed: str


def _problems(needed: Iterable[Requirement], version_of: VersionOf) -> Iterator[_Problem]:
    for item in needed:
        installed, requirement = version_of(item.name), f"{item.name}{item.specifier}"
        if installed is None:
            yield _Problem(f"{item.name} is missing", requirement)
        elif not item.specifier.contains(installed, prereleases=True):
            yield _Problem(f"{item.name} {installed} is installed, {item.specifier} is needed", requirement)
