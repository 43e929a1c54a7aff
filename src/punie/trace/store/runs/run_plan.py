"""What a run set out to do, as `run.json` keeps it.

Format versions: 1, the first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from types import MappingProxyType
from typing import Any, Final, TypeVar

from punie.trace.analysis.records import PlannedQuery
from punie.trace.errors import InputError

FORMAT_VERSION: Final = 1
_Json = TypeVar("_Json", str, int, list[Any], dict[str, Any])


@dataclass(frozen=True, slots=True)
class RunPlan:
    """One execution of a suite against one configuration.

    `planned` has every query in the order asked. `cache` is the prompt cache arm, "server" or "off".
    `draft` is the draft model or None. `server_command` is empty if the server was not started by the run.
    `settings` are the other flags of the run as text. `versions` maps package to version, `machine` a fact's
    name to its value. `created` is ISO 8601.
    """

    run_id: str
    suite_name: str
    suite_hash: str
    planned: tuple[PlannedQuery, ...]
    model: str
    cache: str
    seed: int
    created: str
    draft: str | None = None
    server_command: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    versions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    machine: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    format_version: int = FORMAT_VERSION


def encode_plan(plan: RunPlan) -> str:
    """The text of `run.json`."""
    raw = {item.name: getattr(plan, item.name) for item in fields(plan)}
    raw["planned"] = [asdict(query) for query in plan.planned]
    for name in ("settings", "versions", "machine"):
        raw[name] = dict(getattr(plan, name))
    return json.dumps(raw, indent=2, ensure_ascii=False) + "\n"


def decode_plan(text: str, file: str) -> RunPlan:
    """The plan in the text of `file`. Raises `InputError` naming the file and the field that is wrong."""
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise InputError(f"{file}: not an object")
    return _plan(_Fields(raw, file))


_WANTED: Final[Mapping[type, str]] = {
    str: "a string",
    int: "a whole number",
    list: "a list",
    dict: "an object",
}


@dataclass(frozen=True, slots=True)
class _Fields:
    """Typed access to the fields of a JSON object of `file`."""

    raw: Mapping[str, Any]
    file: str

    def text(self, name: str) -> str:
        return self._of(name, str)

    def whole(self, name: str) -> int:
        return self._of(name, int)

    def optional_text(self, name: str) -> str | None:
        return None if self.raw.get(name) is None else self.text(name)

    def texts(self, name: str) -> tuple[str, ...]:
        found = self._of(name, list)
        if not all(isinstance(item, str) for item in found):
            raise self.wrong(name, "a list of strings")
        return tuple(found)

    def mapping(self, name: str) -> Mapping[str, str]:
        found = self._of(name, dict)
        if not all(isinstance(value, str) for value in found.values()):
            raise self.wrong(name, "an object of strings")
        return MappingProxyType(found)

    def planned(self, name: str) -> tuple[PlannedQuery, ...]:
        return tuple(self._planned_query(name, i, item) for i, item in enumerate(self._of(name, list)))

    def _planned_query(self, name: str, index: int, raw: object) -> PlannedQuery:
        if not isinstance(raw, dict):
            raise self.wrong(f"{name}[{index}]", "an object")
        item = _Fields(raw, f"{self.file}: {name}[{index}]")
        return PlannedQuery(
            query_id=item.text("query_id"),
            repeat=item.whole("repeat"),
            server_start=item.whole("server_start"),
            position=item.whole("position"),
        )

    def _of(self, name: str, kind: type[_Json]) -> _Json:
        value = self.raw.get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.wrong(
                name, {str: "a string", int: "a whole number", list: "a list"}.get(kind, "an object")
            )
        return value

    def wrong(self, name: str, wanted: str) -> InputError:
        return InputError(f"{self.file}: {name} is missing or not {wanted}")


def _plan(item: _Fields) -> RunPlan:
    version = item.whole("format_version")
    if version != FORMAT_VERSION:
        raise InputError(
            f"{item.file}: format_version {version}, and this punie-trace reads {FORMAT_VERSION}",
            remedy="Use the version of punie-trace that made the run.",
        )
    return RunPlan(
        run_id=item.text("run_id"),
        suite_name=item.text("suite_name"),
        suite_hash=item.text("suite_hash"),
        planned=item.planned("planned"),
        model=item.text("model"),
        cache=item.text("cache"),
        seed=item.whole("seed"),
        created=item.text("created"),
        draft=item.optional_text("draft"),
        server_command=item.texts("server_command"),
        settings=item.mapping("settings"),
        versions=item.mapping("versions"),
        machine=item.mapping("machine"),
        format_version=version,
    )
