"""Spans of client and server that share one id, as Zipkin's clients write them: told apart before trees grow.

    |--------- POST, client, id 2 ---------|            |--------- POST, client, id 2 ---------|
       |----- POST, server, id 2 -----|         becomes    |----- POST, server, 2.server -----|
          |-- work, parent 2 --|                              |-- work, parent 2.server --|

Two copies are such sides if one is CLIENT, the other SERVER, and both name the same parent. What hangs below the id is
the server's, unless it comes from the client's process and the server is another.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from punie.trace.model import Span, SpanKind

_SIDES: Final = {SpanKind.CLIENT, SpanKind.SERVER}
_Key = tuple[str, str]  # trace id, span id


class _Shared(msgspec.Struct, frozen=True):
    """The two sides of one id."""

    client: Span
    server: Span


def separate_shared_ids(
    spans: Sequence[Span], doubtful: Collection[_Key]
) -> tuple[Sequence[Span], frozenset[_Key]]:
    """`spans` with ids of their own for server sides, and the keys that were shared; `doubtful` have unequal copies."""
    copies: dict[_Key, list[Span]] = {}
    for span in spans:
        if (key := (span.trace_id, span.span_id)) in doubtful:
            copies.setdefault(key, []).append(span)
    shared = {key: sides for key, found in copies.items() if (sides := _sides(found)) is not None}
    if not shared:
        return spans, frozenset()
    return tuple(_with_own_id(span, shared) for span in spans), frozenset(shared)


def _sides(copies: Sequence[Span]) -> _Shared | None:
    by_kind = {span.kind: span for span in copies}
    if by_kind.keys() != _SIDES or len({span.parent_id for span in copies}) != 1:
        return None
    return _Shared(by_kind[SpanKind.CLIENT], by_kind[SpanKind.SERVER])


def _with_own_id(span: Span, shared: Mapping[_Key, _Shared]) -> Span:
    if span.kind is SpanKind.SERVER and (span.trace_id, span.span_id) in shared:
        return replace(span, span_id=_id_of_server(span.span_id), parent_id=span.span_id)
    above = shared.get((span.trace_id, span.parent_id)) if span.parent_id else None
    if span.parent_id is None or above is None or _is_of_client(span, above):
        return span
    return replace(span, parent_id=_id_of_server(span.parent_id))


def _id_of_server(span_id: str) -> str:
    return f"{span_id}.server"


def _is_of_client(span: Span, sides: _Shared) -> bool:
    return span.resource == sides.client.resource != sides.server.resource
