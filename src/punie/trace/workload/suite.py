"""Suites: named, versioned, hashed lists of questions with what is expected of each answer."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from punie.trace.errors import InputError, did_you_mean
from punie.trace.toml_files import parse_toml, read_toml
from punie.trace.workload.suite_file import Table, checked_suite

DEFAULT_SUITE: Final = "discrimination"


@dataclass(frozen=True, slots=True)
class ExpectTool:
    """The question needs a tool: a call of one of `tools` (none: of any) whose arguments match `arguments`.

    `arguments` is a regular expression, searched in the arguments written as JSON by Python's
    `json.dumps(…, sort_keys=True, ensure_ascii=False)`.
    """

    tools: tuple[str, ...] = ()
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class ExpectDirect:
    """The question needs no tool. Of each group in `mentions` one must begin a word of the answer, in any case."""

    mentions: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class ExpectAny:
    """Whatever comes is fine: the query is timed and not scored."""


Expectation = ExpectTool | ExpectDirect | ExpectAny


@dataclass(frozen=True, slots=True)
class SuiteQuery:
    """One question; `id` is unique in its suite. Questions of one `family` ask alike; "" is a family of its own."""

    id: str
    text: str
    expectation: Expectation
    family: str = ""

    @property
    def expected(self) -> str:
        """What its span says of that: "tool", "direct" or "any"."""
        return {ExpectTool: "tool", ExpectDirect: "direct", ExpectAny: "any"}[type(self.expectation)]


@dataclass(frozen=True)
class Suite:
    """A list of questions. `version` is for people; `sha256` changes with any change of meaning."""

    name: str
    version: int
    queries: tuple[SuiteQuery, ...]

    @cached_property
    def sha256(self) -> str:
        """Hex digest of the suite's meaning: the same for another layout, comments or order of alternatives."""
        meaning = {
            "name": self.name,
            "version": self.version,
            "queries": [_query_meaning(query) for query in self.queries],
        }
        text = json.dumps(meaning, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def query(self, query_id: str) -> SuiteQuery:
        """The query called so. Raises KeyError."""
        return {query.id: query for query in self.queries}[query_id]


def _query_meaning(query: SuiteQuery) -> list[object]:
    # suites from before there were families keep their digest
    family = [query.family] if query.family else []
    return [query.id, query.text, _meaning(query.expectation), *family]


def _meaning(expectation: Expectation) -> dict[str, object]:
    match expectation:
        case ExpectTool():
            return {"tool": sorted(set(expectation.tools)), "arguments": expectation.arguments}
        case ExpectDirect():
            groups = {
                tuple(sorted({mention.casefold() for mention in group})) for group in expectation.mentions
            }
            return {"mentions": sorted(groups)}
        case ExpectAny():
            return {"any": True}


def default_suite() -> Suite:
    """The five questions of the discrimination suite, which ships with the package."""
    return _shipped(DEFAULT_SUITE)


def _shipped(name: str) -> Suite:
    source = f"suite {name}.toml"
    return make_suite(parse_toml((_folder() / f"{name}.toml").read_bytes(), source), source)


def _folder() -> Traversable:
    return files("punie.trace.workload") / "suites"


def load_suite(file: Path | str | None) -> Suite:
    """The suite in a TOML file, or the default one; the bare name of one that ships with the package means that one.

    Raises InputError that names the file, and each query and field that is wrong.
    """
    if not file:
        return default_suite()
    path = Path(file)
    if path.parent == Path() and not path.exists() and (_folder() / f"{path}.toml").is_file():
        return _shipped(str(path))
    if path.parent == Path() and not path.suffix and not path.exists():
        shipped = sorted(item.name.removesuffix(".toml") for item in _folder().iterdir())
        raise InputError(
            f"suite {path}: no such file, and no suite of that name ships{did_you_mean(str(path), shipped)}",
            remedy=f"name a TOML file, or one of: {', '.join(shipped)}",
        )
    return make_suite(read_toml(path, "suite"), f"suite {path}")


def make_suite(table: Table, source: str) -> Suite:
    """The suite that a TOML `table` means; `source` names it in errors. Raises InputError as `load_suite` does."""
    checked_suite(table, source)
    queries = tuple(
        SuiteQuery(query["id"], query["text"], _expectation(query), query.get("family", ""))
        for query in table["query"]
    )
    return Suite(table["name"], table["version"], queries)


def _expectation(query: Table) -> Expectation:
    match query["expect"]:
        case "tool":
            return ExpectTool(_texts(query.get("tool", [])), query.get("arguments", ""))
        case "direct":
            return ExpectDirect(tuple(_texts(group) for group in query.get("mentions", [])))
        case _:
            return ExpectAny()


def _texts(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
