"""Streams that ended before their answer did: nobody raises for them, so callers have to look here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_models: Final[ContextVar[list[str] | None]] = ContextVar("models_of_cut_streams", default=None)


@contextmanager
def cut_streams() -> Iterator[list[str]]:
    """The models whose streams were cut short inside, one entry a stream."""
    models: list[str] = []
    token = _models.set(models)
    try:
        yield models
    finally:
        _models.reset(token)


def note_cut_stream(model: str) -> None:
    """A stream of `model` was cut short."""
    models = _models.get()
    if models is not None:
        models.append(model)
