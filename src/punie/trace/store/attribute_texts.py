"""Attributes of OTLP JSON from their text: what has been met is looked up, what is new is decoded.

A file says the same lists, and where these differ the same pairs, over and over. Texts of the plainest writing
(`[{"key":"…","value":{"…Value":…}},…]` without spaces) are taken apart as bytes; any other is given to msgspec.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from punie.trace.model import NO_ATTRIBUTES, Attributes, AttributeValue
from punie.trace.store.otlp_values import LONGEST_NUMBER, Unreadable, any_value

# In JSON that is right, `_NEXT_KEY` and `_VALUE` stand in no string, since their quotes would be escaped there. They
# stand between pairs and in them; those inside a value are of a kvlist.
_KEY: Final = b'[{"key":'
_NEXT_KEY: Final = b'},{"key":'
_VALUE: Final = b',"value":{"'
_END: Final = b"}]"
_NESTED: Final = b"kvlistValue"
_INTEGER: Final = b'intValue":"'
_STRING: Final = b'stringValue":'
_LONGEST: Final = (
    1_000  # bytes of a text that is worth remembering: what is longer holds content and won't come again
)
_MOST: Final = 4_096  # texts that are remembered, so that a file in which all differ costs 4 MB at most

_Pair = tuple[str, AttributeValue]


class _RawPair(msgspec.Struct, gc=False):
    key: str
    value: dict[str, Any] | None = None


_decode_pairs: Final = msgspec.json.Decoder(list[_RawPair] | None).decode
_decode_pair: Final = msgspec.json.Decoder(_RawPair).decode
_decode_text: Final = msgspec.json.Decoder(str).decode


class AttributeTexts:
    """Reads the attributes of many spans; remembers what it has met, so one should read a whole file."""

    __slots__ = ("_keys", "_lists", "_pairs")

    def __init__(self) -> None:
        self._lists: dict[bytes, Attributes] = {}
        self._pairs: dict[bytes, _Pair] = {}
        self._keys: dict[bytes, str] = {}

    def read(self, texts: Iterable[bytes]) -> list[Attributes]:
        """The attributes that each text stands for.

        Raises `msgspec.MsgspecError` or ValueError if one is nothing of the kind.
        """
        known, found = self._lists, []
        for text in texts:
            attributes = known.get(text)
            if attributes is None:
                attributes = self._list(text)
                if len(text) <= _LONGEST and len(known) < _MOST:
                    known[text] = attributes
            found.append(attributes)
        return found

    def _list(self, text: bytes) -> Attributes:
        if not (text.startswith(_KEY) and text.endswith(_END)) or _NESTED in text:
            return {one.key: any_value(one.value) for one in _decode_pairs(text) or ()} or NO_ATTRIBUTES
        pairs, found = self._pairs, {}
        for piece in text[len(_KEY) : -len(_END)].split(_NEXT_KEY):
            pair = pairs.get(piece) or self._pair(piece)
            found[pair[0]] = pair[1]
        return found

    def _pair(self, piece: bytes) -> _Pair:
        """What stands between `"key":` and the pair's last bracket."""
        key, _, value = piece.partition(_VALUE)
        if value.startswith(_INTEGER) and (digits := value[len(_INTEGER) : -2]).isdigit():
            if not value.endswith(b'"}') or len(digits) >= LONGEST_NUMBER:
                raise Unreadable("a number of another kind")
            read: _Pair = self._key(key), int(digits)
        elif value.startswith(_STRING) and value.endswith(b'"}'):
            read = self._key(key), _decode_text(value[len(_STRING) : -1])
        else:
            raw = _decode_pair(_KEY[1:] + piece + b"}")
            read = raw.key, any_value(raw.value)
        if len(piece) <= _LONGEST and len(self._pairs) < _MOST:
            self._pairs[piece] = read
        return read

    def _key(self, text: bytes) -> str:
        found = self._keys.get(text)
        if found is None:
            found = _decode_text(text)
            if len(self._keys) < _MOST:
                self._keys[text] = found
        return found
