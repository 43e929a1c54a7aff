"""A file of JSON as documents: one for the whole file, one a line, or several behind each other.

What isn't JSON is named, with its line.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_RECORD: Final = b"\x1e"  # before each document of a JSON text sequence, and in no JSON
_BLANK: Final = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class Document:
    """What stands at `line` (from 1; in a file of messages the message's number), or why it is no JSON."""

    line: int
    value: object
    problem: str = ""


class Lines(Collection[bytes]):
    """The lines of a file, split anew each time that they are walked over: beside the file's content only one is kept.

    They include what follows the last newline, be it empty.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._count = content.count(b"\n") + 1

    def __iter__(self) -> Iterator[bytes]:
        lines = io.BytesIO(self._content)  # which takes the content as it is, without a copy
        for line in lines:
            yield line.removesuffix(b"\n")
        if not self._content or self._content.endswith(b"\n"):
            yield b""

    def __len__(self) -> int:
        return self._count

    def __contains__(self, line: object) -> bool:
        return any(line == one for one in self)

    @property
    def last_is_blank(self) -> bool:
        """Whether nothing follows the last newline."""
        return not self._content[self._content.rfind(b"\n") + 1 :].strip()


@dataclass(frozen=True, slots=True)
class JsonDocuments:
    """The documents of a file; lines are parsed anew each time, so that they never all lie in memory."""

    lines: Collection[bytes] = ()
    whole: tuple[Document, ...] = ()
    ends_whole: bool = True

    def __iter__(self) -> Iterator[Document]:
        yield from self.whole
        for number, line in self.numbered_lines():
            yield self.parse_line(number, line)

    def numbered_lines(self) -> Iterator[tuple[int, bytes]]:
        """The lines that hold something, unparsed."""
        return ((number, line) for number, line in enumerate(self.lines, start=1) if line.strip())

    def parse_line(self, number: int, line: bytes) -> Document:
        """The document of `lines[number - 1]`, or why it is none."""
        try:
            return Document(number, parse(line.decode("utf-8")))
        except (ValueError, RecursionError) as error:
            torn = number == len(self.lines) and not self.ends_whole
            return Document(number, None, f"{'torn line' if torn else 'not JSON'}: {_reason(error)}")


def split_documents(messages: Sequence[bytes]) -> JsonDocuments:
    """The documents of a file's `messages`. Raises ValueError if nothing in it is JSON."""
    if len(messages) != 1:
        return JsonDocuments(lines=messages)
    content = messages[0].replace(_RECORD, b"") if messages[0].startswith(_RECORD) else messages[0]
    filled = [*islice(_filled(content), 2)]
    if not filled:
        return JsonDocuments()
    if len(filled) > 1 and _is_object(filled[0]):
        return of_lines(content)
    whole = tuple(_behind_each_other(content))
    if not whole[0].problem:
        return JsonDocuments(whole=whole)
    if any(map(_is_object, _filled(content))):
        return of_lines(content)
    raise ValueError(whole[0].problem)


def of_lines(content: bytes) -> JsonDocuments:
    """JSON lines: whole lines end with a newline, so behind the last one nothing follows."""
    lines = Lines(content)
    return JsonDocuments(lines=lines, ends_whole=lines.last_is_blank)


def _filled(content: bytes) -> Iterator[bytes]:
    return (line for line in Lines(content) if line.strip())


def parse(text: str) -> object:
    """One JSON document. Raises ValueError or RecursionError."""
    found: object = json.loads(text)
    return _without_halves(found) if _SURROGATE.search(text) else found


def _behind_each_other(content: bytes) -> Iterator[Document]:
    """One document, or several as `jq` prints them: each over many lines. What follows damage is lost."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        yield Document(1, None, _reason(error))
        return
    decoder = json.JSONDecoder()
    at = _end_of_blank(text, 0)
    line = 1 + text.count("\n", 0, at)
    while at < len(text):
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            yield Document(line, None, f"not JSON: {_reason(error)}")
            return
        yield Document(line, _without_halves(value) if _SURROGATE.search(text, at, end) else value)
        begun, at = at, _end_of_blank(text, end)
        line += text.count("\n", begun, at)


def _end_of_blank(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    return blank.end() if blank else at


def _without_halves(found: object) -> object:
    """Half a surrogate pair is legal JSON and no text: it becomes U+FFFD, so that it can be written anywhere."""
    text = json.dumps(found, ensure_ascii=False)
    whole: object = json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    return whole


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8: byte 0x{error.object[error.start]:02x} at {error.start}"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
