"""Settings by name: what has to be set to get from one arm to another, as `config.toml` writes it.

    [server]             fields of ServerSettings: model, adapter, draft, prompt_cache, prefill_step_size, …
    [request]            fields of RequestSettings: max_tokens, num_draft_tokens, template_args, …
    [agent]              fields of AgentSettings: agent, instruction, tool_result_characters, …

What it doesn't name stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, TypeVar

from punie.trace.analysis.experiment.arms import AgentSettings, Arm, RequestSettings, ServerSettings

T = TypeVar("T", ServerSettings, RequestSettings, AgentSettings)
TABLES: Final[Mapping[str, type]] = {
    "server": ServerSettings,
    "request": RequestSettings,
    "agent": AgentSettings,
}


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings, and which of them the file names: the others are defaults that mean nothing."""

    server: ServerSettings = field(default_factory=ServerSettings)
    request: RequestSettings = field(default_factory=RequestSettings)
    agent: AgentSettings = field(default_factory=AgentSettings)
    named: frozenset[tuple[str, str]] = frozenset()

    def values(self) -> Iterator[tuple[str, str, Any]]:
        """Table, name and value of everything that is named, in the order of the types."""
        for table, kind in TABLES.items():
            for item in fields(kind):
                if (table, item.name) in self.named:
                    yield table, item.name, getattr(getattr(self, table), item.name)

    def value(self, table: str, name: str) -> Any:  # noqa: ANN401 # of the field's type
        """What the file says; None if it doesn't name it."""
        return getattr(getattr(self, table), name) if (table, name) in self.named else None

    def onto(self, arm: Arm) -> Arm:
        """The arm with what the file names."""
        return replace(
            arm,
            server=self._onto("server", arm.server),
            request=self._onto("request", arm.request),
            agent=self._onto("agent", arm.agent),
        )

    def _onto(self, table: str, settings: T) -> T:
        named = {name: value for of, name, value in self.values() if of == table}
        return replace(settings, **named)


NO_CONFIGURATION: Final = Configuration()


def difference(baseline: Arm, arm: Arm) -> Configuration:
    """What has to be set to get from `baseline` to `arm`."""
    named = frozenset(
        (table, item.name)
        for table, kind in TABLES.items()
        for item in fields(kind)
        if getattr(getattr(arm, table), item.name) != getattr(getattr(baseline, table), item.name)
    )
    return Configuration(arm.server, arm.request, arm.agent, named)


def whole(baseline: Arm, arm: Arm) -> Configuration:
    """What differs, and whatever else `arm` sets: the configuration in which it was measured."""
    plain = Arm(arm.name)
    named = difference(baseline, arm).named | difference(plain, arm).named
    return Configuration(arm.server, arm.request, arm.agent, named)


def configuration_text(configuration: Configuration, *comments: str) -> str:
    """As TOML."""
    lines = [f"# {line}" for comment in comments for line in comment.splitlines()]
    for table in TABLES:
        named = [(name, value) for of, name, value in configuration.values() if of == table]
        known = [f"{name} = {_toml(value)}" for name, value in named if value is not None]
        unset = [f"# {name} is not set" for name, value in named if value is None]
        if known or unset:
            lines += ["", f"[{table}]", *known, *unset]
    return "\n".join(lines).lstrip("\n") + "\n"


def _toml(value: object) -> str:
    """A value as TOML: JSON's text, numbers and lists are TOML's, its objects aren't."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)
