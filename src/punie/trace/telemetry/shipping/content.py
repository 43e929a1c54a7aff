"""What may leave the machine: what is known to be no content; all of it only if the user asked for that.

A list of what to hold back would miss what it doesn't know: the attributes of a user's own spans, the next name
that a library invents. So it is a list of what may go (`semconv.TABLE`), and of each the values too: a number within
its bounds, a word, a short name, an error's type without its message, an address without user and query. A value in
another form stays. That goes for the attributes of spans, events, links, scopes and resources alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from punie.trace import semconv
from punie.trace.attributes.types import AttributeKind, ValueType

_WORD: Final = re.compile(r"(?!.*://)\S{1,256}")
_NAME: Final = re.compile(r"(?!.*://)[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,128}")
_ERROR_TYPE: Final = re.compile(r"[\w.$<>-]{1,128}")
_OTHER_ERROR: Final = "_OTHER"  # the conventions' word for an error without a type
# What a model's server is asked at. Any other path may hold whatever its owner put there.
_ENDPOINT: Final = re.compile(
    r"(/[a-z0-9_.-]{1,32}){0,4}"
    r"/(completions|responses|messages|embeddings|models|generate|chat|rerank|invoke|converse)"
)


class ContentPolicy(StrEnum):
    """`STRIP` lets pass what is known to be no content.

    `SEND` lets pass all and marks each span, for the Collector strips too.
    """

    STRIP = "strip"
    SEND = "send"

    def apply(self, attributes: Mapping[str, Any], *, mark: bool = True) -> dict[str, Any]:
        """The attributes that may be sent; `mark` writes on them that content was meant to be sent."""
        if self is ContentPolicy.SEND:
            return {**attributes, semconv.CONTENT_SEND: True} if mark else dict(attributes)
        may_go = ((name, _harmless(name, value)) for name, value in attributes.items())
        return {name: value for name, value in may_go if value is not None}

    def message(self, text: str) -> str | None:
        """The status message that may be sent: an error's text may quote content."""
        return text if self is ContentPolicy.SEND else None


def _harmless(name: str, value: object) -> object:
    """What of a value may be sent; None if nothing."""
    kind = semconv.TABLE.type_of(name)
    if kind is None or not kind.travels:
        return None
    match kind.kind:
        case AttributeKind.WORDS | AttributeKind.INTEGERS:
            return _list(kind, value)
        case AttributeKind.TRUTH:
            return value if isinstance(value, bool) else None
        case AttributeKind.INTEGER | AttributeKind.NUMBER | AttributeKind.MEASURE:
            return _number(kind, value)
    return _text(kind, value) if isinstance(value, str) else None


def _list(kind: ValueType, value: object) -> object:
    """A list goes whole or not at all: its places mean something."""
    if not isinstance(value, list | tuple):
        return None
    one = _number if kind.kind is AttributeKind.INTEGERS else _word
    return value if all(one(kind, item) is not None for item in value) else None


def _number(kind: ValueType, value: object) -> int | float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and kind.least <= value <= kind.most else None  # type: ignore[operator, return-value]


def _text(kind: ValueType, text: str) -> str | None:
    match kind.kind:
        case AttributeKind.NAME:
            return text if _NAME.fullmatch(text) else None
        case AttributeKind.ERROR:
            error = text.partition(":")[0].strip()
            return error if _ERROR_TYPE.fullmatch(error) else _OTHER_ERROR
        case AttributeKind.URL:
            return _address(text)
    return _word(kind, text)


def _word(kind: ValueType, text: object) -> str | None:
    if not isinstance(text, str) or (kind.one_of and text not in kind.one_of):
        return None
    return text if _WORD.fullmatch(text) else None


def _address(text: str) -> str | None:
    """Scheme, host and port of a URL, and its path where that is a model's endpoint."""
    try:
        parts = urlsplit(text)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return None
    path = parts.path if _ENDPOINT.fullmatch(parts.path) else ""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{port}{path}" if host else path or None
