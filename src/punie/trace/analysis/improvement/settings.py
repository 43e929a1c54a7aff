"""What an improvement was asked for (`improve.json`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from punie.trace.analysis.experiment.arms import Arm

FORMAT_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class ImproveSettings:
    """What an improvement was asked for (`improve.json`).

    `levers` are changes that the user named, beside those that are proposed; `only` and `without` are names of levers.
    `suite` is its file, None for the default one. `budget_ns` is time for measuring, None for any amount. `replay` is
    the recording that tools answer from, None where they really run. `created` is ISO 8601, timeouts are seconds.
    """

    improve_id: str
    baseline: Arm
    suite_name: str
    suite_hash: str
    queries: tuple[str, ...]
    created: str
    levers: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    suite: str | None = None
    seed: int = 0
    target_ns: int | None = None
    max_memory_bytes: int | None = None
    budget_ns: int | None = None
    query_timeout: int = 300
    ready_timeout: int = 600
    is_demo: bool = False
    replay: str | None = None
    history: bool = True
    versions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    machine: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    format_version: int = FORMAT_VERSION
