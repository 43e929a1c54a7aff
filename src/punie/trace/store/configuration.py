"""`config.toml`: what an improvement or a training ends with, and what `run`, `serve`, `bench` and `improve` take.

    [server]             fields of ServerSettings: model, adapter, draft, prompt_cache, prefill_step_size, …
    [request]            fields of RequestSettings: max_tokens, num_draft_tokens, template_args, …
    [agent]              fields of AgentSettings: agent, instruction, tool_result_characters, …

What a file doesn't name stays as it is. Paths are relative to the file's folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from punie.trace.analysis.experiment.arms import AgentSettings, Arm, RequestSettings, ServerSettings
from punie.trace.errors import InputError
from punie.trace.store import documents
from punie.trace.store.files.whole_file import write_whole
from punie.trace.toml_files import read_toml

T = TypeVar("T", ServerSettings, RequestSettings, AgentSettings)
TABLES: Final[Mapping[str, type]] = {
    "server": ServerSettings,
    "request": RequestSettings,
    "agent": AgentSettings,
}
_PATHS: Final = (("server", "adapter"), ("server", "model"), ("server", "draft"), ("agent", "workspace"))


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


def difference(baseline: Arm, arm: Arm) -> Configuration:
    """What has to be set to get from `baseline` to `arm`."""
    named = frozenset(
        (table, item.name)
        for table, kind in TABLES.items()
        for item in fields(kind)
        if getattr(getattr(arm, table), item.name) != getattr(getattr(baseline, table), item.name)
    )
    return Configuration(arm.server, arm.request, arm.agent, named)


def read_configuration(path: Path) -> Configuration:
    """The file at `path`. Raises InputError that names the file, the table and the key."""
    source = f"config {path}"
    tables = read_toml(path, "config")
    for name, table in tables.items():
        if name not in TABLES:
            raise InputError(f"{source}: {name} is not known", remedy=f"known are: {', '.join(TABLES)}")
        if not isinstance(table, dict):
            raise InputError(f"{source}: {name} is no table", remedy=f"write [{name}]")
        known = [item.name for item in fields(TABLES[name])]
        for key in table:
            if key not in known:
                raise InputError(
                    f"{source}: {name}.{key} is not known", remedy=f"known are: {', '.join(known)}"
                )
    named = frozenset((table, key) for table, keys in tables.items() for key in keys)
    settings: dict[str, Any] = {
        name: documents.typed(_absolute(path.parent, name, tables.get(name, {})), kind, f"{source}: {name}")
        for name, kind in TABLES.items()
    }
    return Configuration(**settings, named=named)


def write_configuration(path: Path, configuration: Configuration, *comments: str) -> None:
    """Write it, under `comments`. Raises OutputError."""
    write_whole(path, configuration_text(configuration, *comments))


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


def _absolute(folder: Path, table: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """A model may also be a name that the server downloads: it is a path only if there is something."""
    found = dict(values)
    for of, name in _PATHS:
        value = found.get(name)
        if of == table and isinstance(value, str):
            place = folder / Path(value).expanduser()
            found[name] = (
                str(place.absolute()) if name in ("adapter", "workspace") or place.exists() else value
            )
    return found
