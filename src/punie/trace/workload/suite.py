"""Suites: named, versioned, hashed lists of questions with what is expected of each answer."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, NoReturn

from punie.trace.errors import InputError

DEFAULT_SUITE: Final = "discrimination"

_SUITE_KEYS: Final = ("name", "version", "query")
_TOOL_KEYS: Final = ("id", "text", "expect", "tool", "arguments")
_DIRECT_KEYS: Final = ("id", "text", "expect", "mentions")


@dataclass(frozen=True, slots=True)
class ExpectTool:
    """The question needs a tool: a call of one of `tools` whose arguments match `arguments`.

    `arguments` is a regular expression, searched in the arguments written as JSON by Python's
    `json.dumps(…, sort_keys=True, ensure_ascii=False)`.
    """

    tools: tuple[str, ...]
    arguments: str


@dataclass(frozen=True, slots=True)
class ExpectDirect:
    """The question needs no tool. Of each group in `mentions` one must begin a word of the answer, in any case."""

    mentions: tuple[tuple[str, ...], ...]


Expectation = ExpectTool | ExpectDirect


@dataclass(frozen=True, slots=True)
class Query:
    """One question; `id` is unique in its suite."""

    id: str
    text: str
    expectation: Expectation


@dataclass(frozen=True)
class Suite:
    """A list of questions. `version` is for people; `sha256` changes with any change of meaning."""

    name: str
    version: int
    queries: tuple[Query, ...]

    @cached_property
    def sha256(self) -> str:
        """Hex digest of the suite's meaning: the same for another layout, comments or order of alternatives."""
        meaning = {
            "name": self.name,
            "version": self.version,
            "queries": [[query.id, query.text, _meaning(query.expectation)] for query in self.queries],
        }
        text = json.dumps(meaning, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def _meaning(expectation: Expectation) -> dict[str, object]:
    if isinstance(expectation, ExpectTool):
        return {"tool": sorted(set(expectation.tools)), "arguments": expectation.arguments}
    groups = {tuple(sorted({mention.casefold() for mention in group})) for group in expectation.mentions}
    return {"mentions": sorted(groups)}


def default_suite() -> Suite:
    """The five questions of the discrimination suite, which ships with the package."""
    name = f"{DEFAULT_SUITE}.toml"
    resource = files("punie.trace.workload") / "suites" / name
    return parse_suite(resource.read_text(encoding="utf-8"), source=name)


def load_suite(path: Path) -> Suite:
    """The suite in the TOML file `path`.

    Raises InputError that names the file, the query and the field that is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"suite {path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"suite {path} is not UTF-8: {error.reason} at byte {error.start}") from error
    return parse_suite(text, source=str(path))


def parse_suite(text: str, *, source: str) -> Suite:
    """The suite written in the TOML `text`; `source` names it in errors. Raises InputError as `load_suite` does."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"suite {source} is not valid TOML: {error}") from error
    fields = _Fields(f"suite {source}", table)
    fields.only(_SUITE_KEYS)
    name, version = fields.text("name"), fields.positive("version")
    entries = fields.tables("query")
    queries = tuple(_query(source, number, entry) for number, entry in enumerate(entries, start=1))
    _unique(source, "id", (query.id for query in queries))
    _unique(source, "text", (query.text for query in queries))
    return Suite(name, version, queries)


def _query(source: str, number: int, table: Mapping[str, Any]) -> Query:
    label = _Fields(f"suite {source}, query {number}", table).text("id")
    fields = _Fields(f"suite {source}, query {label}", table)
    expect = fields.text("expect")
    if expect not in ("tool", "direct"):
        fields.wrong("expect", f'is "{expect}", not "tool" or "direct"')
    fields.only(_TOOL_KEYS if expect == "tool" else _DIRECT_KEYS)
    expectation = _expect_tool(fields) if expect == "tool" else _expect_direct(fields)
    return Query(label, fields.text("text"), expectation)


def _expect_tool(fields: _Fields) -> ExpectTool:
    pattern = fields.text("arguments")
    try:
        re.compile(pattern)
    except (re.error, OverflowError) as error:
        fields.wrong("arguments", f"is not a regular expression: {error}")
    return ExpectTool(fields.texts("tool", fields.value("tool")), pattern)


def _expect_direct(fields: _Fields) -> ExpectDirect:
    mentions = fields.value("mentions")
    if not isinstance(mentions, list) or not mentions:
        fields.wrong("mentions", "must be a list of texts, or of lists of texts, that isn't empty")
    return ExpectDirect(tuple(fields.texts("mentions", mention) for mention in mentions))


def _unique(source: str, field: str, values: Iterable[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise InputError(f"suite {source}: two queries have the {field} {value!r}")
        seen.add(value)


@dataclass(frozen=True, slots=True)
class _Fields:
    """A table of the file with the words for its errors."""

    where: str
    table: Mapping[str, Any]

    def wrong(self, field: str, problem: str) -> NoReturn:
        """Raises InputError for `field`."""
        raise InputError(f"{self.where}: {field} {problem}")

    def only(self, keys: tuple[str, ...]) -> None:
        """Raises InputError for a key that isn't one of `keys`."""
        for key in self.table:
            if key not in keys:
                self.wrong(key, f"is not known here (known: {', '.join(keys)})")

    def value(self, field: str) -> Any:  # noqa: ANN401 - TOML's values are of any type until they are checked
        """The value as TOML gave it."""
        if field not in self.table:
            self.wrong(field, "is missing")
        return self.table[field]

    def text(self, field: str) -> str:
        """A text that isn't blank."""
        return self.texts(field, self.value(field), lists=False)[0]

    def texts(self, field: str, value: object, *, lists: bool = True) -> tuple[str, ...]:
        """`value`, one text or (with `lists`) a list of them, as a tuple; none may be blank."""
        items = value if lists and isinstance(value, list) else [value]
        if not items or not all(isinstance(item, str) and item.strip() for item in items):
            self.wrong(field, f"must be {'texts' if lists else 'a text'}, not {value!r}")
        return tuple(items)

    def positive(self, field: str) -> int:
        """A whole number from 1 up."""
        value = self.value(field)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            self.wrong(field, f"must be a whole number from 1 up, not {value!r}")
        return int(value)

    def tables(self, field: str) -> list[Mapping[str, Any]]:
        """An array of tables that isn't empty."""
        value = self.table.get(field, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.wrong(field, f"must be written as [[{field}]]")
        if not value:
            self.wrong(field, f"is missing: a suite needs at least one [[{field}]]")
        return list(value)
