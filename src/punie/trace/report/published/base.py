"""What every published JSON document has."""

from __future__ import annotations

import msgspec


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """A document for programs; each kind gives `schema` and `schema_version` as its first two fields.

    Times are integer nanoseconds (points in time since the Unix epoch), shares fractions of 1, sizes bytes; null is
    "not known".
    """
