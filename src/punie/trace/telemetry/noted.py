"""What happens deep inside a query and raises for nobody is noted for whoever runs the query."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Noted:
    """Texts that are noted in the context of `inside`, its tasks included; outside of it they are dropped."""

    def __init__(self, name: str) -> None:
        self._texts: ContextVar[list[str] | None] = ContextVar(name, default=None)

    @contextmanager
    def inside(self) -> Iterator[list[str]]:
        """The texts that are noted inside, in their order."""
        texts: list[str] = []
        token = self._texts.set(texts)
        try:
            yield texts
        finally:
            self._texts.reset(token)

    def note(self, text: str) -> None:
        """Add `text` for the innermost `inside`."""
        texts = self._texts.get()
        if texts is not None:
            texts.append(text)
