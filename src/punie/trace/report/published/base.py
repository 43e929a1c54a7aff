"""What every published JSON document has."""

from __future__ import annotations

from typing import Any

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
