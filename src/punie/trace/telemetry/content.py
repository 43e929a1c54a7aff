"""What may leave the machine: prompts, answers and arguments only if the user asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from punie.trace import semconv

_CONTENT: Final = frozenset((*semconv.CONTENT_KEYS, *semconv.EXCEPTION_TEXT_KEYS))


class ContentPolicy(StrEnum):
    """`STRIP` removes content; `SEND` keeps it and says so on each span, for the Collector strips too."""

    STRIP = "strip"
    SEND = "send"

    def apply(self, attributes: Mapping[str, Any], *, mark: bool = True) -> dict[str, Any]:
        """The attributes that may be sent; `mark` says on them that content was meant to be sent."""
        if self is ContentPolicy.SEND:
            return {**attributes, semconv.CONTENT_SEND: True} if mark else dict(attributes)
        return {name: _harmless(name, value) for name, value in attributes.items() if name not in _CONTENT}

    def message(self, text: str) -> str | None:
        """The status message that may be sent: an error's text may quote content."""
        return text if self is ContentPolicy.SEND else None


def _harmless(name: str, value: Any) -> Any:  # noqa: ANN401 # any attribute value
    if name == semconv.QUERY_ERROR and isinstance(value, str):
        return value.partition(":")[0]  # "Type: message": the type stays
    return value
