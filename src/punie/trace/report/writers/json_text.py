"""Any report as JSON: what its `data` holds, with the types in `report/published`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from punie.trace.report.document import Document
    from punie.trace.report.page import Page
    from punie.trace.report.published.base import Published

# What a terminal obeys or what turns the direction of writing; a lone surrogate is no text in any encoding.
_UNSAFE: Final = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def write(document: Document, page: Page) -> str:
    """The data as one document; characters that a terminal obeys are written as escapes of JSON."""
    text = _indented(document.data())
    if text.isascii() and "\x7f" not in text:
        return text + "\n"
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def _indented(data: Published) -> str:
    try:
        return msgspec.json.format(msgspec.json.encode(data, enc_hook=_mapping), indent=2).decode()
    # a file's name need not be text: half a surrogate pair stands for each odd byte
    except UnicodeEncodeError:
        values = msgspec.to_builtins(data, str_keys=True, enc_hook=_mapping)
        return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)


def _mapping(value: Any) -> dict[Any, Any]:  # noqa: ANN401 # whatever msgspec doesn't know
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(f"{type(value).__name__} in a published document")
