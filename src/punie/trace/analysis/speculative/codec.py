"""Frozen dataclasses to JSON values and back, by their type hints."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from punie.trace.errors import InputError

T = TypeVar("T")


def to_json(value: Any) -> Any:  # noqa: ANN401 # JSON has no common type
    """An object for a dataclass or a mapping, an enum's value, a list for a tuple, else the value itself."""
    if is_dataclass(value):
        return {item.name: to_json(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def from_json(kind: type[T], raw: object, where: str) -> T:
    """The `kind`, a dataclass, that `raw` describes.

    Unknown fields are ignored (a newer version may have written them); a missing one without a default, or one of
    the wrong type, raises InputError that names it, beginning with `where`.
    """
    found: T = _value(kind, raw, where)
    return found


def _value(hint: Any, raw: Any, where: str) -> Any:  # noqa: ANN401 # as the type hints say
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return None if raw is None else _value(_not_none(hint), raw, where)
    if origin is tuple:
        return _tuple(get_args(hint), raw, where)
    if origin is not None and issubclass(origin, Mapping):
        return types.MappingProxyType(
            {k: _value(get_args(hint)[1], v, f"{where}.{k}") for k, v in _object(raw, where)}
        )
    if is_dataclass(hint):
        return _dataclass(hint, raw, where)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _enum(hint, raw, where)
    return _plain(hint, raw, where)


def _not_none(hint: Any) -> Any:  # noqa: ANN401 # a type hint
    return next(item for item in get_args(hint) if item is not type(None))


def _tuple(items: tuple[Any, ...], raw: object, where: str) -> tuple[Any, ...]:
    if not isinstance(raw, list):
        raise InputError(f"{where} is missing or not a list")
    return tuple(_value(items[0], item, f"{where}[{index}]") for index, item in enumerate(raw))


def _object(raw: object, where: str) -> list[tuple[str, Any]]:
    if not isinstance(raw, dict):
        raise InputError(f"{where} is missing or not an object")
    return list(raw.items())


def _dataclass(kind: Any, raw: object, where: str) -> Any:  # noqa: ANN401 # the dataclass `kind`
    given = dict(_object(raw, where))
    hints = get_type_hints(kind)
    found = {}
    for item in fields(kind):
        if item.name in given:
            found[item.name] = _value(hints[item.name], given[item.name], f"{where}: {item.name}")
        elif item.default is MISSING and item.default_factory is MISSING:
            raise InputError(f"{where}: {item.name} is missing")
    return kind(**found)


def _enum(kind: type[Enum], raw: object, where: str) -> Enum:
    try:
        return kind(raw)
    except ValueError:
        known = ", ".join(str(item.value) for item in kind)
        raise InputError(f"{where} is {raw!r}, not one of {known}") from None


def _plain(kind: type, raw: Any, where: str) -> Any:  # noqa: ANN401 # of type `kind`
    if kind is float and isinstance(raw, int) and not isinstance(raw, bool):
        return float(raw)
    if not isinstance(raw, kind) or (isinstance(raw, bool) and kind is not bool):
        raise InputError(f"{where} is missing or not of type {kind.__name__}")
    return raw
