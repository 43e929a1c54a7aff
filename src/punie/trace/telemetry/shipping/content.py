"""What may leave the machine: what is known to be no content; all of it only if the user asked for that.

A list of what to hold back would miss what it doesn't know: the attributes of a user's own spans, the next name
that a library invents. So it is a list of what may go.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from punie.trace import semconv

_CONTENT: Final = frozenset((*semconv.CONTENT_KEYS, *semconv.EXCEPTION_TEXT_KEYS))
_TRAVELLING: Final = frozenset(semconv.TRAVELLING_KEYS)
_URLS: Final = frozenset(semconv.URL_KEYS)


class ContentPolicy(StrEnum):
    """`STRIP` lets pass what is known to be no content.

    `SEND` lets pass all and says so on each span, for the Collector strips too.
    """

    STRIP = "strip"
    SEND = "send"

    def apply(self, attributes: Mapping[str, Any], *, mark: bool = True) -> dict[str, Any]:
        """The attributes that may be sent; `mark` says on them that content was meant to be sent."""
        if self is ContentPolicy.SEND:
            return {**attributes, semconv.CONTENT_SEND: True} if mark else dict(attributes)
        return {name: _harmless(name, value) for name, value in attributes.items() if _may_travel(name)}

    def message(self, text: str) -> str | None:
        """The status message that may be sent: an error's text may quote content."""
        return text if self is ContentPolicy.SEND else None


def _may_travel(name: str) -> bool:
    return name in _TRAVELLING or (name.startswith(semconv.TRAVELLING_SPACES) and name not in _CONTENT)


def _harmless(name: str, value: Any) -> Any:  # noqa: ANN401 # any attribute value
    if name == semconv.QUERY_ERROR and isinstance(value, str):
        return value.partition(":")[0]  # "Type: message": the type stays
    if name in _URLS and isinstance(value, str):
        return value.partition("#")[0].partition("?")[0]  # what was searched for stands behind it
    return value
