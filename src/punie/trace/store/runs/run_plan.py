"""What a run set out to do, as `run.json` keeps it.

Format versions: 1, the first, had its settings as text; 2 has them typed. Both are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Final

import msgspec

from punie.trace.analysis.records import PlannedQuery
from punie.trace.analysis.trees.absolute_time import LONGEST_NS
from punie.trace.store import documents

FORMAT_VERSION: Final = 2
_TEXT_SETTINGS: Final = 1
"""The version whose settings were text: "True", "1024"."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The other flags of a run; None where nothing was set, or nothing is known of a server that was attached to."""

    agent: str = "default"
    repeats: int = 1
    server_starts: int = 1
    stream: bool = True
    plain_server: bool = False
    demo_model: bool = False
    in_turns: bool | None = None
    base_url: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    num_draft_tokens: int | None = None
    target_ns: int | None = None
    max_memory_bytes: int | None = None
    suite: str | None = None
    workspace: str | None = None


@dataclass(frozen=True, slots=True)
class RunPlan:
    """One execution of a suite against one configuration.

    `planned` has every query in the order asked. `cache` is the prompt cache arm, "server" or "off".
    `draft` is the draft model or None. `server_command` is empty if the server was not started by the run.
    `versions` maps package to version, `machine` a fact's name to its value. `created` is ISO 8601.
    """

    run_id: str
    suite_name: str
    suite_hash: str
    planned: tuple[PlannedQuery, ...]
    model: str
    cache: str
    seed: Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)]
    created: str
    draft: str | None = None
    server_command: tuple[str, ...] = ()
    settings: RunSettings = field(default_factory=RunSettings)
    versions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    machine: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    format_version: int = FORMAT_VERSION

    @property
    def now_ns(self) -> int | None:
        """The "now" of every report of this run, so that it comes out the same whenever it is asked for.

        A month after the run was made: no query lasts longer. None if `created` can't be read.
        """
        try:
            created = datetime.fromisoformat(self.created)
        except ValueError:
            return None
        return int(created.timestamp()) * 10**9 + LONGEST_NS


def decode_plan(text: str, file: str) -> RunPlan:
    """The plan in the text of `file`. Raises `InputError` naming the file and the field that is wrong."""
    raw = documents.parse(text, file)
    if documents.check_version(raw, file, (_TEXT_SETTINGS, FORMAT_VERSION)) == _TEXT_SETTINGS:
        settings = documents.typed(raw.get("settings", {}), RunSettings, f"{file}: settings", lax=True)
        raw |= {"settings": msgspec.to_builtins(settings), "format_version": FORMAT_VERSION}
    return documents.typed(raw, RunPlan, file)
