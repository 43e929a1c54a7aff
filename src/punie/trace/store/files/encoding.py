"""How text is encoded, recognised by its first bytes: a mark, or JSON's first character with zeros around it.

PowerShell 5 redirects as UTF-16, and others write a mark before UTF-8.
"""

from __future__ import annotations

import codecs
from typing import Final

# The marks of UTF-32 begin with those of UTF-16, so they are looked for first.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (b"{\0", "utf-16-le"),
    (b"[\0", "utf-16-le"),
)


def encoding_of(content: bytes) -> str:
    """The encoding of text that isn't plain UTF-8, as Python names it; "" if nothing says so."""
    return next((encoding for mark, encoding in _MARKS if content.startswith(mark)), "")
