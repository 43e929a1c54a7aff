"""What a run ran on: package versions and machine facts, for its plan."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import psutil

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


def machine_facts() -> dict[str, str]:
    """What kind of machine this is; no name that would identify its owner."""
    return {
        "system": platform.system(),
        "release": platform.release(),
        "architecture": platform.machine(),
        "logical_cpus": str(os.cpu_count()),
        "memory_bytes": str(psutil.virtual_memory().total),
    }
