"""JSON with what `json.dumps` doesn't write: numbers in any spelling, keys that come twice, nesting of any depth."""

from __future__ import annotations

import json
import re
from typing import Any, Final

Json = Any
Way = tuple[Any, ...]
_RAW: Final = re.compile(r'"<<raw ((?:[^"\\]|\\.)*?)>>"')


class Twin(str):
    """A key that is equal to no other, so that an object can hold it twice."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


def raw(text: str) -> str:
    """A value that `dumps` writes as `text`, without quotes."""
    return f"<<raw {text}>>"


def nested(depth: int, opening: str = "[", closing: str = "]", core: str = "") -> str:
    """A value of `depth` lists (or of whatever `opening` begins) around `core`."""
    return raw(opening * depth + core + closing * depth)


def dumps(document: Json) -> bytes:
    """One line; what can't be encoded is escaped."""
    text = json.dumps(document, separators=(",", ":"))
    return _RAW.sub(lambda found: json.loads(f'"{found[1]}"'), text).encode("utf-8", "surrogatepass")


def clone(value: Json) -> Json:
    """A copy that shares nothing with `value`: what is in two places at once could come to hold itself."""
    if isinstance(value, dict):
        return {key: clone(item) for key, item in value.items()}
    return [clone(item) for item in value] if isinstance(value, list) else value


def ways(document: Json, at: Way = ()) -> list[Way]:
    """The way to every value below `document`."""
    found: list[Way] = []
    pending = [(document, at)]
    while pending:
        value, way = pending.pop()
        items = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        )
        for key, item in items:
            found.append((*way, key))
            pending.append((item, (*way, key)))
    return found


def value_at(document: Json, way: Way) -> Json:
    """What stands at the end of `way`."""
    for key in way:
        document = document[key]
    return document
