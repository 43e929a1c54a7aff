"""Damage to a JSON document that knows its structure: each function changes the document in one place or a few."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType
from typing import Any, Final

from fuzzing.json_text import Json, Twin, Way, clone, value_at, ways
from fuzzing.odd_values import NUMBERS, odd_text, odd_value
from punie.trace import semconv

Damage = Callable[[Json, Random], None]
_TIME: Final = re.compile(r"(time|timestamp|duration|start|end)", re.IGNORECASE)
_ID: Final = re.compile(r"(id|parent)$", re.IGNORECASE)
_SHIFTS: Final = (
    1,
    -1,
    999,
    -999,
    10**6,
    -(10**6),
    10**9,
    -(10**9),
    3_600 * 10**9,
    -(10**14),
    10**18,
    -(10**18),
)
_NAMES: Final = tuple(semconv.TABLE.types)
_MOST_COPIED: Final = 10_000  # values


def change_value(document: Json, random: Random) -> None:
    """Any value becomes another, mostly of another type."""
    _set(document, _any_way(document, random), odd_value(random))


def change_number(document: Json, random: Random) -> None:
    """A number, or a text of digits, becomes one at a limit, of the same spelling or not."""
    way = _way_to(document, random, _is_number)
    if way:
        number = random.choice(NUMBERS)
        _set(document, way, str(number) if random.random() < 0.5 and not isinstance(number, str) else number)


def change_text(document: Json, random: Random) -> None:
    """A text becomes an odd one, or gets a piece of one."""
    way = _way_to(document, random, lambda value: isinstance(value, str))
    if way:
        kept = value_at(document, way) if random.random() < 0.3 else ""
        _set(document, way, kept + odd_text(random))


def drop(document: Json, random: Random) -> None:
    """A key or an item goes."""
    way = _any_way(document, random)
    if way:
        del value_at(document, way[:-1])[way[-1]]


def repeat_key(document: Json, random: Random) -> None:
    """An object holds a key twice, with another value."""
    way = _any_way(document, random)
    if way and isinstance(way[-1], str):
        owner = value_at(document, way[:-1])
        owner[Twin(way[-1])] = random.choice((odd_value(random), clone(owner[way[-1]])))


def rename_key(document: Json, random: Random) -> None:
    """A key in another spelling, or an odd one."""
    way = _any_way(document, random)
    if way and isinstance(way[-1], str):
        owner, key = value_at(document, way[:-1]), way[-1]
        snake = re.sub("([A-Z])", r"_\1", key).lower()
        new = random.choice((key.upper(), key + " ", snake, odd_text(random)))
        owner[new] = owner.pop(key)


def reorder(document: Json, random: Random) -> None:
    """The keys of an object or the items of a list in another order."""
    way = _way_to(document, random, lambda value: isinstance(value, dict | list) and len(value) > 1)
    found = value_at(document, way) if way else document
    if isinstance(found, list):
        random.shuffle(found)
    elif isinstance(found, dict):
        items = random.sample([*found.items()], len(found))
        found.clear()
        found.update(items)


def copy_items(document: Json, random: Random) -> None:
    """An item of a list again: once, or so often that somebody counts wrong."""
    way = _way_to(document, random, lambda value: isinstance(value, list) and value != [])
    if way:
        found = value_at(document, way)
        copied = random.choice(found)
        times = random.choice((1, 1, 2, 20, 300))
        if times * len(ways(copied)) < _MOST_COPIED:
            found.extend(clone(copied) for _ in range(times))


def swap(document: Json, random: Random) -> None:
    """Two values change places: of one object (start and end), or from anywhere."""
    way = _any_way(document, random)
    if not way:
        return
    owner = value_at(document, way[:-1])
    keys = [*owner] if isinstance(owner, dict) else [*range(len(owner))]
    other = (*way[:-1], random.choice(keys)) if random.random() < 0.6 else _any_way(document, random)
    if other[: len(way)] != way and way[: len(other)] != other:
        first, second = value_at(document, way), value_at(document, other)
        _set(document, way, second)
        _set(document, other, first)


def link(document: Json, random: Random) -> None:
    """An id becomes another's: spans with one id, parents in a circle, a span that is its own parent."""
    found = [
        way for way in ways(document) if _ID.search(str(way[-1])) and isinstance(value_at(document, way), str)
    ]
    if found:
        _set(document, random.choice(found), value_at(document, random.choice(found)))


def shift_time(document: Json, random: Random) -> None:
    """A time moves, or becomes equal to another: overlapping, of no length, backwards, centuries away."""
    times = [
        way for way in ways(document) if _TIME.search(str(way[-1])) and _is_number(value_at(document, way))
    ]
    if not times:
        return
    way = random.choice(times)
    if random.random() < 0.3:
        _set(document, way, value_at(document, random.choice(times)))
        return
    value = value_at(document, way)
    try:
        moved = int(value) + random.choice(_SHIFTS)
    except (ValueError, OverflowError):
        return
    _set(document, way, str(moved) if isinstance(value, str) else moved)


def set_attribute(document: Json, random: Random) -> None:
    """An attribute that the analysis reads, with a value that it may not expect."""
    name, value = random.choice(_NAMES), odd_value(random)
    way = _way_to(document, random, _is_attributes)
    found = value_at(document, way) if way else None
    if isinstance(found, list):
        form = random.choice(
            ("stringValue", "intValue", "doubleValue", "boolValue", "arrayValue", "bytesValue")
        )
        found.append({"key": name, "value": {form: value}})
    elif isinstance(found, dict):
        found[name] = value


def rename_attribute(document: Json, random: Random) -> None:
    """An attribute becomes another one that the analysis reads."""
    way = _way_to(document, random, lambda value: isinstance(value, dict) and "key" in value)
    if way:
        value_at(document, way)["key"] = random.choice(_NAMES)


def wrap(document: Json, random: Random) -> None:
    """A value inside lists or objects."""
    way = _any_way(document, random)
    if way:
        value = value_at(document, way)
        for _ in range(random.choice((1, 1, 2, 50))):
            value = random.choice(([value], {"value": value}, {"": value}))
        _set(document, way, value)


DAMAGES: Final[Mapping[str, Damage]] = MappingProxyType(
    {
        damage.__name__: damage
        for damage in (
            change_value,
            change_number,
            change_text,
            drop,
            repeat_key,
            rename_key,
            reorder,
            copy_items,
            swap,
            link,
            shift_time,
            set_attribute,
            rename_attribute,
            wrap,
        )
    }
)


def damage(document: Json, random: Random) -> None:
    """Some of them, one after the other."""
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 5, 8))):
        random.choice([*DAMAGES.values()])(document, random)


def _any_way(document: Json, random: Random) -> Way:
    found = ways(document)
    return random.choice(found) if found else ()


def _way_to(document: Json, random: Random, wanted: Callable[[Any], bool]) -> Way:
    found = [way for way in ways(document) if wanted(value_at(document, way))]
    return random.choice(found) if found else ()


def _set(document: Json, way: Way, value: Json) -> None:
    if way:
        value_at(document, way[:-1])[way[-1]] = value


def _is_number(value: Json) -> bool:
    if isinstance(value, str):
        return value.isdigit() and value.isascii()
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_attributes(value: Json) -> bool:
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], dict) and "key" in value[0] and "value" in value[0]
    return isinstance(value, dict) and any(isinstance(key, str) and "." in key for key in value)
