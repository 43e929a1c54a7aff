"""A file of JSON as documents: one for the whole file, one a line, or several behind each other.

What isn't JSON is named, with its line.
"""

from __future__ import annotations

import io
import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import BinaryIO, Final

_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_RECORD: Final = b"\x1e"  # before each document of a JSON text sequence, and in no JSON
_TEXTS: Final = ("log", "message", "@message")
_OF_RECORDS: Final = {
    *(*_TEXTS, "stream", "time", "attrs", "timestamp", "@timestamp", "ingestionTime", "logStreamName"),
    *("eventId", "@ptr", "@logStream", "@log"),
}
_AROUND_RECORDS: Final = {
    *("events", "results", "searchedLogStreams", "nextToken", "nextForwardToken", "nextBackwardToken"),
    *("statistics", "status", "encryptionKey", "queryLanguage", "ResponseMetadata", "$metadata"),
}
_PREFIX: Final = re.compile(rb"(?m)^[^{\n]+(?=\{\")")  # docker compose's, Kubernetes', a logger's
_BLANK: Final = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class JsonDocument:
    """What stands at `line` (from 1; in a file of messages the message's number), or why it is no JSON."""

    line: int
    value: object
    problem: str = ""


class Lines:
    """The lines of a file or of its content, read anew each time that they are walked over: one is kept at a time.

    They include what follows the last newline, be it empty.
    """

    def __init__(self, opened: Callable[[], BinaryIO]) -> None:
        self._opened = opened

    def __iter__(self) -> Iterator[bytes]:
        line = b"\n"
        with self._opened() as file:
            for line in file:
                yield line.removesuffix(b"\n")
        if line.endswith(b"\n"):
            yield b""

    @cached_property
    def torn(self) -> int:
        """The number of the last line, from 1, if no newline ends it; else 0."""
        number, line = deque(enumerate(self, start=1), maxlen=1)[0]
        return number if line.strip() else 0


@dataclass(frozen=True, slots=True)
class JsonDocuments:
    """The documents of a file; lines are parsed anew each time, so that they never all lie in memory."""

    lines: Lines | None = None
    whole: tuple[JsonDocument, ...] = ()
    messages: Sequence[bytes] = ()

    def __iter__(self) -> Iterator[JsonDocument]:
        yield from self.whole
        for number, line in self.numbered_lines():
            yield self.parse_line(number, line)

    def numbered_lines(self) -> Iterator[tuple[int, bytes]]:
        """The lines, or the messages, that hold something, unparsed."""
        every = self.messages if self.lines is None else self.lines
        return ((number, line) for number, line in enumerate(every, start=1) if line.strip())

    def parse_line(self, number: int, line: bytes) -> JsonDocument:
        """The document of line `number`, or why it is none."""
        try:
            return JsonDocument(number, parse(line.decode("utf-8")))
        except (ValueError, RecursionError) as error:
            torn = self.lines is not None and number == self.lines.torn
            return JsonDocument(number, None, f"{'torn line' if torn else 'not JSON'}: {_reason(error)}")


def split_documents(messages: Sequence[bytes]) -> JsonDocuments:
    """The documents of a file's `messages`. Raises ValueError if nothing in it is JSON."""
    if len(messages) != 1:
        return JsonDocuments(messages=messages)
    content = messages[0].replace(_RECORD, b"") if messages[0].startswith(_RECORD) else messages[0]
    lines = lines_of(content)
    if not content.strip():
        return JsonDocuments()
    if are_documents(lines):
        return JsonDocuments(lines)
    whole = tuple(_behind_each_other(content))
    if isinstance(whole[0].value, dict | list):
        return JsonDocuments(whole=whole)
    if any(map(_is_object, _filled(lines))):
        return JsonDocuments(lines)
    logged = lines_of(_PREFIX.sub(b"", content))
    if any(map(_is_object, _filled(logged))):
        return JsonDocuments(logged)
    if not whole[0].problem:
        return JsonDocuments(whole=whole)
    raise ValueError(whole[0].problem)


def lines_of(content: bytes) -> Lines:
    """The lines of what is in memory already."""
    return Lines(lambda: io.BytesIO(content))  # which takes the content as it is, without a copy


def are_documents(lines: Lines) -> bool:
    """Whether the first of several lines that hold something is an object: then each is a document."""
    filled = [*islice(_filled(lines), 2)]
    return len(filled) > 1 and _is_object(filled[0])


def _filled(lines: Lines) -> Iterator[bytes]:
    return (line for line in lines if line.strip())


def parse(text: str) -> object:
    """One JSON document. Raises ValueError or RecursionError."""
    found = _from_log(json.loads(text))
    return _without_halves(found) if _SURROGATE.search(text) else found


def _from_log(found: object) -> object:
    """The document that a log's record holds as text, or those of its records (Docker, CloudWatch); else `found`."""
    around = found if isinstance(found, dict) and found.keys() <= _AROUND_RECORDS else {}
    held = around.get("events", around.get("results"))
    records = held if isinstance(held, list) else [found]
    texts = [_text_in(_of_fields(record)) for record in records]
    try:
        inside = [json.loads(text) for text in texts if text is not None]
    except (ValueError, RecursionError):
        return found
    if not inside or len(inside) < len(records):
        return found
    return inside if records is held else inside[0]


def _text_in(record: object) -> str | None:
    """The text of an object that stands beside nothing but a record's time and place."""
    if not isinstance(record, dict) or not record.keys() <= _OF_RECORDS:
        return None
    texts = (record[name] for name in _TEXTS if isinstance(record.get(name), str))
    return next((text for text in texts if text.lstrip().startswith("{")), None)


def _of_fields(record: object) -> object:
    """A record whose fields are a list of names and values (CloudWatch's Insights), as an object."""
    fields = [one for one in record if isinstance(one, dict)] if isinstance(record, list) else []
    return {str(one.get("field")): one.get("value") for one in fields} if fields else record


def _behind_each_other(content: bytes) -> Iterator[JsonDocument]:
    """One document, or several as `jq` prints them: each over many lines. What follows damage is lost."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        yield JsonDocument(1, None, _reason(error))
        return
    decoder = json.JSONDecoder()
    at = _end_of_blank(text, 0)
    line = 1 + text.count("\n", 0, at)
    while at < len(text):
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            yield JsonDocument(line, None, f"not JSON: {_reason(error)}")
            return
        value = _from_log(value)
        yield JsonDocument(line, _without_halves(value) if _SURROGATE.search(text, at, end) else value)
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
