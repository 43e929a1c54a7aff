"""What a source of spans is: a name, how to recognise it, and how to read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from punie.trace.model import SpanSet
from punie.trace.store.files.place import Place
from punie.trace.store.gathering import SpanGatherer


@dataclass(frozen=True, slots=True)
class Source:
    """A kind of place. `name` stands in errors.

    `recognises` is cheap and needs no package that may be missing. `read` gives the spans with what could not be read;
    it raises `InputError` that names the place.
    """

    name: str
    recognises: Callable[[Place], bool]
    read: Callable[[Place], SpanSet]


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """A kind of JSON document. `name` stands in errors.

    `recognises` looks at a parsed document. `read` gives its spans to the gatherer, with the document's line;
    it raises `Unreadable` for what the document as a whole lacks.
    """

    name: str
    recognises: Callable[[object], bool]
    read: Callable[[object, int, SpanGatherer], None]
