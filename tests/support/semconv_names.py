"""Every string that `semconv` knows as a name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from punie.trace import semconv


def known_names() -> set[str]:
    """Names of spans, attributes and events, with what they are called elsewhere."""
    return {*_strings(vars(semconv)), *semconv.TABLE.types}


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            if not (isinstance(key, str) and key.startswith("__")):
                yield from (key, *_strings(one)) if isinstance(key, str) else _strings(one)
    elif isinstance(value, tuple | frozenset):
        for one in value:
            yield from _strings(one)
