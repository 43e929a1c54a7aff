"""When, with what and on what something is run: for its plan."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Final, Self

from punie.trace.machine.facts import machine_facts

PACKAGES: Final = (
    "punie-trace",
    "mlx",
    "mlx-lm",
    "pydantic-ai-slim",
    "openai",
    "httpx2",
    "opentelemetry-sdk",
    "logfire",
)


@dataclass(frozen=True, slots=True)
class Environment:
    """`created` is ISO 8601, with the zone's offset; `versions` are of packages, `machine` says what kind it is."""

    created: str
    versions: Mapping[str, str]
    machine: Mapping[str, str]

    @classmethod
    def now(cls) -> Self:
        """That of this process."""
        created = datetime.now().astimezone()
        return cls(created.isoformat(timespec="seconds"), package_versions(), machine_facts())

    def name(self, label: str) -> str:
        """The name of a folder that is made now: `2026-11-23T14-05-09-LABEL`."""
        return f"{datetime.fromisoformat(self.created):%Y-%m-%dT%H-%M-%S}-{label}"


def package_versions() -> dict[str, str]:
    """The installed versions of what a run's figures depend on; absent ones are left out."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
