"""What a run ran with: package versions, for its plan."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Final

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


def package_versions() -> dict[str, str]:
    """The installed versions of what a run's figures depend on; absent ones are left out."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
