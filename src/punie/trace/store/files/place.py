"""Where spans may be, as the user gave it: looked into at most once, however many sources ask."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Final

from punie.trace.errors import CHECK_PATH, InputError
from punie.trace.model import UnreadableRecord
from punie.trace.store.files.encoding import encoding_of
from punie.trace.store.files.json_documents import JsonDocuments, Lines, are_documents, split_documents
from punie.trace.store.files.regular import is_file, is_folder, open_regular
from punie.trace.store.files.unpack import Unpacked, unpack
from punie.trace.urls import without_password

_HEAD: Final = 16
_TAR: Final = slice(257, 262)  # where a tar archive says "ustar"


class Place:
    """A path or a URL. The properties about files raise `InputError` if the file can't be read."""

    def __init__(self, text: str) -> None:
        self.text = text

    @property
    def shown(self) -> str:
        """It as it may be printed."""
        return without_password(self.text)

    @property
    def is_url(self) -> bool:
        """Whether it names a scheme: `jaeger://…`."""
        return "://" in self.text

    @property
    def path(self) -> Path:
        """It as a path."""
        return Path(self.text)

    @cached_property
    def is_file(self) -> bool:
        """Whether it is a regular file that exists: a pipe or a device may have no end."""
        return not self.is_url and is_file(self.path)

    @cached_property
    def is_folder(self) -> bool:
        """Whether it is a folder that exists."""
        return not self.is_url and is_folder(self.path)

    @cached_property
    def head(self) -> bytes:
        """The file's first 16 bytes, as they lie on the disk."""
        try:
            with open_regular(self.path) as file:
                return file.read(_HEAD)
        except OSError as error:
            raise self._cannot_read(error) from error

    @cached_property
    def lines(self) -> Lines | None:
        """The lines of a file that holds one JSON object a line, as they are; None for all that isn't this plain.

        They are read from the disk as they are walked over, so that a large file is never in memory as a whole.
        """
        if self.head[:1] != b"{" or encoding_of(self.head):
            return None
        lines = Lines(self._opened)
        return lines if are_documents(lines) else None

    def _opened(self) -> BinaryIO:
        try:
            return open_regular(self.path)
        except OSError as error:
            raise self._cannot_read(error) from error

    @cached_property
    def unpacked(self) -> Unpacked:
        """The file's content without compression and framing, text in UTF-8."""
        try:
            with open_regular(self.path) as file:
                content = file.read()
        except OSError as error:
            raise self._cannot_read(error) from error
        return unpack(content, self.text)

    @property
    def torn(self) -> tuple[UnreadableRecord, ...]:
        """What of the file could not be unpacked."""
        faults = () if self.lines else self.unpacked.faults
        return tuple(UnreadableRecord(self.text, number, why) for number, why in faults)

    @cached_property
    def json(self) -> JsonDocuments:
        """The JSON documents of the content; raises ValueError if it is no JSON at all."""
        if self.lines:
            return JsonDocuments(self.lines)
        messages = self.unpacked.messages
        if any(message[_TAR] == b"ustar" for message in messages[:1]):
            raise ValueError("a tar archive: unpack it")
        return split_documents(messages)

    def _cannot_read(self, error: OSError) -> InputError:
        return InputError(f"{self.text}: can't be read: {error.strerror or error}", remedy=CHECK_PATH)
