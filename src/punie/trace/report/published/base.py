"""What every published JSON document has."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, get_type_hints

import msgspec


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """A document for programs; each kind gives the first two fields their values.

    Times are integer nanoseconds (points in time since the Unix epoch), shares fractions of 1, sizes bytes; null is
    "not known".
    """

    schema: str
    schema_version: int


def fields_of(kind: type[msgspec.Struct], source: object) -> dict[str, Any]:
    """What `source` has of the fields of `kind`, to be converted to it."""
    return {name: getattr(source, name) for name in kind.__struct_fields__ if hasattr(source, name)}


def known_only(kind: type, always: Collection[str]) -> Any:  # noqa: ANN401 # a base class
    """A base class with the fields of `kind`, of which all but `always` may be left out."""
    hints = get_type_hints(kind)
    fields: list[Any] = [(name, hints[name]) for name in always]
    fields += [
        (name, hint | msgspec.UnsetType, msgspec.UNSET) for name, hint in hints.items() if name not in always
    ]
    return msgspec.defstruct("KnownOnly", fields, frozen=True, kw_only=True)


def joined(*kinds: type, without: Collection[str] = (), base: type[msgspec.Struct] = msgspec.Struct) -> Any:  # noqa: ANN401 # a base class
    """A base class with the fields of all `kinds`, but for some names: what is published flat is declared once."""
    types = {name: kind for source in kinds for name, kind in get_type_hints(source).items()}
    shown = [(name, kind) for name, kind in types.items() if name not in without]
    return msgspec.defstruct("Joined", shown, bases=(base,), frozen=True, kw_only=True)
