"""Findings that the sentences of a report count, `cycle (3, no-verdict)`, and what each of them means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from punie.trace.analysis.integrity.kinds import FINDING_KIND, FindingKind

_COUNTED: Final = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, FINDING_KIND))})(?= \(\d)")


def _meaning(kind: FindingKind) -> str:
    return f"{kind.meaning[0].upper()}{kind.meaning[1:]}. What to do: {kind.remedy}"


FINDINGS: Final[Mapping[str, str]] = MappingProxyType(
    {slug: _meaning(kind) for slug, kind in FINDING_KIND.items()}
)


def pieces(text: str) -> list[str]:
    """A sentence cut around the findings that it counts: each second piece is the slug of one."""
    return _COUNTED.split(text)


def counted(texts: Iterable[str]) -> tuple[str, ...]:
    """The slugs of the findings that sentences count, each once."""
    return tuple(dict.fromkeys(slug for text in texts for slug in pieces(text)[1::2]))


def more(texts: Iterable[str], manual: str) -> str:
    """A line that says where the findings in `texts` are explained: on the page `manual`, if there is one."""
    slugs = counted(texts)
    if not slugs or not manual:
        return ""
    return f"more: {manual}#{slugs[0]}" if len(slugs) == 1 else f"more: {manual}"
