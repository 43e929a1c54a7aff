"""The share of wall time spent on writing output tokens: all that a model trained to say less can save."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from punie.trace.analysis.records import QueryRecord
from punie.trace.analysis.statistics.share import ShareEstimate, share_over_wall
from punie.trace.model import Phase


class DecodeKnowledge(StrEnum):
    """Whether decode is known apart from the rest of generation.

    `separate`: everywhere. `partly`: some model time could not be split. `unknown`: none of it could.
    """

    SEPARATE = "separate"
    PARTLY = "partly"
    UNKNOWN = "unknown"


class DecodeShare(msgspec.Struct, frozen=True):
    """Decode's share of wall time: `share` where it is known, `at_most` if all unsplit model time were decode.

    `share` is None where decode is unknown; `at_most` equals it where decode is known separately.
    """

    knowledge: DecodeKnowledge
    share: ShareEstimate | None
    at_most: ShareEstimate


def decode_share(records: Sequence[QueryRecord]) -> DecodeShare | None:
    """Decode's share over `records`; None if they have no wall time."""
    at_most = share_over_wall(records, _decode_or_unsplit_ns)
    if at_most is None:
        return None
    knowledge = decode_knowledge(records)
    if knowledge is DecodeKnowledge.UNKNOWN:
        return DecodeShare(knowledge, None, at_most)
    return DecodeShare(knowledge, share_over_wall(records, decode_ns), at_most)


def decode_knowledge(records: Sequence[QueryRecord]) -> DecodeKnowledge:
    """How far decode is known in these records. Without any unsplit model time it is, be it zero."""
    if not any(record.ledger.phases_ns.get(Phase.MODEL, 0) for record in records):
        return DecodeKnowledge.SEPARATE
    if any(decode_ns(record) for record in records):
        return DecodeKnowledge.PARTLY
    return DecodeKnowledge.UNKNOWN


def decode_ns(record: QueryRecord) -> int:
    """Nanoseconds of decode in one query."""
    return record.ledger.phases_ns.get(Phase.DECODE, 0)


def _decode_or_unsplit_ns(record: QueryRecord) -> int:
    return decode_ns(record) + record.ledger.phases_ns.get(Phase.MODEL, 0)
