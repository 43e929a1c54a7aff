"""Attributes of OTLP JSON from their text: what has been met is looked up, what is new is decoded.

A file says the same lists, and where these differ the same pairs, over and over. Texts of the plainest writing
(`[{"key":"…","value":{"…Value":…}},…]` without spaces) are taken apart as bytes; any other is given to msgspec.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from punie.trace.model import NO_ATTRIBUTES, Attributes, AttributeValue
from punie.trace.store.otlp.values import LONGEST_NUMBER, any_value

# JSON has these in no string, since their quotes would be escaped there: they stand where a pair begins, and between a
# type and its value. A pair inside a value (of a kvlist) begins alike, but then what stands between two isn't a pair.
_KEY: Final = b'{"key":"'
_TYPED: Final = b':"'
_INTEGER: Final = b',"value":{"intValue"'
_END: Final = b'"}}'
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

    __slots__ = ("_integers", "_lists", "_lists_repeat", "_pairs")

    def __init__(self) -> None:
        self._lists: dict[bytes, Attributes] = {}
        self._lists_repeat = 0  # below 0: fewer than half of them, so looking for them isn't worth it
        self._pairs: dict[bytes, _Pair] = {}
        self._integers: dict[bytes, str] = {}

    def read(self, texts: Iterable[bytes]) -> list[Attributes]:
        """The attributes that each text stands for.

        Raises `msgspec.MsgspecError` or ValueError if one is nothing of the kind.
        """
        known, found = self._lists, []
        if self._lists_repeat < 0:
            return list(map(self._list, texts))
        new = 0
        for text in texts:
            attributes = known.get(text)
            if attributes is None:
                new += 1
                attributes = self._list(text)
                if len(text) <= _LONGEST and len(known) < _MOST:
                    known[text] = attributes
            found.append(attributes)
        self._lists_repeat += len(found) - 2 * new if len(known) == _MOST else 0
        return found

    def _list(self, text: bytes) -> Attributes:
        pieces = text.split(_KEY)
        if pieces[0] != b"[":
            return _plainly(text)
        del pieces[0]
        known, integers = self._pairs, self._integers
        found: dict[str, AttributeValue] = {}
        try:
            for piece in pieces:  # each with the comma or the bracket that follows
                pair = known.get(piece)
                if pair is None:
                    typed, _, value = piece.rpartition(_TYPED)
                    key = integers.get(typed)
                    if key is None or value[-4:-1] != _END or not (digits := value[:-4]).isdigit():
                        pair = self._pair(piece, typed)
                    elif len(digits) < LONGEST_NUMBER:
                        found[key] = int(digits)
                        continue
                    else:
                        return _plainly(text)
                found[pair[0]] = pair[1]
        except (msgspec.MsgspecError, ValueError):
            return _plainly(text)
        return found

    def _pair(self, piece: bytes, typed: bytes) -> _Pair:
        raw = _decode_pair(_KEY + piece[:-1])
        pair = raw.key, any_value(raw.value)
        if len(piece) <= _LONGEST and len(self._pairs) < _MOST:
            self._pairs[piece] = pair
        if typed.endswith(_INTEGER) and len(typed) <= _LONGEST and len(self._integers) < _MOST:
            self._integers[typed] = _decode_text(b'"' + typed.removesuffix(_INTEGER))
        return pair


def _plainly(text: bytes) -> Attributes:
    return {one.key: any_value(one.value) for one in _decode_pairs(text) or ()} or NO_ATTRIBUTES
