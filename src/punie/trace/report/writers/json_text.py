"""Any report as JSON: what its `data` holds, with the types in `report/published`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from punie.trace.report.document import Document
    from punie.trace.report.page import Page

_AT_ONCE: Final = 200  # queries, requests and the like
_END_OF_LIST: Final = len("\n  ]")
# What a terminal obeys or what turns the direction of writing; a lone surrogate is no text in any encoding.
_UNSAFE: Final = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def write(document: Document, page: Page) -> str:
    """The data as one document; characters that a terminal obeys are written as escapes of JSON."""
    return "".join(write_parts(document, page))


def write_parts(document: Document, page: Page) -> Iterator[str]:
    """`write`, a part at a time: of very many queries the text is never there as a whole."""
    data = document.data()
    before = "{\n"
    for name, encoded in zip(data.__struct_fields__, data.__struct_encode_fields__, strict=True):
        yield f'{before}  "{encoded}": '
        yield from _field(getattr(data, name))
        before = ",\n"
    yield "\n}\n"


def _field(value: object) -> Iterator[str]:
    if not isinstance(value, tuple) or not value:
        yield _indented(value)
        return
    for at in range(0, len(value), _AT_ONCE):
        yield f"{',' if at else '['}{_indented(value[at : at + _AT_ONCE])[1:-_END_OF_LIST]}"
    yield "\n  ]"


def _indented(value: object) -> str:
    """A value as it stands in an object that isn't indented; a newline in a string is no newline in JSON."""
    try:
        text = msgspec.json.format(msgspec.json.encode(value, enc_hook=_mapping), indent=2).decode()
    # a file's name need not be text: half a surrogate pair stands for each odd byte
    except UnicodeEncodeError:
        values = msgspec.to_builtins(value, str_keys=True, enc_hook=_mapping)
        text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
    text = text.replace("\n", "\n  ")
    if text.isascii() and "\x7f" not in text:
        return text
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _mapping(value: Any) -> dict[Any, Any]:  # noqa: ANN401 # whatever msgspec doesn't know
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(f"{type(value).__name__} in a published document")
