"""A suite's TOML file, checked as a whole: every field that is missing or wrong is named at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import regex

from punie.trace.errors import InputError
from punie.trace.toml_files import shown

LONGEST_TEXT: Final = 20_000
"""Characters of a question; of a pattern a twentieth."""
_LARGEST_VERSION: Final = 10**9
_LONGEST_LABEL: Final = 60
_FIELDS: Final = "A suite has a name, a version and queries; a query has an id, a text and what to expect."
_LISTED_PROBLEMS: Final = 10  # more would bury the first

Table = Mapping[str, Any]
Check = Callable[[Any], str | None]
"""What is wrong with a value ("must be …"), None if nothing is."""


def checked_suite(table: Table, source: str) -> Table:
    """`table` as it is, if it is a suite. Raises InputError that names `source` and all that is wrong."""
    problems = list(_problems(table))
    if problems:
        more = len(problems) - _LISTED_PROBLEMS
        listed = "; ".join(problems[:_LISTED_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")
        raise InputError(f"{source}: {listed}", remedy=_FIELDS)
    return table


def _problems(table: Table) -> Iterator[str]:
    yield from _fields(table, required=_SUITE, optional={})
    queries = table.get("query")
    if _are_tables(queries):
        return
    for number, query in enumerate(queries or (), start=1):
        yield from (f"query {_label(query, number)}: {problem}" for problem in _query_problems(query))
    for field in ("id", "text"):
        values = Counter(query.get(field) for query in queries or () if isinstance(query.get(field), str))
        yield from (f"two queries have the {field} {shown(text)}" for text, n in values.items() if n > 1)


def _label(query: Table, number: int) -> str:
    """Its id where that fits on a line, else its number."""
    name = query.get("id")
    return (
        name if isinstance(name, str) and name.isprintable() and len(name) <= _LONGEST_LABEL else str(number)
    )


def _query_problems(query: Table) -> Iterator[str]:
    expect = query.get("expect")
    more = _EXPECTED.get(expect) if isinstance(expect, str) else None
    yield from _fields(
        query, required=_QUERY, optional={**_GROUPED, **(_ANY_FIELD if more is None else more)}
    )


def _fields(table: Table, *, required: Mapping[str, Check], optional: Mapping[str, Check]) -> Iterator[str]:
    checks = {**required, **optional}
    yield from (f"{field} is missing" for field in required if field not in table)
    for field, value in table.items():
        if field not in checks:
            yield f"{shown(field)} is not known here (known: {', '.join(checks)})"
        elif problem := checks[field](value):
            yield f"{field} {problem}"


def _is_text(value: object, longest: int = LONGEST_TEXT) -> str | None:
    if not isinstance(value, str) or not value.strip():
        return f"must be a text, not {shown(value)}"
    return f"is longer than {longest} characters" if len(value) > longest else None


def _is_family(value: object) -> str | None:
    return _is_text(value, _LONGEST_LABEL)


def _are_texts(value: object) -> str | None:
    items = value if isinstance(value, list) else [value]
    if items and not any(_is_text(item) for item in items):
        return None
    return f"must be a text or a list of texts, not {shown(value)}"


def _are_groups(value: object) -> str | None:
    if isinstance(value, list) and value and not any(_are_texts(group) for group in value):
        return None
    return f"must be a list of texts, or of lists of texts, not {shown(value)}"


def _is_version(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _LARGEST_VERSION:
        return None
    return f"must be a whole number from 1 up, not {shown(value)}"


def _is_pattern(value: object) -> str | None:
    if problem := _is_text(value, LONGEST_TEXT // 20):
        return problem
    try:
        regex.compile(str(value))
    except (regex.error, OverflowError, RecursionError) as error:
        return f"is not a regular expression: {error}"
    return None


def _is_expect(value: object) -> str | None:
    if isinstance(value, str) and value in _EXPECTED:
        return None
    return f"must be {' or '.join(_EXPECTED)}, not {shown(value)}"


def _are_tables(value: object) -> str | None:
    if value == []:
        return "is missing: a suite needs at least one [[query]]"
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        return "must be written as [[query]]"
    return None


_SUITE: Final[Mapping[str, Check]] = MappingProxyType(
    {"name": _is_text, "version": _is_version, "query": _are_tables}
)
_QUERY: Final[Mapping[str, Check]] = MappingProxyType(
    {"id": _is_text, "text": _is_text, "expect": _is_expect}
)
_GROUPED: Final[Mapping[str, Check]] = MappingProxyType({"family": _is_family})
_EXPECTED: Final[Mapping[str, Mapping[str, Check]]] = MappingProxyType(
    {
        "tool": {"tool": _are_texts, "arguments": _is_pattern},
        "direct": {"mentions": _are_groups},
        "any": {},
    }
)
_ANY_FIELD: Final = MappingProxyType(
    {field: check for more in _EXPECTED.values() for field, check in more.items()}
)
"""What a query may hold whose `expect` is missing or unknown: then that alone is named."""
